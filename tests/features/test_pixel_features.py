"""Motion, flicker, spectrum, PSNR and SSIM: laws on a textured picture that is moved, lit, blurred and damaged."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from univg_bench.datasets.moving_shapes import render, scene
from univg_bench.errors import InputError
from univg_bench.features.block_motion import luma, match_blocks
from univg_bench.features.pixels import (
    condition_frame,
    flicker_features,
    motion_features,
    pair_fidelity,
    pixel_features,
    spectrum_features,
)
from univg_bench.recipes_frames import (
    FIDELITY_RECIPES,
    FLICKER_RECIPES,
    FRAME_RECIPES,
    MOTION_RECIPES,
    SPECTRUM_RECIPES,
)

MOTION, FLICKER, VBENCH = MOTION_RECIPES["motion"], FLICKER_RECIPES["flicker"], FLICKER_RECIPES["vbench-flicker"]
SPECTRUM, LINES, FIDELITY = SPECTRUM_RECIPES["spectrum"], SPECTRUM_RECIPES["spectrum-240"], FIDELITY_RECIPES["fidelity"]


def texture(height: int, width: int, smoothness: float, seed: int = 0) -> np.ndarray:
    grey = gaussian_filter(np.random.default_rng(seed).standard_normal((height, width)), smoothness, mode="wrap")
    return np.clip(np.rint(128 + 35 * grey / grey.std()), 0, 255).astype(np.uint8)


def sliding(step: int, frames: int = 6, *, size: tuple[int, int] = (64, 96), smoothness: float = 2.5) -> np.ndarray:
    """Return (F, 3, H, W): a texture that moves `step` pixels to the left per frame."""
    picture = texture(size[0], size[1] + step * frames, smoothness)
    return np.stack([np.stack([picture[:, t * step : t * step + size[1]]] * 3) for t in range(frames)])


def noisy(video: np.ndarray, deviation: float) -> np.ndarray:
    noise = deviation * np.random.default_rng(1).standard_normal(video.shape)
    return np.clip(np.rint(video + noise), 0, 255).astype(np.uint8)


def lit(video: np.ndarray, change: list[int]) -> np.ndarray:
    brighter = video.astype(np.int64) + np.array(change)[:, None, None, None]
    assert brighter.min() >= 0
    assert brighter.max() <= 255
    return brighter.astype(np.uint8)


def dim(video: np.ndarray) -> np.ndarray:
    """Return the video with room for brighter and darker frames."""
    return (video // 2 + 60).astype(np.uint8)


def speed(video: np.ndarray) -> float:
    return float(motion_features(video, fps=8, recipe=MOTION)[0])


# --- motion


@pytest.mark.parametrize("step", [1, 2, 5, 8])
def test_speed_is_that_of_a_sliding_texture(step: int) -> None:
    found, share = motion_features(sliding(step), fps=8, recipe=MOTION)
    assert found == pytest.approx(step / 64 * 8, rel=0.12)  # blocks at the border where it leaves find no match
    assert share > 0.85


def test_speed_of_half_a_pixel_is_found() -> None:
    wide = sliding(1, size=(128, 192))  # halved to 64 lines before blocks are matched
    assert speed(wide) == pytest.approx(1 / 128 * 8, rel=0.1)


def test_frozen_videos_do_not_move_whatever_the_noise_and_the_light() -> None:
    still = np.repeat(dim(sliding(1))[:1], 6, axis=0)
    assert motion_features(still, fps=8, recipe=MOTION).tolist() == [0, 0]
    assert motion_features(lit(still, [0, 30, -20, 9, 50, -3]), fps=8, recipe=MOTION).tolist() == [0, 0]
    assert speed(noisy(still, 8)) < 0.02 * speed(sliding(2))
    assert speed(noisy(still, 25)) < 0.05 * speed(sliding(2))


def test_faster_is_more_motion_and_its_direction_does_not_matter() -> None:
    speeds = [speed(sliding(step)) for step in (1, 2, 3, 4, 6)]
    assert speeds == sorted(speeds)
    assert speed(sliding(3)[:, :, :, ::-1]) == pytest.approx(speed(sliding(3)), rel=0.05)
    assert speed(sliding(3)[::-1]) == pytest.approx(speed(sliding(3)), rel=0.05)


def test_light_that_changes_hardly_moves_the_motion_of_a_moving_video() -> None:
    video = dim(sliding(2))
    assert speed(lit(video, [0, 12, -9, 20, -15, 4])) == pytest.approx(speed(video), rel=1e-9)


def test_speed_counts_seconds_and_shorter_sides_not_pixels() -> None:
    video = sliding(2)
    per_frame = motion_features(video, fps=None, recipe=MOTION)
    assert motion_features(video, fps=24, recipe=MOTION) == pytest.approx(per_frame * [24, 1])
    assert speed(np.repeat(np.repeat(video, 3, axis=2), 3, axis=3)) == pytest.approx(speed(video), rel=1e-6)
    assert speed(video.swapaxes(2, 3)) == pytest.approx(speed(video), rel=1e-6)


def test_moving_shapes_are_ordered_by_their_true_speed() -> None:
    still, panned = (
        next(s for i in range(400) if (s := scene("test", i)).camera == camera and s.motion == "spins")
        for camera in ("stays still", "pans left")
    )
    slow, fast = (speed(render(s, height=72, width=128, num_frames=6)) for s in (still, panned))
    assert 0 < slow < fast
    assert fast == pytest.approx(8 / 72, rel=0.25)  # the ground moves one of 72 pixels per frame


def test_a_scene_has_about_one_speed_at_both_sizes() -> None:
    # tiles of 5 pixels at 32x56: a search that reaches further than one period would take the next tile for this one
    s = next(s for i in range(400) if (s := scene("test", i)).camera == "pans left" and s.background == "tiles")
    large, small = (speed(render(s, height=h, width=w, num_frames=5)) for h, w in ((72, 128), (32, 56)))
    assert small == pytest.approx(large, rel=0.35)


# --- flicker


def test_frozen_videos_do_not_flicker() -> None:
    still = np.repeat(sliding(1)[:1], 5, axis=0)
    assert flicker_features(still, FLICKER) == 0
    assert flicker_features(still, VBENCH) == 1


@pytest.mark.parametrize("step", [0, 2])
def test_brightness_that_jumps_up_and_down_is_flicker_of_its_size_also_when_the_picture_moves(step: int) -> None:
    video = dim(sliding(step))
    flicker = [float(flicker_features(lit(video, [0, jump] * 3), FLICKER)[0]) for jump in (0, 5, 10, 20)]
    assert flicker == pytest.approx([0, 5, 10, 20], abs=0.6)


def test_a_fade_at_a_constant_rate_is_no_flicker() -> None:
    assert flicker_features(lit(dim(sliding(0)), [0, 10, 20, 30, 40, 50]), FLICKER) == pytest.approx(0, abs=1e-9)


def test_vbench_takes_motion_for_flicker_and_ours_does_not() -> None:
    slow, fast = sliding(1), sliding(6)
    assert flicker_features(fast, VBENCH) < flicker_features(slow, VBENCH) - 0.03
    apart = np.mean([np.abs(b.astype(float) - a).mean() for a, b in pairwise(fast)])
    assert flicker_features(fast, VBENCH)[0] == pytest.approx((255 - apart) / 255)
    assert flicker_features(fast, FLICKER) < 0.06 * apart  # what is left is what enters at the border


def test_luma_weighs_colours_as_bt_601() -> None:
    primaries = np.zeros((3, 1, 3), dtype=np.uint8)
    primaries[[0, 1, 2], 0, [0, 1, 2]] = 255  # a red, a green and a blue pixel
    assert luma(primaries)[0] == pytest.approx([76.245, 149.685, 29.07])


def test_brightness_is_read_along_the_fraction_of_a_pixel_that_a_block_moves() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float64)

    def picture(offset: float) -> np.ndarray:
        # a slope of 2 grey levels per pixel, on which texture can be followed
        return (2 * (x + offset) + 20 * np.sin((x + offset) / 3) * np.sin(y / 4))[None]

    found = match_blocks(picture(0.0), picture(0.4), MOTION.matching)
    inside = found.brighter[:, 2:-2, 2:-2]
    assert np.median(found.moves[..., 1]) * 64 == pytest.approx(-0.4, abs=0.05)
    assert np.abs(inside).max() < 0.2  # 0.8 grey levels where the fraction is left out


# --- spectrum


def test_white_noise_has_its_variance_in_every_bin() -> None:
    grey = np.random.default_rng(0).normal(128, 20, (12, 64, 96))
    found = spectrum_features(np.rint(np.stack([grey] * 3, axis=1)).astype(np.uint8), SPECTRUM)
    assert found[:2].tolist() == [64, 96]
    assert found[3:] == pytest.approx(20 * np.log10(20), abs=0.7)


def test_flat_videos_have_the_power_of_rounding_and_nothing_infinite() -> None:
    found = spectrum_features(np.full((2, 3, 64, 64), 77, np.uint8), SPECTRUM)
    assert found[2:] == pytest.approx(10 * np.log10(1 / 12))


def test_blur_takes_high_frequencies_away_and_noise_adds_them() -> None:
    video = sliding(1, smoothness=0.8)
    clean = spectrum_features(video, SPECTRUM)[2:]
    blurred = np.rint(gaussian_filter(video.astype(float), (0, 0, 1, 1))).astype(np.uint8)
    assert (spectrum_features(blurred, SPECTRUM)[10:] < clean[8:] - 3).all()
    assert (
        spectrum_features(noisy(sliding(1), 10), SPECTRUM)[10:] > spectrum_features(sliding(1), SPECTRUM)[10:]
    ).all()


def test_one_picture_at_two_sizes_has_one_spectrum_by_lines() -> None:
    large = sliding(0, 1, size=(720, 960), smoothness=6)
    small = large.reshape(1, 3, 240, 3, 320, 3).mean(axis=(3, 5)).round().astype(np.uint8)
    a, b = spectrum_features(large, LINES)[2:], spectrum_features(small, LINES)[2:]
    shown = b > 0  # above the power of rounding, which the sizes do not share
    assert shown.sum() >= 8
    assert a[shown] == pytest.approx(b[shown], abs=1.5)


# --- fidelity


def pair(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    video = sliding(1, 2, size=(40, 48))
    return video, noisy(video, 12)


def test_a_difference_of_one_everywhere_is_48_decibels() -> None:
    video = dim(sliding(1, 2))
    found = pair_fidelity(video + np.uint8(1), video, FIDELITY)
    assert found[:, 0] == pytest.approx(10 * np.log10(255**2), abs=1e-9)
    assert found[0, 0] == pytest.approx(48.1308, abs=1e-4)


def test_identical_videos_have_the_cap_and_an_ssim_of_one() -> None:
    video, _ = pair()
    assert pair_fidelity(video, video, FIDELITY) == pytest.approx(np.array([[60.0, 1.0]] * 2))


def test_fidelity_is_symmetric_and_falls_with_noise() -> None:
    video, worse = pair()
    assert pair_fidelity(video, worse, FIDELITY) == pytest.approx(pair_fidelity(worse, video, FIDELITY), rel=1e-12)
    rungs = np.array([pair_fidelity(noisy(video, d), video, FIDELITY).mean(axis=0) for d in (1, 4, 12, 30)])
    assert (np.diff(rungs, axis=0) < 0).all()


def test_equals_scikit_image() -> None:
    # structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=0,
    # data_range=255) and peak_signal_noise_ratio(a, b, data_range=255) of scikit-image 0.26.0 on these very arrays
    i = np.arange(3 * 23 * 31).reshape(3, 23, 31)
    a = ((i * 37 + 11 * (i // 31)) % 256).astype(np.uint8)
    a[:, :10] //= 2
    b = np.clip(a.astype(int) + ((i * 29) % 41 - 20), 0, 255).astype(np.uint8)
    c = (a // 8 + 100).astype(np.uint8)
    found = pair_fidelity(np.stack([a, a]), np.stack([b, c]), FIDELITY)
    expected = [[26.835248428013298, 0.9794313485584171], [12.39495677506101, 0.24914938528142186]]
    assert found == pytest.approx(np.array(expected), abs=1e-9)


def test_a_condition_image_is_squashed_and_left_alone_at_the_size_of_the_sample() -> None:
    image = sliding(0, 1)[0]
    assert (condition_frame(image, height=64, width=96)[0] == image).all()
    half = condition_frame(image, height=32, width=32)
    assert half.shape == (1, 3, 32, 32)
    flat = np.full((3, 50, 70), 99, np.uint8)
    assert (condition_frame(flat, height=64, width=96) == 99).all()


# --- what all have in common


def test_other_arrays_are_refused_in_a_sentence() -> None:
    video = sliding(1)
    for recipe in (MOTION, FLICKER, VBENCH, SPECTRUM):
        with pytest.raises(InputError, match="expected uint8"):
            pixel_features(video / 255, fps=8, recipe=recipe)
        with pytest.raises(InputError, match="expected \\(F, 3, H, W\\)"):
            pixel_features(video.transpose(0, 2, 3, 1), fps=8, recipe=recipe)
    with pytest.raises(InputError, match="found 1 frames, motion needs at least 2"):
        pixel_features(video[:1], fps=8, recipe=MOTION)
    with pytest.raises(InputError, match="found 2 frames, flicker needs at least 3"):
        pixel_features(video[:2], fps=8, recipe=FLICKER)
    with pytest.raises(InputError, match="rate of 0 frames"):
        pixel_features(video, fps=0, recipe=MOTION)
    with pytest.raises(InputError, match="too small for the 16 bins"):
        pixel_features(video[:, :, :30, :30], fps=8, recipe=SPECTRUM)
    with pytest.raises(InputError, match="'spectrum-240' needs 240 pixels"):
        pixel_features(video, fps=8, recipe=LINES)
    with pytest.raises(InputError, match="compare pixel with pixel"):
        pair_fidelity(video, video[:, :, :, 1:], FIDELITY)
    with pytest.raises(InputError, match="SSIM needs at least 11"):
        pair_fidelity(video[:, :, :10], video[:, :, :10], FIDELITY)


def test_the_same_frames_give_the_same_bits_in_parts_and_again() -> None:
    video = sliding(2, 20)  # more pairs than are matched at once
    whole = motion_features(video, fps=None, recipe=MOTION)
    assert (whole == motion_features(video.copy(), fps=None, recipe=MOTION)).all()
    pairs = [motion_features(video[t : t + 2], fps=None, recipe=MOTION) for t in range(19)]
    assert np.mean(pairs, axis=0) == pytest.approx(whole, rel=1e-9)


def test_every_recipe_has_its_own_digest_which_its_source_does_not_move() -> None:
    assert len({recipe.digest for recipe in FRAME_RECIPES.values()}) == len(FRAME_RECIPES)
    for name, recipe in FRAME_RECIPES.items():
        assert recipe.name == name
        assert dataclasses.replace(recipe, source="elsewhere").digest == recipe.digest
        assert dataclasses.replace(recipe, version=recipe.version + 1).digest != recipe.digest
