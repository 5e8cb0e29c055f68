"""Pixels between people and networks: uint8 and [-1, 1], images cut to the stage's size, videos enlarged to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def to_unit(pixels: Tensor) -> Tensor:
    """Return float32 in [-1, 1] of uint8 pixels of any axes."""
    return pixels.float() / 127.5 - 1


def to_uint8(pixels: Tensor) -> Tensor:
    """Return uint8, rounded to the nearest and clamped, of pixels about in [-1, 1], on the CPU.

    Raises ValueError for NaN or infinity, which would become black.
    """
    wide = pixels.float()
    if not wide.isfinite().all():
        raise ValueError("found NaN or infinity in the decoded pixels, expected finite ones; try dtype float32")
    return ((wide + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()


def fitted(image: Tensor, *, height: int, width: int) -> Tensor:
    """Return an image (3, height, width), float32 in [-1, 1], of one (3, h, w) in uint8.

    Scaled until it covers the frame, its aspect kept, bicubic and antialiased; then its middle is taken (decision 65).
    An image of the right size comes through as it is.
    """
    x = to_unit(image)
    h, w = x.shape[-2:]
    if (h, w) != (height, width):
        factor = max(height / h, width / w)
        size = (max(height, round(h * factor)), max(width, round(w * factor)))
        x = interpolate(x[None], size, mode="bicubic", antialias=True)[0].clamp(-1, 1)
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[:, top : top + height, left : left + width]


def enlarged(videos: Tensor, *, height: int, width: int) -> Tensor:
    """Return videos (B, F, 3, height, width), float32 in [-1, 1], of smaller ones (B, F, 3, h, w) in uint8.

    Bicubic over the whole frame, each side by its own factor (decision 17): nothing is cut, and the way down that made
    the low-resolution video, which maps whole frame to whole frame, is taken back.
    """
    x = to_unit(videos)
    if x.shape[-2:] == (height, width):
        return x
    large: Tensor = interpolate(x.flatten(0, 1), (height, width), mode="bicubic").clamp(-1, 1)
    return large.reshape(*x.shape[:3], height, width)
