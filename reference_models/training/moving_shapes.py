"""Moving Shapes as a source of training clips."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference_models.data.source import Clip
from univg_bench.datasets.moving_shapes import FRAMES, caption
from univg_bench.errors import InputError
from univg_bench.features.tiny.clips import Clips


class MovingShapes:
    """The first `count` clips of the split `train` at one size; pixels are rendered once and then read from `cache`."""

    def __init__(self, count: int, *, height: int, width: int, cache: Path, split: str = "train") -> None:
        self._clips = Clips(split, count, height=height, width=width, cache=cache)
        self.whole_frames = FRAMES

    @property
    def identity(self) -> str:
        clips = self._clips
        # two clips of every world are enough to tell another one
        world = b"".join(clips[i].tobytes() for i in range(min(2, len(clips))))
        facts = f"moving-shapes|{clips.split}|{clips.count}|{clips.height}x{clips.width}|"
        return hashlib.sha256(facts.encode() + world).hexdigest()

    def __len__(self) -> int:
        return len(self._clips)

    def whole(self, index: int) -> NDArray[np.uint8]:
        """Return all frames of a clip, uint8 (24, 3, H, W)."""
        return self._clips[index]

    def caption(self, index: int) -> str:
        """Return what a clip shows, in words."""
        return caption(self._clips.scene(index))

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        """Return consecutive frames from a random place on. See `Source`."""
        if not 1 <= num_frames <= FRAMES:
            raise InputError(f"found a wish for {num_frames} frames, expected 1 to {FRAMES}: clips have no more")
        first = int(rng.integers(FRAMES - num_frames + 1))
        pixels = self._clips[index][first : first + num_frames]
        return Clip(pixels, self.caption(index), f"train-{index}")
