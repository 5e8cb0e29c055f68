"""Runs the migrations on the connection that `database.upgrade` holds; there is no alembic.ini and no other way in."""

from alembic import context

from human_eval_app.tables import METADATA

connection = context.config.attributes["connection"]
# batch mode, because SQLite cannot alter a column in place
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
