"""How far a study is: ratings per pair, open leases, pace and expected end. No answer is looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from human_eval_app.assignment import lease_is_live
from human_eval_app.storage import Store
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, AUDIT, PAIR, STUDY, SUBMISSION

HOUR_MS = 3_600_000
PACE_WINDOW_MS = 24 * HOUR_MS
MIN_WINDOW_MS = HOUR_MS // 4
MIN_PAIRS = 5  # with fewer, one fast or slow person decides what the pace is


@dataclass(frozen=True)
class PairCoverage:
    """done: main ratings that count. leased: open ones whose lease is live. flagged: people who saw a broken video."""

    id: int
    item: str
    method: str
    other: str
    done: int
    leased: int
    flagged: int


@dataclass(frozen=True)
class Lease:
    """A pair that somebody has open. live: nobody else gets it yet."""

    alias: str
    item: str
    method: str
    other: str
    kind: str
    opened_ms: int
    until_ms: int
    live: bool


@dataclass(frozen=True)
class Flag:
    at_ms: int
    alias: str
    assignment_id: int
    item: str
    method: str
    other: str
    side: str
    reason: str

    @property
    def left(self) -> str:
        return self.method if self.side == "left" else self.other

    @property
    def right(self) -> str:
        return self.other if self.side == "left" else self.method


@dataclass(frozen=True)
class Pace:
    """pairs_per_hour over the last `hours`; None where too little happened to tell. times_ms: of all main ratings."""

    pairs_per_hour: float | None
    hours: float
    times_ms: tuple[int, ...]


@dataclass(frozen=True)
class Coverage:
    """One state of a study. wanted: ratings of every pair."""

    closed: bool
    wanted: int
    pairs: tuple[PairCoverage, ...]
    leases: tuple[Lease, ...]
    flags: tuple[Flag, ...]
    pace: Pace
    now_ms: int

    @property
    def num_wanted(self) -> int:
        return self.wanted * len(self.pairs)

    @property
    def num_done(self) -> int:
        """Main ratings of pairs, without what is more than was wanted: it fills no other pair's place."""
        return sum(min(pair.done, self.wanted) for pair in self.pairs)

    @property
    def num_leased(self) -> int:
        return sum(pair.leased for pair in self.pairs)

    @property
    def num_complete(self) -> int:
        return sum(pair.done >= self.wanted for pair in self.pairs)

    def expected_end_ms(self) -> int | None:
        """Return when all ratings will be there at the present pace; None where that cannot be told or is past."""
        left = self.num_wanted - self.num_done
        if self.closed or not left or not self.pace.pairs_per_hour:
            return None
        return self.now_ms + int(left / self.pace.pairs_per_hour * HOUR_MS)


def coverage(store: Store) -> Coverage:
    """Return how far the study is, from one snapshot of the database."""
    now = store.now_ms()
    with store.database.read() as connection:
        status = connection.execute(select(STUDY.c.status).where(STUDY.c.id == store.study_id)).scalar_one()
        leases = _leases(connection, store, now)
        pairs = _pairs(connection, store, leases)
        flags = _flags(connection, store)
        times = _times(connection, store)
    return Coverage(
        status == "closed", store.study.ratings_per_pair, pairs, tuple(lease for _, lease in leases), flags,
        pace(times, now), now,
    )  # fmt: skip


def pace(times_ms: Sequence[int], now_ms: int) -> Pace:
    """Return the pace of the last day, or of the time since the first rating where that is shorter."""
    first = min(times_ms, default=now_ms)
    window = max(min(PACE_WINDOW_MS, now_ms - first), MIN_WINDOW_MS)
    recent = sum(now_ms - window <= t <= now_ms for t in times_ms)
    hours = window / HOUR_MS
    return Pace(recent / hours if recent >= MIN_PAIRS else None, hours, tuple(times_ms))


def _leases(connection: Connection, store: Store, now: int) -> list[tuple[int, Lease]]:
    """Return (pair id, lease) of every open pair, the oldest first."""
    rows = connection.execute(
        select(
            ASSIGNMENT.c.pair_id, ANNOTATOR.c.alias, PAIR.c.item, PAIR.c.method, PAIR.c.other, ASSIGNMENT.c.kind,
            ASSIGNMENT.c.opened_ms, ASSIGNMENT.c.lease_until_ms,
        )
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .where(PAIR.c.study_id == store.study_id, ASSIGNMENT.c.status == "pending")
        .order_by(ASSIGNMENT.c.opened_ms, ASSIGNMENT.c.id)
    )  # fmt: skip
    return [
        (
            row.pair_id,
            Lease(
                row.alias, row.item, row.method, row.other, row.kind, row.opened_ms, row.lease_until_ms,
                lease_is_live(opened_ms=row.opened_ms, until_ms=row.lease_until_ms, now_ms=now),
            ),
        )
        for row in rows
    ]  # fmt: skip


def _pairs(connection: Connection, store: Store, leases: list[tuple[int, Lease]]) -> tuple[PairCoverage, ...]:
    leased = Counter(pair_id for pair_id, lease in leases if lease.live and lease.kind == "main")
    count = {
        state: func.sum(case((ASSIGNMENT.c.status == state, 1), else_=0)).label(state) for state in ("done", "flagged")
    }
    counted = (
        select(ASSIGNMENT.c.pair_id, *count.values())
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .where(ANNOTATOR.c.study_id == store.study_id, ANNOTATOR.c.status != "withdrawn", ASSIGNMENT.c.kind == "main")
        .group_by(ASSIGNMENT.c.pair_id)
        .subquery()
    )
    rows = connection.execute(
        select(PAIR.c.id, PAIR.c.item, PAIR.c.method, PAIR.c.other, counted.c.done, counted.c.flagged)
        .join(counted, counted.c.pair_id == PAIR.c.id, isouter=True)
        .where(PAIR.c.study_id == store.study_id, PAIR.c.kind == "main")
        .order_by(PAIR.c.position)
    )
    return tuple(
        PairCoverage(row.id, row.item, row.method, row.other, row.done or 0, leased[row.id], row.flagged or 0)
        for row in rows
    )


def _flags(connection: Connection, store: Store) -> tuple[Flag, ...]:
    """Return every report of a broken video, the newest first; the reason stands in the audit log."""
    rows = connection.execute(
        select(
            ASSIGNMENT.c.id, ASSIGNMENT.c.side, ASSIGNMENT.c.opened_ms, ANNOTATOR.c.alias, PAIR.c.item, PAIR.c.method,
            PAIR.c.other,
        )
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .where(PAIR.c.study_id == store.study_id, ASSIGNMENT.c.status == "flagged")
    ).all()  # fmt: skip
    if not rows:
        return ()
    said: dict[int, tuple[int, str]] = {}
    for line in connection.execute(select(AUDIT).where(AUDIT.c.what == "flag").order_by(AUDIT.c.id)):
        detail = json.loads(line.detail)
        said[detail["assignment"]] = (line.at_ms, detail["reason"])
    flags = [
        Flag(
            said.get(row.id, (row.opened_ms, ""))[0], row.alias, row.id, row.item, row.method, row.other, row.side,
            said.get(row.id, (0, ""))[1],
        )
        for row in rows
    ]  # fmt: skip
    return tuple(sorted(flags, key=lambda flag: (flag.at_ms, flag.assignment_id), reverse=True))


def _times(connection: Connection, store: Store) -> tuple[int, ...]:
    """Return when each main pair was answered for the first time; a revision is no progress."""
    rows = connection.execute(
        select(SUBMISSION.c.created_ms)
        .join(ASSIGNMENT, ASSIGNMENT.c.id == SUBMISSION.c.assignment_id)
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .where(ANNOTATOR.c.study_id == store.study_id, ANNOTATOR.c.status != "withdrawn")
        .where(ASSIGNMENT.c.kind == "main", SUBMISSION.c.revision == 0)
        .order_by(SUBMISSION.c.created_ms)
    )
    return tuple(row.created_ms for row in rows)
