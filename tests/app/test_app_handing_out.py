"""Who gets which pair when several work at once, leave, come back and answer late; on both databases."""

import threading
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from human_eval_app.database import Database
from human_eval_app.export import check
from human_eval_app.handing_out import Handed, next_pair, release_expired
from human_eval_app.storage import Store
from human_eval_app.tables import ASSIGNMENT
from tests.app.app_study import GOLD, PEPPER, Clock, answer, open_store, people, rate_all, small_study

LEASE = 30 * 60


@pytest.fixture
def clock() -> Clock:
    return Clock()


def handed(store: Store, annotator_id: int) -> Handed:
    pair = next_pair(store, annotator_id)
    assert isinstance(pair, Handed), pair
    return pair


def rated(store: Store) -> Counter[int]:
    """Main ratings by pair."""
    with store.database.read() as connection:
        done = (ASSIGNMENT.c.status == "done") & (ASSIGNMENT.c.kind == "main")
        return Counter(connection.execute(sa.select(ASSIGNMENT.c.pair_id).where(done)).scalars())


def test_many_at_once_on_two_servers_give_every_pair_exactly_its_ratings(url: str, tmp_path: Path) -> None:
    first = open_store(url, small_study(tmp_path, items=5, target=3, more=GOLD), busy_seconds=15)
    second = Store(Database(url, busy_seconds=15), first.slug, pepper=PEPPER, clock=Clock())
    failures: list[BaseException] = []

    def work(store: Store, annotator: object) -> None:
        try:
            rate_all(store, annotator)  # type: ignore[arg-type]
        except BaseException as error:
            failures.append(error)

    staff = people(first, 5)
    threads = [threading.Thread(target=work, args=((first, second)[k % 2], who)) for k, who in enumerate(staff)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    # whoever met "all leased" while others were busy comes back once
    for who in staff:
        rate_all(first, who)
    assert sorted(rated(first).values()) == [3] * 5
    assert check(first) == []


def test_an_open_pair_stays_open_and_keeps_its_tokens(url: str, tmp_path: Path, clock: Clock) -> None:
    store = open_store(url, small_study(tmp_path), clock)
    (who,) = people(store, 1)
    pair = handed(store, who.id)
    clock.seconds += LEASE - 1
    assert handed(store, who.id) == pair
    # asking again renewed the lease; and when it ran out but nobody needed the pair, it is still theirs
    clock.seconds += 3 * LEASE
    assert handed(store, who.id) == pair


def test_abandoned_work_returns_when_its_lease_ends(url: str, tmp_path: Path, clock: Clock) -> None:
    store = open_store(url, small_study(tmp_path, items=1, target=1), clock)
    a, b = people(store, 2)
    left = handed(store, a.id)
    assert next_pair(store, b.id) == "all_leased"
    clock.seconds += LEASE
    taken = handed(store, b.id)
    assert taken.pair_id == left.pair_id
    assert {taken.token_left, taken.token_right}.isdisjoint({left.token_left, left.token_right})
    answer(store, b, taken)
    assert next_pair(store, a.id) == "none_left"


def test_a_late_answer_is_kept_with_the_side_it_was_given_for(url: str, tmp_path: Path, clock: Clock) -> None:
    store = open_store(url, small_study(tmp_path, items=2, target=1), clock)
    a, b = people(store, 2)
    left = handed(store, a.id)
    clock.seconds += LEASE
    rate_all(store, b)
    assert next_pair(store, a.id) == "none_left"
    answer(store, a, left, left.side)
    assert rated(store)[left.pair_id] == 2
    assert check(store) == []
    with store.database.read() as connection:
        row = connection.execute(sa.select(ASSIGNMENT).where(ASSIGNMENT.c.id == left.id)).one()
    assert (row.status, row.side) == ("done", left.side)


def test_what_was_taken_over_does_not_come_back_to_who_left_it(url: str, tmp_path: Path, clock: Clock) -> None:
    store = open_store(url, small_study(tmp_path, items=2, target=1), clock)
    a, b, c = people(store, 3)
    left = handed(store, a.id)
    clock.seconds += LEASE
    while (pair := handed(store, b.id)).pair_id != left.pair_id:
        store.flag(b.id, pair.id, reason="black")
    other = handed(store, a.id)
    assert other.pair_id != left.pair_id
    answer(store, a, other)
    clock.seconds += LEASE
    assert next_pair(store, a.id) == "none_left"
    assert handed(store, c.id).pair_id == left.pair_id


def test_ratings_of_who_withdraws_are_asked_again(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path, items=2, target=1))
    a, b = people(store, 2)
    rate_all(store, a)
    assert next_pair(store, b.id) == "none_left"
    store.withdraw(a.id, who="test")
    assert len(rate_all(store, b)) == 2


def test_expired_leases_are_released_for_displays(url: str, tmp_path: Path, clock: Clock) -> None:
    store = open_store(url, small_study(tmp_path), clock)
    staff = people(store, 2)
    for who in staff:
        handed(store, who.id)
    assert release_expired(store) == 0
    clock.seconds += LEASE
    assert release_expired(store) == 2
    assert release_expired(store) == 0


steps = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["next", "answer", "answer", "late", "flag", "wait", "release"])),
    max_size=40,
)


@given(steps=steps)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_pair_has_no_more_ratings_than_asked_but_for_late_ones(tmp_path_factory, steps) -> None:
    folder, clock = tmp_path_factory.mktemp("steps"), Clock()
    store = open_store(str(folder / "s.db"), small_study(folder, items=3, target=2), clock)
    staff = people(store, 4)
    opened: dict[int, Handed] = {}
    late: Counter[int] = Counter()
    leased_until: dict[int, float] = {}
    for index, deed in steps:
        who = staff[index]
        if deed == "wait":
            clock.seconds += LEASE / 2
        elif deed == "release":
            release_expired(store)
        elif deed == "next":
            found = next_pair(store, who.id)
            if isinstance(found, Handed):
                opened[index], leased_until[index] = found, clock.seconds + LEASE
        elif index in opened:
            in_time = clock.seconds < leased_until[index]
            if deed == "flag" and in_time:
                store.flag(who.id, opened.pop(index).id, reason="black")
            elif (deed == "answer" and in_time) or (deed == "late" and not in_time):
                pair = opened.pop(index)
                answer(store, who, pair)
                late[pair.pair_id] += not in_time
        for pair_id, count in rated(store).items():
            assert count <= 2 + late[pair_id]
    assert check(store) == []
