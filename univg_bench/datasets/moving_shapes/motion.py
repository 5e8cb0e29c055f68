"""Where the shape is in each frame, how large, and how turned; where the camera looks.

Positions are pixels of the 72x128 frame; y grows downwards. The shape lives in the world, so a camera that pans
right moves it to the left on the screen, together with the background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.datasets.moving_shapes.trigonometry import TURN, cosine, sine
from univg_bench.datasets.moving_shapes.world import UNIT, Scene

HEIGHT, WIDTH, FRAMES = 72, 128, 24
ZOOM = 1.4  # of the last frame
PAN = 1  # whole pixels per frame, so that a panned background is a moved background, bit for bit
RADIUS = {"small": 12.5, "large": 19.5}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """The shape on the screen and the camera, one entry per frame: (F,) each."""

    x: Floats
    y: Floats
    radius: Floats
    cos: Floats
    sin: Floats
    pan: NDArray[np.int64]
    zoom: Floats


def path(scene: Scene) -> Path:
    """Return the path of `scene` over FRAMES frames; where there is room, the shape stays in the frame."""
    t = np.arange(FRAMES, dtype=np.float64)
    share = t / (FRAMES - 1)
    still = np.zeros(FRAMES)
    speed = 0.85 + 0.3 * (scene.speed / UNIT)
    radius0 = RADIUS[scene.size] * (0.94 + 0.12 * (scene.radius / UNIT))

    phase = scene.phase * TURN // UNIT
    # a small tilt either way: a square must not become a diamond
    angle = np.full(FRAMES, (scene.tilt - UNIT // 2) * (TURN // 12) // UNIT, dtype=np.int64)
    dx, dy, grow = still, still, still + 1.0
    match scene.motion:
        case "slides left":
            dx = -2.0 * speed * t
        case "slides right":
            dx = 2.0 * speed * t
        case "rises":
            dy = -1.55 * speed * t
        case "falls":  # from rest, ever faster: backwards it is no "rises"
            dy = 37.0 * speed * share * share
        case "orbits":  # one turn, always clockwise on the screen
            turn = phase + np.arange(FRAMES) * TURN // FRAMES
            dx, dy = 15.0 * speed * cosine(turn), 15.0 * speed * sine(turn)
        case "bounces":  # each arc lower than the one before
            dy = -30.0 * speed * _bounce_height(t)
        case "spins":  # nearly one turn, always clockwise
            angle = phase + (np.arange(FRAMES) * TURN * 15) // (FRAMES * 16)
        case "grows":  # nothing shrinks in this world
            grow = 0.5 + 0.85 * share
        case _:
            raise AssertionError(scene.motion)

    pan = np.arange(FRAMES, dtype=np.int64) * PAN * {"pans left": -1, "pans right": 1}.get(scene.camera, 0)
    zoom = 1.0 + (ZOOM - 1.0) * share if scene.camera == "zooms in" else still + 1.0
    dx = dx - pan

    room = 0.8 * radius0 * float(grow.max())
    x = dx + _start(scene.start_x, dx, room, WIDTH, float(zoom.max()))
    y = dy + _start(scene.start_y, dy, room, HEIGHT, float(zoom.max()))
    x = WIDTH / 2 + zoom * (x - WIDTH / 2)
    y = HEIGHT / 2 + zoom * (y - HEIGHT / 2)
    return Path(x, y, radius0 * grow * zoom, cosine(angle), sine(angle), pan, zoom)


def _bounce_height(t: Floats) -> Floats:
    """Return the height in [0, 1] of a ball that is dropped at frame 0 and comes back up to (4/5)², (3/5)², ..."""
    height = 1.0 - (t / 5.0) * (t / 5.0)
    start = 5
    for length in (8, 6, 4):
        u = (t - start) / length
        arc = 4.0 * u * (1.0 - u) * (length * length / 100.0)
        height = np.where(t >= start, arc, height)
        start += length
    return np.where(t >= start, 0.0, height)


def _start(share: int, offsets: Floats, room: float, extent: int, zoom: float) -> float:
    """Return a start such that the whole path keeps `room` to both borders, or the middle where it cannot."""
    middle = extent / 2
    reach = middle / zoom - room
    low, high = middle - reach - float(offsets.min()), middle + reach - float(offsets.max())
    if low > high:
        return (low + high) / 2
    return low + (high - low) * (share / UNIT)
