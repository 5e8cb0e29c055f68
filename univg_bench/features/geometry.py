"""How frames come to the size of the network: every way that implementations of FVD in use go, written out.

The way moves FVD by up to 30 % (docs/findings.md 3). All take uint8 (F, 3, H, W) and go frame by frame, so a large
video costs no large float copy. Published code that hands floats from step to step can lose grey levels on the way
(docs/findings.md 18); with whole numbers in, all of it does what stands here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from univg_bench.recipes import FvdRecipe, Through


def resized(frames: np.ndarray, recipe: FvdRecipe) -> Tensor:
    """Return float32 (F, 3, size, size) on 0..255 of frames uint8 (F, 3, H, W), as the recipe says."""
    assert not recipe.antialias, recipe
    if recipe.through is not None:
        frames = through(frames, recipe.through)
    if recipe.geometry == "crop":
        assert recipe.kernel == "bilinear", recipe
        return crop(frames, recipe.size)
    return KERNELS[recipe.kernel](frames, recipe.size)


def squash(frames: np.ndarray, size: int) -> Tensor:
    """Return float32 (F, 3, size, size) on 0..255: the whole frame, whatever its aspect ratio.

    Bilinear with half-pixel centres and no antialiasing, in float32, never rounded on the way.

    Source: StyleGAN-V's metric (src/metrics at 3fecd69), TATS (tats/fvd).
    """
    out = torch.empty(len(frames), 3, size, size)
    for dest, frame in zip(out, frames, strict=True):
        dest.copy_(_bilinear(frame, (size, size), antialias=False))
    return out


def squash_tf1(frames: np.ndarray, size: int) -> Tensor:
    """Return float32 (F, 3, size, size) on 0..255: the whole frame, as TensorFlow 1 resizes bilinearly.

    Output pixel i lies at i * (in / out) of the input: the first ones coincide, the last ones do not, and there are no
    half-pixel centres. Enlarging shifts the picture towards the upper left by up to half a pixel of the input.

    Source: tf.compat.v1.image.resize_bilinear with its defaults (tensorflow/core/kernels/image/resize_bilinear_op.cc),
    as frechet_video_distance.py of google-research calls it.
    """
    _, _, height, width = frames.shape
    top, bottom, down = _tf1_grid(height, size)
    left, right, along = _tf1_grid(width, size)
    out = torch.empty(len(frames), 3, size, size)
    for dest, frame in zip(out, frames, strict=True):
        image = torch.from_numpy(frame.astype(np.float32))
        upper, lower = image[:, top], image[:, bottom]  # (3, size, W)
        upper = upper[:, :, left] + (upper[:, :, right] - upper[:, :, left]) * along
        lower = lower[:, :, left] + (lower[:, :, right] - lower[:, :, left]) * along
        dest.copy_(upper + (lower - upper) * down[:, None])
    return out


def crop(frames: np.ndarray, size: int) -> Tensor:
    """Return float32 (F, 3, size, size) on 0..255: the middle square, its short side resized to `size`.

    Bilinear with half-pixel centres and no antialiasing; the long side is rounded up, the offsets down.

    Source: VideoGPT (videogpt/fvd, `preprocess_single`), common_metrics_on_video_quality at 5f75173.
    """
    out = torch.empty(len(frames), 3, size, size)
    for dest, frame in zip(out, frames, strict=True):
        dest.copy_(_middle(_bilinear(frame, short_side(frame, size), antialias=False), size))
    return out


def through(frames: np.ndarray, step: Through) -> np.ndarray:
    """Return uint8 (F, 3, step.size, step.size): the middle square at that size, in whole grey levels again.

    Computed on 0..1 and scaled back, as cd-fvd does: where a value falls on a whole number, the last bit decides what
    rounding down makes of it (docs/findings.md 19).

    Source: cd-fvd 0.1.1, cdfvd/utils/data_utils.py `preprocess`, cdfvd/fvd.py `compute_real_stats`.
    """
    out = np.empty((len(frames), 3, step.size, step.size), np.uint8)
    for dest, frame in zip(out, frames, strict=True):
        unit = torch.from_numpy(frame.astype(np.float32))[None] / 255.0
        square = _middle(
            interpolate(
                unit, short_side(frame, step.size), mode="bilinear", align_corners=False, antialias=step.antialias
            )[0],
            step.size,
        )
        grey = square * 255
        dest[:] = (grey.floor() if step.rounding == "floor" else grey.round()).clamp(0, 255).byte().numpy()
    return out


# how a whole frame is squashed -> the function that does it
KERNELS: dict[str, Callable[[np.ndarray, int], Tensor]] = {"bilinear": squash, "bilinear-tf1": squash_tf1}


def short_side(frame: np.ndarray, size: int) -> tuple[int, int]:
    """Return (height, width) of a frame (3, H, W) whose short side becomes `size`; the long one is rounded up.

    In the float arithmetic of the published code, which now and then rounds up from a whole number: a 41x82 frame
    becomes 449 long at 224.
    """
    height, width = frame.shape[1:]
    scale = size / min(height, width)
    return (size, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), size)


def _bilinear(frame: np.ndarray, size: tuple[int, int], *, antialias: bool) -> Tensor:
    image = torch.from_numpy(frame.astype(np.float32))[None]
    return interpolate(image, size, mode="bilinear", align_corners=False, antialias=antialias)[0]


def _middle(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[1:]
    top, left = (height - size) // 2, (width - size) // 2
    return image[:, top : top + size, left : left + size]


def _tf1_grid(n: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return, for each output pixel, its two neighbours in the input and the weight of the second, in float32."""
    place = torch.arange(size, dtype=torch.float32) * torch.tensor(n / size, dtype=torch.float32)
    first = place.floor().long().clamp(max=n - 1)
    return first, (first + 1).clamp(max=n - 1), place - first
