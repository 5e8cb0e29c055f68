"""The configuration of a published UNet, read from the shapes of its tensors, and which presets have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from torch import Tensor

from reference_models.convert.published import PUBLISHED, named
from reference_models.convert.unet import Family
from reference_models.nn.unet3d import UNetConfig
from reference_models.presets import PRESETS
from univg_bench.errors import InputError

# The temporal transformer behind the first convolution has 8 heads in every published network (docs/networks.md), so
# its width tells that of a head, which no other shape does
_INIT_HEADS = 8


def unet_config(converted: Mapping[str, Tensor]) -> UNetConfig:
    """Return the configuration that converted tensors (our names and shapes, meta will do) have.

    What leaves no trace in them (SR600's rows and filter) keeps its default.

    Raises InputError where the layers that it is read from are missing, or their shapes cannot be built.
    """
    try:
        first = converted["input_blocks.0.0.weight"]
        width = int(first.shape[0])
        mults, blocks, attention = [1], [0], set()
        for i in count(1):
            block = converted.get(f"input_blocks.{i}.0.in_layers.2.weight")
            if block is not None:
                mults[-1] = int(block.shape[0]) // width
                blocks[-1] += 1
                if f"input_blocks.{i}.1.proj_in.weight" in converted:
                    attention.add(len(mults) - 1)
            elif f"input_blocks.{i}.0.op.weight" in converted:
                mults.append(0)
                blocks.append(0)
            else:
                break
        context = converted["middle_block.1.transformer_blocks.0.attn2.to_k.weight"]
        return UNetConfig(
            in_channels=int(first.shape[1]),
            out_channels=int(converted["out.2.weight"].shape[0]),
            model_channels=width,
            channel_mult=tuple(mults),
            num_res_blocks=blocks[0],
            attention_levels=tuple(sorted(attention)),
            head_dim=int(converted["init_attn.0.proj_in.weight"].shape[0]) // _INIT_HEADS,
            init_heads=_INIT_HEADS,
            context_dim=int(context.shape[1]),
            conditions=("text", "image") if any(".attn2.to_k_ip." in key for key in converted) else ("text",),
            fps_embedding="fps_embedding.0.weight" in converted,
            learnable_image_scale=any(key.endswith(".attn2.alpha") for key in converted),
            image_encoders=any(key.startswith("image_encoders.") for key in converted),
        )
    except KeyError as error:
        raise InputError(f"the UNet has no {error.args[0]}; the checkpoint is incomplete") from error
    except ValueError as error:
        raise InputError(f"the UNet has a shape that we cannot build: {error}") from error


def fitting_presets(config: UNetConfig, family: Family) -> list[str]:
    """Return the published presets whose inputs this UNet has, whatever its widths."""
    return [
        published.preset
        for published in PUBLISHED
        if family in published.families and _inputs(PRESETS[published.preset].network) == _inputs(config)
    ]


def choose_preset(config: UNetConfig, family: Family, *, asked: str | None) -> str:
    """Return the preset of a UNet: the one asked for, or the only one that fits.

    Raises InputError when none fits, several do and none was asked for, or another one was.
    """
    fitting = fitting_presets(config, family)
    if asked is not None and asked not in fitting:
        raise InputError(
            f"found a UNet with {config.in_channels} input channels and the conditions {', '.join(config.conditions)}"
            f" in the names of {family}, which is not {asked}; --family may be {' or '.join(fitting) or 'none of ours'}"
        )
    if not fitting:
        raise InputError(
            f"found a UNet with {config.in_channels} input channels, the conditions {', '.join(config.conditions)} and"
            f" {'an' if config.fps_embedding else 'no'} fps embedding in the names of {family}, which is none of the"
            " published models that we know (docs/convert.md)"
        )
    if asked is None and len(fitting) > 1:
        raise InputError(
            f"the keys fit {' and '.join(fitting)}, which differ in what no key shows; say which it is with --family:"
            f" {named(fitting)}"
        )
    return asked or fitting[0]


def with_traceless(config: UNetConfig, preset: str) -> UNetConfig:
    """Return the configuration with what the preset has and no tensor shows."""
    known = PRESETS[preset].network
    return replace(config, extra_rows=known.extra_rows, skip_filter=known.skip_filter)


def _inputs(config: UNetConfig) -> tuple[object, ...]:
    return (
        config.in_channels, config.conditions, config.fps_embedding, config.learnable_image_scale,
        config.image_encoders,
    )  # fmt: skip
