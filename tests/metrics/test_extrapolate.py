"""FVD at 1/N -> 0: free of the sample-size bias, with a standard error that holds, or None with a reason."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics import extrapolate as module
from univg_bench.metrics.extrapolate import fvd_at_infinity
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.metrics.influence import fvd_slopes
from univg_bench.statistics import GaussianStats, moments_of

DIM = 16
SPREAD = np.linspace(0.3, 2, DIM)


def draw(n: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, DIM)) * SPREAD * scale + shift


def names(n: int, prefix: str = "video", per_cluster: int = 1) -> list[str]:
    return [f"{prefix}{i // per_cluster}" for i in range(n)]


def compute(x: np.ndarray, y: np.ndarray, **other):
    arguments = {"clusters": names(len(x)), "reference_clusters": names(len(y), "real"), "ddof": 1, "seed": 0}
    return fvd_at_infinity(x, y, **{**arguments, **other})


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.1, 0.1), (1.3, 0.5)])
@pytest.mark.parametrize("n", [3 * DIM, 10 * DIM])
def test_removes_the_bias_and_covers_the_truth(n: int, scale: float, shift: float) -> None:
    truth = DIM * shift**2 + ((scale - 1) ** 2 * SPREAD**2).sum()
    pairs = [(draw(n, 2 * i, scale, shift), draw(n, 2 * i + 1)) for i in range(80)]
    found = [compute(x, y) for x, y in pairs]
    plain = [frechet_distance(moments_of(x).gaussian(), moments_of(y).gaussian()) for x, y in pairs]
    values = np.array([one.value for one in found])
    bias, plain_bias = values.mean() - truth, np.mean(plain) - truth
    assert abs(bias) < max(0.06 * plain_bias, 3 * values.std() / np.sqrt(80))
    assert np.mean([one.interval.low <= truth <= one.interval.high for one in found]) >= 0.9


def test_slopes_are_the_derivative_of_the_distance_by_the_weight_of_a_cluster() -> None:
    x, y = draw(90, 0, 1.3, 0.4), draw(70, 1)
    own, other = np.arange(90) // 3, np.arange(70) % 35

    def weighted(weights: np.ndarray) -> float:
        def stats(rows: np.ndarray, codes: np.ndarray) -> GaussianStats:
            w = weights[codes]
            centred = rows - w @ rows / w.sum()
            return GaussianStats(len(rows), w @ rows / w.sum(), (centred.T * w) @ centred / (w.sum() - 1), 1)

        return frechet_distance(stats(x, own), stats(y, other))

    distance, slopes = fvd_slopes(x, y, own, other, 35, ddof=1)
    assert distance == pytest.approx(weighted(np.ones(35)), rel=1e-12)
    for cluster in (0, 29, 34):
        up, down = np.ones(35), np.ones(35)
        up[cluster] += 1e-4
        down[cluster] -= 1e-4
        assert slopes[cluster] == pytest.approx((weighted(up) - weighted(down)) / 2e-4, rel=1e-5)


def test_is_the_line_through_the_whole_and_its_halves_read_at_endless_sets() -> None:
    x, y = draw(128, 0), draw(128, 1, shift=0.3)
    whole = frechet_distance(moments_of(x).gaussian(), moments_of(y).gaussian())
    found = compute(x, y, reference_clusters=names(128))  # in pairs, so that halves are halves of both sets
    assert found.value == pytest.approx(2 * whole - found.half, rel=1e-12)
    assert abs(found.curvature) < 0.5


def test_too_few_videos_for_a_line_are_said_and_nothing_is_extrapolated() -> None:
    found = compute(draw(31, 0), draw(64, 1))
    assert (found.value, found.standard_error, found.interval) == (None, None, None)
    assert found.reason.startswith("31 independent videos for 16 dimensions: below 32")


def test_captions_of_one_video_are_one_draw() -> None:
    x, y = draw(40, 0, shift=0.5), draw(40, 1)
    # 400 rows, but 40 independent ones: enough; 20 of them are too few
    often = compute(np.repeat(x, 10, axis=0), y, clusters=names(400, per_cluster=10))
    assert often.standard_error > 0.7 * compute(x, y).standard_error
    assert compute(np.repeat(x[:20], 10, axis=0), y, clusters=names(200, per_cluster=10)).value is None


def test_same_seed_same_number_and_the_halves_never_change_silently() -> None:
    x, y = draw(64, 0), draw(64, 1)
    assert compute(x, y) == compute(x, y)
    assert compute(x, y).value != compute(x, y, seed=1).value
    halves = [part.tolist() for part in module._parts(6, 2, 2, seed=0)]
    assert halves == [[3, 5, 4], [0, 2, 1], [4, 0, 2], [5, 3, 1]]


@pytest.mark.parametrize("kind", ["equal", "in another order", "constant"])
def test_equal_sets_have_zero_without_a_curvature(kind: str) -> None:
    x = np.ones((128, DIM)) if kind == "constant" else draw(128, 0)
    order = np.random.Generator(np.random.PCG64(1)).permutation(128) if kind == "in another order" else np.arange(128)
    clusters = names(128)
    found = compute(x, x[order], clusters=clusters, reference_clusters=[clusters[i] for i in order])
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.standard_error == pytest.approx(0, abs=1e-9)
    assert found.curvature is None


def test_a_dimension_that_never_varies_does_no_harm() -> None:
    x, y = draw(64, 0, shift=0.3), draw(64, 1)
    flat = [np.concatenate([z, np.full((64, 1), 2.0)], axis=1) for z in (x, y)]
    assert compute(*flat).value == pytest.approx(compute(x, y).value, rel=1e-9)


def test_bad_features_are_refused() -> None:
    bad = draw(64, 0)
    bad[5, 2] = np.nan
    with pytest.raises(InputError, match="found NaN or infinity in row 5 of generated features"):
        compute(bad, draw(64, 1))
