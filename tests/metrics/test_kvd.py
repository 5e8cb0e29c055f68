"""KVD equals its definition, is unbiased at any size, and says how sure it is."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics import kvd as module
from univg_bench.metrics.kvd import kvd


def draw(n: int, dim: int = 6, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim)) + shift


def names(n: int, per_cluster: int = 1, prefix: str = "video") -> list[str]:
    return [f"{prefix}{i // per_cluster}" for i in range(n)]


def compute(x: np.ndarray, y: np.ndarray, **other):
    arguments = {
        "clusters": names(len(x)),
        "reference_clusters": names(len(y), prefix="real"),
        "subsets": 0,
        "subset_size": 0,
    }
    return kvd(x, y, **{**arguments, "seed": 0, **other})


def by_definition(x: np.ndarray, y: np.ndarray, clusters=None, real=None) -> float:
    clusters, real = clusters or names(len(x)), real or names(len(y), prefix="real")

    def mean(a, b, first, second):
        pairs = [(u, v) for u, c in zip(a, first, strict=True) for v, d in zip(b, second, strict=True) if c != d]
        return np.mean([(float(u @ v) / len(u) + 1) ** 3 for u, v in pairs])

    return mean(x, x, clusters, clusters) + mean(y, y, real, real) - 2 * mean(x, y, clusters, real)


@pytest.mark.parametrize(("n", "m", "tile"), [(7, 7, 1024), (23, 11, 4), (2, 30, 7)])
def test_equals_the_mean_over_pairs_of_different_videos_in_any_tiles(n, m, tile, monkeypatch) -> None:
    monkeypatch.setattr(module, "TILE", tile)
    x, y = draw(n), draw(m, seed=1, shift=0.4)
    assert compute(x, y).value == pytest.approx(by_definition(x, y), rel=1e-12)
    assert compute(x, y).all_pairs == pytest.approx(by_definition(x, y), rel=1e-12)


@pytest.mark.parametrize("tile", [4, 1024])
def test_pairs_of_one_cluster_do_not_count_within_a_set_nor_between_the_sets(tile: int, monkeypatch) -> None:
    monkeypatch.setattr(module, "TILE", tile)
    x, y = draw(12), draw(9, seed=1, shift=0.4)
    clusters, real = names(12, per_cluster=3), [f"video{i % 5}" for i in range(9)]
    found = compute(x, y, clusters=clusters, reference_clusters=real)
    assert found.value == pytest.approx(by_definition(x, y, clusters, real), rel=1e-12)
    assert found.all_pairs == pytest.approx(compute(x, y).value, rel=1e-12)


def test_videos_like_their_own_references_are_not_below_zero() -> None:
    # of one distribution, but each generated video nearly a copy of its reference: counting a video with its own
    # reference would say that the sets are nearer than equal
    found = []
    for seed in range(200):
        y = draw(20, seed=seed)
        near = y + 0.1 * draw(20, seed=900 + seed)
        found.append(compute(near / np.sqrt(1.01), y, reference_clusters=names(20)))
    values, counted = (np.array([getattr(one, name) for one in found]) for name in ("value", "all_pairs"))
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(200)
    assert counted.mean() < -3 * counted.std() / np.sqrt(200)
    assert np.mean([one.interval.low <= 0 <= one.interval.high for one in found]) > 0.9


def test_one_cluster_is_taken_for_independent_videos_and_that_is_said() -> None:
    x, y = draw(8), draw(8, seed=1)
    found = compute(x, y, clusters=["a"] * 8)
    assert found.value == compute(x, y).value
    assert "all videos of a set are of one cluster: KVD takes them for independent" in found.warnings


def test_is_the_distance_of_the_moments_up_to_the_third() -> None:
    # in one dimension (xy + 1)³ = 1 + 3xy + 3x²y² + x³y³, so MMD² = 3 Δm₁² + 3 Δm₂² + Δm₃² of endless sets;
    # here sets of two values each, repeated so often that leaving a video's pair with itself out does not matter
    x, y = np.repeat([[0.0], [2.0]], 20_000, axis=0), np.repeat([[1.0], [3.0]], 20_000, axis=0)
    expected = 3 * (1 - 2) ** 2 + 3 * (2 - 5) ** 2 + (4 - 14) ** 2
    assert compute(x[::40], y[::40]).value == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("n", [4, 12, 60])
def test_is_zero_on_average_for_two_sets_of_one_distribution_at_any_size(n: int) -> None:
    values = [compute(draw(n, seed=2 * i), draw(n, seed=2 * i + 1)).value for i in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert np.min(values) < 0  # an unbiased estimate of 0 must be


def test_does_not_depend_on_the_number_of_videos_where_fvd_does() -> None:
    small = [compute(draw(20, seed=i), draw(20, seed=500 + i, shift=0.5)).value for i in range(300)]
    large = [compute(draw(200, seed=i), draw(200, seed=500 + i, shift=0.5)).value for i in range(30)]
    assert np.mean(small) == pytest.approx(np.mean(large), abs=3 * np.std(small) / np.sqrt(300))


def test_order_of_videos_and_which_set_is_real_do_not_matter() -> None:
    x, y = draw(40), draw(30, seed=1)
    value = compute(x, y).value
    assert compute(x[::-1], np.roll(y, 7, axis=0)).value == pytest.approx(value, rel=1e-12)
    assert compute(y, x).value == pytest.approx(value, rel=1e-12)


def test_jackknife_equals_leaving_every_cluster_out_in_turn() -> None:
    x, y = draw(24), draw(18, seed=1, shift=0.3)
    clusters, real = names(24, per_cluster=3), [f"video{i // 2 + 2}" for i in range(18)]
    left_out = []
    for one in sorted({*clusters, *real}):
        keep, keep_real = [c != one for c in clusters], [c != one for c in real]
        left_out.append(
            by_definition(x[keep], y[keep_real], [c for c in clusters if c != one], [c for c in real if c != one])
        )
    count = len(left_out)
    expected = np.sqrt((count - 1) / count * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    assert compute(x, y, clusters=clusters, reference_clusters=real).standard_error == pytest.approx(expected, rel=1e-9)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # one dimension, N(0, 1) against N(1, 1): moments 0, 1, 0 and 1, 2, 4
    truth, hits = 3 * 1 + 3 * 1 + 16, 0
    for i in range(200):
        interval = compute(draw(150, 1, seed=i), draw(150, 1, seed=900 + i, shift=1.0)).interval
        hits += interval.low <= truth <= interval.high
    assert 176 <= hits <= 200


def test_captions_of_one_video_are_one_draw() -> None:
    x, y = draw(30), draw(30, seed=1, shift=0.5)
    once = compute(x, y, reference_clusters=names(30, prefix="real")).standard_error
    often = compute(
        np.repeat(x, 10, axis=0), y, clusters=names(300, 10), reference_clusters=names(30, prefix="real")
    ).standard_error
    assert often > 0.7 * once


def test_subsets_are_seeded_of_the_size_asked_for_and_less_certain_than_the_whole() -> None:
    x, y = draw(120), draw(120, seed=1)
    result = compute(x, y, subsets=40, subset_size=30)
    assert result == compute(x, y, subsets=40, subset_size=30)
    assert result.subset_deviation != compute(x, y, subsets=40, subset_size=30, seed=1).subset_deviation
    assert result.subset_deviation > compute(x, y, subsets=40, subset_size=90).subset_deviation
    assert result.subset_mean == pytest.approx(result.value, abs=4 * result.subset_deviation / np.sqrt(40))


def test_subsets_never_change_silently() -> None:
    drawn = list(module._subsets(np.array([0, 0, 1, 2]), np.array([0, 1, 2, 2]), 3, 2, 2, seed=0))
    assert [(rows.tolist(), real.tolist()) for rows, real in drawn] == [([3, 0], [2, 3]), ([0, 1], [0, 2])]


def test_subsets_as_large_as_the_set_are_refused_in_words() -> None:
    result = compute(draw(10), draw(12, seed=1), subsets=5, subset_size=10)
    assert (result.subset_mean, result.subset_deviation, result.subsets) == (None, None, 0)
    assert any("expected fewer than the 10 of a set and more than the 1 of a cluster" in w for w in result.warnings)


def test_bad_sets_are_refused() -> None:
    with pytest.raises(InputError, match="found 1 generated and 9 real videos, expected at least 2 of each for a KVD"):
        compute(draw(1), draw(9))
    with pytest.raises(InputError, match="found features of 6 and 5 dimensions"):
        compute(draw(4), draw(4, dim=5))
    bad = draw(4)
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="found NaN or infinity in row 2 of real features"):
        compute(draw(4), bad)
