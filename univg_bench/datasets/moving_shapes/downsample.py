"""72x128 -> 32x56 by the average over each pixel's area, in integers: a pixel of 32x56 covers 9/4 x 16/7 pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# In quarter rows a large pixel is 4 high and a small one 9; in sevenths of columns they are 7 and 16 wide.
_ROWS = (32, 4, 9)
_COLUMNS = (56, 7, 16)


def area_average(video: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (..., 32, 56) from (..., 72, 128), both uint8, halves rounded up."""
    assert video.shape[-2:] == (72, 128), video.shape
    # 255 · 9 · 16 = 36,720 fits into 16 bits
    rows = _weighted(video.astype(np.uint16).swapaxes(-1, -2), *_ROWS).swapaxes(-1, -2)
    total = _weighted(rows, *_COLUMNS)
    return ((total + np.uint16(72)) // np.uint16(144)).astype(np.uint8)


def _weighted(values: NDArray[np.uint16], count: int, old: int, new: int) -> NDArray[np.uint16]:
    """Return the sums over the last axis, cut into `count` pieces of length `new`, of entries of length `old`."""
    out = np.empty((*values.shape[:-1], count), dtype=np.uint16)
    for piece in range(old):  # the weights come again after `old` pieces
        begin, end = piece * new, (piece + 1) * new
        part = np.zeros((*values.shape[:-1], count // old), dtype=np.uint16)
        for entry in range(begin // old, (end + old - 1) // old):
            weight = min(end, (entry + 1) * old) - max(begin, entry * old)
            part += values[..., entry::new] * np.uint16(weight)
        out[..., piece::old] = part
    return out
