"""From the database to a ratings file that `univg-bench human report` reads, and the check that it may be trusted.

People appear as aliases only. The last revision of a submission counts; whoever withdrew is left out. A practice or
gold pair gives rows for the dimensions whose answer is known, because only these say anything.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, func, select

from human_eval_app.answers import choice_of
from human_eval_app.storage import Store, audit
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, PAIR, RATING, SUBMISSION
from univg_bench.errors import InputError, SampleError
from univg_bench.human.rating_files import write_ratings
from univg_bench.human.ratings import Ratings, validate

SHOWN = 5


def ratings_of(store: Store) -> Ratings:
    """Return the ratings of the study, checked. Raises SampleError for a damaged database, InputError for none."""
    with store.database.read() as connection:
        problems = _problems(connection, store)
        rows = _rows(connection, store)
    if problems:
        raise SampleError(
            f"the database of {store.slug} contradicts itself in {len(problems)} "
            f"{'place' if len(problems) == 1 else 'places'}: {'; '.join(problems[:SHOWN])}. Restore it from a backup"
        )
    if not rows:
        raise InputError(f"{store.slug} holds no ratings yet; nothing was written")
    return validate(pd.DataFrame(rows), source=store.slug, dimensions=store.study.plan.dimensions)


def export_ratings(store: Store, dest: Path, *, who: str) -> Ratings:
    """Write the ratings to `dest` (.csv, .parquet, .jsonl), whole or not at all, note it in the log, and return them.

    Raises InputError while the study is open and its file does not say `peek: true`.
    """
    require_sight(store)
    ratings = ratings_of(store)
    write_ratings(ratings, dest)
    now = store.now_ms()
    detail = f"{store.slug}: {len(ratings)} ratings to {dest.name}"
    store.database.write(lambda connection: audit(connection, now, who, "export", detail))
    return ratings


def require_sight(store: Store) -> None:
    """Raise InputError where nobody may see results yet: who peeks is tempted to stop when the numbers please."""
    if not store.study.peek and not store.closed():
        raise InputError(
            f"{store.slug} is open, and its study file keeps results hidden until it is closed; close it first"
        )


def check(store: Store) -> list[str]:
    """Return what in the database contradicts itself, empty when all is well; looks at no result."""
    with store.database.read() as connection:
        return _problems(connection, store)


def _rows(connection: Connection, store: Store) -> list[dict[str, object]]:
    last = (
        select(SUBMISSION.c.assignment_id, func.max(SUBMISSION.c.revision).label("revision"))
        .group_by(SUBMISSION.c.assignment_id)
        .subquery()
    )
    found = connection.execute(
        select(
            PAIR.c.item, ANNOTATOR.c.alias, PAIR.c.method, PAIR.c.other, RATING.c.dimension, RATING.c.choice,
            ASSIGNMENT.c.side, RATING.c.answer, ASSIGNMENT.c.kind, ASSIGNMENT.c.repeat, PAIR.c.expected,
            SUBMISSION.c.seconds, PAIR.c.video_seconds, SUBMISSION.c.watched,
        )
        .join(last, (last.c.assignment_id == RATING.c.assignment_id) & (last.c.revision == RATING.c.revision))
        .join(
            SUBMISSION,
            (SUBMISSION.c.assignment_id == RATING.c.assignment_id) & (SUBMISSION.c.revision == RATING.c.revision),
        )
        .join(ASSIGNMENT, ASSIGNMENT.c.id == RATING.c.assignment_id)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .where(PAIR.c.study_id == store.study_id, ANNOTATOR.c.status != "withdrawn", ASSIGNMENT.c.status == "done")
        .order_by(ANNOTATOR.c.alias, ASSIGNMENT.c.position, RATING.c.dimension)
    )  # fmt: skip
    rows = []
    for row in found:
        facts = dict(row._mapping)
        facts["annotator"] = facts.pop("alias")
        expected = json.loads(facts.pop("expected"))
        if facts["kind"] in ("practice", "gold"):
            if row.dimension not in expected:
                continue
            facts["expected"] = expected[row.dimension]
        rows.append({key: value for key, value in facts.items() if value is not None})
    return rows


def _problems(connection: Connection, store: Store) -> list[str]:
    """Every submission answers all that is asked, every choice is as click and side say, every done pair has one."""
    counted: Counter[tuple[int, int]] = Counter()
    problems = []
    mine = PAIR.c.study_id == store.study_id
    for row in connection.execute(
        select(RATING, ASSIGNMENT.c.side)
        .join(ASSIGNMENT, ASSIGNMENT.c.id == RATING.c.assignment_id)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .where(mine)
    ):
        counted[row.assignment_id, row.revision] += 1
        if choice_of(row.answer, row.side) != row.choice:
            problems.append(
                f"{row.dimension} of assignment {row.assignment_id} is {row.choice}, its click says otherwise"
            )
    answered = set()
    asked = {item.id: len(store.study.questions(item)) for item in store.study.items}
    for row in connection.execute(
        select(SUBMISSION, ASSIGNMENT.c.status, PAIR.c.item)
        .join(ASSIGNMENT, ASSIGNMENT.c.id == SUBMISSION.c.assignment_id)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .where(mine)
    ):
        answered.add(row.assignment_id)
        if row.status != "done":
            problems.append(f"assignment {row.assignment_id} has answers, but is {row.status}")
        found = counted[row.assignment_id, row.revision]
        if found != row.num_ratings:
            problems.append(f"assignment {row.assignment_id} has {found} of {row.num_ratings} ratings")
        elif found != asked[row.item]:
            problems.append(f"assignment {row.assignment_id} has {found} ratings, {row.item} asks {asked[row.item]}")
    done = connection.execute(
        select(ASSIGNMENT.c.id).join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id).where(mine, ASSIGNMENT.c.status == "done")
    )
    problems += [f"assignment {row.id} is done without answers" for row in done if row.id not in answered]
    return problems
