"""A number, a timestep or a frame rate, as the vector that the residual blocks add.

Source: Ho et al. 2020; the order [cos, sin] and the two linear maps as in AILab-CVC/VideoCrafter@11bcd76,
lvdm/models/utils_diffusion.py and lvdm/modules/networks/openaimodel3d.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def sinusoidal_embedding(values: Tensor, dim: int) -> Tensor:
    """Return [cos(v ω), sin(v ω)] with ω_i = 10000^(-i / (dim/2)): values (B,) -> (B, dim), float32.

    float32 as in the networks whose weights we load: at v = 999 its rounding is visible, and they were trained with it.
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=values.device) / half)
    angles = values[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class NumberEmbedding(nn.Sequential):
    """Two linear maps of the sinusoids of a number, a timestep or a frame rate."""

    def __init__(self, dim: int, embedding_dim: int) -> None:
        super().__init__(nn.Linear(dim, embedding_dim), nn.SiLU(), nn.Linear(embedding_dim, embedding_dim))

    def forward(self, values: Tensor) -> Tensor:
        """values (B,) -> (B, embedding_dim)."""
        first, activation, last = self
        assert isinstance(first, nn.Linear)
        y: Tensor = last(activation(first(sinusoidal_embedding(values, first.in_features).to(first.weight.dtype))))
        return y
