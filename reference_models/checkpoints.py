"""Weights on disk: one safetensors file per part of a model, with a card in its header, and `model.json` beside them.

A card says what the tensors are (preset, part, settings of the network), where they came from, and the SHA-256 over all
of them, so that a video's record can name its weights. Loading checks that digest; nothing in a file is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from univg_bench.atomic import atomic, write_bytes
from univg_bench.errors import InputError
from univg_bench.features.tensors import check_tensors

Part = Literal["unet", "vae", "text", "image", "resampler"]
PARTS: tuple[Part, ...] = get_args(Part)
C = TypeVar("C")  # a configuration

FORMAT = "univg-weights-1"
MODEL_FILE = "model.json"
DTYPES: dict[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64)
}


@dataclass(frozen=True)
class WeightsCard:
    """What a weights file says of itself.

    preset: of the model it belongs to. settings: arguments of the network's configuration, as JSON has them. source:
    the file it was made from, or the run that trained it. digest: `tensor_digest` of its tensors.
    """

    preset: str
    part: Part
    digest: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFolder:
    """A folder with `model.json`: the parts of one model. facts: the file, for what is told and not computed with."""

    path: Path
    preset: str
    parts: tuple[Part, ...]
    facts: Mapping[str, Any]

    def weights(self, part: Part) -> Path:
        """Return the path of a part; raises InputError if this model was saved without it."""
        if part not in self.parts:
            raise InputError(
                f"found no {part} in {self.path / MODEL_FILE} (it has {', '.join(self.parts)}); convert a source that"
                " holds it into the same folder"
            )
        return self.path / f"{part}.safetensors"


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256, in hex, over keys, types, shapes and bytes of tensors in the order of their keys."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        head = json.dumps([key, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)])
        digest.update(f"{len(head)}:{head}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_types(tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Raise InputError with the first tensor's name unless all are of a type in DTYPES."""
    for key, tensor in tensors.items():
        if tensor.dtype not in DTYPES.values():
            raise InputError(f"found {key} of type {tensor.dtype} in {source}, expected one of {', '.join(DTYPES)}")


def check_finite(tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Raise InputError with the first tensor's name unless all numbers are finite floating point numbers."""
    check_types(tensors, source=source)
    for key, tensor in tensors.items():
        finite = torch.isfinite(tensor)
        if not finite.all():
            raise InputError(
                f"found {int((~finite).sum())} NaN or infinite numbers of {tensor.numel()} in {key} of {source};"
                " such weights make black or grey videos, get the file again"
            )


def save_weights(
    dest: Path,
    tensors: Mapping[str, Tensor],
    *,
    preset: str,
    part: Part,
    source: str,
    settings: Mapping[str, Any] | None = None,
) -> WeightsCard:
    """Write a part as safetensors, atomically, and return its card; equal content that is there already is kept.

    Raises InputError for NaN or infinite weights, and when `dest` holds something else.
    """
    check_finite(tensors, source=source)
    own = {key: tensor.detach().contiguous() for key, tensor in tensors.items()}
    plain = json.loads(json.dumps(dict(settings or {})))  # as the header will have it: tuples are lists
    card = WeightsCard(preset, part, tensor_digest(own), source, plain)
    if dest.exists():
        found = read_card(dest)
        # an autoencoder or a tower is the same in many models, a UNet under another preset is another model
        renamed = part == "unet" and found.preset != preset
        if renamed or (found.digest, found.settings) != (card.digest, card.settings):
            raise InputError(
                f"found other weights in {dest} ({found.preset}, {found.digest[:12]}) than those to write ({preset},"
                f" {card.digest[:12]}); nothing is overwritten, choose another folder or remove the file"
            )
        return found
    # safetensors refuses tensors that share a storage: slices of one, and one under two names
    uses = Counter(tensor.untyped_storage().data_ptr() for tensor in own.values())
    own = {key: t.clone() if uses[t.untyped_storage().data_ptr()] > 1 else t for key, t in own.items()}
    header = {
        "format": FORMAT, "preset": preset, "part": part, "digest": card.digest, "source": source,
        "settings": json.dumps(card.settings),
    }  # fmt: skip
    with atomic(dest) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(own, temporary, metadata=header)
        temporary.chmod(mode)  # safetensors 0.8 leaves a file that nobody but its owner may read
    return card


def read_card(path: Path) -> WeightsCard:
    """Return the card of a weights file, from its header alone.

    Raises InputError for a file that is none of ours, or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read the weights {path}: {_first_line(error)}") from error
    if header.get("format") != FORMAT or header.get("part") not in PARTS:
        raise InputError(
            f"found no card in the header of {path}; expected weights written by this program, take published ones in"
            " with `univg-bench convert`"
        )
    try:
        settings = json.loads(header["settings"])
        card = WeightsCard(header["preset"], header["part"], header["digest"], header["source"], dict(settings))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"the card in the header of {path} is damaged: {_first_line(error)}") from error
    return card


def load_weights(path: Path) -> tuple[dict[str, Tensor], WeightsCard]:
    """Return tensors and card of a weights file, on the CPU, in the file's own type.

    Raises InputError when the file is none of ours, is damaged, or its tensors are not those of its digest.
    """
    card = read_card(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read the weights {path}: {_first_line(error)}") from error
    if tensor_digest(tensors) != card.digest:
        raise InputError(
            f"the tensors of {path} are not those that its header names ({card.digest[:12]}); the file was"
            " changed or damaged, convert it again"
        )
    return tensors, card


def load_into(net: nn.Module, path: Path, *, part: Part) -> WeightsCard:
    """Fill `net` with a weights file, in the network's own type and place, and return the card.

    Raises InputError when the file is of another part, or its keys or shapes are not exactly the network's.
    """
    tensors, card = load_weights(path)
    if card.part != part:
        raise InputError(f"found the {card.part} of {card.preset} in {path}, expected a {part}")
    check_tensors(tensors, net.state_dict(), source=str(path))
    net.load_state_dict(tensors)
    return card


def config_of(kind: type[C], settings: Mapping[str, Any]) -> C:
    """Return the configuration of a network, a frozen dataclass, from a card's settings: JSON's lists are tuples again.

    Raises InputError for settings that `kind` does not have or refuses.
    """
    try:
        return kind(**{name: _tupled(value) for name, value in settings.items()})
    except (TypeError, ValueError) as error:
        raise InputError(f"found settings that {kind.__name__} does not take: {_first_line(error)}") from error


def write_model(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `model.json` into `folder`, atomically; `facts` has `preset` and `parts` (name -> facts) at least."""
    text = json.dumps({"format": FORMAT, **facts}, indent=2, ensure_ascii=False) + "\n"
    write_bytes(folder / MODEL_FILE, text.encode())


def read_model(folder: Path) -> ModelFolder:
    """Return what `model.json` of a folder says.

    Raises InputError when the folder has none, or one of another format, or a part that is not there.
    """
    path = folder / MODEL_FILE
    if not path.is_file():
        raise InputError(f"found no {path}, expected a folder written by `univg-bench convert` or by training")
    try:
        facts = json.loads(path.read_text())
        preset, parts = str(facts["preset"]), tuple(part for part in PARTS if part in facts["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: {_first_line(error)}") from error
    if facts.get("format") != FORMAT:
        raise InputError(f"found format {facts.get('format')!r} in {path}, expected {FORMAT!r}")
    model = ModelFolder(folder, preset, parts, facts)
    for part in parts:
        if not model.weights(part).is_file():
            raise InputError(f"found no {model.weights(part)}, which {path} names; convert the source again")
    return model


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
