"""Who sees what next, and on which side: pure functions of the study and of what happened so far.

Every order comes from SHA-256 of the study's seed, the annotator's alias and the thing ordered, so it is the same on
every machine and in every version, and tells nothing about methods. `handing_out.py` does it in a transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from human_eval_app.answers import Side
from human_eval_app.study import Study

Kind = Literal["main", "practice", "gold", "repeat"]
Finish = Literal["none_left", "all_leased", "all_sessions", "practice_failed"]


@dataclass(frozen=True)
class Pair:
    """A pair that could be shown. group: its two methods. done, leased: main ratings by and live leases of anybody."""

    id: int
    kind: Literal["main", "practice", "gold"]
    group: str
    done: int = 0
    leased: int = 0


@dataclass(frozen=True)
class Seen:
    """One assignment of this annotator that was not released. right: of practice, whether all was as expected."""

    pair_id: int
    kind: Kind
    group: str
    position: int
    side: Side
    status: Literal["pending", "done", "flagged"]
    right: bool = True


@dataclass(frozen=True)
class Next:
    """What to show: `repeat` counts how often this annotator had the pair in this kind of slot (repeats: from 1)."""

    pair_id: int
    kind: Kind
    repeat: int
    position: int
    side: Side


def smallest_session(study: Study) -> int:
    """Return the least number of pairs in a session in which every planned gold pair and repeat finds its place."""
    repeats = study.repeats.per_session
    return study.gold.per_session + (study.repeats.gap + 3 * repeats if repeats else 0) + 1


def session_slots(study: Study, alias: str, session: int) -> tuple[Kind, ...]:
    """Return the kinds of the slots of one session, at places that depend on seed, alias and session alone.

    Repeats come late enough that before each of them enough main pairs are `gap` pairs old, wherever gold pairs fell.
    """
    size, num_gold, num_repeats = study.session.pairs, study.gold.per_session, study.repeats.per_session
    assert size >= smallest_session(study), "load_study refuses such a session"
    order = sorted(range(size), key=lambda place: _hash(study.seed, alias, "slot", session, place))
    first = study.repeats.gap + num_gold + 2 * num_repeats
    repeats = [place for place in order if place >= first][:num_repeats]
    gold = [place for place in order if place not in repeats][:num_gold]
    return tuple("repeat" if p in repeats else "gold" if p in gold else "main" for p in range(size))


def next_for(study: Study, alias: str, *, pairs: Sequence[Pair], seen: Sequence[Seen]) -> Next | Finish:
    """Return what the annotator `alias` sees next, or why nothing.

    seen: in the order of position; none of them pending (an open pair is shown again, not followed by another).
    """
    assert not any(s.status == "pending" for s in seen)
    position = 1 + max((s.position for s in seen), default=0)
    rated = [s for s in seen if s.kind != "practice"]
    known = {s.pair_id for s in rated if s.kind == "main"}
    unseen = [p for p in pairs if p.kind == "main" and p.id not in known]
    free = [p for p in unseen if p.done + p.leased < study.ratings_per_pair]
    over: Finish = "all_leased" if any(p.done < study.ratings_per_pair for p in unseen) else "none_left"
    if not free and not rated:
        return over  # nobody practises for nothing
    practice = [p for p in pairs if p.kind == "practice"]
    step = practice_step(study, practice, [s for s in seen if s.kind == "practice"])
    if step == "practice_failed":
        return step
    if step != "passed":
        pair, repeat = practice[step % len(practice)], step // len(practice)
        return Next(pair.id, "practice", repeat, position, _side(study, alias, pair, seen))

    session, place = divmod(len(rated), study.session.pairs)
    if session >= study.session.max_sessions:
        return "all_sessions"
    this_session = rated[session * study.session.pairs :]
    wanted: Iterable[Kind] = (session_slots(study, alias, session)[place],)
    if not free:
        # nothing new is left: what the session still owes of gold and repeats comes now, then it ends
        used = [s.kind for s in this_session]
        owed: tuple[tuple[Kind, int], ...] = (
            ("gold", study.gold.per_session), ("repeat", study.repeats.per_session)
        )  # fmt: skip
        wanted = [kind for kind, planned in owed if place and used.count(kind) < planned]
    for kind in wanted:
        if kind == "gold":
            shown = {s.pair_id for s in rated if s.kind == "gold"}
            gold = [p for p in pairs if p.kind == "gold" and p.id not in shown]
            if gold:
                pair = min(gold, key=lambda p: _hash(study.seed, alias, "gold", p.id))
                return Next(pair.id, "gold", 0, position, _side(study, alias, pair, seen))
        if kind == "repeat":
            again = _old_enough(study, rated, position)
            if again:
                first = min(again, key=lambda s: _hash(study.seed, alias, "repeat", s.pair_id))
                return Next(first.pair_id, "repeat", 1, position, "right" if first.side == "left" else "left")
    if free:
        # least-rated first, so that every pair has k ratings before any has k + 1 as far as the unseen allow
        pair = min(free, key=lambda p: (p.done + p.leased, _hash(study.seed, alias, "main", p.id)))
        return Next(pair.id, "main", 0, position, _side(study, alias, pair, seen))
    return over


def lease_is_live(*, opened_ms: int, until_ms: int, now_ms: int) -> bool:
    """Return whether a lease still holds its pair.

    A lease from the future means that the clock was set back: it is let go when it lies further ahead than a lease is
    long, because otherwise its pair would wait until the clock has caught up.
    """
    return now_ms < until_ms and opened_ms - now_ms <= until_ms - opened_ms


def practice_step(
    study: Study, practice: Sequence[object], done: Sequence[Seen]
) -> int | Literal["passed", "practice_failed"]:
    """Return how many practice pairs are behind, or how practice ended.

    A pair that could not be answered (flagged) is no mistake: what could not be checked is not held against anybody.
    """
    if not practice:
        return "passed"
    rounds, rest = divmod(len(done), len(practice))
    if rest or not rounds:
        return len(done)
    last = done[-len(practice) :]
    if sum(s.right or s.status == "flagged" for s in last) >= study.practice.pass_pairs:
        return "passed"
    return len(done) if rounds < study.practice.attempts else "practice_failed"


def _old_enough(study: Study, rated: Sequence[Seen], position: int) -> list[Seen]:
    repeated = {s.pair_id for s in rated if s.kind == "repeat"}
    return [
        s
        for s in rated
        if s.kind == "main"
        and s.status == "done"
        and s.pair_id not in repeated
        and position - s.position > study.repeats.gap
    ]


def _side(study: Study, alias: str, pair: Pair, seen: Sequence[Seen]) -> Side:
    """Return where `method` stands so that left and right of each two methods differ by one at most, at any time."""
    kept = [s for s in seen if s.status != "flagged" and s.kind == pair.kind]
    group = [s for s in kept if s.group == pair.group]
    for rows in (group, kept):
        lead = sum(1 if s.side == "left" else -1 for s in rows)
        if lead:
            return "right" if lead > 0 else "left"
    # even so far: the seed decides, and the next of this group gets the other side
    return "left" if _hash(study.seed, alias, "side", pair.kind, pair.group, len(group)) < "8" else "right"


def _hash(*parts: object) -> str:
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()
