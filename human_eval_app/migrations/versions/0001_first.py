"""The first form: studies, pairs, annotators, assignments, submissions, ratings, audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPEND_ONLY = ("submission", "rating", "audit")


def upgrade() -> None:
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(100), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_study_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("slug", name=op.f("uq_study_slug")),
    )
    op.create_table(
        "pair",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(80), nullable=False),
        sa.Column("method", sa.String(80), nullable=False),
        sa.Column("other", sa.String(80), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("video_seconds", sa.Float()),
        sa.CheckConstraint("kind IN ('main', 'practice', 'gold')", name=op.f("ck_pair_kind")),
        sa.CheckConstraint("other <> method", name=op.f("ck_pair_two_methods")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_pair_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair")),
        sa.UniqueConstraint(
            "study_id", "kind", "item", "method", "other", name=op.f("uq_pair_study_id_kind_item_method_other")
        ),
    )
    op.create_table(
        "annotator",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(20), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(15), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'screened_out', 'withdrawn')", name=op.f("ck_annotator_status")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_annotator_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotator")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_annotator_code_hash")),
        sa.UniqueConstraint("study_id", "alias", name=op.f("uq_annotator_study_id_alias")),
    )
    op.create_table(
        "assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer()),
        sa.Column("side", sa.String(5), nullable=False),
        sa.Column("token_left", sa.String(16), nullable=False),
        sa.Column("token_right", sa.String(16), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('main', 'practice', 'gold', 'repeat')", name=op.f("ck_assignment_kind")),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_assignment_side")),
        sa.CheckConstraint("status IN ('pending', 'done', 'flagged', 'released')", name=op.f("ck_assignment_status")),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_assignment_annotator_id")),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_assignment_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sa.UniqueConstraint(
            "annotator_id", "pair_id", "kind", "repeat", name=op.f("uq_assignment_annotator_id_pair_id_kind_repeat")
        ),
        sa.UniqueConstraint("annotator_id", "position", name=op.f("uq_assignment_annotator_id_position")),
        sa.UniqueConstraint("token_left", name=op.f("uq_assignment_token_left")),
        sa.UniqueConstraint("token_right", name=op.f("uq_assignment_token_right")),
    )
    op.create_index(op.f("ix_assignment_pair_id"), "assignment", ["pair_id"])
    op.create_table(
        "submission",
        sa.Column("assignment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("client_uuid", sa.String(36), nullable=False),
        sa.Column("num_ratings", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.Column("watched", sa.Float()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name=op.f("fk_submission_assignment_id")),
        sa.PrimaryKeyConstraint("assignment_id", "revision", name=op.f("pk_submission")),
        sa.UniqueConstraint("client_uuid", name=op.f("uq_submission_client_uuid")),
    )
    op.create_table(
        "rating",
        sa.Column("assignment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dimension", sa.String(80), nullable=False),
        sa.Column("answer", sa.String(5), nullable=False),
        sa.Column("choice", sa.String(1), nullable=False),
        sa.CheckConstraint("answer IN ('left', 'same', 'right')", name=op.f("ck_rating_answer")),
        sa.CheckConstraint("choice IN ('G', 'S', 'B')", name=op.f("ck_rating_choice")),
        sa.ForeignKeyConstraint(
            ["assignment_id", "revision"],
            ["submission.assignment_id", "submission.revision"],
            name=op.f("fk_rating_assignment_id"),
        ),
        sa.PrimaryKeyConstraint("assignment_id", "revision", "dimension", name=op.f("pk_rating")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(40), nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    _forbid_changes()


def _forbid_changes() -> None:
    """Let the database itself refuse to change or delete what was said, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for deed in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
