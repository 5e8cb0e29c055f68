"""Tensors of a TensorFlow checkpoint, without TensorFlow: `x.data-00000-of-00001` and the `x.index` beside it.

The data file is nothing but the tensors' bytes, one after the other. The index says which: a table in LevelDB's format
(sorted keys with shared prefixes, in blocks that may be compressed) whose values are small protocol buffers. Every
block and every tensor carries a checksum, and all of them are verified.

Source: google/leveldb, doc/table_format.md; google/snappy, format_description.txt; tensorflow,
core/protobuf/tensor_bundle.proto and core/framework/types.proto.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.features.crc32c import crc32c, masked

_MAGIC = 0xDB4775248B80FB57  # the last eight bytes of every table
_FOOTER = 48
_TRAILER = 5  # behind every block: how it is compressed, and a checksum
_MOST_AXES = 8  # those of networks have up to 5
_LARGEST_BLOCK = 1 << 26  # of an index: those of networks have some 10 kB

# tensorflow DataType -> NumPy's
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in the data file. crc: masked CRC-32C of its bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int
    crc: int


class _DamagedError(ValueError):
    """The index is not what the format says; turned into the user's error with the file's name."""


def index_path(data: Path) -> Path:
    """Return where the index of a data file lies: beside it, under the same prefix."""
    return data.with_name(re.sub(r"\.data-\d{5}-of-\d{5}$", "", data.name) + ".index")


def read_bundle(data: Path) -> dict[str, NDArray[np.generic]]:
    """Return the tensors of a checkpoint of one data file by name, each verified by its checksum.

    Raises InputError for a missing or damaged index, several data files, kinds of tensors that no network has, and
    data that are cut short or changed.
    """
    index = index_path(data)
    if not index.is_file():
        raise InputError(
            f"found {data} without {index.name}, which says which tensors it holds; put it into the same folder"
        )
    return read_tensors(data, read_index(index))


def read_tensors(data: Path, entries: Mapping[str, Entry]) -> dict[str, NDArray[np.generic]]:
    """Return the tensors that lie in a data file as `entries` say, each verified by its checksum.

    Raises InputError for data that are cut short or changed.
    """
    content = data.read_bytes()
    end = max((entry.offset + entry.size for entry in entries.values()), default=0)
    if len(content) < end:
        raise InputError(f"{data} is cut short: found {len(content)} bytes, its index names {end}")
    if sum(entry.size for entry in entries.values()) > len(content):
        raise InputError(f"{data} does not belong to its index, which lets tensors overlap")
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, entry in entries.items():
        piece = content[entry.offset : entry.offset + entry.size]
        if masked(crc32c(piece)) != entry.crc:
            raise InputError(f"{data} is damaged: the checksum of its tensor {name} is not the stored one")
        tensors[name] = np.ndarray(entry.shape, entry.dtype, piece).copy()  # a copy may be written to
    return tensors


def read_index(path: Path) -> dict[str, Entry]:
    """Return where the tensors of a checkpoint lie, by name.

    Raises InputError for a damaged file, several data files, and kinds of tensors that no network has.
    """
    content = path.read_bytes()
    try:
        if len(content) < _FOOTER or struct.unpack("<Q", content[-8:])[0] != _MAGIC:
            raise _DamagedError("it does not end as such an index ends (cut short?)")
        footer = content[-_FOOTER:]
        _, _, position = _handle(footer, 0)
        offset, size, _ = _handle(footer, position)
        rows: dict[bytes, bytes] = {}
        for _, handle in _rows(_block(content, offset, size)):
            rows |= dict(_rows(_block(content, *_handle(handle, 0)[:2])))
        return {name.decode(): _entry(name.decode(), value) for name, value in rows.items() if name or _header(value)}
    except (_DamagedError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as the index of a TensorFlow checkpoint: {error}") from error


# --- the table --------------------------------------------------------------------------------------------------------


def _handle(data: bytes, position: int) -> tuple[int, int, int]:
    """Return (offset, size, next position) of a block handle."""
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return offset, size, position


def _block(content: bytes, offset: int, size: int) -> bytes:
    end = offset + size + _TRAILER
    if end > len(content):
        raise _DamagedError("a block lies beyond its end (cut short?)")
    stored = content[offset : offset + size]
    kind, crc = struct.unpack("<BI", content[offset + size : end])
    if masked(crc32c(content[offset : offset + size + 1])) != crc:
        raise _DamagedError("the checksum of a block is not the stored one")
    if kind == 0:
        return stored
    if kind == 1:
        return _unsnap(stored)
    raise _DamagedError(f"a block is compressed by method {kind}, which is not known here")


def _rows(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs of a block; each key repeats the start of the one before it."""
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 - 4 * restarts
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + fresh + length > end:
            raise _DamagedError("a row of a block lies beyond its end")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _unsnap(data: bytes) -> bytes:
    """Return what Snappy made `data` of: literal bytes, and copies of what came out already."""
    length, position = _varint(data, 0)
    if length > _LARGEST_BLOCK:
        raise _DamagedError(f"a block claims to hold {length} bytes")
    out = bytearray()
    while position < len(data):
        tag = data[position]
        position += 1
        if tag & 3 == 0:
            count, extra = (tag >> 2) + 1, max(0, (tag >> 2) - 59)
            if extra:
                count = int.from_bytes(data[position : position + extra], "little") + 1
                position += extra
            out += data[position : position + count]
            position += count
            continue
        if tag & 3 == 1:
            count, extra = (tag >> 2 & 7) + 4, 1
            distance = tag >> 5 << 8 | data[position]
        else:
            count, extra = (tag >> 2) + 1, 2 if tag & 3 == 2 else 4
            distance = int.from_bytes(data[position : position + extra], "little")
        position += extra
        if not 0 < distance <= len(out):
            raise _DamagedError("a compressed block copies from before its start")
        for _ in range(count):  # a copy may run into what it has just written
            out.append(out[-distance])
        if len(out) > length:
            break
    if len(out) != length:
        raise _DamagedError(f"a compressed block holds {len(out)} bytes, expected {length}")
    return bytes(out)


# --- the protocol buffers ---------------------------------------------------------------------------------------------


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return (number, next position): seven bits a byte, lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _DamagedError("a number has no end")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the (number, value) pairs of a protocol buffer."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag & 7 == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if tag & 7 == 2:
            size, position = _varint(message, position)
        elif tag & 7 in (1, 5):
            size = 8 if tag & 7 == 1 else 4
        else:
            raise _DamagedError(f"a message has a field of wire type {tag & 7}")
        if position + size > len(message):
            raise _DamagedError("a message is cut short")
        yield tag >> 3, message[position : position + size]
        position += size


def _header(value: bytes) -> bool:
    """Check the entry under the empty key, BundleHeaderProto, which is about the whole; it is no tensor: False."""
    fields = dict(_fields(value))
    if fields.get(1, 1) != 1:
        raise _DamagedError(f"the checkpoint has {fields[1]!r} data files, only one is read here")
    if fields.get(2, 0) != 0:
        raise _DamagedError("it was written on a big-endian machine")
    return False


def _entry(name: str, value: bytes) -> Entry:
    """Return BundleEntryProto as an Entry."""
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: tuple[int, ...] = ()
    crc = 0
    for field, content in _fields(value):
        if field == 2 and isinstance(content, bytes):
            shape = tuple(_sizes(content))
        elif field == 6 and isinstance(content, bytes):
            crc = int.from_bytes(content, "little")
        elif field == 7:
            raise _DamagedError(f"the tensor {name} is stored in slices")
        elif isinstance(content, int):
            numbers[field] = content
    if numbers[1] not in _DTYPES:
        raise _DamagedError(f"the tensor {name} is of TensorFlow's type {numbers[1]}, expected numbers")
    dtype = _DTYPES[numbers[1]]
    count = math.prod(shape)
    if len(shape) > _MOST_AXES or any(size > numbers[5] for size in shape):
        raise _DamagedError(f"the tensor {name} has {len(shape)} axes of up to {max(shape)} numbers")
    if count * np.dtype(dtype).itemsize != numbers[5] or numbers[3] != 0:
        raise _DamagedError(f"the tensor {name} of shape {shape} has {numbers[5]} bytes in data file {numbers[3]}")
    return Entry(dtype, shape, numbers[4], numbers[5], crc)


def _sizes(shape: bytes) -> Iterator[int]:
    for field, dim in _fields(shape):
        if field == 2 and isinstance(dim, bytes):
            size = dict(_fields(dim)).get(1, 0)
            if not isinstance(size, int):
                raise _DamagedError("a shape is no list of numbers")
            yield size
