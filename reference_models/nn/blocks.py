"""Residual blocks of the UNet: spatial convolutions, then convolutions over time; down- and upsampling.

Activations are (B, F, H, W, C); names of modules are those of VideoCrafter (lvdm/modules/networks/openaimodel3d.py,
commit 11bcd76), among them the misspelt `temopral_conv`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from reference_models.nn.attention import NORM_GROUPS
from reference_models.nn.norms import spatial_norm, temporal_norm


def per_frame(conv: nn.Module, x: Tensor) -> Tensor:
    """Return `conv` of every frame: x (B, F, H, W, C) -> (B, F, H', W', C')."""
    y = conv(x.flatten(0, 1).movedim(-1, 1))  # (B·F, C, H, W), channels last in memory
    return torch.unflatten(y.movedim(1, -1), 0, x.shape[:2])


class SpatialStage(nn.Sequential):
    """Group norm of every frame, SiLU, dropout if there is one, convolution of every frame."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, F, H, W, C) -> (B, F, H, W, C')."""
        norm, activation, *dropout, conv = self
        assert isinstance(norm, nn.GroupNorm)
        h = activation(spatial_norm(norm, x))
        for layer in dropout:
            h = layer(h)
        return per_frame(conv, h)


class TemporalStage(nn.Sequential):
    """Group norm with statistics over all frames, SiLU, dropout if there is one, convolution over three frames.

    Frames before the first and after the last count as zeros: that is all that tells the network the order of frames.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (B, F, H, W, C) -> the same shape."""
        norm, activation, *dropout, conv = self
        assert isinstance(norm, nn.GroupNorm)
        assert isinstance(conv, nn.Conv3d)
        h = activation(temporal_norm(norm, x))
        for layer in dropout:
            h = layer(h)
        # As a two-dimensional convolution over (frames, positions): PyTorch has no quick one in three on CPUs
        image = h.flatten(2, 3).movedim(-1, 1)  # (B, C, F, H·W)
        image = conv2d(image, conv.weight.squeeze(-1), conv.bias, padding=(1, 0))
        return image.movedim(1, -1).reshape(x.shape)


class TemporalConv(nn.Module):
    """Four stages on a residual path; the last convolution is zero at the start of training."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()

        def stage(*, dropped: bool) -> TemporalStage:  # the number of the convolution depends on the dropout before it
            layers: list[nn.Module] = [nn.GroupNorm(NORM_GROUPS, channels), nn.SiLU(inplace=True)]
            layers += [nn.Dropout(dropout)] if dropped else []
            return TemporalStage(*layers, nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0)))

        self.conv1 = stage(dropped=False)
        self.conv2, self.conv3, self.conv4 = (stage(dropped=True) for _ in range(3))
        self.left_out = False  # see UNet3D.leave_out_time

    def forward(self, x: Tensor) -> Tensor:
        """x (B, F, H, W, C) -> the same shape."""
        if self.left_out:
            return x
        y: Tensor = self.conv4(self.conv3(self.conv2(self.conv1(x)))).add_(x)
        return y


class ResBlock(nn.Module):
    """Two spatial convolutions with the embedding added between them, a skip, then the convolutions over time."""

    def __init__(self, in_channels: int, channels: int, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.in_layers = SpatialStage(
            nn.GroupNorm(NORM_GROUPS, in_channels),
            nn.SiLU(inplace=True),
            nn.Conv2d(in_channels, channels, 3, padding=1),
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_dim, channels))
        self.out_layers = SpatialStage(
            nn.GroupNorm(NORM_GROUPS, channels),
            nn.SiLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.skip_connection = nn.Identity() if in_channels == channels else nn.Conv2d(in_channels, channels, 1)
        self.temopral_conv = TemporalConv(channels, dropout)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x (B, F, H, W, C), embedding (B, E) -> (B, F, H, W, C')."""
        # add_: what a convolution gives is nobody else's, not even the backward pass's
        h = self.in_layers(x).add_(self.emb_layers(embedding)[:, None, None, None])
        h = self.out_layers(h)
        skip = self.skip_connection
        h.add_(per_frame(skip, x) if isinstance(skip, nn.Conv2d) else x)
        y: Tensor = self.temopral_conv(h)
        return y


class Downsample(nn.Module):
    """Convolution with stride 2."""

    def __init__(self, channels: int, padding: tuple[int, int]) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, F, H, W, C) -> (B, F, ⌈H/2⌉, ⌈W/2⌉, C) with padding (1, 1)."""
        return per_frame(self.op, x)


class Upsample(nn.Module):
    """Nearest neighbour to the size of the skip that comes next, then a convolution.

    Sizes that are no multiple of 8 (90x160, say) so need no padding. extra_rows: how many rows the downsampling padded
    beyond one (VGen's SR600: one), which are dropped again on either side.
    """

    def __init__(self, channels: int, extra_rows: int) -> None:
        super().__init__()
        self.extra_rows = extra_rows
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """x (B, F, H, W, C) -> (B, F, *size, C)."""
        frames = x.flatten(0, 1).movedim(-1, 1)
        height, width = size
        if self.extra_rows:
            frames = interpolate(frames, (2 * x.shape[2], width))
            frames = frames[:, :, self.extra_rows : self.extra_rows + height]
        else:
            frames = interpolate(frames, (height, width))
        return torch.unflatten(self.conv(frames).movedim(1, -1), 0, x.shape[:2])


def scale_low_frequencies(x: Tensor, scale: float) -> Tensor:
    """Return x (B, F, H, W, C) with the frequencies 0 and -1, of height and of width, scaled; VGen SR600's skips."""
    wide = x if x.dtype == torch.float64 else x.float()
    spectrum = torch.fft.fft2(wide, dim=(2, 3))
    factor = torch.ones(x.shape[2:4], dtype=wide.dtype, device=x.device)
    rows, columns = ([0, size - 1] for size in x.shape[2:4])
    for row in rows:
        for column in columns:
            factor[row, column] = scale
    filtered: Tensor = torch.fft.ifft2(spectrum * factor[..., None], dim=(2, 3)).real.to(x.dtype)
    return filtered
