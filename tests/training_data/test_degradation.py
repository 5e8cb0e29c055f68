"""The damage F_SR learns to undo: one draw per clip, a function of its arguments, stronger means worse."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from reference_models.degradation import FIRST, NONE, SECOND, Damage, Degradation, degraded
from univg_bench.datasets.moving_shapes import render, scene


@pytest.fixture(scope="module")
def video() -> NDArray[np.uint8]:
    """A moving video (6, 3, 72, 128)."""
    return render(scene("train", 3), height=72, width=128)[::4]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def psnr(made: NDArray[np.uint8], good: NDArray[np.uint8]) -> float:
    # a twelfth is what rounding to 8 bits leaves: equal pixels are 59 dB, not infinity
    return float(10 * np.log10(255**2 / (np.square(made.astype(float) - good).mean() + 1 / 12)))


SMALL = Degradation(32, 56)


def test_the_same_seed_gives_the_same_bits_and_others_do_not(video: NDArray[np.uint8]) -> None:
    before = video.copy()
    made = [degraded(video, SMALL, rng(seed)) for seed in (0, 0, 1, 2, 3)]
    assert np.array_equal(made[0], made[1])
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(made[1:], 2))
    assert {(clip.shape, str(clip.dtype)) for clip in made} == {((6, 3, 32, 56), "uint8")}
    assert np.array_equal(video, before)


@pytest.mark.parametrize("seed", range(6))
def test_frames_of_a_still_clip_stay_equal(video: NDArray[np.uint8], seed: int) -> None:
    still = np.repeat(video[:1], 4, axis=0)
    made = degraded(still, Degradation(32, 56, rounds=(FIRST, SECOND)), rng(seed))
    assert np.array_equal(made, np.repeat(made[:1], 4, axis=0))


@pytest.mark.parametrize("seed", range(4))
def test_a_frame_is_damaged_as_it_would_be_alone(video: NDArray[np.uint8], seed: int) -> None:
    whole = degraded(video, SMALL, rng(seed))
    alone = np.concatenate([degraded(frame[None], SMALL, rng(seed)) for frame in video])
    assert np.array_equal(whole, alone)


def test_no_damage_at_the_same_size_is_identity(video: NDArray[np.uint8]) -> None:
    assert np.array_equal(degraded(video, Degradation(72, 128, rounds=(NONE,)), rng()), video)
    assert np.array_equal(degraded(video, Degradation(72, 128, rounds=()), rng()), video)


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (replace(NONE, blur=1, blur_sigma=(0.4, 0.4)), replace(NONE, blur=1, blur_sigma=(3, 3))),
        (replace(NONE, noise=1, noise_sigma=(2, 2)), replace(NONE, noise=1, noise_sigma=(25, 25))),
        (replace(NONE, jpeg=1, jpeg_quality=(95, 95)), replace(NONE, jpeg=1, jpeg_quality=(10, 10))),
        (
            replace(NONE, resize=(0, 1), resize_range=(0.9, 1)),
            replace(NONE, resize=(0, 1), resize_range=(0.15, 1)),
        ),
    ],
)
def test_stronger_settings_are_further_from_the_original(
    video: NDArray[np.uint8], weaker: Damage, stronger: Damage
) -> None:
    def mean(damage: Damage) -> float:
        settings = Degradation(72, 128, rounds=(damage,))
        return float(np.mean([psnr(degraded(video, settings, rng(seed)), video) for seed in range(6)]))

    assert mean(weaker) > mean(stronger) + 3


def test_a_second_round_is_worse_than_one(video: NDArray[np.uint8]) -> None:
    def mean(rounds: tuple[Damage, ...]) -> float:
        settings = Degradation(72, 128, rounds=rounds)
        return float(np.mean([psnr(degraded(video, settings, rng(seed)), video) for seed in range(12)]))

    assert mean((FIRST,)) > mean((FIRST, SECOND))


def test_the_order_of_the_steps_is_drawn(video: NDArray[np.uint8]) -> None:
    # noise before the blur is smoothed away, after it stays: the roughness of flat grey tells which came first
    grey = np.full((1, 3, 64, 64), 128, np.uint8)
    both = replace(NONE, blur=1, blur_sigma=(3, 3), noise=1, noise_sigma=(20, 20))
    settings = Degradation(64, 64, rounds=(both,))
    rough = [float(degraded(grey, settings, rng(seed)).std()) > 10 for seed in range(20)]
    assert 3 < sum(rough) < 17


def test_noise_has_the_strength_that_is_named() -> None:
    grey = np.full((1, 3, 128, 128), 128, np.uint8)
    for sigma, share in ((5.0, 0.0), (12.0, 1.0)):
        damage = replace(NONE, noise=1, noise_sigma=(sigma, sigma), grey_noise=share)
        made = degraded(grey, Degradation(128, 128, rounds=(damage,)), rng(4)).astype(float)
        assert made.std() == pytest.approx(sigma, rel=0.03)
        assert np.array_equal(made[:, 0], made[:, 1]) == bool(share)


@pytest.mark.parametrize(
    "fields",
    [
        {"blur": 1.5}, {"resize": (0.6, 0.6)}, {"blur_sigma": (3.0, 1.0)}, {"noise_sigma": (0.0, 1.0)},
        {"jpeg_quality": (30, 101)}, {"resize_range": (1.1, 1.5)},
    ],
)  # fmt: skip
def test_settings_that_are_none_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Damage(**fields)  # type: ignore[arg-type]


def test_other_axes_or_types_are_refused() -> None:
    for wrong in (np.zeros((3, 8, 8), np.uint8), np.zeros((2, 3, 8, 8), np.float32), np.zeros((2, 1, 8, 8), np.uint8)):
        with pytest.raises(ValueError, match="expected uint8"):
            degraded(wrong, SMALL, rng())
