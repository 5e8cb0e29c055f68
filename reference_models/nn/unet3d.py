"""The factorised 3D UNet of all three stages: what it emits for noised latents, a timestep and conditions.

UniVG (section 3.2): spatial layers of 2D convolutions and spatial transformers, temporal layers of 1D convolutions and
temporal transformers, cross attention for text and image. It leaves the sizes open; they are those of VideoCrafter1,
which it follows (docs/networks.md). The published networks of that family are this one with other settings, and their
keys fit (names: lvdm/modules/networks/openaimodel3d.py, AILab-CVC/VideoCrafter, commit 11bcd76).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from reference_models.nn.attention import (
    NORM_GROUPS,
    Condition,
    KeyValue,
    MultiConditionAttention,
    SpatialTransformer,
    TemporalTransformer,
)
from reference_models.nn.blocks import (
    Downsample,
    ResBlock,
    SpatialStage,
    TemporalConv,
    Upsample,
    per_frame,
    scale_low_frequencies,
)
from reference_models.nn.embeddings import NumberEmbedding
from reference_models.nn.i2vgenxl import ImageEncoders


@dataclass(frozen=True)
class UNetConfig:
    """What the network is made of; the defaults are UniVG's F_B.

    in_channels, out_channels: of the latents; F_A has 2C in. conditions: names, "text" first, each with its own keys
    and values. attention_levels: where transformers stand, level 0 being the input's resolution; the middle always has
    them. init_heads: heads of the temporal transformer behind the first convolution. dropout: of res blocks, in
    training.
    """

    in_channels: int = 4
    out_channels: int = 4
    model_channels: int = 320
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    attention_levels: tuple[int, ...] = (0, 1, 2)
    head_dim: int = 64
    init_heads: int = 8
    context_dim: int = 1024
    conditions: tuple[str, ...] = ("text", "image")
    fps_embedding: bool = True
    dropout: float = 0.1
    # What some published weights demand
    learnable_image_scale: bool = False  # DynamiCrafter 256
    extra_rows: int = 0  # VGen SR600: downsampling pads so many rows more, upsampling drops them
    skip_filter: tuple[tuple[float, float], ...] = ()  # VGen SR600: (backbone, skip) of the first output blocks
    image_encoders: bool = False  # I2VGen-XL

    def __post_init__(self) -> None:
        if not self.conditions or self.conditions[0] != "text" or len(set(self.conditions)) < len(self.conditions):
            raise ValueError(f"conditions are {self.conditions}; expected different names, 'text' first")
        numbers = (
            *(self.in_channels, self.out_channels, self.model_channels, self.num_res_blocks, self.head_dim),
            *(self.init_heads, self.context_dim, *self.channel_mult),
        )
        if min(numbers) < 1 or not self.channel_mult or self.extra_rows < 0:
            raise ValueError(f"a number of {self} is below 1 (extra_rows: 0), where there must be channels and blocks")
        for name in self.conditions:  # branch_suffix calls the image "ip"
            if not name.isidentifier() or name == "ip":
                raise ValueError(f"condition {name!r} cannot be part of a layer's name; expected a word, and not 'ip'")
        for mult in self.channel_mult:
            width = mult * self.model_channels
            if width % NORM_GROUPS or width % self.head_dim:
                raise ValueError(
                    f"{width} channels (channel_mult {mult}) are no multiple of {NORM_GROUPS} groups "
                    f"and of head_dim {self.head_dim}"
                )
        if not set(self.attention_levels) <= set(range(len(self.channel_mult))):
            raise ValueError(
                f"attention_levels are {self.attention_levels}; channel_mult {self.channel_mult} has levels "
                f"0 to {len(self.channel_mult) - 1}"
            )
        if self.learnable_image_scale and "image" not in self.conditions:
            raise ValueError(f"learnable_image_scale needs the condition 'image'; found {self.conditions}")


@dataclass(frozen=True)
class ConditionCache:
    """Keys and values of a clip's conditions in every cross attention; they do not change from step to step."""

    layers: tuple[tuple[KeyValue, ...], ...]


class UNet3D(nn.Module):
    """The network; see the head of this file. At the start of training it emits zeros."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False  # recompute each block in the backward pass instead of keeping it
        width, embedding_dim = config.model_channels, 4 * config.model_channels

        def res_block(in_channels: int, channels: int) -> ResBlock:
            return ResBlock(in_channels, channels, embedding_dim, config.dropout)

        def transformers(channels: int) -> list[nn.Module]:
            spatial = SpatialTransformer(
                channels,
                config.context_dim,
                config.head_dim,
                config.conditions,
                learnable_scale=config.learnable_image_scale,
            )
            return [spatial, TemporalTransformer(channels, channels, config.head_dim, as_conv=False)]

        self.time_embed = NumberEmbedding(width, embedding_dim)
        if config.fps_embedding:
            self.fps_embedding = NumberEmbedding(width, embedding_dim)
        if config.image_encoders:
            self.image_encoders = ImageEncoders(embedding_dim, config.context_dim)

        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(config.in_channels, width, 3, padding=1)])])
        init_width = config.init_heads * config.head_dim
        self.init_attn = nn.ModuleList([TemporalTransformer(width, init_width, config.head_dim, as_conv=True)])
        channels, skips = width, [width]
        deepest = len(config.channel_mult) - 1
        for level, mult in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks):
                layers: list[nn.Module] = [res_block(channels, mult * width)]
                channels = mult * width
                layers += transformers(channels) if level in config.attention_levels else []
                self.input_blocks.append(nn.ModuleList(layers))
                skips.append(channels)
            if level < deepest:
                down = Downsample(channels, (1 + config.extra_rows, 1))
                self.input_blocks.append(nn.ModuleList([down]))
                skips.append(channels)

        middle = [res_block(channels, channels), *transformers(channels), res_block(channels, channels)]
        self.middle_block = nn.ModuleList(middle)

        self.output_blocks = nn.ModuleList()
        for level, mult in reversed(list(enumerate(config.channel_mult))):
            for i in range(config.num_res_blocks + 1):
                layers = [res_block(channels + skips.pop(), mult * width)]
                channels = mult * width
                layers += transformers(channels) if level in config.attention_levels else []
                if level > 0 and i == config.num_res_blocks:
                    layers.append(Upsample(channels, config.extra_rows))
                self.output_blocks.append(nn.ModuleList(layers))

        self.out = SpatialStage(
            nn.GroupNorm(NORM_GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, config.out_channels, 3, padding=1)
        )
        cross_attentions = self.cross_attentions()
        self.num_cross_attentions = len(cross_attentions)
        self.first_cross_width = cross_attentions[0].to_q.out_features
        self._zero_last_layers()

    def _zero_last_layers(self) -> None:
        """Make every residual path, the fps embedding and the output zero, as the networks we follow do."""
        last: list[nn.Module] = [self.out[-1]]
        if self.config.fps_embedding:
            last.append(self.fps_embedding[-1])
        for module in self.modules():
            if isinstance(module, ResBlock):
                last.append(module.out_layers[-1])
            elif isinstance(module, TemporalConv):
                last.append(module.conv4[-1])
            elif isinstance(module, (SpatialTransformer, TemporalTransformer)):
                last.append(module.proj_out)
        for layer in last:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def leave_out_time(self, left_out: bool) -> None:
        """Leave out the temporal layers, or have them back: frames are then pictures that know nothing of each other.

        For training on single images first, which then costs half. A new network emits the same either way, because
        its temporal layers end in zeros.
        """
        for module in self.modules():
            if isinstance(module, (TemporalConv, TemporalTransformer)):
                module.left_out = left_out

    def cross_attentions(self) -> list[MultiConditionAttention]:
        """Return the cross attentions in the order in which they run, which is that of a cache's layers."""
        blocks = [*self.input_blocks, self.middle_block, *self.output_blocks]
        modules = (module for block in blocks for module in block.modules())
        return [module for module in modules if isinstance(module, MultiConditionAttention)]

    def cache(self, conditions: Sequence[Condition]) -> ConditionCache:
        """Return what `forward` takes in place of these conditions, to be computed once per clip.

        Raises ValueError where a condition is unknown, comes twice or has another width, and where the text is missing.
        """
        known, width = self.config.conditions, self.config.context_dim
        names = [condition.name for condition in conditions]
        for condition in conditions:
            if condition.name not in known:
                raise ValueError(f"unknown condition {condition.name!r}; this network has {', '.join(known)}")
            if names.count(condition.name) > 1:
                raise ValueError(f"condition {condition.name!r} is given {names.count(condition.name)} times")
            shape = condition.tokens.shape
            if len(shape) not in (3, 4) or shape[-1] != width or shape[-2] == 0:
                raise ValueError(
                    f"tokens of {condition.name!r} are {tuple(shape)}; "
                    f"expected (B, L, {width}) or (B, F, L, {width}), L >= 1"
                )
        if "text" not in names:
            raise ValueError(
                f"no condition 'text' among {names}; without a prompt, give the tokens of the empty one (not zeros)"
            )
        ordered = sorted(conditions, key=lambda condition: known.index(condition.name))  # one order of summation
        return ConditionCache(tuple(attention.keys_values(ordered) for attention in self.cross_attentions()))

    def forward(
        self, x: Tensor, t: Tensor, conditions: Sequence[Condition] | ConditionCache, fps: Tensor | None = None
    ) -> Tensor:
        """Return what the network emits (eps or v, as the preset says): (B, F, out_channels, H, W).

        x: (B, F, in_channels, H, W), any H and W, any F >= 1. t: (B,), timesteps. conditions: at least the text; an
        absent image is a null image. Instead of them the cache that `cache` made of them: the result is the same to the
        bit. fps: (B,), frames per second of the clip, where the config has `fps_embedding`.

        Raises ValueError where shapes do not fit one another or the config.
        """
        self._check_input(x, t, fps)
        cache = conditions if isinstance(conditions, ConditionCache) else self.cache(conditions)
        self._check_cache(cache, x)

        embedding = self.time_embed(t)
        if fps is not None:
            embedding = embedding + self.fps_embedding(fps)

        keys_values = iter(cache.layers)
        h = x.movedim(2, -1)  # (B, F, H, W, C) from here on
        skips: list[Tensor] = []
        for block in self.input_blocks:
            h = self._run(block, h, embedding, keys_values)
            if not skips:
                h = self._run(self.init_attn, h, embedding, keys_values)
            skips.append(h)
        h = self._run(self.middle_block, h, embedding, keys_values)
        for i, block in enumerate(self.output_blocks):
            skip = skips.pop()
            if i < len(self.config.skip_filter):
                backbone, low = self.config.skip_filter[i]
                half = h.shape[-1] // 2
                h = torch.cat([h[..., :half] * backbone, h[..., half:]], dim=-1)
                skip = scale_low_frequencies(skip, low)
            size = (skips[-1].shape[2], skips[-1].shape[3]) if skips else (x.shape[3], x.shape[4])
            h = self._run(block, torch.cat([h, skip], dim=-1), embedding, keys_values, size)
        emitted: Tensor = self.out(h)
        return emitted.movedim(-1, 2)

    def _run(
        self,
        block: nn.Module,
        h: Tensor,
        embedding: Tensor,
        layers: Iterator[tuple[KeyValue, ...]],
        size: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """Return the output of a block; takes the next of `layers` if the block has a cross attention."""
        attends = any(isinstance(layer, SpatialTransformer) for layer in block.children())
        keys_values = next(layers) if attends else ()
        if self.gradient_checkpointing and torch.is_grad_enabled():
            recomputed: Tensor = checkpoint(run_block, block, h, embedding, keys_values, size, use_reentrant=False)
            return recomputed
        return run_block(block, h, embedding, keys_values, size)

    def _check_input(self, x: Tensor, t: Tensor, fps: Tensor | None) -> None:
        channels = self.config.in_channels
        if x.ndim != 5 or x.shape[2] != channels or 0 in x.shape:
            raise ValueError(f"x is {tuple(x.shape)}; expected (B, F, C, H, W) with C = {channels} and nothing empty")
        for name, values in (("t", t), ("fps", fps)):
            if values is not None and values.shape != x.shape[:1]:
                raise ValueError(f"{name} is {tuple(values.shape)}; expected (B,) = {tuple(x.shape[:1])}, one per clip")
        if (fps is None) == self.config.fps_embedding:
            found, wanted = ("no fps", "needs it") if fps is None else ("fps", "has no fps embedding")
            raise ValueError(f"found {found}, but this network {wanted}")

    def _check_cache(self, cache: ConditionCache, x: Tensor) -> None:
        if len(cache.layers) != self.num_cross_attentions:
            raise ValueError(
                f"the cache has {len(cache.layers)} layers, this network {self.num_cross_attentions} cross "
                "attentions; it was made by another network"
            )
        for kv in cache.layers[0]:
            if kv.key.shape[-1] != self.first_cross_width:
                raise ValueError(
                    f"the cache's first layer is {kv.key.shape[-1]} wide, this network's {self.first_cross_width}; "
                    "it was made by another network"
                )
            clips, frames = kv.key.shape[0], kv.key.shape[1]
            if clips != x.shape[0]:
                raise ValueError(f"tokens of {kv.name!r} are for {clips} clips; x has {x.shape[0]}")
            if kv.key.ndim == 4 and frames != x.shape[1]:
                raise ValueError(f"tokens of {kv.name!r} are for {frames} frames; x has {x.shape[1]}")


def run_block(
    block: nn.Module, h: Tensor, embedding: Tensor, keys_values: Sequence[KeyValue], size: tuple[int, int]
) -> Tensor:
    """Return h (B, F, H, W, C) after the layers of a block; `size` is what an upsampling in it goes to."""
    for layer in block.children():
        if isinstance(layer, ResBlock):
            h = layer(h, embedding)
        elif isinstance(layer, SpatialTransformer):
            h = layer(h, keys_values)
        elif isinstance(layer, Upsample):
            h = layer(h, size)
        elif isinstance(layer, nn.Conv2d):
            h = per_frame(layer, h)
        else:
            h = layer(h)
    return h
