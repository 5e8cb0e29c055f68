"""Paired tests: exact under exchange, symmetric, by cluster, and equal to computing every metric again."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.metrics.influence import fvd_slopes, jackknife_error
from univg_bench.metrics.kvd import kvd, kvd_difference
from univg_bench.metrics.paired import (
    FvdDifference,
    SumDifference,
    holm,
    mean_difference,
    mean_interval,
    paired_permutation,
    swaps,
)
from univg_bench.statistics import moments_of


def draw(n: int, dim: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim)) * np.linspace(0.3, 2, dim) + shift


def fvd(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(moments_of(x).gaussian(), moments_of(y).gaussian())


def exchanged(a: np.ndarray, b: np.ndarray, swapped: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = swapped[codes][:, None]
    return np.where(rows, b, a), np.where(rows, a, b)


@pytest.mark.parametrize(("n", "dim", "m"), [(60, 8, 50), (24, 40, 30), (40, 30, 12)])
def test_fvd_after_an_exchange_equals_fvd_of_the_exchanged_videos(n: int, dim: int, m: int) -> None:
    a, b, real = draw(n, dim, 0, 5), draw(n, dim, 1, 5.3), draw(m, dim, 2, 4.8)
    codes = np.arange(n) // 2
    difference = FvdDifference.of(a, b, real, codes=codes, num_clusters=n // 2, ddof=1)
    for swapped in [np.zeros(n // 2, dtype=bool), *swaps(n // 2, 4, seed=0)]:
        first, second = exchanged(a, b, swapped, codes)
        assert difference(swapped) == pytest.approx(fvd(second, real) - fvd(first, real), abs=difference.rounding)


def test_kvd_after_an_exchange_equals_kvd_of_the_exchanged_videos() -> None:
    a, b, real = draw(24, 5, 0), draw(24, 5, 1, 0.4), draw(30, 5, 2)
    codes, real_codes = np.arange(24) // 3, np.arange(30) % 11  # three clusters have real videos only
    found = kvd_difference(a, b, real, codes=codes, real_codes=real_codes, num_clusters=11)

    def value(x: np.ndarray) -> float:
        return kvd(
            x, real, clusters=list(map(str, codes)), reference_clusters=list(map(str, real_codes)), subsets=0,
            subset_size=1, seed=0,
        ).value  # fmt: skip

    assert (found.a, found.b) == pytest.approx((value(a), value(b)), rel=1e-12)
    assert found.standard_error > 0
    assert not found.difference.per_cluster[8:].any()
    for swapped in [np.zeros(11, dtype=bool), *swaps(11, 6, seed=0)]:
        first, second = exchanged(a, b, swapped, codes)
        assert found.difference(swapped) == pytest.approx(value(second) - value(first), rel=1e-9, abs=1e-12)


def test_exchanging_everything_turns_the_sign() -> None:
    a, b, real = draw(40, 6, 0), draw(40, 6, 1, 0.4), draw(40, 6, 2)
    difference = FvdDifference.of(a, b, real, codes=np.arange(40), num_clusters=40, ddof=1)
    everything = np.ones(40, dtype=bool)
    for swapped in swaps(40, 3, seed=1):
        assert difference(swapped ^ everything) == pytest.approx(-difference(swapped), rel=1e-9)


@pytest.mark.parametrize("dim", [6, 80])
def test_a_run_does_not_differ_from_itself(dim: int) -> None:
    a, real = draw(40, dim, 0), draw(40, dim, 2)
    difference = FvdDifference.of(a, a, real, codes=np.arange(40), num_clusters=40, ddof=1)
    test = paired_permutation(difference, permutations=99, seed=0)
    assert abs(test.difference) <= difference.rounding
    assert test.p_value == 1.0


def test_p_values_of_runs_that_do_not_differ_are_uniform() -> None:
    p_values = []
    for seed in range(200):
        a, b, real = draw(30, 4, 3 * seed), draw(30, 4, 3 * seed + 1), draw(30, 4, 3 * seed + 2)
        difference = FvdDifference.of(a, b, real, codes=np.arange(30), num_clusters=30, ddof=1)
        p_values.append(paired_permutation(difference, permutations=39, seed=seed).p_value)
    for level in (0.05, 0.25, 0.5):
        share = np.mean(np.array(p_values) <= level)
        assert abs(share - level) < 3.5 * np.sqrt(level * (1 - level) / 200)


def test_a_real_difference_is_found_and_exchanging_a_and_b_only_turns_its_sign() -> None:
    a, b, real = draw(60, 5, 0), draw(60, 5, 1, 0.8), draw(60, 5, 2)
    arguments = {"codes": np.arange(60), "num_clusters": 60, "ddof": 1}
    forth = paired_permutation(FvdDifference.of(a, b, real, **arguments), permutations=199, seed=0)
    back = paired_permutation(FvdDifference.of(b, a, real, **arguments), permutations=199, seed=0)
    assert forth.p_value == back.p_value == forth.least_p == 1 / 200
    assert back.difference == pytest.approx(-forth.difference, rel=1e-9)
    assert forth.difference == pytest.approx(fvd(b, real) - fvd(a, real), rel=1e-9)


def test_captions_of_one_video_are_exchanged_together() -> None:
    # luck that all ten captions of a video share is not evidence: by caption the test would be far too sure
    rng = np.random.Generator(np.random.PCG64(0))
    wrong = right = 0
    for seed in range(100):
        values = np.repeat(rng.standard_normal((2, 12)), 10, axis=1)
        wrong += paired_permutation(
            mean_difference(*values, np.arange(120), 120), permutations=99, seed=seed
        ).p_value <= 0.05  # fmt: skip
        right += paired_permutation(
            mean_difference(*values, np.arange(120) // 10, 12), permutations=99, seed=seed
        ).p_value <= 0.05  # fmt: skip
    assert wrong > 30
    assert right < 12


def test_few_clusters_say_what_p_can_be_at_best() -> None:
    test = paired_permutation(SumDifference(np.array([1.0, 2.0, 4.0, 8.0])), permutations=199, seed=0)
    assert test.least_p == 2 / 16
    assert test.p_value == pytest.approx(2 / 16, abs=0.08)
    # twice in 2^5 exchanges: drawing must not make it seldomer
    found = [paired_permutation(SumDifference(np.ones(5)), permutations=99, seed=seed).p_value for seed in range(30)]
    assert min(found) == 2 / 32


def test_p_counts_the_exchanges_that_reach_the_difference_and_the_pair_as_it_is() -> None:
    difference = SumDifference(np.arange(-2.0, 8.0))
    reached = sum(abs(difference(swapped)) >= 25 for swapped in swaps(10, 199, seed=3))
    assert reached > 0
    assert paired_permutation(difference, permutations=199, seed=3).p_value == (1 + reached) / 200


def test_p_is_never_zero_and_too_few_permutations_are_refused() -> None:
    far = SumDifference(np.ones(50))
    assert paired_permutation(far, permutations=19, seed=0).p_value == 1 / 20
    with pytest.raises(InputError, match="found 18 permutations, expected at least 19"):
        paired_permutation(far, permutations=18, seed=0)


def test_exchanges_never_change_silently_and_use_every_cluster() -> None:
    drawn = [s.astype(int).tolist() for s in swaps(6, 3, seed=0)]
    assert drawn == [[0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1], [0, 0, 0, 1, 0, 1]]
    assert [s.size for s in swaps(130, 2, seed=0)] == [130, 130]
    assert np.mean(list(swaps(130, 200, seed=0)), axis=0) == pytest.approx(0.5, abs=0.15)


def test_interval_of_a_mean_difference_covers_it_and_is_narrow_where_items_agree() -> None:
    hits = 0
    for seed in range(150):
        rng = np.random.Generator(np.random.PCG64(seed))
        item = rng.standard_normal(60)
        a, b = (item + 0.1 * rng.standard_normal(60) for _ in range(2))
        interval = mean_interval(a, b + 0.05, np.arange(60), 60, replicates=200, seed=seed)
        assert interval.high - interval.low < 0.15  # of unpaired sets it would be 0.7
        hits += interval.low <= 0.05 <= interval.high
    assert 132 <= hits <= 150


def test_jackknife_of_a_difference_of_fvds_covers_the_difference_expected_at_this_n() -> None:
    found = []
    for seed in range(120):
        a, b, real = draw(60, 6, 3 * seed), draw(60, 6, 3 * seed + 1, 0.3), draw(60, 6, 3 * seed + 2)
        (first, slopes), (second, other) = (fvd_slopes(x, real, *[np.arange(60)] * 2, 60, ddof=1) for x in (a, b))
        found.append((second - first, jackknife_error(other - slopes)))
    values, errors = np.array(found).T
    assert 0.9 <= np.mean(abs(values - values.mean()) <= 1.96 * errors) <= 1.0
    assert errors.mean() < 1.4 * values.std()


def test_holm_adjusts_from_the_smallest_up_and_never_turns_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_sets_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match="expected the same items"):
        FvdDifference.of(
            draw(9, 4, 0), draw(8, 4, 0), draw(9, 4, 0), codes=np.arange(9), num_clusters=9, ddof=1
        )  # fmt: skip
