"""Handing out pairs: `assignment.next_for` inside a transaction, with leases so that abandoned work returns.

Ratings of a pair never exceed what the study asks for by more than the number of answers that came after their lease
had run out and the pair had been given to somebody else: such answers are kept, because somebody gave them.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, Row, case, func, insert, select, update

from human_eval_app.assignment import Finish, Kind, Next, Pair, Seen, lease_is_live, next_for
from human_eval_app.refusals import RefusedError
from human_eval_app.storage import Store, audit
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, PAIR, RATING, STUDY


@dataclass(frozen=True)
class Handed:
    """An open pair of one annotator. What may reach the browser: id, tokens, position; the rest stays on the server."""

    id: int
    pair_id: int
    item: str
    kind: Kind
    position: int
    side: str
    token_left: str
    token_right: str


def next_pair(store: Store, annotator_id: int) -> Handed | Finish:
    """Return the pair that the annotator works on now, the same until it is answered, or why there is none.

    Raises RefusedError for a closed study or somebody who withdrew.
    """
    now = store.now_ms()
    return store.database.write(lambda connection: _next(connection, store, annotator_id, now))


def release_expired(store: Store) -> int:
    """Release every open main pair whose lease ran out and return how many.

    Handing out does without it; it is for displays. Other kinds of pairs belong to one person and wait for them.
    """
    now = store.now_ms()

    def work(connection: Connection) -> int:
        _lock_study(connection, store)
        rows = connection.execute(
            select(ASSIGNMENT).join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
            .where(PAIR.c.study_id == store.study_id, ASSIGNMENT.c.status == "pending", ASSIGNMENT.c.kind == "main")
        ).all()  # fmt: skip
        expired = [row.id for row in rows if not _live(row, now)]
        for assignment_id in expired:
            _release(connection, assignment_id)
        return len(expired)

    return store.database.write(work)


def _next(connection: Connection, store: Store, annotator_id: int, now: int) -> Handed | Finish:
    _lock_study(connection, store)
    who = (ANNOTATOR.c.id == annotator_id) & (ANNOTATOR.c.study_id == store.study_id)
    annotator = connection.execute(select(ANNOTATOR).where(who)).one_or_none()
    if annotator is None:
        raise RefusedError("unknown_code", "this annotator is not known; log in again")
    if annotator.status == "withdrawn":
        raise RefusedError("withdrawn", "this participation was withdrawn; write to the contact of the study")
    if annotator.status == "screened_out":
        return "practice_failed"
    own = connection.execute(
        select(ASSIGNMENT).where(ASSIGNMENT.c.annotator_id == annotator_id).order_by(ASSIGNMENT.c.position)
    ).all()
    pairs = _pairs(connection, store, now, but=annotator_id)
    for row in own:
        if row.status == "pending":
            pair = pairs[row.pair_id][0]
            full = pair.done + pair.leased >= store.study.ratings_per_pair
            if _live(row, now) or row.kind != "main" or not full:
                return _renew(connection, store, row, pairs[row.pair_id][1].item, now)
            # others have taken it over meanwhile; a late answer would still be kept
            _release(connection, row.id)
    wrong = wrong_practice(connection, annotator_id)
    seen = [
        Seen(
            row.pair_id, row.kind, pairs[row.pair_id][0].group, row.position, row.side, row.status,
            right=row.id not in wrong,
        )
        for row in own
        if row.status in ("done", "flagged")
    ]  # fmt: skip
    # a released pair does not come back to the same person: a late answer to its first showing may still arrive
    released = {row.pair_id for row in own if row.status in ("released", "pending")}
    candidates = [pair for pair, _ in pairs.values() if pair.id not in released or pair.kind != "main"]
    found = next_for(store.study, annotator.alias, pairs=candidates, seen=seen)
    if isinstance(found, Next):
        return _hand_out(connection, store, annotator_id, found, pairs[found.pair_id][1].item, now)
    if found == "practice_failed":
        connection.execute(update(ANNOTATOR).where(who).values(status="screened_out"))
        audit(connection, now, annotator.alias, "practice_failed", store.slug)
    return found


def _lock_study(connection: Connection, store: Store) -> None:
    # on PostgreSQL two servers would else count the same free place; SQLite has one writer anyway
    row = connection.execute(select(STUDY.c.status).where(STUDY.c.id == store.study_id).with_for_update()).one()
    if row.status == "closed":
        raise RefusedError("study_closed", "this study is closed; thank you, no more answers are taken")


def _pairs(
    connection: Connection, store: Store, now: int, *, but: int
) -> dict[int, tuple[Pair, Row[tuple[object, ...]]]]:
    """Return every pair of the study with its main ratings by anybody and the live leases of all others than `but`."""
    # one statement, so one snapshot: an answer that arrives between two would be in neither count, and its place would
    # be given away again. Answered rows of a pair come as one line, open ones each with its lease.
    open_one = case((ASSIGNMENT.c.status == "pending", ASSIGNMENT.c.id), else_=0)
    rows = connection.execute(
        select(
            ASSIGNMENT.c.pair_id, open_one.label("open_one"), func.count().label("num"),
            func.max(ASSIGNMENT.c.opened_ms).label("opened_ms"),
            func.max(ASSIGNMENT.c.lease_until_ms).label("lease_until_ms"),
        )
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .where(ANNOTATOR.c.study_id == store.study_id, ANNOTATOR.c.status != "withdrawn")
        .where(ASSIGNMENT.c.kind == "main")
        .where((ASSIGNMENT.c.status == "done") | ((ASSIGNMENT.c.status == "pending") & (ANNOTATOR.c.id != but)))
        .group_by(ASSIGNMENT.c.pair_id, open_one)
    ).all()  # fmt: skip
    done = Counter({row.pair_id: row.num for row in rows if not row.open_one})
    leased = Counter(row.pair_id for row in rows if row.open_one and _live(row, now))
    listed = connection.execute(select(PAIR).where(PAIR.c.study_id == store.study_id).order_by(PAIR.c.position))
    return {
        row.id: (Pair(row.id, row.kind, f"{row.method}|{row.other}", done[row.id], leased[row.id]), row)
        for row in listed
    }


def wrong_practice(connection: Connection, annotator_id: int) -> set[int]:
    """Return the practice assignments with an answer that is not the expected one."""
    rows = connection.execute(
        select(RATING.c.assignment_id, RATING.c.dimension, RATING.c.choice, PAIR.c.expected)
        .join(ASSIGNMENT, ASSIGNMENT.c.id == RATING.c.assignment_id)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .where(ASSIGNMENT.c.annotator_id == annotator_id, ASSIGNMENT.c.kind == "practice")
    )
    return {r.assignment_id for r in rows if json.loads(r.expected).get(r.dimension, r.choice) != r.choice}


def _live(row: Row[tuple[object, ...]], now: int) -> bool:
    return lease_is_live(opened_ms=row.opened_ms, until_ms=row.lease_until_ms, now_ms=now)


def _release(connection: Connection, assignment_id: int) -> None:
    # its answer may have come since the row was read, and an answered pair is never released
    still_open = (ASSIGNMENT.c.id == assignment_id) & (ASSIGNMENT.c.status == "pending")
    connection.execute(update(ASSIGNMENT).where(still_open).values(status="released", position=None))


def _lease(store: Store, now: int) -> dict[str, int]:
    return {"opened_ms": now, "lease_until_ms": now + store.study.lease_minutes * 60_000}


def _renew(connection: Connection, store: Store, row: Row[tuple[object, ...]], item: str, now: int) -> Handed:
    connection.execute(update(ASSIGNMENT).where(ASSIGNMENT.c.id == row.id).values(_lease(store, now)))
    return Handed(row.id, row.pair_id, item, row.kind, row.position, row.side, row.token_left, row.token_right)


def _hand_out(connection: Connection, store: Store, annotator_id: int, found: Next, item: str, now: int) -> Handed:
    left, right = secrets.token_urlsafe(12), secrets.token_urlsafe(12)  # 96 random bits each
    key = connection.execute(
        insert(ASSIGNMENT).values(
            annotator_id=annotator_id, pair_id=found.pair_id, kind=found.kind, repeat=found.repeat,
            position=found.position, side=found.side, token_left=left, token_right=right, status="pending",
            **_lease(store, now),
        )
    ).inserted_primary_key  # fmt: skip
    assert key is not None
    return Handed(key[0], found.pair_id, item, found.kind, found.position, found.side, left, right)
