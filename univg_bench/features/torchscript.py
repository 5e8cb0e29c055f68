"""Tensors out of a TorchScript archive, which is read and never executed.

OpenAI's CLIP and StyleGAN-V's I3D are published as programs (`torch.jit.load` would run them, and is deprecated). Such
a file is a zip: `data.pkl` describes the module tree, `data/<n>` are raw storages, `code/` is the program. Only the
first two are read here, by an unpickler that knows tensors, plain data, and nothing that could do anything.

Source: PyTorch, torch/csrc/jit/docs/serialization.md.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from univg_bench.errors import InputError

# storage classes, as data.pkl names them -> dtype of their elements
_STORAGES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return every tensor of the archive's module tree under its dotted name, in its own dtype, on the CPU.

    That is the state dict, and besides it tensors that modules hold as plain attributes (a causal mask, say).

    Raises InputError for a damaged archive, and for one whose pickle names anything but modules and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only(archive, "data.pkl")
            root = PurePosixPath(member).parent
            if f"{root}/byteorder" in archive.namelist() and archive.read(f"{root}/byteorder") != b"little":
                raise InputError(f"{path} was written on a big-endian machine, which this reader does not know")
            with archive.open(member) as stream:
                module = _Unpickler(stream, lambda key: archive.read(f"{root}/data/{key}")).load()
        return dict(_walk(module, ""))
    except (
        zipfile.BadZipFile, pickle.UnpicklingError, KeyError, EOFError, ValueError, TypeError, AttributeError,
        IndexError, RuntimeError,
    ) as error:  # fmt: skip
        raise InputError(f"cannot read the TorchScript archive {path}: {error}") from error


def _only(archive: zipfile.ZipFile, name: str) -> str:
    members = [n for n in archive.namelist() if PurePosixPath(n).parts[1:] == (name,)]
    if len(members) != 1:
        raise InputError(f"found {len(members)} members {name} in {archive.filename}, expected one")
    return members[0]


class _Module:
    """Stands for any class `__torch__.…` of the archive: a bag of attributes, without their code."""

    __slots__ = ("attributes",)
    attributes: dict[str, Any]

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"found a module with the state {type(state).__name__}, expected attributes")
        self.attributes = state


class _Unpickler(pickle.Unpickler):
    """Knows modules, tensors and lists; every other global of the stream is refused before it is looked up."""

    def __init__(self, stream: Any, storage: Callable[[str], bytes]) -> None:
        super().__init__(stream)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Return what a global of the stream stands for; nothing is imported."""
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch.jit._pickle", "restore_type_tag"):
            return _untagged
        if module == "torch.jit._pickle" and name in ("build_intlist", "build_tensorlist", "build_doublelist"):
            return list
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no weights need; refused, nothing was executed")

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the flat storage that ('storage', dtype, key, device, length) names."""
        kind, dtype, key, _device, length = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not str(key).isalnum():
            raise pickle.UnpicklingError(f"found the reference {pid!r}, expected a storage")
        content = bytearray(self._storage(str(key)))  # frombuffer wants memory that may be written
        if len(content) != length * dtype.itemsize:
            raise pickle.UnpicklingError(f"found {len(content)} bytes in storage {key}, expected {length} of {dtype}")
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_unused: object) -> Tensor:
    # as_strided checks that the view stays inside its storage
    return storage.as_strided(size, stride, offset)


def _untagged(value: object, _type_name: str) -> object:
    return value


def _walk(module: object, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if not isinstance(module, _Module):
        raise pickle.UnpicklingError(f"found {type(module).__name__}, expected a module")
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _walk(value, f"{prefix}{name}.")
