"""Tensors out of a TorchScript archive, which is read and never executed.

OpenAI's CLIP and StyleGAN-V's I3D are published as programs (`torch.jit.load` would run them, and is deprecated). Such
a file is a zip: `data.pkl` describes the module tree, `data/<n>` are raw storages, `code/` is the program. Only the
first two are read here, by an unpickler that knows tensors, plain data, and nothing that could do anything.

Source: PyTorch, torch/csrc/jit/docs/serialization.md.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
import zlib
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

_MOST_UNPACKED = 10  # times its own size: tensors lie in an archive as they are, the program alone is compressed
_ALWAYS_UNPACKED = 1 << 26  # bytes that harm nobody, whatever the size of the archive
_MOST_MODULES = 10_000  # CLIP has hundreds; modules that stand in two places, one within the other, make endless trees


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
            _refuse_bombs(archive, path.stat().st_size)
            content = archive.read(member)
            _refuse_memo(content)
            module = _Unpickler(io.BytesIO(content), lambda key: archive.read(f"{root}/data/{key}")).load()
        return dict(_walk(module))
    except (
        zipfile.BadZipFile, pickle.UnpicklingError, KeyError, EOFError, ValueError, TypeError, AttributeError,
        IndexError, RuntimeError, zlib.error, MemoryError, OverflowError,
    ) as error:  # fmt: skip
        said = str(error).partition("\n")[0] or f"it is damaged ({type(error).__name__})"
        raise InputError(f"cannot read the TorchScript archive {path}: {said}") from error


def _only(archive: zipfile.ZipFile, name: str) -> str:
    members = [n for n in archive.namelist() if PurePosixPath(n).parts[1:] == (name,)]
    if len(members) != 1:
        raise InputError(f"found {len(members)} members {name} in {archive.filename}, expected one")
    return members[0]


def _refuse_bombs(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse archives that would unpack to much more than they are; weights do not compress, and are stored plainly."""
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(_MOST_UNPACKED * size, _ALWAYS_UNPACKED):
        raise InputError(f"{archive.filename} of {size} bytes would unpack to {unpacked}: no weights do, refused")


def _refuse_memo(content: bytes) -> None:
    """Refuse a pickle that numbers its objects higher than it has bytes: Python makes room for all of them first."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > len(content):
            raise pickle.UnpicklingError(f"it numbers an object {argument}, with {len(content)} bytes for all of them")


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
        self._known: dict[tuple[str, torch.dtype], Tensor] = {}  # views of one storage share it

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
        if (str(key), dtype) in self._known:
            return self._known[str(key), dtype]
        content = bytearray(self._storage(str(key)))  # frombuffer wants memory that may be written
        if len(content) != length * dtype.itemsize:
            raise pickle.UnpicklingError(f"found {len(content)} bytes in storage {key}, expected {length} of {dtype}")
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        self._known[str(key), dtype] = flat
        return flat


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_unused: object) -> Tensor:
    # as_strided checks that the view stays inside its storage
    return storage.as_strided(size, stride, offset)


def _untagged(value: object, _type_name: str) -> object:
    return value


def _walk(root: object) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a module tree under their dotted names, in the order in which they stand."""
    if not isinstance(root, _Module):
        raise pickle.UnpicklingError(f"found {type(root).__name__}, expected a module")
    modules = 0
    ahead: list[tuple[str, object]] = [("", root)]
    while ahead:
        name, value = ahead.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, _Module):
            modules += 1
            if modules > _MOST_MODULES:
                raise pickle.UnpicklingError(f"its tree has more than {_MOST_MODULES} modules")
            children = getattr(value, "attributes", {}).items()  # a module without state has none
            ahead += reversed([(f"{name}.{key}" if name else str(key), child) for key, child in children])
