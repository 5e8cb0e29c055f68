"""The drawn shape: signed distances of six outlines, three textures, and their colours.

Everything is elementwise + - * / and sqrt on float64, min, max, floor and comparison: the same bits everywhere.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from univg_bench.datasets.moving_shapes.trigonometry import TURN, cosine, sine

Floats = NDArray[np.float64]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 40, 40),
    "orange": (250, 135, 25),
    "yellow": (250, 226, 50),
    "green": (45, 185, 60),
    "blue": (40, 85, 235),
    "purple": (135, 50, 190),
    "pink": (255, 135, 200),
    "white": (246, 246, 246),
}
OUTLINE = (22, 20, 28)
DARK = 0.3  # the second colour of a texture is the first, darkened
_PERIOD = 0.72  # of a texture, in radii
REACH = 1.3  # no shape reaches further from its middle, in radii


def signed_distance(shape: str, u: Floats, v: Floats) -> Floats:
    """Return the distance to the outline in radii, negative inside (a bound of it near corners); v grows downwards.

    u, v: coordinates in radii, any shape.
    """
    match shape:
        case "circle":
            return np.sqrt(u * u + v * v) - 1.0
        case "square":
            return np.maximum(np.abs(u), np.abs(v)) - 0.88
        case "triangle":
            slope = 1.0 / sqrt(1.0 + 1.8 * 1.8)  # of sides that fall 1.8 for each 1 outwards
            side = (1.8 * np.abs(u) - (v + 1.1)) * slope
            return np.maximum(side, v - 0.85)
        case "star":
            # inside a pentagram one is inside at least 4 of the 5 lines: so the second largest distance decides
            a = b = np.full(np.broadcast_shapes(u.shape, v.shape), -9.0)
            for k in range(5):
                turn = np.array(TURN // 4 + (k * TURN) // 5)
                d = u * float(cosine(turn)) + v * float(sine(turn)) - 0.42
                a, b = np.maximum(a, d), np.maximum(b, np.minimum(a, d))
            return b
        case "cross":
            x, y = np.abs(u), np.abs(v)
            return np.minimum(np.maximum(x - 1.05, y - 0.37), np.maximum(x - 0.37, y - 1.05))
        case "heart":
            # a square on its corner, and a half disc on each of its two upper sides
            x, y = np.abs(u), v - 0.12
            diamond = (x + np.abs(y)) * sqrt(0.5) - 0.62
            corner = 0.62 * sqrt(0.5)
            disc = np.sqrt((x - corner) * (x - corner) + (y + corner) * (y + corner)) - 0.62
            return np.minimum(diamond, disc)
        case _:
            raise AssertionError(shape)


def texture_coverage(texture: str, u: Floats, v: Floats, radius: Floats, *, shift: tuple[float, float]) -> Floats:
    """Return how much of each pixel has the second colour, in [0, 1].

    radius: in pixels, broadcast against u and v; it makes the edges one pixel soft.
    """
    match texture:
        case "plain":
            return np.zeros(np.broadcast_shapes(u.shape, v.shape))
        case "striped":
            return np.clip(0.5 + (0.25 * _PERIOD - _to_nearest(u, shift[0])) * radius, 0.0, 1.0)
        case "dotted":
            x, y = _to_nearest(u, shift[0]), _to_nearest(v, shift[1])
            return np.clip(0.5 + (0.32 * _PERIOD - np.sqrt(x * x + y * y)) * radius, 0.0, 1.0)
        case _:
            raise AssertionError(texture)


def _to_nearest(u: Floats, shift: float) -> Floats:
    """Return the distance to the nearest of the places (k + shift) periods."""
    p = u / _PERIOD - shift
    return np.abs(p - np.floor(p + 0.5)) * _PERIOD
