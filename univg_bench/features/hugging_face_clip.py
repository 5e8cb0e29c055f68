"""CLIP in Hugging Face's keys, turned into open_clip's; the activation is read beside it, for the tensors do not tell.

Hugging Face keeps query, key and value apart and stores projections as layers (out, in); open_clip keeps one matrix for
the three, and projections that are multiplied from the right.

Source: transformers, models/clip/modeling_clip.py and configuration_clip.py; open_clip, transformer.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from univg_bench.errors import InputError

# theirs -> ours, outside of the layers of the two towers
_SINGLE = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",  # sic
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
}
_TRANSPOSED = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}
_TOWERS = {"text_model": "transformer", "vision_model": "visual.transformer"}
_IN_A_LAYER = {
    "self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
}  # fmt: skip
_LAYER = re.compile(r"(text_model|vision_model)\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def is_hugging_face(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether the keys are Hugging Face's."""
    return any(key.startswith("vision_model.") for key in tensors)


def from_hugging_face(tensors: Mapping[str, Tensor], *, source: str) -> dict[str, Tensor]:
    """Return the tensors under open_clip's keys; keys that are not Hugging Face's stay, for the check to name them.

    Raises InputError when a query, key or value has not its two companions.
    """
    state: dict[str, Tensor] = {}
    split: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        layer = _LAYER.fullmatch(key)
        if key.endswith(".position_ids"):  # counts from zero: a buffer of older versions
            continue
        if key in _TRANSPOSED:
            state[_TRANSPOSED[key]] = value.t().contiguous() if value.ndim == 2 else value
        elif layer is None:
            state[_SINGLE.get(key, key)] = value
        else:
            tower, number, module, kind = layer.groups()
            block = f"{_TOWERS[tower]}.resblocks.{number}"
            if module in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
                split.setdefault(f"{block}.attn.in_proj_{kind}", {})[module[-6]] = value
            else:
                state[f"{block}.{_IN_A_LAYER[module]}.{kind}" if module in _IN_A_LAYER else key] = value
    for key, parts in split.items():
        if parts.keys() != set("qkv"):
            raise InputError(f"{source} has {' and '.join(sorted(parts))} of {key}, expected q, k and v")
        state[key] = torch.cat([parts[part] for part in "qkv"])
    return state


def states_quick_gelu(weights: Path) -> bool:
    """Return whether the config.json beside a Hugging Face file says that it was trained with QuickGELU.

    Raises InputError when there is none, when it cannot be read, and when the towers differ.
    """
    config = weights.with_name("config.json")
    if not config.is_file():
        raise InputError(
            f"{weights} has Hugging Face's keys, and there is no config.json beside it that says which activation it"
            " was trained with (hidden_act); put it there"
        )
    try:
        content = json.loads(config.read_text())
        # transformers leaves out what is at its default, and that is OpenAI's activation
        acts = {
            (content.get(tower) or {}).get("hidden_act", "quick_gelu") for tower in ("text_config", "vision_config")
        }
    except (ValueError, AttributeError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {config} as the configuration of a CLIP: {error}") from error
    if len(acts) != 1 or not acts <= {"quick_gelu", "gelu"}:
        raise InputError(
            f"found hidden_act {', '.join(sorted(map(str, acts)))} in {config}, expected quick_gelu or gelu in both"
        )
    return acts == {"quick_gelu"}
