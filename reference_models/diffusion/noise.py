"""Noise that depends on a sample's own seed and on nothing else: not on batch, order, device or dtype."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Source: UniVG 4.1, "offset noise with a strength of 0.1".
OFFSET_STRENGTH = 0.1


def sample_generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one CPU generator per sample. Devices draw differently from one seed, the CPU does not."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def draw_noise(
    generators: Sequence[torch.Generator],
    shape: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return standard normal noise (B, *shape) for B generators, e.g. shape (F, C, H, W).

    Always drawn in float32 on the CPU and then cast, so runs of another dtype see the same noise up to rounding.

    Raises ValueError for an empty batch or a generator that is not on the CPU.
    """
    if not generators or any(g.device.type != "cpu" for g in generators):
        raise ValueError(f"found {len(generators)} generators, expected at least one, all on the CPU")
    drawn = torch.stack([torch.randn(tuple(shape), generator=g, dtype=torch.float32) for g in generators])
    return drawn.to(device=device, dtype=dtype)


def with_offset(noise: Tensor, generators: Sequence[torch.Generator], *, strength: float = OFFSET_STRENGTH) -> Tensor:
    """Return noise (B, F, C, H, W) plus strength times one number per sample, frame and channel: offset noise.

    For training only: the sum is the eps of the usual formulas (decision 21), also of Biased Gaussian Noise.

    Source: Guttenberg 2023; one number per frame as in VGen@4014d1f `diffusion_ddim.py` (`noise_strength`). Raises
    ValueError for another number of axes or of generators.
    """
    if noise.ndim != 5 or len(noise) != len(generators):
        raise ValueError(
            f"found noise {tuple(noise.shape)} and {len(generators)} generators, expected (B, F, C, H, W) and B"
        )
    offset = draw_noise(generators, noise.shape[1:3], device=noise.device, dtype=noise.dtype)
    return noise + strength * offset[..., None, None]  # (B, F, C, 1, 1)
