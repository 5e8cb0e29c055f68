"""Published checkpoints as they lie on disk, to tensors by key: one file or shards, and nothing in them is executed.

A .ckpt, .pth or .bin file is a pickle, a program that may do anything. It is read with torch's restricted reader, which
knows tensors and plain data; a file that needs more is refused.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from univg_bench.errors import InputError

SUFFIXES = (".safetensors", ".ckpt", ".pth", ".pt", ".bin")
INDEX_SUFFIX = ".index.json"

# Where trainers put the state dict: Lightning and VGen, DeepSpeed
_WRAPPERS = ("state_dict", "module")
# What trainers put before every key: DeepSpeed's engine, DataParallel. VideoCrafter strips the first 16 characters
# of the keys under `module`, which is the first of these (scripts/evaluation/funcs.py, commit 11bcd76)
_PREFIXES = ("_forward_module.", "module.")

# names of types in a safetensors header
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True, eq=False)
class Source:
    """Tensors of a checkpoint by key, without wrappers around all keys. files: what was read, index first."""

    path: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, Tensor] = field(repr=False)


def read_source(path: Path, *, shapes_only: bool = False) -> Source:
    """Return the tensors of a file, of the shards of an index, or of a folder that holds one of these.

    shapes_only: tensors on the meta device; takes a moment however large the file is.

    Raises InputError for what is not there, is damaged, cannot be read without executing it, or holds no tensors.
    """
    path = _one_of(path) if path.is_dir() else path
    if not path.is_file():
        raise InputError(
            f"found no {path}, expected a checkpoint ({', '.join(SUFFIXES)}), an index of shards or a folder"
        )
    if path.name.endswith(INDEX_SUFFIX):
        tensors: dict[str, Tensor] = {}
        shards = _read_index(path)
        for name, keys in sorted(shards.items()):
            shard = path.parent / name
            if not shard.is_file():
                raise InputError(
                    f"found no {shard}, one of {len(shards)} shards that {path} names; get the missing file"
                )
            found = _read_file(shard, shapes_only=shapes_only)
            if found.keys() != keys:
                odd = sorted(found.keys() ^ keys)[0]
                raise InputError(f"{path} and {shard} do not agree on where {odd} is; get both files again")
            tensors |= found
        return Source(path, (path, *(path.parent / name for name in sorted(shards))), _without_prefix(tensors))
    return Source(path, (path,), _without_prefix(_read_file(path, shapes_only=shapes_only)))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _one_of(folder: Path) -> Path:
    """Return the index in a folder, or its only weights file."""
    indices = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
    candidates = indices or sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.is_file())
    if len(candidates) == 1:
        return candidates[0]
    networks = [
        p.name for p in sorted(folder.iterdir()) if p.is_dir() and any(q.suffix in SUFFIXES for q in p.iterdir())
    ]
    if candidates:
        what = f"{len(candidates)} weights files ({', '.join(p.name for p in candidates[:4])}); name one of them"
    elif networks:
        what = f"no weights file but the networks {', '.join(networks)}; name one of these folders"
    else:
        what = f"no weights file ({', '.join(SUFFIXES)}, *{INDEX_SUFFIX})"
    raise InputError(f"found in {folder} {what}")


def _read_index(path: Path) -> dict[str, set[str]]:
    """Return shard -> its keys."""
    try:
        shards: dict[str, set[str]] = {}
        for key, name in json.loads(path.read_text())["weight_map"].items():
            shards.setdefault(str(name), set()).add(key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"found no 'weight_map' of key to file in {path}, expected an index of shards") from error
    for name in shards:
        if Path(name).name != name or not name.endswith(SUFFIXES):
            raise InputError(f"{path} names the shard {name!r}, expected a weights file in the same folder")
    return shards


def _read_file(path: Path, *, shapes_only: bool) -> dict[str, Tensor]:
    with path.open("rb") as file:
        head = file.read(9)
    if head == b"version h":  # of a pointer file: "version https://git-lfs..."
        raise InputError(f"found in {path} a pointer of Git LFS and no weights; fetch the file itself (git lfs pull)")
    try:
        if head[8:9] == b"{" or path.suffix == ".safetensors":
            return _read_safetensors(path, shapes_only=shapes_only)
        return _state_dict(_read_pickle(path, head, shapes_only=shapes_only), path)
    except (SafetensorError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read {path}: {_first_line(error)}; was it cut off? get it again") from error


def _read_safetensors(path: Path, *, shapes_only: bool) -> dict[str, Tensor]:
    if not shapes_only:
        return load_file(path)
    with safe_open(path, framework="pt") as file:
        slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  # no mapping, has keys() only
    odd = [key for key, part in slices.items() if part.get_dtype() not in _TYPES]
    if odd:
        raise InputError(
            f"found {odd[0]} of type {slices[odd[0]].get_dtype()} in {path}, which we do not convert; take the file in"
            " float32, bfloat16 or float16"
        )
    return {
        key: torch.empty(part.get_shape(), dtype=_TYPES[part.get_dtype()], device="meta")
        for key, part in slices.items()
    }


def _read_pickle(path: Path, head: bytes, *, shapes_only: bool) -> object:
    zipped = zipfile.is_zipfile(path)  # since torch 1.6; a plain pickle before
    if zipped:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise InputError(f"{path} is a TorchScript program, which is not executed; get the plain weights")
            # torch.save stores; the mapped reader would take compressed bytes for numbers, without a word
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise InputError(f"{path} was compressed after it was saved; unpack it and pack it without compression")
    elif head[:4] == b"PK\x03\x04":
        raise InputError(f"{path} was cut off: it is a zip file without its end; get it again")
    elif head[:1] != b"\x80":
        raise InputError(f"{path} is no weights file: neither safetensors nor written by torch.save")
    try:
        with warnings.catch_warnings():  # a pickle of another protocol is read or refused all the same
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="meta" if shapes_only else "cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # of a damaged pickle any may come: KeyError, IndexError, ...
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if not isinstance(error, pickle.UnpicklingError) or (named is None and "weights_only" not in str(error)):
            raise InputError(f"cannot read {path}: {_first_line(error)}; was it cut off? get it again") from error
        calls = named[1] if named else "more than tensors need, or is damaged"
        raise InputError(
            f"refused {path}: it is a pickle that calls {calls}, and nothing in a file is executed here; take a"
            " .safetensors version, or, if you trust its origin, load it once in an environment that may be lost"
            " (torch.load with weights_only=False) and save its state dict as safetensors"
        ) from error


def _state_dict(loaded: object, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
            break
    if not isinstance(loaded, Mapping) or not any(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(
            f"found {type(loaded).__name__} without tensors in {path}, expected tensors by key (a state dict)"
        )
    odd = [key for key, value in loaded.items() if not isinstance(value, Tensor)]
    if odd:
        raise InputError(f"found {odd[0]!r} of type {type(loaded[odd[0]]).__name__} among the tensors of {path}")
    strange = [key for key, value in loaded.items() if not _is_plain(value)]
    if strange:
        raise InputError(f"found {strange[0]!r} in {path}, which is sparse, quantised or repeats what is stored")
    return {str(key): value for key, value in loaded.items()}


def _is_plain(value: Tensor) -> bool:
    """Say whether a tensor is dense and no larger than what is stored: a view may repeat four bytes for ever."""
    if value.layout != torch.strided or value.is_quantized:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    if not tensors:
        raise InputError("found no tensors")
    return tensors


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
