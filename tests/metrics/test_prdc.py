"""Precision, recall, density and coverage have known answers, equal the plain definition, and survive duplicates."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics import prdc as module
from univg_bench.metrics.prdc import coverage_of_equals, prdc


def draw(n: int, dim: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim))


def shares(result) -> tuple[float, float, float, float]:
    return result.precision, result.recall, result.density, result.coverage


def by_definition(x: np.ndarray, y: np.ndarray, k: int) -> tuple[float, float, float, float]:
    def squares(a, b):
        return ((a[:, None] - b[None]) ** 2).sum(axis=2)

    own, real = squares(x, x), squares(y, y)
    np.fill_diagonal(own, np.inf)
    np.fill_diagonal(real, np.inf)
    radius, real_radius = np.sort(own, axis=1)[:, k - 1], np.sort(real, axis=1)[:, k - 1]
    between = squares(x, y)
    in_real, in_fake = between <= real_radius[None], between <= radius[:, None]
    return (
        in_real.any(axis=1).mean(),
        in_fake.any(axis=0).mean(),
        in_real.sum() / (k * len(x)),
        in_real.any(axis=0).mean(),
    )


def test_points_on_a_line_have_the_answer_one_can_count() -> None:
    # real 0, 1, 3 with k = 1: balls [-1, 1], [0, 2], [1, 5]; fake 1.5, 9, 9.5: balls [-6, 9], [8.5, 9.5], [9, 10]
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[1.5], [9.0], [9.5]])
    assert shares(prdc(fake, real, neighbours=1)) == (1 / 3, 1.0, 2 / 3, 2 / 3)


@pytest.mark.parametrize("tile", [5, 16, 1024])
@pytest.mark.parametrize(("n", "m", "k"), [(7, 40, 1), (33, 20, 5), (21, 21, 3)])
@pytest.mark.parametrize("kind", ["distinct", "lattice", "far away", "collapsed"])
def test_equals_the_plain_definition_to_the_bit_in_any_tiles(n, m, k, tile, kind, monkeypatch) -> None:
    monkeypatch.setattr(module, "TILE", tile)
    x, y = draw(n), draw(m, seed=1)
    if kind == "lattice":  # many ties: points at exactly the radius
        x, y = np.round(x), np.round(y)
    if kind == "far away":  # where |x|² + |y|² - 2 x·y has lost all digits
        x, y = np.round(x) + 1e8, np.round(y) + 1e8
    if kind == "collapsed":
        x[:] = y[0]
    assert shares(prdc(x, y, neighbours=k)) == pytest.approx(by_definition(x, y, k), rel=1e-15)


def test_a_set_has_perfect_precision_recall_and_coverage_against_itself() -> None:
    x = draw(60)
    found = prdc(x, x)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    assert found.density >= 1.0  # each video lies in its own ball and in five others on average: 6 / 5
    assert found.density == pytest.approx(6 / 5)


def test_sets_far_apart_share_nothing() -> None:
    assert shares(prdc(draw(20), draw(20, seed=1) + 100)) == (0, 0, 0, 0)


def test_videos_of_half_the_world_are_precise_but_recall_half_of_it() -> None:
    # what no Fréchet distance says: the generated videos are fine, and half of the real ones are never made
    left, right = draw(200, seed=1), draw(200, seed=2) + 50
    found = prdc(draw(200, seed=3), np.concatenate([left, right]))
    assert found.precision > 0.9
    assert 0.4 < found.recall < 0.55
    assert 0.4 < found.coverage < 0.55


def test_repeating_one_good_video_keeps_precision_and_loses_coverage() -> None:
    real, fake = draw(200), draw(200, seed=1)
    collapsed = np.repeat(fake[(fake**2).sum(axis=1).argmin()][None], 200, axis=0)
    found, healthy = prdc(collapsed, real), prdc(fake, real)
    assert found.precision == 1.0
    assert found.recall == 0.0
    assert found.coverage < 0.5 * healthy.coverage


def test_copies_of_duplicated_real_videos_lie_in_balls_of_radius_zero() -> None:
    real = np.repeat(draw(5), 6, axis=0)  # six copies each: the fifth neighbour is at distance 0
    found = prdc(np.repeat(draw(5), 6, axis=0)[::-1], real)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("n", "m", "k"), [(50, 50, 5), (20, 80, 3)])
def test_equal_distributions_have_density_one_and_the_coverage_that_counting_gives(n, m, k) -> None:
    found = [prdc(draw(n, seed=i), draw(m, seed=7000 + i), neighbours=k) for i in range(200)]
    for name, expected in (("density", 1.0), ("coverage", coverage_of_equals(n, m, k))):
        values = [getattr(one, name) for one in found]
        assert np.mean(values) == pytest.approx(expected, abs=3.5 * np.std(values) / np.sqrt(200))


def test_coverage_of_equals_is_the_published_formula() -> None:
    # Naeem et al. 2020, section 3.3: 1 - (N-1)…(N-k) / ((2N-1)…(2N-k)); about 1 - 2⁻ᵏ
    assert coverage_of_equals(10, 10, 2) == pytest.approx(1 - (9 * 8) / (19 * 18))
    assert coverage_of_equals(10_000, 10_000, 5) == pytest.approx(1 - 2**-5, abs=1e-4)


def test_order_of_videos_and_a_common_shift_do_not_matter() -> None:
    x, y = np.round(draw(30) * 8), np.round(draw(40, seed=1) * 8)
    assert prdc(x[::-1], np.roll(y, 3, axis=0)) == prdc(x, y)
    assert prdc(x + 4096, y + 4096) == prdc(x, y)


def test_sizes_that_change_the_shares_are_warned_of() -> None:
    said = " | ".join(prdc(draw(20), draw(30, seed=1)).warnings)
    assert "20 videos make large balls" in said
    assert "20 generated against 30 real videos" in said


def test_bad_sets_are_refused() -> None:
    with pytest.raises(InputError, match="found 5 generated and 9 real videos and 5 neighbours"):
        prdc(draw(5), draw(9))
    with pytest.raises(InputError, match="found features of 4 and 5 dimensions"):
        prdc(draw(9), draw(9, dim=5))
    bad = draw(9)
    bad[3, 0] = np.inf
    with pytest.raises(InputError, match="found NaN or infinity in row 3 of generated features"):
        prdc(bad, draw(9))
