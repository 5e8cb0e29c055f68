"""The exponential moving average of weights: what is sampled from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_models.training.distributed import local


class Average:
    """Float32 copies of a network's weights that follow them slowly; cut into the same pieces where they are cut."""

    def __init__(self, network: nn.Module) -> None:
        self.tensors: dict[str, Tensor] = {
            name: value.detach().float().clone() for name, value in network.named_parameters()
        }

    @torch.no_grad()
    def update(self, network: nn.Module, kept: float) -> None:
        """Move the average towards the network's weights, of which it takes 1 - kept."""
        values = [local(value.detach()).float() for value in network.parameters()]
        torch._foreach_lerp_([local(value) for value in self.tensors.values()], values, 1 - kept)
