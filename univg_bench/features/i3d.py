"""I3D, the network of the Fréchet video distance: from a video to its class logits averaged over time.

Source: Carreira & Zisserman 2017 (google-deepmind/kinetics-i3d, `i3d.py`). Keys are those of the PyTorch files in
circulation (piergiaj, VideoGPT, TATS), so a state dict fits without renaming. Convolutions and pools pad like
TensorFlow's SAME: uneven padding goes to the back, which PyTorch's own `padding=` cannot say.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool3d, pad

from univg_bench.errors import InputError

MIN_FRAMES = 9  # three halvings of time leave ⌈T/8⌉ steps, and the last pool needs two of them
FULL_SIZE = 224  # docs/findings.md 1: at 225..256 pixels the published code silently returns four logits per class

# name -> channels of its branches: b0 (1x1) | b1a (1x1), b1b (3x3) | b2a (1x1), b2b (3x3) | b3b (1x1 after a pool)
MIXED: dict[str, tuple[int, int, int, int, int, int]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def same_padding(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[tuple[int, int]]:
    """Return (front, back) per axis as TensorFlow's SAME pads: half in front, rounded down, the rest at the back."""
    missing = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)]
    return [(m // 2, m - m // 2) for m in missing]


def pad_same(x: Tensor, kernel: Sequence[int], stride: Sequence[int], value: float) -> Tensor:
    """Return x (B, C, T, H, W) with `value` around it, so that kernel and stride leave ⌈size / stride⌉ places."""
    around = same_padding(x.shape[2:], kernel, stride)
    flat = [amount for axis in reversed(around) for amount in axis]  # torch wants the last axis first
    return pad(x, flat, value=value) if any(flat) else x


class Unit3D(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, channels: int, kernel: int = 1, stride: int = 1, *, bn_eps: float) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, channels, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels, eps=bn_eps)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, T, H, W) -> (B, channels, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        x = pad_same(x, self.conv3d.kernel_size, self.conv3d.stride, 0.0)
        y: Tensor = self.bn(self.conv3d(x))
        return y.relu()


class MaxPool(nn.Module):
    """Maximum over a window with SAME padding; padding never wins, as in TensorFlow."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, T, H, W) -> (B, C, ⌈T/s⌉, ⌈H/s⌉, ⌈W/s⌉)."""
        return max_pool3d(pad_same(x, self.kernel, self.stride, float("-inf")), self.kernel, self.stride)


class Mixed(nn.Module):
    """Inception block: four branches side by side, concatenated over channels."""

    def __init__(self, in_channels: int, channels: Sequence[int], *, bn_eps: float) -> None:
        super().__init__()
        c0, c1a, c1b, c2a, c2b, c3 = channels
        self.b0 = Unit3D(in_channels, c0, bn_eps=bn_eps)
        self.b1a = Unit3D(in_channels, c1a, bn_eps=bn_eps)
        self.b1b = Unit3D(c1a, c1b, 3, bn_eps=bn_eps)
        self.b2a = Unit3D(in_channels, c2a, bn_eps=bn_eps)
        self.b2b = Unit3D(c2a, c2b, 3, bn_eps=bn_eps)
        self.b3a = MaxPool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(in_channels, c3, bn_eps=bn_eps)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, T, H, W) -> (B, c0 + c1b + c2b + c3, T, H, W)."""
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))]
        return torch.cat(branches, dim=1)


class I3D(nn.Module):
    """Inflated Inception v1.

    width multiplies every channel count (multiples of 8, at least 8); 1.0 is the published network, which takes
    224x224 only. A narrower one takes any size and averages over whatever is left of it.
    bn_eps is 1e-3 in the original and 1e-5 in some copies (docs/findings.md 2): the recipe's matter, not the file's.
    """

    def __init__(self, num_classes: int = 400, width: float = 1.0, bn_eps: float = 1e-3, in_channels: int = 3) -> None:
        super().__init__()

        def wide(channels: int) -> int:
            return max(8, 8 * round(channels * width / 8))

        self.in_channels, self.num_classes = in_channels, num_classes
        self.input_size = FULL_SIZE if width == 1.0 else None
        self.Conv3d_1a_7x7 = Unit3D(in_channels, wide(64), 7, 2, bn_eps=bn_eps)
        self.MaxPool3d_2a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3D(wide(64), wide(64), bn_eps=bn_eps)
        self.Conv3d_2c_3x3 = Unit3D(wide(64), wide(192), 3, bn_eps=bn_eps)
        self.MaxPool3d_3a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        channels = wide(192)
        for name, counts in MIXED.items():
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = MaxPool((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = MaxPool((2, 2, 2), (2, 2, 2))
            c = [wide(count) for count in counts]
            setattr(self, name, Mixed(channels, c, bn_eps=bn_eps))
            channels = c[0] + c[2] + c[4] + c[5]
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(channels, num_classes, 1)})

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, num_classes), float32, of clips x (B, in_channels, T >= 9, H, W) with values in [-1, 1].

        Raises InputError for other axes, fewer than 9 frames, or a size that the published network does not take.
        """
        self.check(x)
        for name, layer in self.named_children():
            if name != "logits":
                x = layer(x)
        return mean_logits(x, self.logits["conv3d"])

    def check(self, x: Tensor) -> None:
        """Raise InputError unless x is a clip that this network takes."""
        if x.ndim != 5 or x.shape[1] != self.in_channels:
            raise InputError(
                f"found clips of shape {tuple(x.shape)}, expected (B, {self.in_channels}, T, H, W) for I3D"
            )
        if x.shape[2] < MIN_FRAMES:
            raise InputError(f"found {x.shape[2]} frames, I3D needs at least {MIN_FRAMES}")
        if self.input_size and tuple(x.shape[3:]) != (self.input_size, self.input_size):
            raise InputError(
                f"found frames of {x.shape[3]}x{x.shape[4]}, the published I3D takes {FULL_SIZE}x{FULL_SIZE} only:"
                " larger ones would silently give several logits per class; resize as the recipe says"
            )


def mean_logits(x: Tensor, classify: nn.Module) -> Tensor:
    """Return logits (B, num_classes), float32, averaged over time, of the last feature map (B, C, T >= 2, H, W).

    Average pool (2, H, W) with stride 1, 1x1x1 convolution, mean over time. The convolution is linear, so the means may
    come first: the same number for a fraction of the work, and in float32 whatever the type of x.
    """
    pooled = x.float().mean(dim=(3, 4))  # (B, C, T)
    pooled = ((pooled[:, :, 1:] + pooled[:, :, :-1]) / 2).mean(dim=2)  # (B, C)
    logits: Tensor = classify(pooled[:, :, None, None, None])
    return logits[:, :, 0, 0, 0]
