"""FID: zero on itself, blind to order, equal to FVD's distance on the same rows, and loud about few frames."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.fid import FidResult, fid
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.statistics import moments_of


def rows(count: int, seed: int, shift: float = 0.0, dim: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)) * np.linspace(0.5, 2, dim) + shift


def of(x: np.ndarray, y: np.ndarray, *, per_video: int = 4, replicates: int = 0) -> FidResult:
    videos, real = ([f"v{i // per_video}" for i in range(len(z))] for z in (x, y))
    return fid(
        x, y, ddof=1, videos=videos, reference_videos=real, clusters=videos, reference_clusters=real,
        replicates=replicates, seed=0,
    )  # fmt: skip


def test_a_set_is_at_distance_zero_from_itself() -> None:
    x = rows(400, 0)
    assert 0 <= of(x, x).value < 1e-10


def test_order_of_frames_does_not_matter() -> None:
    x, y = rows(400, 0), rows(300, 1, 0.5)
    order = np.random.default_rng(2).permutation(400)
    assert of(x[order], y).value == pytest.approx(of(x, y).value, rel=1e-10)


def test_equals_the_frechet_distance_of_all_frames_and_grows_with_damage() -> None:
    x, y = rows(400, 0), rows(300, 1)
    expected = frechet_distance(moments_of(x).gaussian(), moments_of(y).gaussian())
    assert of(x, y).value == pytest.approx(expected, rel=1e-12)
    values = [of(x + shift, y).value for shift in (0.0, 0.3, 0.8)]
    assert values == sorted(values)


def test_frames_and_videos_are_counted_and_said() -> None:
    found = of(rows(400, 0), rows(300, 1))
    assert (found.n_frames, found.n, found.n_reference_frames, found.n_reference) == (400, 100, 300, 75)
    text = " / ".join(found.warnings)
    assert "300 frames are fewer than the 10,000" in text
    assert "400 frames are of 100 generated videos, 300 of 75 real ones" in text
    assert "400 generated against 300 real frames" in text
    assert "only 10 frames for 12 dimensions" in of(rows(10, 0), rows(10, 1)).warnings[0]
    assert not any("frames of one video" in w for w in of(rows(20, 0), rows(20, 1), per_video=1).warnings)


def test_the_interval_redraws_videos_not_frames() -> None:
    # 40 videos of 10 equal frames are 40 draws: as wide as with one frame each, and wider than 400 draws would be
    videos, real = rows(40, 0, 0.4), rows(40, 1)
    single = of(videos, real, per_video=1, replicates=60).interval
    tenfold = of(np.repeat(videos, 10, axis=0), np.repeat(real, 10, axis=0), per_video=10, replicates=60).interval
    apart = of(rows(400, 0, 0.4), rows(400, 1), per_video=1, replicates=60).interval
    assert single is not None
    assert tenfold is not None
    assert apart is not None
    width = tenfold.high - tenfold.low
    assert width == pytest.approx(single.high - single.low, rel=0.1)
    assert width > 1.5 * (apart.high - apart.low)


def test_too_few_frames_and_missing_names_are_refused() -> None:
    with pytest.raises(InputError, match="found 1 generated and 300 real frames"):
        of(rows(1, 0), rows(300, 1))
    with pytest.raises(InputError, match="found 3 frames of 2 videos"):
        fid(
            rows(3, 0), rows(2, 1), ddof=1, videos=["a", "b"], reference_videos=["a", "b"], clusters=["a", "b", "c"],
            reference_clusters=["a", "b"], replicates=0, seed=0,
        )  # fmt: skip
