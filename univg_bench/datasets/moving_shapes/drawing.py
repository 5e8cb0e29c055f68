"""The pixels of a scene."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from univg_bench.datasets.moving_shapes.backgrounds import MAP_HEIGHT, MAP_WIDTH, palette, tone_map
from univg_bench.datasets.moving_shapes.downsample import area_average
from univg_bench.datasets.moving_shapes.motion import FRAMES, HEIGHT, PAN, WIDTH, Path, path
from univg_bench.datasets.moving_shapes.shapes import (
    COLOURS,
    DARK,
    OUTLINE,
    REACH,
    signed_distance,
    texture_coverage,
)
from univg_bench.datasets.moving_shapes.world import UNIT, Scene
from univg_bench.errors import InputError

SIZES = ((32, 56), (72, 128))
OUTLINE_PIXELS = 1.6

Bytes = NDArray[np.uint8]


def render(scene: Scene, *, height: int, width: int, num_frames: int = FRAMES) -> Bytes:
    """Return the first `num_frames` frames of `scene`: (F, 3, H, W), uint8, RGB.

    32x56 is the area average of 72x128. Equal bits on every IEEE machine: docs/moving_shapes.md says why.

    Raises InputError for another size or more than 24 frames.
    """
    if (height, width) not in SIZES:
        known = " or ".join(f"{h}x{w}" for h, w in SIZES)
        raise InputError(f"found size {height}x{width}, expected {known}")
    if not 1 <= num_frames <= FRAMES:
        raise InputError(f"found num_frames {num_frames}, expected 1 to {FRAMES}: a Moving Shapes clip has {FRAMES}")
    track = path(scene)
    tones = _ground(scene, track, num_frames)
    colours = palette(scene.background)
    video = np.stack([colours[:, c][tones] for c in range(3)], axis=1)  # (F, 3, 72, 128)
    _draw_shape(video, scene, track)
    return area_average(video) if (height, width) == (32, 56) else video


def _ground(scene: Scene, track: Path, num_frames: int) -> Bytes:
    """Return the tones of the background in each frame: (F, 72, 128)."""
    tones = tone_map(scene.background)
    reach = PAN * (FRAMES - 1)
    top = scene.background_y * (MAP_HEIGHT - HEIGHT + 1) // UNIT
    left = reach + scene.background_x * (MAP_WIDTH - WIDTH - 2 * reach + 1) // UNIT
    if scene.camera == "zooms in":
        window = tones[top : top + HEIGHT, left : left + WIDTH].astype(np.float64)
        return np.stack([_magnified(window, float(zoom)) for zoom in track.zoom[:num_frames]])
    lefts = [left + int(pan) for pan in track.pan[:num_frames]]
    return np.stack([tones[top : top + HEIGHT, x : x + WIDTH] for x in lefts])


def _magnified(window: NDArray[np.float64], zoom: float) -> Bytes:
    """Return `window` seen from nearer by the factor `zoom` >= 1, bilinear, the middle fixed."""
    for axis in (0, 1):
        extent = window.shape[axis]
        place = (np.arange(extent) + 0.5 - extent / 2) / zoom + extent / 2 - 0.5
        low = np.floor(place).astype(np.int64)
        share = (place - low)[:, None] if axis == 0 else place - low
        first = np.take(window, np.clip(low, 0, extent - 1), axis=axis)
        second = np.take(window, np.clip(low + 1, 0, extent - 1), axis=axis)
        window = first + (second - first) * share
    return np.floor(window + 0.5).astype(np.uint8)


def _draw_shape(video: Bytes, scene: Scene, track: Path) -> None:
    """Paint the shape over `video` in place; only a square around the shape is computed."""
    num_frames = len(video)
    x, y, radius = track.x[:num_frames], track.y[:num_frames], track.radius[:num_frames, None, None]
    half = ceil(float(radius.max()) * REACH) + 2
    left = np.floor(x).astype(np.int64) - half
    top = np.floor(y).astype(np.int64) - half
    side = np.arange(2 * half + 1)
    px = ((left - x)[:, None] + side + 0.5)[:, None, :]  # (F, 1, K)
    py = ((top - y)[:, None] + side + 0.5)[:, :, None]  # (F, K, 1)
    cos, sin = track.cos[:num_frames, None, None], track.sin[:num_frames, None, None]
    u = (px * cos + py * sin) / radius  # the shape's own axes, in radii: (F, K, K)
    v = (py * cos - px * sin) / radius

    distance = signed_distance(scene.shape, u, v) * radius  # pixels
    cover = np.clip(0.5 - distance, 0.0, 1.0)
    inner = np.clip(0.5 - distance - OUTLINE_PIXELS, 0.0, 1.0)
    shift = (scene.texture_x / UNIT, scene.texture_y / UNIT)
    second = texture_coverage(scene.texture, u, v, radius, shift=shift)
    # light from the shape's own left: one sees even a plain circle spin
    light = (0.86 - 0.14 * u) * (1.0 - (1.0 - DARK) * second) * inner
    edge = 1.0 - inner

    for frame in range(num_frames):
        y0, x0 = int(top[frame]), int(left[frame])
        rows = slice(max(-y0, 0), min(HEIGHT - y0, len(side)))
        columns = slice(max(-x0, 0), min(WIDTH - x0, len(side)))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            continue
        alpha, lit, rim = (a[frame, rows, columns] for a in (cover, light, edge))
        place = video[frame, :, y0 + rows.start : y0 + rows.stop, x0 + columns.start : x0 + columns.stop]
        for c in range(3):
            paint = COLOURS[scene.colour][c] * lit + OUTLINE[c] * rim
            old = place[c].astype(np.float64)
            place[c] = np.floor(np.clip(old + (paint - old) * alpha, 0.0, 255.0) + 0.5).astype(np.uint8)
