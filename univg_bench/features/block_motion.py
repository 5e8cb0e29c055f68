"""Where the blocks of a frame went in the next one, and how much brighter they got: no weights, no random numbers.

Blocks are compared with their mean taken off, so a change of light is no motion. The whole neighbourhood is searched
in whole pixels; one least-squares step then finds the fraction and the change of brightness together. A block that
moving does not explain stays where it is: noise and flicker would else count as motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.recipes_frames import Matching

Floats = NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, of R, G, B
PAIRS = 8  # matched at once: bounds memory whatever the length of the video

# Power that rounding adds to the difference of two frames, in squared grey levels: 1/12 each. Less is not seen.
_ROUNDING = 2 / 12


@dataclass(frozen=True)
class Matches:
    """Blocks found again. moves (P, Y, X, 2): displacement (down, right) in shorter sides of the picture, 0 where none
    was found. brighter (P, Y, X): change of mean luma along that displacement, in grey levels of 255.
    """

    moves: Floats
    brighter: Floats


def luma(frame: NDArray[np.uint8]) -> Floats:
    """Return the luma (H, W) of a frame (3, H, W), 0..255."""
    grey: Floats = np.tensordot(LUMA, frame.astype(np.float64), axes=1)
    return grey


def resized(frames: NDArray[np.uint8], side: int) -> Floats:
    """Return the luma (F, h, w) of frames (F, 3, H, W), resized so that the shorter of h and w is `side`.

    Averaged over areas to shrink, linear between pixels to enlarge: so one window and one reach fit every size.
    """
    height, width = frames.shape[2:]
    down, across = (_resize(n, max(1, round(n * side / min(height, width)))) for n in (height, width))
    return np.stack([down @ luma(frame) @ across.T for frame in frames])


def match_blocks(before: Floats, after: Floats, matching: Matching) -> Matches:
    """Return where the blocks of each frame `before` (P, h, w) are in the frame `after` (P, h, w) beside it."""
    assert min(before.shape[1:]) >= 2 * matching.window, before.shape
    parts = [_match(before[i : i + PAIRS], after[i : i + PAIRS], matching) for i in range(0, len(before), PAIRS)]
    return Matches(np.concatenate([p.moves for p in parts]), np.concatenate([p.brighter for p in parts]))


def _match(before: Floats, after: Floats, matching: Matching) -> Matches:
    (height, width), window, reach = before.shape[1:], matching.window, matching.reach
    tops, lefts = (np.arange(0, n - window + 1, matching.stride) for n in (height, width))
    sum_rows, sum_columns = _boxes(tops, window, height), _boxes(lefts, window, width).T
    area = window * window
    padded = np.pad(after, ((0, 0), (reach, reach), (reach, reach)))
    steps = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    steps.sort(key=lambda d: (d[0] ** 2 + d[1] ** 2, d))  # of equal matches the nearest wins
    best = np.full((len(before), len(tops), len(lefts)), np.inf)
    step_y, step_x = (np.zeros(best.shape, dtype=np.int64) for _ in range(2))
    still = best
    for dy, dx in steps:
        change = padded[:, reach + dy : reach + dy + height, reach + dx : reach + dx + width] - before
        total = sum_rows @ change @ sum_columns
        power = sum_rows @ (change * change) @ sum_columns - total * total / area  # with the mean taken off
        inside = _inside(tops + dy, window, height)[:, None] & _inside(lefts + dx, window, width)
        power = np.where(inside, power, np.inf)
        if (dy, dx) == (0, 0):
            still = power
        better = power < best
        best = np.where(better, power, best)
        step_y[better], step_x[better] = dy, dx
    shift, rest, brighter = _fraction(before, after, tops, lefts, step_y, step_x, window)
    moved = still - rest > matching.gate * (rest + area * _ROUNDING)
    unmoved = (sum_rows @ (after - before) @ sum_columns) / area
    moves = np.stack([step_y, step_x], axis=-1) + shift
    side = min(height, width)
    return Matches(np.where(moved[..., None], moves / side, 0.0), np.where(moved, brighter, unmoved))


def _fraction(
    before: Floats, after: Floats, tops: NDArray[np.int64], lefts: NDArray[np.int64],
    step_y: NDArray[np.int64], step_x: NDArray[np.int64], window: int,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Return for each block the fraction (…, 2) to add to its step, the power that is left, and the brightness change.

    after(x + step) - before(x) ≈ brighter - slope · fraction, solved for brighter and fraction in least squares.
    Source: Lucas & Kanade 1981, with a change of brightness as third unknown.
    """
    pair = np.arange(len(before))[:, None, None, None, None]
    y = tops[:, None, None, None] + np.arange(window)[:, None]  # (Y, 1, window, 1)
    x = lefts[:, None, None] + np.arange(window)  # (X, 1, window)
    there = (pair, y + step_y[..., None, None], x + step_x[..., None, None])
    here = (pair, y, x)
    change = after[there] - before[here]  # (P, Y, X, window, window)
    slopes = [
        (slope_before[here] + slope_after[there]) / 2
        for slope_before, slope_after in zip(
            np.gradient(before, axis=(1, 2)), np.gradient(after, axis=(1, 2)), strict=True
        )
    ]
    mean = change.mean(axis=(-2, -1))
    means = [slope.mean(axis=(-2, -1)) for slope in slopes]
    change = change - mean[..., None, None]
    gy, gx = (slope - m[..., None, None] for slope, m in zip(slopes, means, strict=True))
    yy, xx, yx = ((p * q).sum(axis=(-2, -1)) for p, q in ((gy, gy), (gx, gx), (gy, gx)))
    y0, x0 = ((g * change).sum(axis=(-2, -1)) for g in (gy, gx))
    # where the slopes have one direction only (an edge), the ridge keeps the fraction across it and none along it
    ridge = 1e-3 * (yy + xx) + 1e-9
    yy, xx = yy + ridge, xx + ridge
    determinant = yy * xx - yx * yx
    fraction = np.stack([yx * x0 - xx * y0, yx * y0 - yy * x0], axis=-1) / determinant[..., None]
    fraction = np.clip(fraction, -1.0, 1.0)
    left = change + gy * fraction[..., 0, None, None] + gx * fraction[..., 1, None, None]
    brighter = mean + means[0] * fraction[..., 0] + means[1] * fraction[..., 1]
    return fraction, (left * left).sum(axis=(-2, -1)), brighter


def _resize(old: int, new: int) -> Floats:
    """Return the matrix (new, old) of weights: areas to shrink, lines between the middles of pixels to enlarge."""
    if new < old:
        edges = np.arange(new + 1) * (old / new)
        low = np.maximum(edges[:-1, None], np.arange(old))
        high = np.minimum(edges[1:, None], np.arange(old) + 1)
        weights: Floats = np.maximum(high - low, 0.0) * (new / old)
    else:
        middles = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        weights = np.maximum(0.0, 1.0 - np.abs(middles[:, None] - np.arange(old)))
    return weights


def _boxes(starts: NDArray[np.int64], window: int, length: int) -> Floats:
    """Return the matrix (blocks, length) that sums a row over the window of each block."""
    offset = np.arange(length) - starts[:, None]
    return ((offset >= 0) & (offset < window)).astype(np.float64)


def _inside(starts: NDArray[np.int64], window: int, length: int) -> NDArray[np.bool_]:
    return (starts >= 0) & (starts + window <= length)
