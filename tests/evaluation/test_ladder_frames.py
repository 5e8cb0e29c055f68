"""On the ladder, metrics of frames see what they are for, and each has something it does not see."""

import numpy as np
import pytest

from univg_bench.datasets.moving_shapes import render, scene
from univg_bench.features.clip import load_image_text_features
from univg_bench.features.pixels import pixel_features
from univg_bench.features.weights import find_weights
from univg_bench.ladder import RUNGS
from univg_bench.metrics.consistency import frame_consistency
from univg_bench.metrics.spectral import spectral_distance
from univg_bench.recipes import CLIPSIM_RECIPES
from univg_bench.recipes_frames import FLICKER_RECIPES, MOTION_RECIPES, SPECTRUM_RECIPES

N = 6
Ladder = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    """Metric -> rung -> value, for the first frames of N real videos of `validation` and each damage of them."""
    clip = load_image_text_features(CLIPSIM_RECIPES["tiny"], find_weights("tiny-clip"))
    real = [render(scene("validation", index), height=32, width=56) for index in range(N)]
    sets = {"real": real}
    for rung in RUNGS:
        sets[rung.name] = [rung.damage(video, np.random.Generator(np.random.PCG64(0))) for video in real]
    few = {name: [video[:6] for video in videos] for name, videos in sets.items()}  # block matching is slow
    spectrum, names = SPECTRUM_RECIPES["spectrum"], [str(i) for i in range(N)]
    spectra = {
        name: np.stack([pixel_features(video, fps=8, recipe=spectrum) for video in videos])
        for name, videos in sets.items()
    }
    return {
        "consistency": {
            name: float(np.mean([frame_consistency(clip.images(video)) for video in videos]))
            for name, videos in few.items()
        },
        "motion": {
            name: float(np.mean([pixel_features(v, fps=8, recipe=MOTION_RECIPES["motion"])[0] for v in videos]))
            for name, videos in few.items()
        },
        "flicker": {
            name: float(np.mean([pixel_features(v, fps=8, recipe=FLICKER_RECIPES["flicker"])[0] for v in videos]))
            for name, videos in few.items()
        },
        "spectral": {
            name: spectral_distance(
                rows, spectra["real"], recipe=spectrum, clusters=names, reference_clusters=names, replicates=0, seed=0
            ).value
            for name, rows in spectra.items()
        },
    }


def test_a_frozen_video_wins_consistency_and_flicker_and_has_no_motion(ladder: Ladder) -> None:
    assert max(ladder["consistency"], key=ladder["consistency"].__getitem__) == "frozen"
    assert ladder["consistency"]["frozen"] == pytest.approx(1, abs=1e-12)
    assert ladder["flicker"]["frozen"] == ladder["motion"]["frozen"] == 0


def test_shuffled_frames_move_more_and_flicker_more_than_real_ones(ladder: Ladder) -> None:
    assert ladder["motion"]["shuffled"] > 1.5 * ladder["motion"]["real"]
    assert ladder["flicker"]["shuffled"] > 2 * ladder["flicker"]["real"]


def test_motion_and_consistency_do_not_see_the_direction_of_time(ladder: Ladder) -> None:
    assert ladder["consistency"]["reversed"] == pytest.approx(ladder["consistency"]["real"], abs=0.02)
    assert ladder["motion"]["reversed"] == pytest.approx(ladder["motion"]["real"], rel=0.5)


def test_noise_flickers_and_more_noise_flickers_more(ladder: Ladder) -> None:
    flicker = ladder["flicker"]
    assert flicker["real"] < flicker["noise-8"] < flicker["noise-20"] < flicker["noise-40"]


def test_the_spectrum_sees_blur_and_noise_and_nothing_of_time(ladder: Ladder) -> None:
    spectral = ladder["spectral"]
    assert spectral["blur-2"] > spectral["blur-1"] > 5
    assert spectral["noise-40"] > spectral["noise-20"] > spectral["noise-8"] > 0.1
    for rung in ("shuffled", "reversed"):
        assert spectral[rung] == pytest.approx(0, abs=1e-9)
