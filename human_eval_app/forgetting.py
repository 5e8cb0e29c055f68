"""Removing what ties an alias to a person: code, id elsewhere, device, comment, what their player did.

Ratings stay in any case, because answers only grow. Who asks to be forgotten is left out of every count and export
from then on; where only the time is over that a study promised to keep such data (`retention_days`), ratings count on,
and nobody can say any more whose they were.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from human_eval_app.prolific import reveal
from human_eval_app.storage import DAY_MS, Store, audit
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, EVENT, SUBMISSION
from univg_bench.errors import InputError

FORGOTTEN = "forgotten-"  # takes the place of the hash of a code, and lets nobody in
# the moment and the text of the consent stay: they prove it, and name nobody
NOTHING_KNOWN = {"external_id_enc": None, "device": None, "comment": None, "language": None}


@dataclass(frozen=True)
class Due:
    """Somebody whose data were to be kept until `until_ms`."""

    id: int
    alias: str
    until_ms: int


def find_annotator(store: Store, *, alias: str | None = None, prolific: str | None = None, pepper: bytes) -> int:
    """Return the id of the annotator with this alias, or with this id at Prolific. Raises InputError for nobody."""
    with store.database.read() as connection:
        rows = connection.execute(select(ANNOTATOR).where(ANNOTATOR.c.study_id == store.study_id)).all()
    for row in rows:
        if alias is not None and row.alias == alias:
            return int(row.id)
        if prolific is not None and row.external_id_enc and reveal(pepper, row.external_id_enc)["pid"] == prolific:
            return int(row.id)
    sought = f"alias {alias}" if alias is not None else "such id at Prolific"
    raise InputError(f"{store.slug} knows no {sought}; `univg-bench human status` lists the aliases")


def forget(store: Store, annotator_ids: Sequence[int], *, who: str, keep_ratings: bool = False) -> int:
    """Remove what ties these people to their aliases and return how many events went with it.

    keep_ratings: their ratings go on counting. One transaction for all of them; the log notes the alias and no more.
    """
    now = store.now_ms()

    def work(connection: Connection) -> int:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")  # else the old bytes stay in the file
        removed = 0
        for annotator_id in annotator_ids:
            here = ANNOTATOR.c.id == annotator_id
            before = connection.execute(select(ANNOTATOR.c.alias, ANNOTATOR.c.status).where(here)).one()
            mine = (ASSIGNMENT.c.annotator_id == annotator_id) & (ASSIGNMENT.c.status == "pending")
            connection.execute(update(ASSIGNMENT).where(mine).values(status="released", position=None))
            gone = {"status": "withdrawn", "code_hash": FORGOTTEN + secrets.token_hex(16), **NOTHING_KNOWN}
            connection.execute(update(ANNOTATOR).where(here).values(gone))
            # the database lets events go of people who are withdrawn, and of nobody else
            removed += connection.execute(delete(EVENT).where(EVENT.c.annotator_id == annotator_id)).rowcount
            if keep_ratings:
                connection.execute(update(ANNOTATOR).where(here).values(status=before.status))
            audit(connection, now, who, "forget", f"{before.alias}, ratings {'kept' if keep_ratings else 'left out'}")
        return removed

    removed = store.database.write(work)
    if store.database.engine.dialect.name == "sqlite":
        with store.database.engine.connect() as connection:
            # the write-ahead log holds pages of before; this empties it
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed


def due(store: Store) -> list[Due]:
    """Return the people whose data the study promised to have removed by now; nobody where it promised nothing."""
    days, now = store.study.retention_days, store.now_ms()
    if days is None:
        return []
    last = (
        select(ASSIGNMENT.c.annotator_id, func.max(SUBMISSION.c.created_ms).label("at_ms"))
        .join(ASSIGNMENT, ASSIGNMENT.c.id == SUBMISSION.c.assignment_id)
        .group_by(ASSIGNMENT.c.annotator_id)
        .subquery()
    )
    with store.database.read() as connection:
        rows = connection.execute(
            select(ANNOTATOR, last.c.at_ms)
            .join(last, last.c.annotator_id == ANNOTATOR.c.id, isouter=True)
            .where(ANNOTATOR.c.study_id == store.study_id, ANNOTATOR.c.code_hash.not_like(f"{FORGOTTEN}%"))
            .order_by(ANNOTATOR.c.id)
        ).all()
    found = [Due(row.id, row.alias, max(row.created_ms, row.at_ms or 0) + days * DAY_MS) for row in rows]
    return [person for person in found if person.until_ms <= now]
