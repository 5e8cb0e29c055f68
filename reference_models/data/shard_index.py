"""Where the images and captions of a tar shard lie, so that any of them can be read without those before.

The `webdataset` package reads shards from front to back, which ties what a step sees to the number of processes and to
everything read before; version 1.0 has no random access. So each shard is walked once, header by header, and what was
found is kept in a folder, 8 numbers an image. Grouping is webdataset's: members in a row whose path is the same
up to the first dot of the file's name are one sample.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from univg_bench.atomic import atomic, machine_faults
from univg_bench.errors import InputError, SampleError

IMAGES = ("jpg", "jpeg", "png", "webp")
CAPTIONS = ("txt", "json")
# columns of an index: where a part begins and how long it is (-1: there is none); json: whether the caption is one
COLUMNS = ("image", "image_size", "caption", "caption_size", "json", "header")
_BLOCK = 512  # of a tar file (POSIX.1-1988, ustar)


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """entries: (n, len(COLUMNS)) int64, mapped from disk. cut_off: what is missing of the shard, "" when it is whole.

    size: of the shard in bytes.
    """

    shard: Path
    size: int
    entries: NDArray[np.int64]
    cut_off: str


def indexed(shard: Path, folder: Path) -> ShardIndex:
    """Return the index of a shard; kept in `folder` until the shard's size or time changes.

    Raises InputError when there is no such file or it is no plain tar file (compressed ones have no random access).
    """
    try:
        facts = shard.stat()
    except FileNotFoundError:
        raise InputError(f"found no shard {shard}") from None
    key = hashlib.sha256(f"2|{shard.resolve()}|{facts.st_size}|{facts.st_mtime_ns}".encode()).hexdigest()[:24]
    kept = folder / f"{shard.stem}-{key}.npy"
    if not kept.is_file():
        with machine_faults(f"read {shard}"):
            rows, whole = _walked(shard, facts.st_size)
        # the last row says whether the shard is whole, so that one file holds all there is to know
        table = np.array([*rows, [int(whole)] * len(COLUMNS)], dtype=np.int64)
        with atomic(kept) as temporary, temporary.open("wb") as file:
            np.save(file, table)
    table = np.load(kept, mmap_mode="r", allow_pickle=False)
    cut = "" if table[-1, 0] else f"{shard} is cut off: it has no end mark after {len(table) - 1} whole images"
    return ShardIndex(shard, facts.st_size, table[:-1], cut)


def check_whole(indices: list[ShardIndex]) -> None:
    """Raise SampleError that names every shard that is cut off, with what is readable of it."""
    cut = {str(index.shard): index.cut_off for index in indices if index.cut_off}
    if cut:
        raise SampleError(
            f"found {len(cut)} of {len(indices)} shards cut off: {'; '.join(list(cut.values())[:3])}; get them again,"
            " or tell the run to skip what is broken",
            cut,
        )


def _walked(shard: Path, size: int) -> tuple[list[list[int]], bool]:
    """Return the rows of all whole samples, and whether the shard ends as a tar file ends."""
    rows: list[list[int]] = []
    row: dict[str, int] = {}
    current = ""
    end = 0
    with shard.open("rb") as file:
        for member in _members(shard, file):
            end = member.offset_data + _padded(member.size)
            if member.offset_data + member.size > size:
                break
            if not member.isfile():
                continue
            key, extension = _split(member.name)
            if key != current:
                rows += _row(row)
                row, current = {}, key
            if extension in IMAGES:
                row |= {"image": member.offset_data, "image_size": member.size, "header": member.offset}
            elif extension in CAPTIONS and ("caption" not in row or extension == "txt"):
                row |= {"caption": member.offset_data, "caption_size": member.size, "json": int(extension == "json")}
        file.seek(end)
        # two blocks of zeros end a tar file; one is enough for all who read them
        whole = file.read(_BLOCK) == bytes(_BLOCK)
    # of a shard that is cut off the last sample may lack parts: what is not certainly whole is not used
    return (rows + _row(row) if whole else rows), whole


def _members(shard: Path, file: object) -> Iterator[tarfile.TarInfo]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:  # type: ignore[call-overload]
            while (member := tar.next()) is not None:
                yield member
                tar.members.clear()  # it would keep every header that it has seen
    except tarfile.ReadError as error:
        if "unexpected end of data" in str(error):
            return
        raise InputError(f"{shard} is no plain tar file ({error}); unpack it if it is compressed") from error


def _row(row: dict[str, int]) -> list[list[int]]:
    return [[row.get(name, -1) for name in COLUMNS]] if "image" in row else []


def _split(name: str) -> tuple[str, str]:
    folder, _, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}/{stem}", extension.lower()


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
