"""Latents of whole clips, kept on disk: encoding costs more than a step of training and never gives anything new."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_models.nn.autoencoder import Autoencoder
from reference_models.stages.pixels import to_unit
from univg_bench.atomic import atomic


class Whole(Protocol):
    """A source whose clips all have the same few frames, so that one is encoded whole, once."""

    @property
    def identity(self) -> str: ...

    @property
    def whole_frames(self) -> int: ...

    def __len__(self) -> int: ...

    def whole(self, index: int) -> NDArray[np.uint8]:
        """Return all frames of a clip, uint8 (F, 3, H, W)."""
        ...

    def caption(self, index: int) -> str: ...


class Latents:
    """`latents[i]`: the posterior's mode, scaled, of all frames of clip i, float32 (F, C, h, w).

    Kept in float16, and read back from there the first time too, so that a cache never changes a result. vae_digest:
    of its weights; another autoencoder or source has another file. A clip is marked as there after it is written.
    """

    def __init__(self, source: Whole, vae: Autoencoder, *, vae_digest: str, folder: Path) -> None:
        self.source, self.vae = source, vae
        height, width = source.whole(0).shape[-2:]
        factor = vae.config.factor
        self.shape = (source.whole_frames, vae.config.latent_channels, height // factor, width // factor)
        facts = f"{source.identity}|{vae_digest}|{vae.config.scale_factor}|{self.shape}"
        stem = f"latents-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
        self._values = _array(folder / f"{stem}.values", (len(source), *self.shape), np.dtype(np.float16))
        self._there = _array(folder / f"{stem}.there", (len(source),), np.dtype(np.uint8))

    @torch.no_grad()
    def __getitem__(self, index: int) -> Tensor:
        if not self._there[index]:
            parameter = next(self.vae.parameters())
            pixels = to_unit(torch.from_numpy(self.source.whole(index).copy())).to(parameter)
            self._values[index] = self.vae.encode(pixels, chunk=len(pixels)).float().cpu().numpy()
            self._there[index] = 1
        return torch.from_numpy(self._values[index].astype(np.float32))


def _array(path: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Return an array kept in the file `path`, zeros at first (a sparse file: no disk is used yet)."""
    size = int(np.prod(shape)) * dtype.itemsize
    if not path.exists() or path.stat().st_size != size:
        with atomic(path) as temporary, temporary.open("wb") as file:
            file.truncate(size)
    return np.memmap(path, dtype=dtype, mode="r+", shape=shape)
