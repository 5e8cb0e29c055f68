"""Group normalisation of activations that keep their channels last.

PyTorch has a quick kernel for that layout only where a sample has at least 1,024 positions (docs/findings.md 27); below
that the statistics are taken here, in two passes, which is as accurate and does not leave the layout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm

NATIVE_POSITIONS = 1024  # feature_map_threshold in ATen's group_norm_kernel.cpp (PyTorch 2.15)


def group_norm_last(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """Return `norm` applied to x (N, P, C): statistics over the positions P and the channels of a group."""
    if x.device.type != "cpu" or x.shape[1] >= NATIVE_POSITIONS:
        y = group_norm(x.unsqueeze(1).movedim(-1, 1), norm.num_groups, norm.weight, norm.bias, norm.eps)
        return y.movedim(1, -1).squeeze(1)
    N, _, C = x.shape
    per_group = C // norm.num_groups
    wide = x if x.dtype == torch.float64 else x.float()  # half precision: statistics in float32, as the native kernel

    def over_group(per_channel: Tensor) -> Tensor:  # (N, C) -> (N, 1, C), the mean of its group in every channel
        mean = torch.unflatten(per_channel, 1, (norm.num_groups, per_group)).mean(2, keepdim=True)
        return mean.expand(-1, -1, per_group).reshape(N, 1, C)

    centred = wide - over_group(wide.mean(1))
    scale = torch.rsqrt(over_group((centred * centred).mean(1)) + norm.eps) * norm.weight
    normed = torch.addcmul(norm.bias.to(wide.dtype), centred, scale)
    return normed.to(x.dtype)


def spatial_norm(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """Return x (B, F, H, W, C) normalised frame by frame."""
    return group_norm_last(norm, x.flatten(2, 3).flatten(0, 1)).reshape(x.shape)


def temporal_norm(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """Return x (B, F, H, W, C) normalised with statistics over all frames of a clip."""
    return group_norm_last(norm, x.flatten(1, 3)).reshape(x.shape)
