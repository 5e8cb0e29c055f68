"""CLIP: unit vectors of frames and captions, whose dot products are the cosines of CLIPSIM.

The towers are open_clip's, built from their configuration by its public API, with nothing fetched. Weights are theirs,
OpenAI's own archive, whose keys are the same, or Hugging Face's. Frames go through open_clip's own PIL transform: the
tensor resize that other libraries use moves CLIPSIM by 0.3 % (docs/findings.md 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor

from univg_bench.canonical import digest_of
from univg_bench.errors import InputError
from univg_bench.features.hugging_face_clip import from_hugging_face, is_hugging_face, states_quick_gelu
from univg_bench.features.i3d_input import check_frames
from univg_bench.features.tensors import check_tensors, exact_float32, read_tensors
from univg_bench.features.weights import Weights
from univg_bench.recipes import ClipsimRecipe

VERSION = 1  # of this code path: raise it with every change that can move a feature by a bit
BATCH = 16  # frames at once: no faster with more, and memory stays small for long videos

# In OpenAI's archives beside the weights: three numbers of the configuration, and masks that modules hold as attributes
_NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
_RESIZE = {"center": "shortest", "squash": "squash"}  # the recipe's crop -> open_clip's resize_mode


@dataclass(frozen=True, eq=False)
class ImageTextFeatures:
    """Embeddings of frames and captions under one recipe with one set of weights.

    dim: length of an embedding. digest: SHA-256 over all that decides its bits on a given kind of machine: recipe,
    weights, the version of this code, the kind of device.
    """

    name: str
    dim: int
    digest: str
    net: Any = field(repr=False)  # open_clip.CLIP, which has no types
    preprocess: Callable[[Image.Image], Tensor] = field(repr=False)
    tokenize: Callable[[str], list[int]] = field(repr=False)
    device: torch.device

    def images(self, frames: np.ndarray) -> np.ndarray:
        """Return unit vectors, float32 (F, dim), of frames uint8 (F, 3, H, W).

        Raises InputError for another type or other axes, and for features that are not finite.
        """
        check_frames(frames, name="frames")
        with torch.inference_mode(), exact_float32(self.device):
            parts = [
                self.net.encode_image(torch.stack([self._image(frame) for frame in batch]).to(self.device))
                for batch in _batches(frames)
            ]
            return self._unit(torch.cat(parts))

    def text(self, caption: str) -> np.ndarray:
        """Return the unit vector, float32 (dim,), of a caption; it is encoded alone.

        Raises InputError for features that are not finite.
        """
        tokens = torch.tensor([self.tokenize(caption)], device=self.device)
        with torch.inference_mode(), exact_float32(self.device):
            unit: np.ndarray = self._unit(_encode_text(self.net, tokens))[0]
        return unit

    def _image(self, frame: np.ndarray) -> Tensor:
        return self.preprocess(Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))))

    def _unit(self, features: Tensor) -> np.ndarray:
        unit: np.ndarray = (features / features.norm(dim=-1, keepdim=True)).cpu().numpy()
        if not np.isfinite(unit).all():
            raise InputError(f"found NaN or infinite features from {self.name}; its weights are damaged")
        return unit


def load_image_text_features(recipe: ClipsimRecipe, weights: Weights, device: str = "cpu") -> ImageTextFeatures:
    """Return the extractor of `recipe` with `weights`, float32, in evaluation mode on `device`.

    Raises InputError when the weights are not those of the recipe's architecture, or were trained with another
    activation, with the reason.
    """
    config = _config(recipe.model)
    quick_gelu = bool(config.get("quick_gelu", False))
    _check_architecture(recipe, weights, quick_gelu=quick_gelu)
    net = open_clip.CLIP(**config)
    tensors = load_clip_tensors(weights, quick_gelu=quick_gelu)
    check_tensors(tensors, net.state_dict(), source=str(weights.path))
    net.load_state_dict(tensors)
    net.eval().requires_grad_(False).to(device)
    preprocess = open_clip.image_transform(
        recipe.size,
        is_train=False,
        mean=recipe.mean,
        std=recipe.std,
        resize_mode=_RESIZE[recipe.crop],
        interpolation=recipe.kernel,
    )
    assert recipe.antialias, "PIL antialiases always"
    kind = torch.device(device).type
    digest = digest_of(
        {"extractor": "clip", "version": VERSION, "recipe": recipe.digest, "weights": weights.digest, "device": kind}
    )
    return ImageTextFeatures(
        f"{recipe.model} {recipe.name}", config["embed_dim"], digest, net, preprocess, _tokenizer(recipe.model),
        torch.device(device),
    )  # fmt: skip


def load_clip_tensors(weights: Weights, *, quick_gelu: bool) -> dict[str, Tensor]:
    """Return the state dict of a CLIP weights file in open_clip's keys, float32.

    Raises InputError for files that hold no CLIP, and for Hugging Face's when nobody says with which activation they
    were trained, or when it is another than `quick_gelu` says.
    """
    tensors = read_tensors(weights)
    if is_hugging_face(tensors):
        if weights.architecture is None and states_quick_gelu(weights.path) != quick_gelu:
            theirs, wanted = ("GELU", "QuickGELU") if quick_gelu else ("QuickGELU", "GELU")
            raise InputError(
                f"{weights.path} was trained with {theirs}, as config.json beside it says, but the recipe's"
                f" architecture has {wanted}: it would load and give other numbers"
            )
        tensors = from_hugging_face(tensors, source=str(weights.path))
    if "visual.proj" not in tensors:
        raise InputError(f"{weights.path} holds no CLIP with a vision transformer: there is no key 'visual.proj'")
    return {key: value.float() for key, value in tensors.items() if key.rpartition(".")[2] not in _NO_WEIGHTS}


def _config(model: str) -> dict[str, Any]:
    """Return the arguments of open_clip.CLIP; raises InputError for architectures that would fetch a part."""
    if model == "tiny-clip":
        from univg_bench.features.tiny import TINY_CLIP

        return TINY_CLIP
    config: dict[str, Any] | None = open_clip.get_model_config(model)
    if config is None:
        raise InputError(f"found architecture {model!r}, which open_clip {open_clip.__version__} does not have")
    vision, text = config["vision_cfg"], config["text_cfg"]
    foreign = [k for k in ("hf_model_name", "hf_tokenizer_name", "timm_model_name") if k in vision or k in text]
    if foreign or config.get("custom_text") or not isinstance(vision.get("layers"), int):
        raise InputError(
            f"the architecture {model!r} is not one of CLIP's own vision transformers, which is all we read"
        )
    return config


def _check_architecture(recipe: ClipsimRecipe, weights: Weights, *, quick_gelu: bool) -> None:
    # TorchScript archives of CLIP come from OpenAI alone, and OpenAI trained every CLIP with QuickGELU
    openai = weights.layout == "torchscript" or (weights.architecture or "").endswith("-quickgelu")
    if openai and not quick_gelu:
        raise InputError(
            f"{weights.path} was trained with QuickGELU, but the recipe {recipe.name!r} names the architecture"
            f" {recipe.model!r} with GELU: it would load and give other numbers; use {recipe.model}-quickgelu"
        )
    if weights.architecture not in (None, recipe.model):
        raise InputError(
            f"the recipe {recipe.name!r} needs weights of {recipe.model}, found {weights.name} of"
            f" {weights.architecture} in {weights.path}"
        )


def _tokenizer(model: str) -> Callable[[str], list[int]]:
    if model == "tiny-clip":
        from univg_bench.features.tiny import tokenize

        return tokenize
    tokenizer = open_clip.get_tokenizer(model)

    def tokens(caption: str) -> list[int]:
        row: list[int] = tokenizer([caption])[0].tolist()
        return row

    return tokens


def _encode_text(net: Any, tokens: Tensor) -> Tensor:
    """Return the embedding (1, dim) of tokens (1, L), cut behind the end token where that changes nothing.

    In a causal tower that is read at its end token no later token has a say, so most of the 77 positions are spent on
    padding. open_clip's own encode_text takes full rows only; these are its lines with the length in place of 77.
    """
    if net.text_pool_type != "argmax" or net.attn_mask is None:
        full: Tensor = net.encode_text(tokens)
        return full
    length = int(tokens[0].argmax()) + 1  # the end token is the largest of the vocabulary
    x = net.token_embedding(tokens[:, :length]) + net.positional_embedding[:length]
    x = net.transformer(x, attn_mask=net.attn_mask[:length, :length])
    x = net.ln_final(x)[:, -1]  # (1, width)
    projected: Tensor = x @ net.text_projection
    return projected


def _batches(frames: np.ndarray) -> Iterator[np.ndarray]:
    return (frames[first : first + BATCH] for first in range(0, len(frames), BATCH))
