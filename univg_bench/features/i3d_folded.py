"""I3D arranged for speed: the function of `i3d.I3D` in evaluation mode, in about half its time.

Three rearrangements, none of which changes what is computed, only how it is rounded: a batch norm is folded into the
convolution before it; the three 1x1 convolutions at the head of an Inception block are one; channels are the
innermost axis in memory. Pools are maxima along one axis after the other, which is exact.

Bound: features within 2e-6 relative L2 of the plain network's in float32 (tests/features/test_i3d_folded.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from univg_bench.features.i3d import I3D, MIXED, MaxPool, Mixed, Unit3D, mean_logits, pad_same, same_padding

INNERMOST = torch.channels_last_3d


class FoldedI3D(nn.Module):
    """`net` in evaluation mode, rearranged; convolutions in `dtype`, the mean and the logits in float32.

    bfloat16 moves features by up to 7e-2 relative (benchmarks/half_precision.py): a recipe of its own, never a flag.
    """

    def __init__(self, net: I3D, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.check = net.check
        self.stem = nn.Sequential()
        self.blocks = nn.Sequential()
        for name, layer in net.named_children():
            if name == "logits":
                continue
            (self.blocks if name in MIXED or len(self.blocks) else self.stem).append(_folded(layer, dtype))
        self.logits = net.logits["conv3d"]
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, num_classes), float32, of clips x (B, in_channels, T >= 9, H, W) with values in [-1, 1].

        Raises InputError as `I3D.forward`.
        """
        self.check(x)
        x = x.to(self.dtype).contiguous(memory_format=INNERMOST)
        return mean_logits(self.blocks(self.stem(x)), self.logits)


class _Convolution(nn.Module):
    """Convolution with SAME padding and bias, then ReLU."""

    def __init__(self, units: Sequence[Unit3D], dtype: torch.dtype) -> None:
        """units: with one input and one kernel size; their outputs lie side by side."""
        super().__init__()
        self.kernel, self.stride = units[0].conv3d.kernel_size, units[0].conv3d.stride
        folded = [_fold(unit) for unit in units]
        self.weight = nn.Parameter(torch.cat([weight for weight, _ in folded]).to(dtype, memory_format=INNERMOST))
        self.bias = nn.Parameter(torch.cat([bias for _, bias in folded]).to(dtype))
        # with stride 1 an odd kernel is padded alike on both sides, and the convolution can do that by itself
        even = all(s == 1 and k % 2 == 1 for k, s in zip(self.kernel, self.stride, strict=True))
        self.padding = tuple(k // 2 for k in self.kernel) if even else None

    def forward(self, x: Tensor) -> Tensor:
        if self.padding is None:
            x = pad_same(x, self.kernel, self.stride, 0.0)
        y = torch.conv3d(x, self.weight, self.bias, self.stride, self.padding or (0, 0, 0))
        return y.relu_()


class _Pool(nn.Module):
    """Maximum over a window with SAME padding, one axis after the other."""

    def __init__(self, pool: MaxPool) -> None:
        super().__init__()
        self.windows = list(zip((2, 3, 4), pool.kernel, pool.stride, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        for axis, kernel, stride in self.windows:
            if kernel > 1:
                x = max_along(x, axis, kernel, stride)
        return x


class _Mixed(nn.Module):
    """Inception block."""

    def __init__(self, block: Mixed, dtype: torch.dtype) -> None:
        super().__init__()
        heads = [block.b0, block.b1a, block.b2a]
        self.channels = [head.conv3d.out_channels for head in heads]
        self.heads = _Convolution(heads, dtype)
        self.b1b, self.b2b = _Convolution([block.b1b], dtype), _Convolution([block.b2b], dtype)
        self.b3a, self.b3b = _Pool(block.b3a), _Convolution([block.b3b], dtype)

    def forward(self, x: Tensor) -> Tensor:
        b0, b1, b2 = self.heads(x).split(self.channels, dim=1)
        return torch.cat([b0, self.b1b(b1), self.b2b(b2), self.b3b(self.b3a(x))], dim=1)


def max_along(x: Tensor, axis: int, kernel: int, stride: int) -> Tensor:
    """Return the maximum over windows along one axis, SAME: ⌈n / stride⌉ of them, padding never wins.

    A window is a handful of shifted views: a maximum of whole arrays each, where a pooling kernel walks window by
    window (200 ms against 20 ms over the blocks of a clip).
    """
    size = x.shape[axis]
    front = same_padding([size], [kernel], [stride])[0][0]
    length = -(-size // stride)
    out = _strided(x, axis, 0, stride, length).clone(memory_format=torch.preserve_format)
    for shift in range(-front, kernel - front):
        first = max(0, -(shift // stride)) if shift < 0 else 0  # the first window that reaches inside
        count = min(length, -(-(size - shift) // stride)) - first
        if shift and count > 0:
            part = out.narrow(axis, first, count)
            torch.maximum(part, _strided(x, axis, first * stride + shift, stride, count), out=part)
    return out


def _strided(x: Tensor, axis: int, start: int, stride: int, length: int) -> Tensor:
    return x[(slice(None),) * axis + (slice(start, start + (length - 1) * stride + 1, stride),)]


def _folded(layer: nn.Module, dtype: torch.dtype) -> nn.Module:
    if isinstance(layer, Unit3D):
        return _Convolution([layer], dtype)
    if isinstance(layer, MaxPool):
        return _Pool(layer)
    return _Mixed(cast(Mixed, layer), dtype)


def _fold(unit: Unit3D) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the convolution that does what convolution and batch norm do, float64."""
    norm = unit.bn
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = unit.conv3d.weight.double() * scale[:, None, None, None, None]
    return weight, norm.bias.double() - norm.running_mean.double() * scale
