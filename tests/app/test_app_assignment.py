"""Order and sides are laws of seed and alias, whatever the annotators do."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from human_eval_app.assignment import (
    Next,
    Pair,
    Seen,
    lease_is_live,
    next_for,
    session_slots,
    smallest_session,
)
from human_eval_app.study import Gold, KnownPair, Practice, Repeats, Session, Study
from tests.app.app_study import small_study

METHODS = ("theirs", "frozen")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return small_study(tmp_path_factory.mktemp("plain"), items=10, target=3)


def shaped(plain: Study, *, seed: int, size: int, gold: int, repeats: int, gap: int) -> Study:
    known = tuple(KnownPair(item=f"i{k}", method="ours", other="frozen", expected={"OL": "G"}) for k in range(6))
    study = plain.model_copy(
        update={
            "seed": seed,
            "gold": Gold(pairs=known, per_session=gold),
            "repeats": Repeats(per_session=repeats, gap=gap),
        }
    )
    return study.model_copy(update={"session": Session(pairs=max(size, smallest_session(study)))})


shapes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "size": st.integers(1, 30),
        "gold": st.integers(0, 3),
        "repeats": st.integers(0, 3),
        "gap": st.integers(1, 6),
    }
)


def pairs_of(num_main: int, num_gold: int = 6, num_practice: int = 0) -> list[Pair]:
    main = [Pair(k, "main", f"ours|{METHODS[k % 2]}") for k in range(num_main)]
    gold = [Pair(1000 + k, "gold", "ours|frozen") for k in range(num_gold)]
    return main + gold + [Pair(2000 + k, "practice", "ours|frozen") for k in range(num_practice)]


def walk(study: Study, alias: str, pairs: list[Pair], *, flag: frozenset[int] = frozenset()) -> list[Seen]:
    """Rate until nothing comes; the positions in `flag` are reported as broken instead."""
    groups = {p.id: p.group for p in pairs}
    seen: list[Seen] = []
    while isinstance(found := next_for(study, alias, pairs=pairs, seen=seen), Next):
        status = "flagged" if found.position in flag else "done"
        seen.append(Seen(found.pair_id, found.kind, groups[found.pair_id], found.position, found.side, status))
        assert len(seen) < 500
    return seen


@given(shape=shapes, alias=st.text(max_size=5), session=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_session_has_exactly_its_planned_gold_pairs_and_repeats(plain, shape, alias, session) -> None:
    study = shaped(plain, **shape)
    slots = session_slots(study, alias, session)
    assert slots == session_slots(study, alias, session)
    assert Counter(slots)["gold"] == shape["gold"]
    assert Counter(slots)["repeat"] == shape["repeats"]
    for k, place in enumerate(p for p, kind in enumerate(slots) if kind == "repeat"):
        assert slots[: max(0, place - shape["gap"])].count("main") > k


@given(shape=shapes, alias=st.text(max_size=5), flag=st.frozensets(st.integers(1, 40), max_size=6))
@settings(max_examples=60, deadline=None)
def test_nothing_comes_twice_but_planned_repeats_with_their_sides_swapped(plain, shape, alias, flag) -> None:
    study = shaped(plain, **shape)
    pairs = pairs_of(40)
    seen = walk(study, alias, pairs, flag=flag)
    assert seen == walk(study, alias, pairs, flag=flag)
    for kind in ("main", "gold", "repeat"):
        shown = [s.pair_id for s in seen if s.kind == kind]
        assert len(shown) == len(set(shown))
    first = {s.pair_id: s for s in seen if s.kind == "main"}
    for s in seen:
        if s.kind == "repeat":
            before = first[s.pair_id]
            assert before.status == "done"
            assert s.side != before.side
            assert s.position - before.position - 1 >= shape["gap"]


@given(shape=shapes, alias=st.text(max_size=5), flag=st.frozensets(st.integers(1, 60), max_size=6))
@settings(max_examples=60, deadline=None)
def test_left_and_right_of_each_two_methods_differ_by_one_at_most_at_any_time(plain, shape, alias, flag) -> None:
    seen = walk(shaped(plain, **shape), alias, pairs_of(40), flag=flag)
    for kind in ("main", "gold"):
        for group in {s.group for s in seen}:
            lead = 0
            for s in seen:
                if s.kind == kind and s.group == group and s.status == "done":
                    lead += 1 if s.side == "left" else -1
                    assert abs(lead) <= 1


def test_sides_and_orders_differ_between_annotators_and_seeds(plain: Study) -> None:
    pairs = pairs_of(40)
    study = shaped(plain, seed=1, size=25, gold=2, repeats=2, gap=5)
    ways = {tuple((s.pair_id, s.side) for s in walk(study, f"p{k}", pairs)) for k in range(20)}
    assert len(ways) == 20
    firsts = Counter(walk(study, f"p{k}", pairs)[0].side for k in range(200))
    # fair coins give 65 to 135 of 200 but for one time in a million
    assert 65 <= firsts["left"] <= 135


@given(loads=st.lists(st.integers(0, 4), min_size=1, max_size=12), leased=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_the_least_rated_pair_comes_first_and_full_pairs_never(plain, loads, leased) -> None:
    pairs = [Pair(k, "main", "ours|theirs", done, leased) for k, done in enumerate(loads)]
    found = next_for(plain, "p", pairs=pairs, seen=[])
    if min(loads) + leased < plain.ratings_per_pair:
        assert isinstance(found, Next)
        assert loads[found.pair_id] == min(loads)
    else:
        assert found == ("all_leased" if min(loads) < plain.ratings_per_pair else "none_left")


def test_practice_comes_first_and_is_passed_repeated_or_failed(plain: Study) -> None:
    known = KnownPair(item="i0", method="ours", other="frozen", expected={"OL": "G"})
    study = plain.model_copy(update={"practice": Practice(pairs=(known, known), pass_pairs=2, attempts=2)})
    pairs = pairs_of(5, num_practice=2)

    def after(*outcomes: tuple[bool, str]) -> str:
        seen = [
            Seen(2000 + k % 2, "practice", "ours|frozen", k + 1, "left", status, right)  # type: ignore[arg-type]
            for k, (right, status) in enumerate(outcomes)
        ]
        found = next_for(study, "p", pairs=pairs, seen=seen)
        return f"{found.kind} {found.repeat}" if isinstance(found, Next) else found

    right, wrong, broken = (True, "done"), (False, "done"), (False, "flagged")
    assert after() == "practice 0"
    assert after(right, right) == "main 0"
    assert after(right, wrong) == "practice 1"
    assert after(right, wrong, right) == "practice 1"
    assert after(right, wrong, right, right) == "main 0"
    assert after(right, wrong, wrong, right) == "practice_failed"
    # what could not be checked is not held against anybody
    assert after(right, broken) == "main 0"


def test_nobody_practises_for_nothing(plain: Study) -> None:
    known = KnownPair(item="i0", method="ours", other="frozen", expected={"OL": "G"})
    study = plain.model_copy(update={"practice": Practice(pairs=(known,))})
    full = [Pair(0, "main", "ours|theirs", done=3), Pair(2000, "practice", "ours|frozen")]
    assert next_for(study, "p", pairs=full, seen=[]) == "none_left"


def test_a_lease_ends_with_its_time_and_when_the_clock_is_set_far_back() -> None:
    lease = {"opened_ms": 10_000, "until_ms": 20_000}
    assert lease_is_live(**lease, now_ms=10_000)
    assert lease_is_live(**lease, now_ms=19_999)
    assert not lease_is_live(**lease, now_ms=20_000)
    assert lease_is_live(**lease, now_ms=5_000)
    assert not lease_is_live(**lease, now_ms=-5_000)
