"""Weights of published video UNets, renamed and reshaped into `UNet3D`'s.

The networks are ours up to names (docs/networks.md). Three dialects: `videocrafter` (also DynamiCrafter), whose names
we keep; `vgen` (ModelScope's and VGen's .pth files); `diffusers` (UNet3DConditionModel and I2VGenXLUNet).

Sources: AILab-CVC/VideoCrafter, commit 11bcd76; Doubiiu/DynamiCrafter, commit c453369; ali-vilab/VGen, commit 4014d1f;
diffusers 0.42.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from reference_models.convert.report import KeyReport, key_report
from univg_bench.errors import InputError

Family = Literal["videocrafter", "vgen", "diffusers"]

# Wrappers around the UNet in a checkpoint: DeepSpeed's, then latent diffusion's
WRAPPERS = ("_forward_module.", "model.diffusion_model.")

# What only I2VGen-XL has: name in VGen -> name in ours
VGEN_ENCODERS = ("context_embedding.", "local_image_concat.", "local_temporal_encoder.", "local_image_embedding.")

# diffusers -> ours, whole prefixes
DIFFUSERS_PREFIXES = {
    "conv_in.": "input_blocks.0.0.",
    "transformer_in.": "init_attn.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "fps_embedding.": "fps_embedding.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "context_embedding.": "image_encoders.context_embedding.",
    "image_latents_proj_in.": "image_encoders.local_image_concat.",
    "image_latents_context_embedding.": "image_encoders.local_image_embedding.",
    "image_latents_temporal_encoder.norm1.": "image_encoders.local_temporal_encoder.layers.0.0.norm.",
    "image_latents_temporal_encoder.attn1.to_out.": "image_encoders.local_temporal_encoder.layers.0.0.fn.to_out.",
    "image_latents_temporal_encoder.ff.net.0.proj.": "image_encoders.local_temporal_encoder.layers.0.1.net.0.0.",
    "image_latents_temporal_encoder.ff.net.2.": "image_encoders.local_temporal_encoder.layers.0.1.net.2.",
}
FUSED = "image_encoders.local_temporal_encoder.layers.0.0.fn.to_qkv.weight"
FUSED_PARTS = tuple(f"image_latents_temporal_encoder.attn1.to_{part}.weight" for part in "qkv")

RES_BLOCK = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
LAYER_SLOT = {"resnets": 0, "temp_convs": 0, "attentions": 1, "temp_attentions": 2}


def detect_family(keys: Iterable[str]) -> Family:
    """Return the dialect in which the keys of a checkpoint are written.

    Raises InputError where it is none of those known, and for the one network of the kind that cannot be ours.
    """
    keys = [_unwrapped(key) for key in keys]
    if any(".relative_position_k." in key for key in keys):
        raise InputError(
            "found a UNet with relative positions in its temporal attention and without temporal convolutions "
            "(VideoCrafter1 text-to-video, first version); that is another network, whose table ends at 16 frames: use "
            "VideoCrafter2, which replaces it"
        )
    if any(key.startswith("down_blocks.0.temp_convs.") for key in keys):
        return "diffusers"
    if any(key.startswith("init_attn.0.") for key in keys):
        return "videocrafter"
    if any(key.startswith("input_blocks.0.1.") for key in keys):
        return "vgen"
    raise InputError(
        f"none of {len(keys)} keys is of a video UNet that we can read (the first: {', '.join(keys[:3]) or 'none'}); "
        f"expected the names of one of: {', '.join(get_args(Family))}"
    )


def unet_key_map(keys: Iterable[str], family: Family) -> dict[str, str]:
    """Return source key -> our key for every key that belongs to the UNet, and for no other."""
    keys = list(keys)
    if family == "videocrafter":
        wrapped = any(WRAPPERS[1] in key for key in keys)  # a whole checkpoint: other networks are beside the UNet
        return {key: _unwrapped(key).replace("framestride_embed", "fps_embedding")  # the 256 model of DynamiCrafter
                for key in keys if WRAPPERS[1] in key or not wrapped}  # fmt: skip
    if family == "vgen":
        return {key: _from_vgen(key) for key in keys}
    per_level = 1 + max(int(key.split(".")[3]) for key in keys if key.startswith("down_blocks.0.resnets."))
    attending = {int(key.split(".")[1]) for key in keys if re.match(r"up_blocks\.\d+\.attentions\.", key)}
    mapped = {key: _from_diffusers(key, per_level, attending) for key in keys}
    return {key: ours for key, ours in mapped.items() if ours is not None}


def convert_unet(tensors: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Return the UNet's tensors under our names and in our shapes; other networks' tensors are left out.

    The values are views where nothing has to be put together. Works on meta tensors too, for a rehearsal.
    """
    converted: dict[str, Tensor] = {}
    for key, ours in unet_key_map(tensors, family).items():
        if ours == FUSED and family == "diffusers":
            converted[ours] = torch.cat([tensors[part] for part in FUSED_PARTS])
        elif re.search(r"\.proj_(in|out)\.weight$", ours):
            # Dialects differ in whether these are Linear (o, i) or convolutions of size 1 (o, i, 1)
            flat = tensors[key].flatten(1)
            converted[ours] = flat[..., None] if ours.startswith("init_attn.") else flat
        else:
            converted[ours] = tensors[key]
    return converted


def unet_report(tensors: Mapping[str, Tensor], family: Family, expected: Mapping[str, Tensor]) -> KeyReport:
    """Return the account of converting these tensors for a network with the state dict `expected` (meta will do)."""
    return key_report(
        source={key: tensor.shape for key, tensor in tensors.items()},
        key_map=unet_key_map(tensors, family),
        converted={key: tensor.shape for key, tensor in convert_unet(tensors, family).items()},
        expected={key: tensor.shape for key, tensor in expected.items()},
    )


def _unwrapped(key: str) -> str:
    for wrapper in WRAPPERS:
        key = key.removeprefix(wrapper)
    return key


def _from_vgen(key: str) -> str:
    if key.startswith(VGEN_ENCODERS):
        return f"image_encoders.{key}"
    if key.startswith("input_blocks.0.1."):
        return key.replace("input_blocks.0.1.", "init_attn.0.")
    return re.sub(r"^(input_blocks\.\d+)\.op\.", r"\1.0.op.", key)


def _from_diffusers(key: str, per_level: int, attending: set[int]) -> str | None:
    """per_level: res blocks of a down level. attending: up levels with transformers, in diffusers' count."""
    if key in FUSED_PARTS:
        return FUSED
    for theirs, ours in DIFFUSERS_PREFIXES.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    match = re.fullmatch(r"(?:(down|up)_blocks\.(\d+)|(mid)_block)\.([a-z_]+)\.(\d+)\.(.+)", key)
    if match is None:
        return None
    side, level, middle, kind, index, rest = match[1], int(match[2] or 0), match[3], match[4], int(match[5]), match[6]
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * (per_level + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        slot = 3 if level in attending else 1
        return f"output_blocks.{level * (per_level + 1) + per_level}.{slot}.{rest}"
    if kind not in LAYER_SLOT:
        return None
    if kind == "resnets":
        name, _, parameter = rest.partition(".")
        if name not in RES_BLOCK:
            return None
        rest = f"{RES_BLOCK[name]}.{parameter}"
    elif kind == "temp_convs":
        rest = f"temopral_conv.{rest}"
    slot = LAYER_SLOT[kind]
    if middle:  # resnet 0, transformers, resnet 1
        return f"middle_block.{3 * index if slot == 0 else slot}.{rest}"
    if side == "down":
        return f"input_blocks.{1 + level * (per_level + 1) + index}.{slot}.{rest}"
    return f"output_blocks.{level * (per_level + 1) + index}.{slot}.{rest}"
