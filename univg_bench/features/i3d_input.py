"""From decoded frames to what I3D sees: checks, the recipe's geometry, the range [-1, 1].

The geometry moves FVD by up to 30 % (docs/findings.md 3), so it is the recipe's and each one is written out here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from univg_bench.errors import InputError
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


def squash(frames: np.ndarray, size: int) -> Tensor:
    """Return float32 (F, 3, size, size) on 0..255: the whole frame, whatever its aspect ratio.

    Bilinear with half-pixel centres and no antialiasing, in float32, never rounded on the way.

    Source: StyleGAN-V's metric; frame by frame, so that a large video costs no large float copy.
    """
    resized = torch.empty(len(frames), 3, size, size)
    for dest, frame in zip(resized, frames, strict=True):
        image = torch.from_numpy(frame.astype(np.float32))[None]
        dest.copy_(interpolate(image, (size, size), mode="bilinear", align_corners=False)[0])
    return resized


GEOMETRIES: dict[str, Callable[[np.ndarray, int], Tensor]] = {"squash": squash}


def i3d_input(video: np.ndarray, recipe: FvdRecipe) -> Tensor:
    """Return float32 (F, 3, size, size) in [-1, 1] of a video uint8 (F, 3, H, W), as the recipe says.

    Raises InputError for anything that is not such a video.
    """
    check_frames(video)
    assert recipe.kernel == "bilinear", recipe
    assert not recipe.antialias, recipe
    return GEOMETRIES[recipe.geometry](video, recipe.size) / 127.5 - 1
