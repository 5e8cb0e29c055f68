"""The ground: for each background one large map of tones (0 ... 255) and the colours of the tones.

A clip sees a window of the map, at a place of its own. The structure is there so that one sees the camera move.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from univg_bench.datasets.moving_shapes.trigonometry import TURN, sine

MAP_HEIGHT, MAP_WIDTH = 144, 384
Bytes = NDArray[np.uint8]

# colours of tone 0, 128 and 255
PALETTES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "grass": ((52, 96, 40), (92, 150, 62), (156, 200, 92)),
    "water": ((24, 70, 120), (58, 126, 176), (170, 214, 230)),
    "sand": ((158, 122, 76), (208, 176, 122), (240, 218, 172)),
    "bricks": ((92, 66, 58), (146, 82, 62), (196, 178, 164)),
    "tiles": ((44, 46, 62), (76, 80, 100), (124, 128, 150)),
    "snow": ((172, 190, 214), (212, 222, 236), (250, 252, 255)),
}


@cache
def palette(background: str) -> Bytes:
    """Return (256, 3): the colour of each tone, straight lines between the three of PALETTES."""
    low, middle, high = (np.array(c, dtype=np.int64) for c in PALETTES[background])
    tone = np.arange(256, dtype=np.int64)[:, None]
    first = (low * (128 - tone) + middle * tone + 64) // 128
    second = (middle * (255 - tone) + high * (tone - 128) + 63) // 127
    return np.where(tone < 128, first, second).astype(np.uint8)


@cache
def tone_map(background: str) -> Bytes:
    """Return (MAP_HEIGHT, MAP_WIDTH) tones; integer arithmetic except for the softness of a few edges."""
    y, x = np.mgrid[0:MAP_HEIGHT, 0:MAP_WIDTH]
    match background:
        case "grass":  # tufts: in each cell a blade, its height, place and tone its own
            tone = 96 + _noise("meadow", y // 18, x // 18) // 6
            for layer, (cell_y, cell_x) in enumerate(((9, 7), (13, 11))):
                row, column = y // cell_y, x // cell_x
                where = _noise(f"blade{layer}", row, column)
                offset = x % cell_x - where % cell_x
                height = cell_y - where // 16 % (cell_y // 2)
                blade = (np.abs(offset) * 2 <= 2) & (y % cell_y >= cell_y - height)
                tone = np.where(blade, np.where(where > 110, 220, 18), tone)
        case "water":  # waves that go up and down
            wave = y * 1.0 + 3.5 * sine(x * TURN // 48) + 1.5 * sine(x * TURN // 29 + y * TURN // 72)
            p = wave / 12.0
            tone = 40 + np.floor(190.0 * np.abs(p - np.floor(p) - 0.5) * 2.0).astype(np.int64)
        case "sand":  # slanted ripples and pebbles
            p = (x * 1.0 + 2.0 * y + 4.0 * sine(y * TURN // 40)) / 22.0
            tone = 90 + np.floor(110.0 * (p - np.floor(p))).astype(np.int64)
            where = _noise("pebble", y // 9, x // 9)
            dy, dx = y % 9 - 2 - where % 5, x % 9 - 2 - where // 8 % 5
            tone = np.where((dy * dy + dx * dx <= 2) & (where > 120), 0, tone)
        case "bricks":
            row = y // 10
            xx = x + 10 * (row % 2)
            mortar = (y % 10 < 2) | (xx % 20 < 2)
            tone = np.where(mortar, 250, 40 + _noise("brick", row, xx // 20) * 5 // 12)
        case "tiles":
            odd = (y // 12 + x // 12) % 2
            tone = 30 + 170 * odd + _noise("tile", y // 12, x // 12) // 9
            tone = np.where((y % 12 == 0) | (x % 12 == 0), 0, tone)
        case "snow":  # drifts, and hollows with a shadow
            p = (y * 1.0 + 5.0 * sine(x * TURN // 64)) / 26.0
            tone = 130 + np.floor(100.0 * (p - np.floor(p))).astype(np.int64)
            where = _noise("hollow", y // 14, x // 14)
            dy, dx = y % 14 - 5 - where % 4, x % 14 - 5 - where // 8 % 4
            near = 4 * dy * dy + dx * dx
            tone = np.where((near <= 16) & (where > 60), 0, tone)
        case _:
            raise AssertionError(background)
    return np.clip(tone, 0, 255).astype(np.uint8)


def _noise(name: str, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a random tone in 0 ... 255 for each cell, from a digest."""
    table = np.frombuffer(
        b"".join(sha256(f"moving-shapes/1|{name}|{i}".encode()).digest() for i in range(128)), dtype=np.uint8
    ).astype(np.int64)
    tones: NDArray[np.int64] = table[(row * 61 + column) % len(table)]
    return tones
