"""How alike the frames of a video are, and how alike they are to an image: cosines of unit embeddings of frames."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError

Floats = NDArray[np.float64]
Quantity = Literal["first", "mean", "min"]


def frame_consistency(frames: NDArray[np.floating]) -> float:
    """Return the mean, over all frames but the first, of (cosine to the frame before + cosine to the first) / 2.

    frames (F, D): unit embeddings in order of time. Negative cosines count as 0. A frozen video has 1, more than any
    real one: the number says nothing without the motion beside it.

    Raises InputError for fewer than two frames, or embeddings that are not unit vectors.
    Source: VBench (arXiv 2311.17982), background consistency, vbench/background_consistency.py at 38555a9.
    """
    unit = _unit(frames)
    if len(unit) < 2:
        raise InputError(f"found {len(unit)} frame(s), expected at least 2: consistency compares frames")
    # rounding of float32 embeddings must not lift a cosine above 1
    before = np.clip((unit[1:] * unit[:-1]).sum(axis=1), 0.0, 1.0)
    first = np.clip(unit[1:] @ unit[0], 0.0, 1.0)
    return float(((before + first) / 2).mean())


def image_alignment(frames: NDArray[np.floating], image: NDArray[np.floating], quantity: Quantity) -> float:
    """Return the cosine of frames with an image: of the first frame, the mean over frames, or the least.

    frames (F, D), image (D,): unit embeddings.

    Raises InputError for no frames, or embeddings that are not unit vectors.
    """
    cosines = np.clip(_unit(frames) @ _unit(image[None])[0], -1.0, 1.0)
    if not len(cosines):
        raise InputError("found no frames, expected at least one to compare with the image")
    return float({"first": cosines[0], "mean": cosines.mean(), "min": cosines.min()}[quantity])


def _unit(rows: NDArray[np.floating]) -> Floats:
    """Return `rows` (N, D) in float64 with length 1 to its last digit."""
    x = np.asarray(rows, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise InputError(f"found embeddings of shape {x.shape} or with NaN, expected finite (F, D)")
    lengths = np.sqrt((x**2).sum(axis=1, keepdims=True))
    if len(x) and abs(lengths - 1).max() > 1e-3:
        raise InputError(
            f"found embeddings of length {lengths.min():.3f} to {lengths.max():.3f}, expected unit vectors"
        )
    unit: Floats = x / lengths
    return unit
