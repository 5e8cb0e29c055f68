"""Who takes part and how far they are. No answer is looked at, and nobody is known but by an alias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Row, case, func, select

from human_eval_app.storage import Store
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, SUBMISSION

RECENT_MS = 30 * 60_000
State = Literal[
    "rating now", "away", "finished", "practising", "preparing", "not started", "code expired", "practice failed",
    "withdrawn",
]  # fmt: skip
STATES: dict[State, str] = {
    "rating now": "opened or answered a pair in the last half hour",
    "away": "has rated, not in the last half hour",
    "finished": "came to the last page",
    "practising": "has seen practice pairs only",
    "preparing": "has agreed to take part and has opened no pair",
    "not started": "has a code and has opened no pair",
    "code expired": "never opened a pair, and the code lets nobody in any more",
    "practice failed": "was turned away after the last round of practice; the answers stay",
    "withdrawn": "asked to be left out; no answer of theirs counts or is exported",
}


@dataclass(frozen=True)
class Person:
    """pairs: answered, by kind. last_ms: when a pair was opened or answered last. median_seconds: per main pair."""

    id: int
    alias: str
    state: State
    main: int
    practice: int
    gold: int
    repeats: int
    flagged: int
    last_ms: int | None
    median_seconds: float | None
    created_ms: int
    comment: str | None


def people(store: Store) -> tuple[Person, ...]:
    """Return everybody who has a code, in the order in which codes were issued."""
    now = store.now_ms()
    with store.database.read() as connection:
        kinds = connection.execute(
            select(
                ASSIGNMENT.c.annotator_id, ASSIGNMENT.c.kind,
                func.sum(case((ASSIGNMENT.c.status == "done", 1), else_=0)).label("done"),
                func.sum(case((ASSIGNMENT.c.status == "flagged", 1), else_=0)).label("flagged"),
                func.max(ASSIGNMENT.c.opened_ms).label("opened_ms"),
            )
            .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
            .where(ANNOTATOR.c.study_id == store.study_id)
            .group_by(ASSIGNMENT.c.annotator_id, ASSIGNMENT.c.kind)
        ).all()  # fmt: skip
        answers = connection.execute(
            select(ASSIGNMENT.c.annotator_id, ASSIGNMENT.c.kind, SUBMISSION.c.seconds, SUBMISSION.c.created_ms)
            .join(ASSIGNMENT, ASSIGNMENT.c.id == SUBMISSION.c.assignment_id)
            .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
            .where(ANNOTATOR.c.study_id == store.study_id)
        ).all()
        rows = connection.execute(
            select(ANNOTATOR).where(ANNOTATOR.c.study_id == store.study_id).order_by(ANNOTATOR.c.id)
        ).all()
    done: Counter[tuple[int, str]] = Counter()
    flagged: Counter[int] = Counter()
    last: dict[int, int] = {}
    for row in kinds:
        done[row.annotator_id, row.kind] = row.done
        flagged[row.annotator_id] += row.flagged
        last[row.annotator_id] = max(row.opened_ms, last.get(row.annotator_id, 0))
    seconds: dict[int, list[float]] = {}
    for given in answers:
        last[given.annotator_id] = max(given.created_ms, last.get(given.annotator_id, 0))
        if given.kind == "main" and given.seconds is not None:
            seconds.setdefault(given.annotator_id, []).append(given.seconds)
    opened = {row.annotator_id for row in kinds if row.kind != "practice"}
    return tuple(
        Person(
            row.id, row.alias,
            _state(row, now_ms=now, last_ms=last.get(row.id), rated=row.id in opened),
            done[row.id, "main"], done[row.id, "practice"], done[row.id, "gold"], done[row.id, "repeat"],
            flagged[row.id], last.get(row.id), _median(seconds.get(row.id, [])), row.created_ms, row.comment,
        )
        for row in rows
    )  # fmt: skip


def _state(row: Row[tuple[object, ...]], *, now_ms: int, last_ms: int | None, rated: bool) -> State:
    if row.status == "withdrawn":
        return "withdrawn"
    if row.status == "screened_out":  # the only thing that turns somebody away while they rate
        return "practice failed"
    if row.finished_ms is not None:
        return "finished"
    if last_ms is None:
        expired = now_ms >= row.expires_ms
        return "code expired" if expired else "not started" if row.consent_ms is None else "preparing"
    if not rated:
        return "practising"
    return "rating now" if now_ms - last_ms <= RECENT_MS else "away"


def _median(values: Sequence[float]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
