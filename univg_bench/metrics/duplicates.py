"""How many videos of a set are different ones: repeating videos hides how small a set is.

A hundred videos repeated to 2,048 score nearly what the hundred score, and far from 2,048 different ones
(docs/findings.md 16), so every metric of two sets says what it was given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]


def unique_videos(rows: Rows, rows_per_video: int = 1) -> int:
    """Return how many different videos there are among rows (N · rows_per_video, D), told apart by their features."""
    starts = range(0, len(rows), rows_per_video)
    return len({hashlib.sha256(rows[i : i + rows_per_video].tobytes()).digest() for i in starts})


def said_of_duplicates(*, n: int, n_unique: int, n_reference: int, n_reference_unique: int) -> Iterator[str]:
    """Yield a sentence for each set in which videos repeat."""
    if n_unique < n:
        yield f"{n - n_unique} of {n} generated videos have the features of another one"
    if n_reference_unique < n_reference:
        yield f"{n_reference - n_reference_unique} of {n_reference} real videos have the features of another one"
