"""What one person has behind them when a pair opens: how many, and the last one, which may still be changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from human_eval_app.handing_out import Handed
from human_eval_app.rating_data import Place
from human_eval_app.storage import Store
from human_eval_app.study import Study
from human_eval_app.tables import ASSIGNMENT, PAIR, RATING


@dataclass(frozen=True)
class Before:
    """practice, rated: pairs answered or flagged. last: the pair just before, where its answers may be changed."""

    practice: int
    rated: int
    last: Handed | None
    answers: Mapping[str, str]


def rated_before(store: Store, annotator_id: int) -> Before:
    """Return what is behind this annotator.

    The last pair can be changed unless it was flagged (there are no answers) or practice (feedback was given).
    """
    with store.database.read() as connection:
        rows = connection.execute(
            select(ASSIGNMENT, PAIR.c.item)
            .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
            .where(ASSIGNMENT.c.annotator_id == annotator_id, ASSIGNMENT.c.status.in_(("done", "flagged")))
            .where(PAIR.c.study_id == store.study_id)
            .order_by(ASSIGNMENT.c.position)
        ).all()
        practice = sum(row.kind == "practice" for row in rows)
        last = rows[-1] if rows and rows[-1].kind != "practice" and rows[-1].status == "done" else None
        if last is None:
            return Before(practice, len(rows) - practice, None, {})
        newest = select(func.max(RATING.c.revision)).where(RATING.c.assignment_id == last.id).scalar_subquery()
        given = connection.execute(
            select(RATING.c.dimension, RATING.c.answer)
            .where(RATING.c.assignment_id == last.id, RATING.c.revision == newest)
        )  # fmt: skip
        answers = {row.dimension: row.answer for row in given}
    return Before(practice, len(rows) - practice, _handed(last), answers)


def place_of(study: Study, kind: str, before: Before) -> Place:
    """Return where the open pair stands.

    Others rate at the same time, so a session may end before its total: the total is the most that can come.
    """
    if kind == "practice":
        total = len(study.practice.pairs)
        return Place(before.practice % total + 1, total)
    size = study.session.pairs
    begun, place = divmod(before.rated, size)
    left = len(study.items) * len(study.others) - begun * size
    most = left + study.gold.per_session + study.repeats.per_session
    return Place(place + 1, max(place + 1, min(size, most)))


def _handed(row: Row[Any]) -> Handed:
    return Handed(row.id, row.pair_id, row.item, row.kind, row.position, row.side, row.token_left, row.token_right)
