"""What a player did (play, seek, an error, ...): diagnostics that may be lost and must never be in anybody's way."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, func, insert, select

from human_eval_app.refusals import RefusedError
from human_eval_app.storage import DAY_MS, Store
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, EVENT

KINDS = frozenset(
    ("shown", "play", "pause", "step", "seek", "rate", "loop", "hidden", "visible", "answer", "unanswer", "warn",
     "error", "resync")
)  # fmt: skip
# ten questions answered three times over and a seek every second of an hour fit; a script that floods does not
MAX_PER_ASSIGNMENT = 5000


def record_events(store: Store, annotator_id: int, assignment_id: int, events: object) -> int:
    """Store the events that make sense and return how many; the others are dropped, and so is what exceeds the cap.

    events: a list of {"t": milliseconds since the pair appeared, "kind", "value"}. Raises RefusedError where the
    assignment is another's.
    """
    if not isinstance(events, list):
        raise RefusedError("bad_request", "expected a list of events")
    now = store.now_ms()
    kept = [row for row in map(_parse, events) if row is not None]

    def work(connection: Connection) -> int:
        owner = connection.execute(
            select(ASSIGNMENT.c.annotator_id)
            .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
            .where(ASSIGNMENT.c.id == assignment_id, ASSIGNMENT.c.annotator_id == annotator_id)
            .where(ANNOTATOR.c.study_id == store.study_id, ANNOTATOR.c.status != "withdrawn")
        ).one_or_none()
        if owner is None:
            raise RefusedError("not_yours", "this pair was not given to you; reload the page")
        there = select(func.count()).select_from(EVENT).where(EVENT.c.assignment_id == assignment_id)
        room = MAX_PER_ASSIGNMENT - connection.execute(there).scalar_one()
        facts = {"assignment_id": assignment_id, "annotator_id": annotator_id, "at_ms": now}
        rows = [{**facts, **row} for row in kept[: max(room, 0)]]
        if rows:
            connection.execute(insert(EVENT), rows)
        return len(rows)

    return store.database.write(work) if kept else 0


def _parse(event: object) -> dict[str, Any] | None:
    if not isinstance(event, dict):
        return None
    kind, t, value = event.get("kind"), event.get("t"), event.get("value")
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    if isinstance(t, bool) or not isinstance(t, int | float) or not math.isfinite(t) or not 0 <= t <= DAY_MS:
        return None
    if value is not None and not isinstance(value, str | int | float):
        return None
    # PostgreSQL takes no NUL in a text
    return {
        "t_ms": int(t),
        "kind": kind,
        "value": None if value is None else str(value).replace("\0", "")[:200],
    }
