"""OpenCLIP's towers and resamplers inside published checkpoints: which tensors, of which shape.

A video checkpoint holds the towers apart: text under `cond_stage_model.model`, image under `embedder.model`, each with
remains of the other. Together they are one `open_clip.CLIP`, whose names stay. Its own checkpoint holds both.

Source: AILab-CVC/VideoCrafter@11bcd76, lvdm/modules/encoders/condition.py (`del model.visual` and the like).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import open_clip
import torch
from torch import Tensor

from reference_models.checkpoints import ModelFolder, load_weights
from reference_models.nn.resampler import ResamplerConfig
from univg_bench.errors import InputError
from univg_bench.features.tensors import check_tensors

_MASK = "the causal mask, which is computed"
_NOT_TEXT = "what the image tower's copy keeps of the text tower, which has its own place"
# Shapes do not tell how wide a head is. It is 64 in all of them but three image towers (open_clip 3.3.0,
# model_configs: ViT-H-14, ViT-bigG-14, ViT-g-14)
_HEAD_WIDTH = 64
_IMAGE_HEAD_WIDTHS = {1280: 80, 1664: 104, 1408: 88}

# open_clip.CLIP wants both towers; where one is not there, this is in its place
_STUB_TEXT = {"context_length": 1, "vocab_size": 1, "width": 64, "heads": 1, "layers": 1}
_STUB_IMAGE = {"image_size": 8, "layers": 1, "width": 64, "head_width": 64, "patch_size": 8}


def tower_dropped(keys: Iterable[str], part: Literal["text", "image"]) -> dict[str, str]:
    """Return key -> reason for what stands beside a tower in its place; keys are without prefix."""
    if part == "image":
        return {key: _NOT_TEXT for key in keys if not key.startswith("visual.")}
    return {key: _MASK for key in keys if key == "attn_mask"}


def tower_parts(keys: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the keys of the text tower and of the image tower."""
    keys = list(keys)
    return [k for k in keys if not k.startswith("visual.")], [k for k in keys if k.startswith("visual.")]


def text_settings(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return `embed_dim` and `text_cfg` of open_clip.CLIP from the shapes of a text tower.

    Raises InputError where the layers that they are read from are missing.
    """
    try:
        vocabulary, width = tensors["token_embedding.weight"].shape
        text = {
            "context_length": int(tensors["positional_embedding"].shape[0]),
            "vocab_size": int(vocabulary),
            "width": int(width),
            "heads": _heads(int(width), _HEAD_WIDTH, what="text tower"),
            "layers": _layers(tensors, "transformer."),
        }
        return {"embed_dim": int(tensors["text_projection"].shape[1]), "text_cfg": text}
    except KeyError as error:
        raise InputError(f"the text tower has no {error.args[0]}; the checkpoint is incomplete") from error


def image_settings(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return `embed_dim` and `vision_cfg` of open_clip.CLIP from the shapes of an image tower.

    Raises InputError where the layers that they are read from are missing.
    """
    try:
        width, _, patch, _ = tensors["visual.conv1.weight"].shape
        grid = round((tensors["visual.positional_embedding"].shape[0] - 1) ** 0.5)
        head_width = _IMAGE_HEAD_WIDTHS.get(int(width), _HEAD_WIDTH)
        _heads(int(width), head_width, what="image tower")
        vision = {
            "image_size": grid * int(patch),
            "layers": _layers(tensors, "visual.transformer."),
            "width": int(width),
            "head_width": head_width,
            "patch_size": int(patch),
        }
        return {"embed_dim": int(tensors["visual.proj"].shape[1]), "vision_cfg": vision}
    except KeyError as error:
        raise InputError(f"the image tower has no {error.args[0]}; the checkpoint is incomplete") from error


def tower_shapes(settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict, on the meta device, of the towers that settings name (`text_cfg`, `vision_cfg`)."""
    with torch.device("meta"):
        clip = open_clip.CLIP(
            settings["embed_dim"], settings.get("vision_cfg", _STUB_IMAGE), settings.get("text_cfg", _STUB_TEXT)
        )
    text, image = tower_parts(clip.state_dict())
    wanted = [*(text if "text_cfg" in settings else []), *(image if "vision_cfg" in settings else [])]
    return {key: value for key, value in clip.state_dict().items() if key in wanted}


def build_clip(text: Mapping[str, Any], image: Mapping[str, Any] | None = None) -> Any:
    """Return an open_clip.CLIP, randomly filled, of the settings of a text and an image part (`WeightsCard.settings`).

    Without an image part, a stub stands in the place of its tower; models that know text only do not look at it.

    Raises InputError for towers of two joint spaces.
    """
    if image is not None and text["embed_dim"] != image["embed_dim"]:
        raise InputError(
            f"found a text tower of {text['embed_dim']} and an image tower of {image['embed_dim']} joint dimensions,"
            " expected the two of one CLIP"
        )
    vision = _STUB_IMAGE if image is None else image["vision_cfg"]
    return open_clip.CLIP(text["embed_dim"], dict(vision), dict(text["text_cfg"]))


def load_clip(model: ModelFolder) -> Any:
    """Return the towers of a converted model as one open_clip.CLIP, in evaluation mode; see `build_clip`.

    Raises InputError when the model was saved without a text tower, or its files are damaged.
    """
    text, card = load_weights(model.weights("text"))
    image, image_card = load_weights(model.weights("image")) if "image" in model.parts else ({}, None)
    clip = build_clip(card.settings, image_card.settings if image_card else None)
    stub = {} if image else {key: value for key, value in clip.state_dict().items() if key.startswith("visual.")}
    check_tensors(text | image | stub, clip.state_dict(), source=str(model.path))
    clip.load_state_dict(text | image | stub)
    return clip.eval().requires_grad_(False)


def resampler_config(tensors: Mapping[str, Tensor], *, num_frames: int | None) -> ResamplerConfig:
    """Return the shape of a resampler; num_frames: for how many frames it has queries of their own, None for none.

    Raises InputError where the layers that it is read from are missing.
    """
    try:
        _, queries, dim = tensors["latents"].shape
        inner = int(tensors["layers.0.0.to_q.weight"].shape[0])
        if num_frames is not None and queries % num_frames:
            raise InputError(f"found {queries} queries in the resampler, expected a multiple of {num_frames} frames")
        return ResamplerConfig(
            dim=int(dim),
            depth=len({key.split(".")[1] for key in tensors if key.startswith("layers.")}),
            heads=_heads(inner, _HEAD_WIDTH, what="resampler"),
            head_dim=_HEAD_WIDTH,
            num_queries=int(queries) // (num_frames or 1),
            num_frames=num_frames,
            in_dim=int(tensors["proj_in.weight"].shape[1]),
            out_dim=int(tensors["proj_out.weight"].shape[0]),
            ff_mult=int(tensors["layers.0.1.1.weight"].shape[0]) // int(dim),
        )
    except KeyError as error:
        raise InputError(f"the resampler has no {error.args[0]}; the checkpoint is incomplete") from error


def _heads(width: int, head_width: int, *, what: str) -> int:
    if width % head_width:
        raise InputError(
            f"found a {what} of width {width}, expected a multiple of {head_width}: the number of its heads cannot be"
            " read from its shapes, and none of the known ones has this width"
        )
    return width // head_width


def _layers(tensors: Mapping[str, Tensor], prefix: str) -> int:
    numbers = {key.split(".resblocks.")[1].split(".")[0] for key in tensors if key.startswith(f"{prefix}resblocks.")}
    if not numbers:
        raise KeyError(f"{prefix}resblocks")
    return len(numbers)  # and not the greatest, which a file may choose: a gap shows in the account of keys
