"""FVD with its interval: order-free, honest about small sets, and never a percentile interval."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.fvd import fvd
from univg_bench.metrics.intervals import redraws


def draw(n: int, dim: int = 8, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim)) + shift


def names(n: int, per_cluster: int = 1) -> list[str]:
    return [f"video{i // per_cluster}" for i in range(n)]


def compute(x: np.ndarray, y: np.ndarray, replicates: int = 40, **other):
    arguments = {"clusters": names(len(x)), "reference_clusters": names(len(y)), "ddof": 1, "seed": 0, **other}
    return fvd(x, y, replicates=replicates, **arguments)


def test_interval_holds_the_estimate_and_says_that_it_is_conservative() -> None:
    result = compute(draw(100), draw(100, seed=1, shift=0.5))
    assert result.interval is not None
    assert result.interval.low < result.value < result.interval.high
    assert "conservative" in result.interval.method


def test_percentiles_of_the_bootstrap_would_miss_the_estimate() -> None:
    # why the interval is not made of percentiles: every replicate repeats videos, and so sits above the estimate
    x, y = draw(60, dim=40), draw(60, dim=40, seed=1)
    counts = redraws(60, 50, seed=0, name="fvd")
    replicates = [
        compute(np.repeat(x, c, axis=0), np.repeat(y, c, axis=0), replicates=0).value for c in counts
    ]  # fmt: skip
    assert np.quantile(replicates, 0.025) > compute(x, y, replicates=0).value


def test_redrawing_with_weights_equals_redrawing_rows() -> None:
    x, y = draw(30), draw(30, seed=1)
    counts = redraws(30, 25, seed=3, name="fvd")
    values = [compute(np.repeat(x, c, axis=0), np.repeat(y, c, axis=0), replicates=0).value for c in counts]
    interval = compute(x, y, replicates=25, seed=3).interval
    half = 1.959963984540054 * np.std(values, ddof=1)
    assert interval.high == pytest.approx(compute(x, y, replicates=0).value + half, rel=1e-9)


def test_clusters_are_redrawn_whole() -> None:
    # twenty equal videos per cluster hold no more information than one: the interval must not shrink
    x, y = draw(30), draw(30, seed=1)
    single = compute(x, y, replicates=60).interval
    many = compute(np.repeat(x, 20, axis=0), y, replicates=60, clusters=names(600, per_cluster=20)).interval
    assert many.clusters == single.clusters == 30
    assert many.high - many.low > 0.6 * (single.high - single.low)


def test_same_seed_same_interval_and_another_seed_another_one() -> None:
    x, y = draw(50), draw(50, seed=1)
    assert compute(x, y, seed=1) == compute(x, y, seed=1)
    assert compute(x, y, seed=1).interval != compute(x, y, seed=2).interval


def test_bootstrap_draws_never_change_silently() -> None:
    counts = [draw.tolist() for draw in redraws(5, 3, seed=0, name="fvd")]
    assert [sum(draw) for draw in counts] == [5, 5, 5]
    assert counts == [[2, 1, 0, 2, 0], [1, 3, 0, 1, 0], [1, 2, 1, 1, 0]]


def test_small_sets_unequal_sets_and_duplicates_are_warned_of() -> None:
    x = draw(6)
    x[1] = x[0]
    said = " | ".join(compute(x, draw(7, seed=1), replicates=0).warnings)
    assert "only 6 videos for 8 dimensions" in said
    assert "fewer than the 2,048" in said
    assert "6 generated against 7 real" in said
    assert "1 of 6 generated videos have the features of another one" in said


def test_one_video_is_refused() -> None:
    with pytest.raises(InputError, match="found 1 generated and 9 real videos"):
        compute(draw(1), draw(9))


def test_one_cluster_has_no_interval_and_few_clusters_are_warned_of() -> None:
    x, y = draw(12), draw(12, seed=1)
    alone = compute(x, y, clusters=["a"] * 12, reference_clusters=["a"] * 12)
    assert alone.interval is None
    assert "all videos are of one cluster, so there is no interval" in alone.warnings
    assert "only 12 clusters: the interval is likely too narrow" in compute(x, y).warnings


@pytest.mark.parametrize("n", [2, 3, 7, 8, 9, 200])
def test_fvd_of_a_set_with_itself_is_zero_at_any_n(n: int) -> None:
    x = draw(n)
    assert 0 <= compute(x, x, replicates=0).value < 1e-10


def test_constant_features_are_as_far_apart_as_they_are_and_warned_of() -> None:
    result = compute(np.zeros((5, 8)), np.ones((6, 8)), replicates=10)
    assert result.value == pytest.approx(8.0)
    assert "4 of 5 generated videos have the features of another one" in result.warnings
    assert "5 of 6 real videos have the features of another one" in result.warnings


def test_features_that_are_no_numbers_are_refused() -> None:
    x = draw(9)
    x[4, 2] = np.nan
    with pytest.raises(InputError, match="found NaN or infinity in row 4"):
        compute(x, draw(9))
