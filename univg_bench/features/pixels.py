"""Numbers taken from pixels alone, one vector per video: motion, flicker, spectrum, and fidelity to a ground truth.

Contract: frames are decoded videos, uint8 (F, 3, H, W); results are float64 and finite; the same frames give the same
bits on one kind of machine, whatever the batch. Frames are taken one by one or a few at a time, so memory grows with
the size of a frame and not with the length of a video. Motion and flicker compare neighbours: they need consecutive
frames at one rate, not a random choice of them.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from univg_bench.errors import InputError
from univg_bench.features.block_motion import luma, match_blocks, resized
from univg_bench.features.i3d_input import check_frames
from univg_bench.recipes_frames import FidelityRecipe, FlickerRecipe, MotionRecipe, PixelRecipe, SpectrumRecipe

VERSION = 1  # of this code path: raise it with every change that can move a feature by a bit

Floats = NDArray[np.float64]
Frames = NDArray[np.uint8]


def pixel_features(frames: Frames, *, fps: float | Fraction | None, recipe: PixelRecipe) -> Floats:
    """Return the features (k,) that `recipe` asks of `frames` (F, 3, H, W); raises as the functions below."""
    match recipe:
        case MotionRecipe():
            return motion_features(frames, fps=fps, recipe=recipe)
        case FlickerRecipe():
            return flicker_features(frames, recipe)
        case SpectrumRecipe():
            return spectrum_features(frames, recipe)


def motion_features(frames: Frames, *, fps: float | Fraction | None, recipe: MotionRecipe) -> Floats:
    """Return (speed, share): the mean speed of blocks, and the share of blocks that move, over all pairs of frames.

    speed: in shorter sides of the picture per second; per frame where `fps` is None, which is what a cache that knows
    pixels but no rate has to hold. Blocks that do not move count as 0, so speed / share is the mean speed of the rest.

    Raises InputError for fewer than 2 frames, another type or other axes.
    """
    _check_neighbours(frames, 2, "motion")
    if fps is not None and not fps > 0:
        raise InputError(f"found a rate of {fps} frames per second, expected more than 0: speed is per second")
    small = resized(frames, recipe.matching.side)
    moves = match_blocks(small[:-1], small[1:], recipe.matching).moves
    speeds = np.sqrt((moves * moves).sum(axis=-1))
    return np.array([speeds.mean() * float(fps or 1), (speeds > 0).mean()])


def flicker_features(frames: Frames, recipe: FlickerRecipe) -> Floats:
    """Return (flicker,), by the method of the recipe.

    `compensated`: half the absolute second difference of each block's mean luma over three frames, the block followed
    along its motion, averaged; grey levels of 255, 0 is steady. A fade at a constant rate has none; brightness that
    jumps by A from frame to frame, up and down, has A. `vbench`: 1 - mean |difference of neighbours| / 255.

    Raises InputError for fewer than 3 frames (`vbench`: 2), another type or other axes.
    """
    if recipe.method == "vbench":
        _check_neighbours(frames, 2, "VBench's flicker")
        apart = [np.abs(b.astype(np.int16) - a).mean() for a, b in pairwise(frames)]
        return np.array([1.0 - np.mean(apart) / 255.0])
    _check_neighbours(frames, 3, "flicker")
    assert recipe.matching is not None
    small = resized(frames, recipe.matching.side)
    later = match_blocks(small[1:-1], small[2:], recipe.matching).brighter
    earlier = match_blocks(small[1:-1], small[:-2], recipe.matching).brighter
    return np.array([(np.abs(later + earlier) / 2).mean()])


def spectrum_features(frames: Frames, recipe: SpectrumRecipe) -> Floats:
    """Return (H, W, power of bin 0, 1, ...), the powers in dB of one squared grey level, averaged over the frames.

    Each frame's luma, its mean taken off, is tapered; the power of a bin is the mean of |FFT|² over its ring of radial
    frequencies, scaled so that white noise of variance v has power v in every bin. With `lines`, the scale is that of
    a picture resampled to so many lines. H and W stand there so that the metric can tell sets of different sizes.

    Raises InputError for pictures too small for the bins, or with fewer lines than the recipe; another type or axes.
    """
    check_frames(frames)
    height, width = frames.shape[2:]
    side = min(height, width)
    lines = recipe.lines or side
    if side < lines:
        raise InputError(
            f"found frames of {height}x{width}, the recipe {recipe.name!r} needs {lines} pixels either way"
        )
    limit = 0.5 * lines / side  # end of the axis, in cycles per pixel
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ring = np.minimum((radius / limit * recipe.bins).astype(np.int64), recipe.bins).ravel()  # the last is cut off
    # rfft keeps one of each pair of conjugate columns
    twice = np.full(width // 2 + 1, 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    counts = np.broadcast_to(twice, radius.shape).copy()
    counts[0, 0] = 0.0  # the mean is no detail
    taper = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    scale = (lines / side) ** 2 / (taper * taper).sum()
    number = np.bincount(ring, weights=counts.ravel(), minlength=recipe.bins + 1)[: recipe.bins]
    if not number.all():
        raise InputError(
            f"found frames of {height}x{width}, too small for the {recipe.bins} bins of the recipe {recipe.name!r}:"
            f" {2 * recipe.bins + 2} pixels either way suffice"
        )
    total = np.zeros(recipe.bins)
    for frame in frames:
        grey = luma(frame)
        power = np.abs(np.fft.rfft2((grey - grey.mean()) * taper)) ** 2 * counts
        bins = np.bincount(ring, weights=power.ravel(), minlength=recipe.bins + 1)[: recipe.bins] / number
        total += 10.0 * np.log10(bins * scale + recipe.floor)
    return np.array([height, width, *(total / len(frames))])


def pair_fidelity(frames: Frames, reference: Frames, recipe: FidelityRecipe) -> Floats:
    """Return (F, 2): PSNR in dB and SSIM of each frame against the same frame of `reference`, (F, 3, H, W) both.

    PSNR is of the mean squared error over all pixels and colours, cut at the recipe's cap (so identical frames have
    the cap). SSIM is the mean over colours and over all windows that lie wholly inside.

    Raises InputError when the two differ in shape, are smaller than a window, or are no such videos.
    Source: Wang, Bovik, Sheikh & Simoncelli 2004, eq. 13.
    """
    check_frames(frames)
    check_frames(reference, name="ground truth")
    if frames.shape != reference.shape:
        raise InputError(
            f"found a video of shape {frames.shape} and a ground truth of {reference.shape}, expected equal ones:"
            " PSNR and SSIM compare pixel with pixel"
        )
    if min(frames.shape[2:]) < recipe.window:
        raise InputError(
            f"found frames of {frames.shape[2]}x{frames.shape[3]}, SSIM needs at least {recipe.window} pixels either"
            " way"
        )
    rows = []
    for a, b in zip(frames, reference, strict=True):
        x, y = a.astype(np.float64), b.astype(np.float64)
        error = ((x - y) ** 2).mean()
        psnr = min(recipe.psnr_cap, 10 * np.log10(recipe.data_range**2 / error)) if error else recipe.psnr_cap
        rows.append((psnr, float(np.mean([_ssim(p, q, recipe) for p, q in zip(x, y, strict=True)]))))
    return np.array(rows)


def condition_frame(image: Frames, *, height: int, width: int) -> Frames:
    """Return a condition image (3, h, w) as a ground truth (1, 3, height, width) for a sample's first frame.

    The whole image is squashed by PIL, bicubic and antialiased, to whole grey levels; of the size already, it is left
    alone. Raises InputError for anything but a uint8 image.
    """
    check_frames(image[None], name="condition image")
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture).transpose(2, 0, 1)[None]


def _ssim(x: Floats, y: Floats, recipe: FidelityRecipe) -> float:
    """Return the mean SSIM of two channels (H, W)."""
    c1, c2 = ((k * recipe.data_range) ** 2 for k in (recipe.k1, recipe.k2))
    offsets = np.arange(recipe.window) - recipe.window // 2
    kernel = np.exp(-0.5 * (offsets / recipe.sigma) ** 2)
    kernel /= kernel.sum()

    def blurred(image: Floats) -> Floats:
        height, width = (n - recipe.window + 1 for n in image.shape)
        rows = sum(k * image[i : i + height] for i, k in enumerate(kernel))
        out: Floats = sum(k * rows[:, i : i + width] for i, k in enumerate(kernel))
        return out

    mx, my = blurred(x), blurred(y)
    vx, vy, vxy = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    likeness = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(likeness.mean())


def _check_neighbours(frames: Frames, least: int, what: str) -> None:
    check_frames(frames)
    if len(frames) < least:
        raise InputError(f"found {len(frames)} frames, {what} needs at least {least} consecutive ones")
