"""The tables of a study. Times are whole milliseconds since 1970 (UTC), as the server's clock said.

What never changes in a study (items, dimensions, rules) stays in `study.config`, whose digest is stored beside it;
tables hold what grows. `submission`, `rating`, `audit` and `event` only ever grow: triggers of the database refuse to
change or delete their rows (migrations/versions), so a correction is a new revision and the history stays. One way is
left open: events of somebody who withdrew may be deleted (`forgetting.py`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# pepper_check: a keyed hash that tells the right pepper from a wrong one, and says nothing about it.
STUDY = Table(
    "study", METADATA,
    Column("id", Integer, primary_key=True),
    Column("slug", String(100), nullable=False, unique=True),
    Column("config", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("status", String(10), CheckConstraint("status IN ('open', 'closed')", name="status"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("pepper_check", String(64)),
)  # fmt: skip

# Two methods on one item. video_seconds: length of the longer video, once the videos were imported.
PAIR = Table(
    "pair", METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("study.id"), nullable=False),
    Column("kind", String(10), CheckConstraint("kind IN ('main', 'practice', 'gold')", name="kind"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("item", String(80), nullable=False),
    Column("method", String(80), nullable=False),
    Column("other", String(80), CheckConstraint("other <> method", name="two_methods"), nullable=False),
    Column("expected", Text, nullable=False),
    Column("video_seconds", Float),
    UniqueConstraint("study_id", "kind", "item", "method", "other"),
)  # fmt: skip

# A video as annotators see it. path: below presentation/, a name that says nothing. made: JSON, what the import did to
# the source. width ... seconds: of the presentation copy. reason: why there is none.
VIDEO = Table(
    "video", METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("study.id"), nullable=False),
    Column("item", String(80), nullable=False),
    Column("method", String(80), nullable=False),
    Column(
        "status", String(10), CheckConstraint("status IN ('ok', 'missing', 'unplayable')", name="status"),
        nullable=False,
    ),
    Column("reason", Text),
    Column("source_sha256", String(64)),
    Column("path", String(80)),
    Column("sha256", String(64)),
    Column("bytes", BigInteger),
    Column("width", Integer),
    Column("height", Integer),
    Column("fps", Float),
    Column("frames", Integer),
    Column("seconds", Float),
    Column("made", Text),
    CheckConstraint("status <> 'ok' OR (path IS NOT NULL AND sha256 IS NOT NULL)", name="ok_has_a_file"),
    UniqueConstraint("study_id", "item", "method"),
)  # fmt: skip

# code_hash: keyed BLAKE2b of the code, or of the id at Prolific; the code itself is shown once and never stored.
# external_id_enc: that id, encrypted under the pepper. alias is all that exports know of a person. consent_digest: of
# the text that was shown. device: JSON. breaks: how many were taken.
ANNOTATOR = Table(
    "annotator", METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("study.id"), nullable=False),
    Column("alias", String(20), nullable=False),
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("expires_ms", BigInteger, nullable=False),
    Column(
        "status", String(15),
        CheckConstraint("status IN ('active', 'screened_out', 'withdrawn')", name="status"), nullable=False,
    ),
    Column("created_ms", BigInteger, nullable=False),
    Column(
        "source", String(10), CheckConstraint("source IN ('code', 'prolific')", name="source"), nullable=False,
        server_default=text("'code'"),
    ),
    Column("external_id_enc", Text),
    Column("consent_ms", BigInteger),
    Column("consent_digest", String(64)),
    Column("device", Text),
    Column("language", String(10)),
    Column("instructed_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("comment", String(2000)),
    Column("session_started_ms", BigInteger),
    Column("breaks", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("study_id", "alias"),
)  # fmt: skip

# side: where `method` of the pair stands. slot: what the plan of the session asked for, so that a repeat (kind repeat)
# can show a pair of kind main. position: the how-many-eth pair of this annotator, null while released.
ASSIGNMENT = Table(
    "assignment", METADATA,
    Column("id", Integer, primary_key=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("pair_id", ForeignKey("pair.id"), nullable=False, index=True),
    Column(
        "kind", String(10),
        CheckConstraint("kind IN ('main', 'practice', 'gold', 'repeat')", name="kind"), nullable=False,
    ),
    Column("repeat", Integer, nullable=False),
    Column("position", Integer),
    Column("side", String(5), CheckConstraint("side IN ('left', 'right')", name="side"), nullable=False),
    Column("token_left", String(16), nullable=False, unique=True),
    Column("token_right", String(16), nullable=False, unique=True),
    Column(
        "status", String(10),
        CheckConstraint("status IN ('pending', 'done', 'flagged', 'released')", name="status"), nullable=False,
    ),
    Column("opened_ms", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
    UniqueConstraint("annotator_id", "pair_id", "kind", "repeat"),
    UniqueConstraint("annotator_id", "position"),
)  # fmt: skip

SUBMISSION = Table(
    "submission", METADATA,
    Column("assignment_id", ForeignKey("assignment.id"), primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("client_uuid", String(36), nullable=False, unique=True),
    Column("num_ratings", Integer, nullable=False),
    Column("seconds", Float),
    Column("watched", Float),
    Column("created_ms", BigInteger, nullable=False),
)  # fmt: skip

RATING = Table(
    "rating", METADATA,
    Column("assignment_id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("dimension", String(80), primary_key=True),
    Column(
        "answer", String(5), CheckConstraint("answer IN ('left', 'same', 'right')", name="answer"), nullable=False
    ),
    Column("choice", String(1), CheckConstraint("choice IN ('G', 'S', 'B')", name="choice"), nullable=False),
    ForeignKeyConstraint(["assignment_id", "revision"], ["submission.assignment_id", "submission.revision"]),
)  # fmt: skip

# What a player did: t_ms since the pair appeared, by the browser's clock; at_ms when it arrived, by ours.
EVENT = Table(
    "event", METADATA,
    Column("id", Integer, primary_key=True),
    Column("assignment_id", ForeignKey("assignment.id"), nullable=False, index=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("t_ms", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("value", String(200)),
)  # fmt: skip

AUDIT = Table(
    "audit", METADATA,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(40), nullable=False),
    Column("what", String(40), nullable=False),
    Column("detail", Text, nullable=False),
)  # fmt: skip
