"""What is said after a practice pair: which answers were expected, how the round stands; never the name of a method."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from human_eval_app.answers import ANSWERS, Answer, Side
from human_eval_app.assignment import Seen, practice_step
from human_eval_app.handing_out import wrong_practice
from human_eval_app.storage import Store
from human_eval_app.study import Language
from human_eval_app.tables import ASSIGNMENT, PAIR, RATING
from univg_bench.human.dimensions import Dimension

# more: the round is not over; the others say how it ended
Round = Literal["more", "passed", "again", "failed"]


@dataclass(frozen=True)
class Checked:
    """One question with a known answer."""

    dimension: Dimension
    answer: Answer
    expected: Answer


@dataclass(frozen=True)
class Feedback:
    """checked: in the order of the screen. others: whether more was asked. why: the study's own sentence, by language.

    right, pairs, needed: pairs as expected, of how many, and how many it takes, in the round that has just ended.
    """

    checked: tuple[Checked, ...]
    others: bool
    why: Mapping[Language, str]
    round: Round
    right: int
    pairs: int
    needed: int


def feedback_on(store: Store, annotator_id: int, assignment_id: int) -> Feedback:
    """Return the feedback on an answered practice pair of this annotator."""
    with store.database.read() as connection:
        rows = connection.execute(
            select(ASSIGNMENT, PAIR.c.item, PAIR.c.method, PAIR.c.other, PAIR.c.expected)
            .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
            .where(ASSIGNMENT.c.annotator_id == annotator_id, ASSIGNMENT.c.kind == "practice")
            .where(ASSIGNMENT.c.status.in_(("done", "flagged")))
            .order_by(ASSIGNMENT.c.position)
        ).all()
        mine = select(RATING.c.dimension, RATING.c.answer).where(RATING.c.assignment_id == assignment_id)
        answers = {row.dimension: row.answer for row in connection.execute(mine)}
        wrong = wrong_practice(connection, annotator_id)
    this = next(row for row in rows if row.id == assignment_id)
    item = next(one for one in store.study.items if one.id == this.item)
    known = json.loads(this.expected)
    asked = store.study.questions(item)
    checked = tuple(
        Checked(d, answers[d.code], expected_answer(known[d.code], this.side)) for d in asked if d.code in known
    )
    written = next(
        p for p in store.study.practice.pairs if (p.item, p.method, p.other) == (this.item, this.method, this.other)
    )
    seen = [
        Seen(r.pair_id, "practice", "", r.position, r.side, r.status, right=r.status == "flagged" or r.id not in wrong)
        for r in rows
    ]
    size = len(store.study.practice.pairs)
    return Feedback(
        checked, others=len(asked) > len(checked), why=written.why, round=_round(store, seen),
        right=sum(s.right for s in seen[-size:]), pairs=size, needed=store.study.practice.pass_pairs,
    )  # fmt: skip


def expected_answer(choice: str, side: Side) -> Answer:
    """Return what had to be clicked for G, S or B when our method stood on `side`: the inverse of `choice_of`."""
    if choice == "S":
        return "same"
    left, _, right = ANSWERS
    return left if (choice == "G") == (side == "left") else right


def _round(store: Store, seen: list[Seen]) -> Round:
    pairs = store.study.practice.pairs
    step = practice_step(store.study, pairs, seen)
    if step == "passed":
        return "passed"
    if step == "practice_failed":
        return "failed"
    return "more" if step % len(pairs) else "again"
