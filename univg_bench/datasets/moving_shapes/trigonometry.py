"""Sine and cosine from a table made with + - * / and square root, because libm differs between machines."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

TURN = 1024  # table entries per full turn: angles are integers
_ONE = 1 << 24


@cache
def _sine_table() -> NDArray[np.int64]:
    """Return round(2²⁴ sin(2π k / TURN)) for k = 0 ... TURN - 1; the rounding hides the last bits of the recursion."""
    cos_step, sin_step = 0.0, 1.0  # a quarter turn, halved until it is one step
    size = TURN // 4
    while size > 1:
        cos_step, sin_step = sqrt((1.0 + cos_step) / 2.0), sqrt((1.0 - cos_step) / 2.0)
        size //= 2
    quarter, (c, s) = [], (1.0, 0.0)
    for _ in range(TURN // 4 + 1):
        quarter.append(int(s * _ONE + 0.5))
        c, s = c * cos_step - s * sin_step, s * cos_step + c * sin_step
    half = quarter + quarter[-2:0:-1]
    return np.array(half + [-value for value in half], dtype=np.int64)


def sine(angle: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return sin(2π angle / TURN); `angle` holds integers of any size."""
    return _sine_table()[angle % TURN] / float(_ONE)


def cosine(angle: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return cos(2π angle / TURN)."""
    return sine(angle + TURN // 4)
