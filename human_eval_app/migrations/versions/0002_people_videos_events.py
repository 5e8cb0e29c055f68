"""The second form: what people agreed to and where they are, presentation copies of videos, events of the player.

Columns are added in place, in words that SQLite and PostgreSQL share: Alembic's batch mode would build `annotator`
anew, which SQLite refuses while assignments point to it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ANNOTATOR = (
    "source VARCHAR(10) DEFAULT 'code' NOT NULL CONSTRAINT ck_annotator_source CHECK (source IN ('code', 'prolific'))",
    "external_id_enc TEXT",
    "consent_ms BIGINT",
    "consent_digest VARCHAR(64)",
    "device TEXT",
    "language VARCHAR(10)",
    "instructed_ms BIGINT",
    "finished_ms BIGINT",
    "comment VARCHAR(2000)",
    "session_started_ms BIGINT",
    "breaks INTEGER DEFAULT 0 NOT NULL",
)


def upgrade() -> None:
    op.execute("ALTER TABLE study ADD COLUMN pepper_check VARCHAR(64)")
    for column in ANNOTATOR:
        op.execute(f"ALTER TABLE annotator ADD COLUMN {column}")
    op.create_table(
        "video",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(80), nullable=False),
        sa.Column("method", sa.String(80), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("source_sha256", sa.String(64)),
        sa.Column("path", sa.String(80)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("fps", sa.Float()),
        sa.Column("frames", sa.Integer()),
        sa.Column("seconds", sa.Float()),
        sa.Column("made", sa.Text()),
        sa.CheckConstraint("status IN ('ok', 'missing', 'unplayable')", name=op.f("ck_video_status")),
        sa.CheckConstraint(
            "status <> 'ok' OR (path IS NOT NULL AND sha256 IS NOT NULL)", name=op.f("ck_video_ok_has_a_file")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_video_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video")),
        sa.UniqueConstraint("study_id", "item", "method", name=op.f("uq_video_study_id_item_method")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("t_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("value", sa.String(200)),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name=op.f("fk_event_assignment_id")),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_event_annotator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_assignment_id"), "event", ["assignment_id"])
    op.create_index(op.f("ix_event_annotator_id"), "event", ["annotator_id"])
    _forbid_changes()


def _forbid_changes() -> None:
    """Events only grow; those of somebody who withdrew may be deleted, which is the path that `human forget` takes."""
    here = "(SELECT status FROM annotator WHERE id = OLD.annotator_id) <> 'withdrawn'"
    if op.get_bind().dialect.name == "sqlite":
        says = "BEGIN SELECT RAISE(ABORT, 'event is append-only'); END"
        op.execute(f"CREATE TRIGGER event_no_update BEFORE UPDATE ON event {says}")
        op.execute(f"CREATE TRIGGER event_no_delete BEFORE DELETE ON event WHEN {here} {says}")
        return
    op.execute(
        "CREATE TRIGGER event_append_only BEFORE UPDATE OR TRUNCATE ON event "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE FUNCTION event_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {here} THEN RAISE EXCEPTION 'event is append-only'; END IF; RETURN OLD; END $$"
    )
    op.execute("CREATE TRIGGER event_no_delete BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION event_kept()")
