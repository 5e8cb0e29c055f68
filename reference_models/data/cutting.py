"""From a video of any size and rate to a clip of the size and rate that is trained: which frames, which pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from reference_models.data.source import BrokenClip
from reference_models.data.survey import Survey

# frames are shown from their time on; a quarter of a millisecond keeps rounded times of containers on their side
_CLOSE = 0.00025


@dataclass(frozen=True)
class Cut:
    """How clips are cut. fps: frames per second of a clip (UniVG: 8, section 1); or stride: every so manieth frame.

    Raises ValueError unless exactly one of the two is given, and for sizes and rates that are none.
    """

    height: int
    width: int
    fps: float | None = 8
    stride: int | None = None
    where: Literal["random", "first"] = "random"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise ValueError(f"found clips of {self.height}x{self.width}, expected a height and a width of 1 or more")
        if (self.fps is None) == (self.stride is None):
            raise ValueError(f"found fps {self.fps} and stride {self.stride}, expected one of them")
        if (self.fps is not None and not 0 < self.fps < float("inf")) or (self.stride is not None and self.stride < 1):
            raise ValueError(f"found fps {self.fps} and stride {self.stride}, expected more than 0")


def chosen_indices(cut: Cut, found: Survey, *, num_frames: int, rng: np.random.Generator, name: str) -> list[int]:
    """Return which frames make a clip: from one frame on, drawn uniformly from those where the clip still fits.

    With fps, frame k of the clip is the one that is shown k/fps seconds later, whatever the video's own rate and
    however it varies.

    Raises BrokenClip for a video too short, and for one with fewer frames per second than asked, which would stutter.
    """
    times, total = found.times, len(found.times)
    if cut.stride is not None:
        starts = total - (num_frames - 1) * cut.stride
        unit = f"{(num_frames - 1) * cut.stride + 1} frames"
        offsets = np.zeros(0)
    else:
        assert cut.fps is not None
        offsets = np.arange(num_frames) / cut.fps
        starts = int(np.searchsorted(times + offsets[-1], found.end - _CLOSE, side="left"))
        unit = f"{offsets[-1]:.3g} seconds"
    if starts < 1:
        raise BrokenClip("too short", f"{name} has {total} frames in {found.end:.3g} seconds, expected {unit} for a"
                         f" clip of {num_frames} frames")  # fmt: skip
    first = int(rng.integers(starts)) if cut.where == "random" else 0
    if cut.stride is not None:
        return [first + k * cut.stride for k in range(num_frames)]
    indices = np.searchsorted(times, times[first] + offsets + _CLOSE, side="right") - 1
    if len(set(indices.tolist())) < num_frames:
        raise BrokenClip("too slow", f"{name} has {total / max(found.end, 1e-9):.3g} frames per second, expected"
                         f" {cut.fps:g} or more: frames would repeat")  # fmt: skip
    return [int(index) for index in indices]


def framed(pixels: NDArray[np.uint8], cut: Cut) -> NDArray[np.uint8]:
    """Return (F, 3, height, width) uint8 of (F, 3, h, w): scaled to cover it, then its middle.

    The region and the filter are those of a condition image (`stages.pixels.fitted`, decision 65), so what a network
    sees as first frame in training is what it is given later. Computed in 8 bits, which costs a fourteenth and is one
    grey level off in some pixels (docs/training_data.md).
    """
    height, width = pixels.shape[-2:]
    x = torch.from_numpy(np.ascontiguousarray(pixels))
    if (height, width) != (cut.height, cut.width):
        factor = max(cut.height / height, cut.width / width)
        size = (max(cut.height, round(height * factor)), max(cut.width, round(width * factor)))
        x = interpolate(x.contiguous(memory_format=torch.channels_last), size, mode="bicubic", antialias=True)
    top, left = (x.shape[-2] - cut.height) // 2, (x.shape[-1] - cut.width) // 2
    x = x[:, :, top : top + cut.height, left : left + cut.width]
    made: NDArray[np.uint8] = x.contiguous(memory_format=torch.contiguous_format).numpy()
    return made
