"""The exponential moving average of weights: what is sampled from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Average:
    """Float32 copies of a network's weights that follow them slowly."""

    def __init__(self, network: nn.Module) -> None:
        self.tensors = {name: value.detach().float().clone() for name, value in network.named_parameters()}

    @torch.no_grad()
    def update(self, parameters: Iterable[tuple[str, Tensor]], kept: float) -> None:
        """Move the average towards the parameters, of which it takes 1 - kept."""
        values = [value.detach().float() for _, value in parameters]
        torch._foreach_lerp_(list(self.tensors.values()), values, 1 - kept)
