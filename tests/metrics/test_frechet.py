"""The Fréchet distance has known answers, is zero on itself, and needs no care when covariances are singular."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.frechet import frechet_distance, frechet_parts
from univg_bench.statistics import GaussianStats, moments_of


def features(n: int, dim: int, seed: int) -> np.ndarray:
    x = np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim))
    return x * np.linspace(0.1, 3, dim)


def gaussian(mu: list[float], sigma: np.ndarray) -> GaussianStats:
    return GaussianStats(100, np.array(mu), sigma, 1)


def test_one_dimension_is_the_difference_of_means_and_of_deviations() -> None:
    # N(1, 2²) and N(4, 5²): (1 - 4)² + (2 - 5)² = 18
    assert frechet_distance(gaussian([1.0], np.eye(1) * 4), gaussian([4.0], np.eye(1) * 25)) == pytest.approx(18.0)


def test_commuting_covariances_have_the_closed_form() -> None:
    a, b = np.diag([1.0, 4.0, 9.0]), np.diag([16.0, 4.0, 1.0])
    parts = frechet_parts(gaussian([0, 0, 0], a), gaussian([1, 2, 2], b))
    assert parts.mean == pytest.approx(9.0)
    assert parts.trace == pytest.approx((1 - 4) ** 2 + 0 + (3 - 1) ** 2)


@pytest.mark.parametrize(("n", "dim"), [(2, 3), (24, 400), (300, 64), (500, 400)])
def test_a_set_is_at_distance_zero_from_itself_for_any_n_and_dimension(n: int, dim: int) -> None:
    stats = moments_of(features(n, dim, seed=n)).gaussian()
    assert frechet_distance(stats, stats) == 0


@pytest.mark.parametrize(("n", "m", "dim"), [(24, 24, 400), (24, 256, 400), (700, 500, 64)])
def test_equals_the_nuclear_norm_of_the_cross_gram_also_with_fewer_videos_than_dimensions(n, m, dim) -> None:
    x, y = features(n, dim, seed=1), features(m, dim, seed=2) * 1.1 + 0.2
    xc, yc = (x - x.mean(0)) / np.sqrt(n - 1), (y - y.mean(0)) / np.sqrt(m - 1)
    overlap = np.linalg.svd(xc @ yc.T, compute_uv=False).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + (xc**2).sum() + (yc**2).sum() - 2 * overlap
    found = frechet_distance(moments_of(x).gaussian(), moments_of(y).gaussian())
    assert found == pytest.approx(expected, rel=1e-12)


def test_equals_the_trace_of_a_matrix_square_root_where_that_is_accurate() -> None:
    from scipy.linalg import sqrtm

    a, b = moments_of(features(900, 30, 3)).gaussian(), moments_of(features(900, 30, 4) + 0.5).gaussian()
    root = np.trace(sqrtm(a.sigma @ b.sigma)).real
    expected = ((a.mu - b.mu) ** 2).sum() + np.trace(a.sigma) + np.trace(b.sigma) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_is_symmetric_and_does_not_change_under_a_rotation_of_both() -> None:
    x, y = features(200, 20, 5), features(200, 20, 6) + 1
    turn, _ = np.linalg.qr(np.random.Generator(np.random.PCG64(7)).standard_normal((20, 20)))
    a, b = moments_of(x).gaussian(), moments_of(y).gaussian()
    turned = frechet_distance(moments_of(x @ turn).gaussian(), moments_of(y @ turn).gaussian())
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)
    assert frechet_distance(a, b) == pytest.approx(turned, rel=1e-10)


def test_constant_sets_are_as_far_apart_as_their_means() -> None:
    # the published anchor "zeros against ones": no covariance at all, so the distance is |μ - μ'|² for any n
    zeros, ones = moments_of(np.zeros((8, 5))).gaussian(), moments_of(np.ones((4, 5))).gaussian()
    assert frechet_distance(zeros, ones) == pytest.approx(5.0)


def test_different_extractors_or_conventions_are_refused() -> None:
    a = moments_of(features(20, 4, 0)).gaussian()
    with pytest.raises(InputError, match="4 and 5 dimensions"):
        frechet_distance(a, moments_of(features(20, 5, 0)).gaussian())
    with pytest.raises(InputError, match="ddof 1 and 0"):
        frechet_distance(a, moments_of(features(20, 4, 0)).gaussian(ddof=0))


@pytest.mark.parametrize(
    ("n", "dim"),
    [(2, 1), (2, 400), (64, 600), (399, 400), (400, 400), (401, 400), (2990, 37),
     pytest.param(64, 2048, marks=pytest.mark.slow), pytest.param(3000, 2048, marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_set_against_itself_shuffled_is_zero_never_negative_and_never_nan(n: int, dim: int) -> None:
    x = features(n, dim, seed=n) + 3
    shuffled = x[np.random.Generator(np.random.PCG64(1)).permutation(n)]
    a, b = moments_of(x).gaussian(), moments_of(shuffled).gaussian()
    assert frechet_distance(a, a) == 0
    assert 0 <= frechet_distance(a, b) < 1e-10


@pytest.mark.parametrize(("n", "dim", "falls"), [(3, 400, 0), (24, 64, 4), (401, 400, 4)])
def test_large_features_do_not_lift_a_set_off_itself(n: int, dim: int, falls: float) -> None:
    x = np.random.Generator(np.random.PCG64(n)).standard_normal((n, dim)) * 3000 * np.logspace(0, -falls, dim) + 1e4
    stats = moments_of(x).gaussian()
    assert frechet_distance(stats, stats) == 0


def test_a_small_difference_is_more_than_rounding() -> None:
    # diag(s², s²) against diag(s², (s + t)²): t²
    a, b = np.diag([1.0, 1.0]), np.diag([1.0, (1 + 1e-6) ** 2])
    assert frechet_distance(gaussian([0, 0], a), gaussian([0, 0], b)) == pytest.approx(1e-12, rel=1e-2)


@pytest.mark.parametrize("kind", ["copies", "one constant dimension", "rank one", "tiny", "huge"])
def test_degenerate_sets_have_a_finite_distance_that_is_not_negative(kind: str) -> None:
    x, y = features(40, 12, 1), features(50, 12, 2)
    if kind == "copies":
        x[:] = x[0]
    if kind == "one constant dimension":
        x[:, 3] = y[:, 3] = 5.0
    if kind == "rank one":
        x = np.outer(x[:, 0], y[0])
    x, y = (z * {"tiny": 1e-150, "huge": 1e100}.get(kind, 1.0) for z in (x, y))
    for left, right in ((x, y), (x, x), (y, x)):
        found = frechet_distance(moments_of(left).gaussian(), moments_of(right).gaussian())
        assert np.isfinite(found)
        assert found >= 0
