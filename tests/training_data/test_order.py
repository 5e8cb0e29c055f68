"""Every clip once before any again, by weights, and the same whatever was read before and by how many processes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_models.data.order import Order, shuffled


@given(size=st.integers(1, 700), seed=st.integers(0, 2**40))
def test_shuffled_is_a_permutation(size: int, seed: int) -> None:
    assert sorted(shuffled(i, size, key=(seed,)) for i in range(size)) == list(range(size))


def test_another_key_is_another_permutation_and_neighbours_are_parted() -> None:
    one, two = ([shuffled(i, 1000, key=(seed,)) for i in range(1000)] for seed in (0, 1))
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 10  # 1 expected by chance
    assert abs(np.corrcoef(one, range(1000))[0, 1]) < 0.15
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.15


def test_positions_of_permutations_are_uniform() -> None:
    # where the first of 7 goes, under 7,000 keys: chi-square with 6 degrees of freedom, 0.1 % at 22.5
    counts = np.bincount([shuffled(0, 7, key=(key,)) for key in range(7000)], minlength=7)
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5


def test_ten_billion_clips_need_no_memory() -> None:
    size = 10**10
    assert len({shuffled(i, size, key=(0,)) for i in range(500)}) == 500


def test_each_epoch_has_every_clip_once_in_another_order() -> None:
    order = Order((50,), (1,), seed=3)
    epochs = [[order.at(epoch * 50 + i)[1] for i in range(50)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_weights_are_kept_exactly_in_every_cycle() -> None:
    order = Order((9, 100, 4), (1, 3, 2), seed=1)
    drawn = [order.at(k) for k in range(600)]
    for cycle in range(100):
        part = Counter(source for source, _ in drawn[6 * cycle : 6 * cycle + 6])
        assert part == {0: 1, 1: 3, 2: 2}
    for source, size in enumerate(order.sizes):
        own = [index for which, index in drawn if which == source]
        for epoch in range(len(own) // size):
            assert sorted(own[epoch * size : (epoch + 1) * size]) == list(range(size))


def test_clip_k_does_not_depend_on_what_was_asked_before() -> None:
    forward = [Order((9, 100), (1, 3), seed=1).at(k) for k in range(80)]
    order = Order((9, 100), (1, 3), seed=1)
    assert [order.at(k) for k in reversed(range(80))] == forward[::-1]
    by_process = {k: order.at(k) for rank in range(4) for k in range(rank, 80, 4)}
    assert [by_process[k] for k in range(80)] == forward


def test_seed_and_name_tell_orders_apart() -> None:
    made = [
        tuple(Order((200,), (1,), seed=seed, name=name).at(k) for k in range(20))
        for seed, name in ((0, ""), (1, ""), (0, "frames"))
    ]
    assert len(set(made)) == 3


@pytest.mark.parametrize(("sizes", "weights"), [((), ()), ((3,), (1, 1)), ((0,), (1,)), ((3,), (0,))])
def test_orders_of_nothing_are_refused(sizes: tuple[int, ...], weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected one or more sources"):
        Order(sizes, weights, seed=0)
