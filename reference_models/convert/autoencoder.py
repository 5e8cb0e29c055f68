"""Weights of published image autoencoders, renamed and reshaped into `Autoencoder`'s.

Two dialects of one network: latent diffusion's, whose names we keep, and that of diffusers, which counts the decoder's
levels from the other end and writes attention as linear layers, under two sets of names.

Sources: CompVis/latent-diffusion, ldm/modules/diffusionmodules/model.py; diffusers 0.42.1, AutoencoderKL, whose loader
still knows the older names (models/modeling_utils.py, `_convert_deprecated_attention_blocks`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import count
from typing import Literal

from torch import Tensor

from reference_models.nn.autoencoder import AutoencoderConfig
from univg_bench.errors import InputError

Dialect = Literal["ldm", "diffusers"]

# within a block: diffusers -> ours
_NAMES = {
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "query": "q",
    "key": "k",
    "value": "v",
    "proj_attn": "proj_out",
}
_IGNORED = {"loss.": "the loss of its training"}


def vae_dialect(keys: Collection[str]) -> Dialect:
    """Return how the keys of an autoencoder are written.

    Raises InputError for another network, with the reason.
    """
    if any("time_conv_out" in key or "temporal_res_block" in key or "time_mix" in key for key in keys):
        raise InputError(
            "found Stable Video Diffusion's decoder, which mixes frames: another network; take an image autoencoder,"
            " for example Stable Diffusion's"
        )
    if "encoder.down.0.block.0.conv1.weight" in keys:
        return "ldm"
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in keys:
        return "diffusers"
    raise InputError(
        f"none of {len(keys)} keys is of an autoencoder that we can read (the first: {', '.join(sorted(keys)[:3])});"
        " expected latent diffusion's names (encoder.down.0...) or diffusers' (encoder.down_blocks.0...)"
    )


def vae_key_map(keys: Iterable[str], dialect: Dialect) -> dict[str, str]:
    """Return source key -> our key; keys that mean nothing here are mapped to themselves and count as unused."""
    keys = list(keys)
    if dialect == "ldm":
        return {key: key for key in keys}
    levels = {int(match[1]) for key in keys if (match := re.match(r"decoder\.up_blocks\.(\d+)\.", key))}
    return {key: _from_diffusers(key, last=max(levels, default=0)) for key in keys}


def vae_dropped(keys: Iterable[str]) -> dict[str, str]:
    """Return key -> reason for keys of training checkpoints that are no part of the network."""
    return {key: reason for key in keys for prefix, reason in _IGNORED.items() if key.startswith(prefix)}


def convert_vae(tensors: Mapping[str, Tensor], dialect: Dialect) -> dict[str, Tensor]:
    """Return the tensors under our names and in our shapes; linear layers of attention become 1x1 convolutions."""
    converted = {}
    for key, ours in vae_key_map(tensors, dialect).items():
        tensor = tensors[key]
        flat = re.search(r"\.attn_1\.(q|k|v|proj_out)\.weight$", ours) and tensor.ndim == 2
        converted[ours] = tensor[:, :, None, None] if flat else tensor
    return converted


def vae_config(converted: Mapping[str, Tensor], *, scale_factor: float = 0.18215) -> AutoencoderConfig:
    """Return the shape that converted tensors have; the groups of norms leave no trace and are 32, as everywhere.

    scale_factor: of the latents; Stable Diffusion's unless the checkpoint says otherwise.

    Raises InputError where the layers that shapes are read from are missing.
    """
    try:
        channels = int(converted["encoder.conv_in.weight"].shape[0])
        widths = []
        for level in count():
            first = converted.get(f"encoder.down.{level}.block.0.conv1.weight")
            if first is None:
                break
            widths.append(int(first.shape[0]))
        blocks = {key.split(".")[4] for key in converted if key.startswith("encoder.down.0.block.")}
        return AutoencoderConfig(
            image_channels=int(converted["encoder.conv_in.weight"].shape[1]),
            latent_channels=int(converted["decoder.conv_in.weight"].shape[1]),
            channels=channels,
            channel_mult=tuple(width // channels for width in widths),
            num_res_blocks=len(blocks),
            scale_factor=scale_factor,
        )
    except KeyError as error:
        raise InputError(f"the autoencoder has no {error.args[0]}; the checkpoint is incomplete") from error
    except ValueError as error:
        raise InputError(f"the autoencoder has a shape that we cannot build: {error}") from error


def _from_diffusers(key: str, *, last: int) -> str:
    key = re.sub(r"^encoder\.down_blocks\.(\d+)\.resnets\.(\d+)\.", r"encoder.down.\1.block.\2.", key)
    key = re.sub(r"^encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample.", key)
    if match := re.match(r"decoder\.up_blocks\.(\d+)\.(?:resnets\.(\d+)|upsamplers\.0)\.", key):
        level = last - int(match[1])  # ours counts from full resolution, in both directions
        layer = f"block.{match[2]}" if match[2] else "upsample"
        key = f"decoder.up.{level}.{layer}.{key[match.end() :]}"
    if match := re.match(r"(encoder|decoder)\.mid_block\.resnets\.(0|1)\.", key):
        key = f"{match[1]}.mid.block_{int(match[2]) + 1}.{key[match.end() :]}"
    key = re.sub(r"^(encoder|decoder)\.mid_block\.attentions\.0\.", r"\1.mid.attn_1.", key)
    key = re.sub(r"^(encoder|decoder)\.conv_norm_out\.", r"\1.norm_out.", key)
    head, _, parameter = key.rpartition(".")
    for theirs, ours in _NAMES.items():
        if head.endswith(f".{theirs}"):
            return f"{head.removesuffix(theirs)}{ours}.{parameter}"
    return key
