"""Moving Shapes clips for training: rendered when first asked for, then read from a file on disk."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from univg_bench.atomic import atomic
from univg_bench.datasets.moving_shapes import ATTRIBUTES, FRAMES, Scene, render, scene

Bytes = NDArray[np.uint8]


class Clips:
    """The first `count` clips of a split at one size; `clips[i]` is (24, 3, H, W), uint8.

    The cache holds nothing but rendered clips, so it never changes a result. A clip is marked as there after its
    pixels are written: a killed process leaves an unmarked clip, which is rendered again.
    """

    def __init__(self, split: str, count: int, *, height: int, width: int, cache: Path, rendering: int = 0) -> None:
        self.split, self.count, self.rendering = split, count, rendering
        self.height, self.width = height, width
        # another world must not find this one's clips
        world = sha256(b"".join(render(scene(split, i), height=height, width=width).tobytes() for i in range(8)))
        stem = f"{split}-{rendering}-{count}-{height}x{width}-{world.hexdigest()[:12]}"
        self._pixels = _array(cache / f"{stem}.pixels", (count, FRAMES, 3, height, width))
        self._there = _array(cache / f"{stem}.there", (count,))

    def __len__(self) -> int:
        return self.count

    def scene(self, index: int) -> Scene:
        """Return what clip `index` shows."""
        return scene(self.split, index, self.rendering)

    def __getitem__(self, index: int) -> Bytes:
        if not self._there[index]:
            self._pixels[index] = render(self.scene(index), height=self.height, width=self.width)
            self._there[index] = 1
        clip: Bytes = self._pixels[index]
        return clip


def labels(scenes: list[Scene]) -> dict[str, NDArray[np.int64]]:
    """Return for each attribute the number of its value in each scene."""
    return {
        name: np.array([choices.index(getattr(s, name)) for s in scenes], dtype=np.int64)
        for name, choices in ATTRIBUTES.items()
    }


def _array(path: Path, shape: tuple[int, ...]) -> Bytes:
    """Return a uint8 array kept in the file `path`, zeros at first (a sparse file: no disk is used yet)."""
    size = int(np.prod(shape))
    if not path.exists() or path.stat().st_size != size:
        with atomic(path) as temporary, temporary.open("wb") as file:
            file.truncate(size)
    return np.memmap(path, dtype=np.uint8, mode="r+", shape=shape)
