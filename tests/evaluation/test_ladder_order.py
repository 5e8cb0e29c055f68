"""With the shipped extractors, more damage scores worse, and each metric sees what it is for and not what it is not."""

import numpy as np
import pytest

from univg_bench.datasets.moving_shapes import caption, render, scene
from univg_bench.features.clip import load_image_text_features
from univg_bench.features.video_features import load_video_features
from univg_bench.features.weights import find_weights
from univg_bench.frames import FramePolicy
from univg_bench.ladder import RUNGS, WRONG_CAPTIONS
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.recipes import CLIPSIM_RECIPES, FVD_RECIPES
from univg_bench.statistics import moments_of

N = 32
POLICY = FramePolicy(sampling="random_sorted", frames=16)


@pytest.fixture(scope="module")
def ladder() -> tuple[dict[str, float], dict[str, float]]:
    """FVD and CLIPSIM of each rung, of held-out renderings, and of the real videos, for N captions of `validation`."""
    i3d = load_video_features(FVD_RECIPES["tiny"], find_weights("tiny-i3d"))
    clip = load_image_text_features(CLIPSIM_RECIPES["tiny"], find_weights("tiny-clip"))
    scenes = [scene("validation", index) for index in range(N)]
    real = [render(one, height=32, width=56) for one in scenes]
    sets = {"real": real, "held-out": [render(scene("validation", i, 1), height=32, width=56) for i in range(N)]}
    for rung in RUNGS:
        rng = np.random.Generator(np.random.PCG64(0))
        sets[rung.name] = [rung.damage(video, rng) for video in real]
    sets[WRONG_CAPTIONS] = real[1:] + real[:1]
    texts = np.stack([clip.text(caption(one)) for one in scenes])

    def seen(name: str, number: int) -> np.ndarray:
        indices = POLICY.indices(num_frames=24, video_id=f"{name}-{number}")
        return sets[name][number][list(indices)]

    features = {name: np.stack([i3d(seen(name, i)) for i in range(N)]) for name in sets}
    fvd = {name: frechet_distance(moments_of(rows).gaussian(), moments_of(features["real"]).gaussian())
           for name, rows in features.items()}  # fmt: skip
    clipsim = {
        name: float(
            np.mean([(clip.images(video[::6]) @ text).mean() for video, text in zip(videos, texts, strict=True)])
        )
        for name, videos in sets.items()
    }
    return fvd, clipsim


def test_more_noise_and_more_blur_have_a_larger_fvd(ladder) -> None:
    fvd, _ = ladder
    assert fvd["noise-8"] < fvd["noise-20"] < fvd["noise-40"]
    assert fvd["blur-1"] < fvd["blur-2"]


@pytest.mark.parametrize("rung", ["noise-40", "blur-2", "frozen", "shuffled", "reversed"])
def test_heavy_damage_is_above_the_floor_of_real_against_real(ladder, rung: str) -> None:
    fvd, _ = ladder
    assert fvd[rung] > 2 * fvd["held-out"]


@pytest.mark.parametrize("rung", ["frozen", "shuffled", "reversed"])
def test_fvd_sees_time_and_clipsim_does_not(ladder, rung: str) -> None:
    fvd, clipsim = ladder
    assert fvd[rung] > 4 * fvd["held-out"]
    assert clipsim[rung] == pytest.approx(clipsim["real"], abs=0.05)


def test_clipsim_sees_wrong_captions_and_fvd_does_not(ladder) -> None:
    fvd, clipsim = ladder
    assert clipsim[WRONG_CAPTIONS] < 0.5 * clipsim["real"]
    assert fvd[WRONG_CAPTIONS] < fvd["held-out"]


def test_a_perfect_model_scores_like_real_videos(ladder) -> None:
    _, clipsim = ladder
    assert clipsim["held-out"] == pytest.approx(clipsim["real"], abs=0.05)


def test_more_damage_to_frames_has_a_smaller_clipsim(ladder) -> None:
    _, clipsim = ladder
    assert clipsim["real"] > clipsim["noise-40"]
    assert clipsim["real"] > clipsim["blur-1"] > clipsim["blur-2"]
