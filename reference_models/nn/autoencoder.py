"""The image autoencoder of latent diffusion: pixels in [-1, 1] to latents an eighth as wide and high, and back.

It knows no time: a video is its frames, taken in chunks whose size costs memory and changes no value but by rounding.
Tiles are not offered: group norms would see a tile's statistics instead of the frame's, and the picture changes.
The names of the modules are those of the published checkpoints, so their keys need no translation.

Source: Rombach et al. 2022, section 3.1 and appendix G; the layers as in CompVis/latent-diffusion,
ldm/modules/diffusionmodules/model.py, which VideoCrafter@11bcd76, DynamiCrafter@c453369 and Stable Diffusion share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, scaled_dot_product_attention, silu


@dataclass(frozen=True)
class AutoencoderConfig:
    """The shape of an autoencoder; the defaults are Stable Diffusion's.

    channels: at full resolution; channel_mult: their multiple on each level, one halving between levels. groups: of
    every group norm; it divides each number of channels. scale_factor: latents are the posterior mean times this, which
    brings them near unit variance (1 / std over training images; 0.18215 is Stable Diffusion's, in the configurations
    of CompVis/stable-diffusion).
    """

    image_channels: int = 3
    latent_channels: int = 4
    channels: int = 128
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    groups: int = 32
    scale_factor: float = 0.18215

    def __post_init__(self) -> None:
        if not self.channel_mult or min(self.channel_mult) < 1:
            raise ValueError(
                f"found channel_mult {self.channel_mult}, expected one multiple of 1 or more for each level"
            )
        sizes = (self.image_channels, self.latent_channels, self.channels, self.num_res_blocks, self.groups)
        if min(sizes) < 1:
            raise ValueError(f"found {self}, expected 1 or more channels, blocks and groups")
        if self.channels % self.groups:
            raise ValueError(f"found {self.channels} channels in {self.groups} groups, expected a whole number in each")
        if not 0 < self.scale_factor < float("inf"):
            raise ValueError(f"found scale_factor {self.scale_factor}, expected a positive number")

    @property
    def factor(self) -> int:
        """How many pixels one latent stands for, in height and in width."""
        return 1 << (len(self.channel_mult) - 1)


# A quarter of the pixels in each direction, eight latents for each place (four left shapes of a dozen pixels without
# outline, docs/training.md) and 0.54 M weights. Its scale belongs to its weights: whoever trains it measures it.
TINY_AUTOENCODER = AutoencoderConfig(
    latent_channels=8, channels=24, channel_mult=(1, 2, 2), num_res_blocks=1, groups=8, scale_factor=1.0
)

_EPS = 1e-6  # of every group norm here (torch's default is 1e-5)
_LOGVAR_RANGE = (-30.0, 20.0)  # ldm/modules/distributions/distributions.py clamps to it


class Autoencoder(nn.Module):
    """Encoder, decoder and the two 1x1 convolutions around the latents."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        z = config.latent_channels
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(2 * z, 2 * z, 1)
        self.post_quant_conv = nn.Conv2d(z, z, 1)

    def moments(self, images: Tensor, *, chunk: int = 1) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the posterior, (B, C, h, w) or (B, F, C, h, w) each, not scaled.

        images: floating point in [-1, 1], (B, 3, H, W) or (B, F, 3, H, W). chunk: frames taken at once; with 1 a
        frame's bits do not depend on its neighbours, more can be faster and agree to rounding.

        Raises ValueError for other axes or types, and for a height or width that `config.factor` does not divide.
        """
        _check(images, self.config.image_channels, name="images")
        height, width, factor = *images.shape[-2:], self.config.factor
        if height % factor or width % factor:
            raise ValueError(
                f"found images of {height}x{width}, expected a height and width that {factor} divides; resize or crop"
                " them first"
            )
        mean, logvar = _by_chunks(lambda x: self.quant_conv(self.encoder(x)), images, chunk).chunk(2, dim=-3)
        return mean, logvar.clamp(*_LOGVAR_RANGE)

    def encode(self, images: Tensor, *, chunk: int = 1) -> Tensor:
        """Return latents: the posterior's mode times `scale_factor`, (B, C, h, w) or (B, F, C, h, w).

        The mode and no sample, so that an image has one latent. Arguments and errors as of `moments`.
        """
        return self.moments(images, chunk=chunk)[0] * self.config.scale_factor

    def decode(self, latents: Tensor, *, chunk: int = 1) -> Tensor:
        """Return images, (B, 3, H, W) or (B, F, 3, H, W), about in [-1, 1] (not clamped), of latents from `encode`.

        Raises ValueError for other axes or types.
        """
        _check(latents, self.config.latent_channels, name="latents")
        return _by_chunks(lambda z: self.decoder(self.post_quant_conv(z / self.config.scale_factor)), latents, chunk)


class ResBlock(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=_EPS)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=_EPS)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(silu(self.norm1(x)))
        h = self.conv2(silu(self.norm2(h)))
        y: Tensor = h + (x if self.nin_shortcut is None else self.nin_shortcut(x))
        return y


class Attention(nn.Module):
    """Self-attention of all places of one frame, one head as wide as the channels."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=_EPS)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2)[:, None] for layer in (self.q, self.k, self.v))  # (B, 1, H·W, C)
        h = scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(x.shape)
        y: Tensor = x + self.proj_out(h)
        return y


class Middle(nn.Module):
    """Block, attention, block at the lowest resolution."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(channels, channels, groups)
        self.attn_1 = Attention(channels, groups)
        self.block_2 = ResBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return y


class Downsample(nn.Module):
    """Half the height and width; the padding is at the right and below only, as the weights expect."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(pad(x, (0, 1, 0, 1)))
        return y


class Upsample(nn.Module):
    """Twice the height and width: nearest neighbour, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(interpolate(x, scale_factor=2.0, mode="nearest"))
        return y


class Level(nn.Module):
    """The blocks of one resolution, then a step to the next one below or above, if there is one."""

    def __init__(self, widths: list[int], groups: int, *, down: bool = False, up: bool = False) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResBlock(a, b, groups) for a, b in pairwise(widths))
        self.downsample = Downsample(widths[-1]) if down else None
        self.upsample = Upsample(widths[-1]) if up else None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        if self.downsample is not None:
            x = self.downsample(x)
        return x if self.upsample is None else self.upsample(x)


class Encoder(nn.Module):
    """Pixels to 2 C channels: mean and log variance, before `quant_conv`."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.channels * mult for mult in config.channel_mult]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(config.image_channels, config.channels, 3, padding=1)
        self.down = nn.ModuleList(
            Level([before, *[width] * config.num_res_blocks], config.groups, down=i < last)
            for i, (before, width) in enumerate(pairwise([config.channels, *widths]))
        )
        self.mid = Middle(widths[-1], config.groups)
        self.norm_out = nn.GroupNorm(config.groups, widths[-1], eps=_EPS)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        y: Tensor = self.conv_out(silu(self.norm_out(self.mid(x))))
        return y


class Decoder(nn.Module):
    """Latents, after `post_quant_conv`, to pixels; one block more on each level than the encoder.

    `up` counts as the encoder does, from full resolution down, so it is walked from its end.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.channels * mult for mult in config.channel_mult]
        self.conv_in = nn.Conv2d(config.latent_channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], config.groups)
        self.up = nn.ModuleList(
            Level([below, *[width] * (config.num_res_blocks + 1)], config.groups, up=i > 0)
            for i, (width, below) in enumerate(pairwise([*widths, widths[-1]]))
        )
        self.norm_out = nn.GroupNorm(config.groups, widths[0], eps=_EPS)
        self.conv_out = nn.Conv2d(widths[0], config.image_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level(x)
        y: Tensor = self.conv_out(silu(self.norm_out(x)))
        return y


def _by_chunks(layer: Callable[[Tensor], Tensor], x: Tensor, chunk: int) -> Tensor:
    """Return `layer` of the images of x, `chunk` at once, with the leading axes of x."""
    if chunk < 1:
        raise ValueError(f"found chunk {chunk}, expected 1 frame or more at once")
    frames = x.flatten(0, -4) if x.ndim == 5 else x
    done = torch.cat([layer(part) for part in torch.split(frames, chunk)])
    return done.reshape(*x.shape[:-3], *done.shape[1:])


def _check(x: Tensor, channels: int, *, name: str) -> None:
    if x.ndim not in (4, 5) or x.shape[-3] != channels or not x.numel():
        raise ValueError(
            f"found {name} of shape {tuple(x.shape)}, expected (B, {channels}, H, W) or (B, F, {channels}, H, W)"
        )
    if not x.is_floating_point():
        raise ValueError(f"found {name} of type {x.dtype}, expected floating point; uint8 frames are x / 127.5 - 1")
