"""From decoded frames to what I3D sees: checks, the recipe's geometry, the range [-1, 1].

uint8 alone is taken: what published code does with floats depends on their range, which it guesses or does not check.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from univg_bench.errors import InputError
from univg_bench.features.geometry import resized
from univg_bench.recipes import FvdRecipe


def check_frames(frames: np.ndarray, *, name: str = "video") -> None:
    """Raise InputError unless `frames` is uint8 (F, 3, H, W): the one form in which frames reach an extractor."""
    if frames.ndim != 4 or frames.shape[1] != 3:
        hint = "; move the colours with .transpose(0, 3, 1, 2)" if frames.ndim == 4 and frames.shape[3] == 3 else ""
        raise InputError(f"found {name} of shape {frames.shape}, expected (F, 3, H, W){hint}")
    if frames.dtype != np.uint8:
        raise InputError(
            f"found {name} of type {frames.dtype}, expected uint8: features are defined on 0..255, and a float range is"
            " a guess"
        )
    if 0 in frames.shape:
        raise InputError(f"found an empty {name} of shape {frames.shape}")


def i3d_input(video: np.ndarray, recipe: FvdRecipe) -> Tensor:
    """Return float32 (F, 3, size, size) in [-1, 1] of a video uint8 (F, 3, H, W), as the recipe says.

    Raises InputError for anything that is not such a video.
    """
    check_frames(video)
    return resized(video, recipe) / 127.5 - 1
