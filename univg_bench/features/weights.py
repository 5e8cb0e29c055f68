"""Weights are known by their content, never by their name: from a name in a protocol to the file that holds it.

A number is only as good as the weights behind it, and files with one layout hold different networks: the FVD weights
and `rgb_imagenet.pt` have the same keys and shapes. So a file counts as "the FVD weights" when its checksum says so, or
those of its tensors do. Nothing is downloaded here, and nothing is put in the place of what is missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from univg_bench.errors import InputError
from univg_bench.features.known_weights import KNOWN_WEIGHTS, SHIPPED, KnownFile, Shipped, names

Container = Literal["safetensors", "torch", "torchscript", "tensorflow"]

ENVIRONMENT = "UNIVG_WEIGHTS"
DEFAULT_FOLDER = Path("~/.cache/univg-bench/weights")
_LFS = b"version https://git-lfs"
_PAGES = (b"<!doctype", b"<html", b"<?xml")
SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".data-00000-of-00001")


@dataclass(frozen=True)
class Weights:
    """A weights file that was found and is what was asked for.

    digest: SHA-256 of the file; it stands in every cache key and record. layout: how the file is packed; the keys
    inside are the loader's matter. architecture: what it is known to fit, None for a file that only its user knows.
    """

    name: str
    path: Path
    digest: str
    layout: Container
    note: str
    architecture: str | None


@dataclass(frozen=True)
class FoundFile:
    """A file in a weights folder, with its checksums and, if its content is known, what it is.

    remark: what its tensors say where its checksum says nothing.
    """

    path: Path
    sha256: str
    git_blob: str
    known: KnownFile | None
    remark: str = ""


def find_weights(name: str, folder: Path | None = None) -> Weights:
    """Return the weights `name`, found by content in `folder`, $UNIVG_WEIGHTS or ~/.cache/univg-bench/weights.

    name: one of `names()`, or `sha256:<64 hex digits>`, which pins any file by its own checksum.
    folder: searched first; may also be a single file.

    Raises InputError that says what was looked for, where, and how to get it.
    """
    folders = weights_folders(folder)  # first: a folder that was named and is not there is a mistake in any case
    for shipped in SHIPPED:
        if name == shipped:
            return _shipped(shipped)
    pinned = re.fullmatch(r"sha256:([0-9a-f]{64})", name)
    if not pinned and name not in names():
        raise InputError(
            f"found weights {name!r}, expected one of {', '.join(names())}, or sha256: and 64 lower-case hex digits"
        )
    found = list(scan(folders))
    for file in found:
        if file.sha256 == pinned[1] if pinned else is_good(file, name):
            return weights_of(file, name)
    if not pinned and _wanted(name).architecture == "i3d":
        found = [look_inside(file) for file in found]  # slower: reads their tensors
        for file in found:
            if is_good(file, name):
                return weights_of(file, name)
    raise InputError(_not_found(name, folders, found))


def is_good(file: FoundFile, name: str) -> bool:
    """Return whether a file is known to hold the weights `name`."""
    return file.known is not None and file.known.name == name and not file.known.refused


def weights_folders(folder: Path | None = None) -> list[Path]:
    """Return where weights are looked for, in order: `folder`, $UNIVG_WEIGHTS, the user's cache.

    Raises InputError when a place that the user named is not there.
    """
    asked = {
        "--weights": folder,
        f"${ENVIRONMENT}": Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None,
    }
    folders = []
    for origin, path in asked.items():
        if path is None:
            continue
        if not path.expanduser().exists():
            raise InputError(f"found no {path}, the weights folder that {origin} names")
        folders.append(path.expanduser())
    return [*folders, DEFAULT_FOLDER.expanduser()]


def scan(folders: list[Path]) -> Iterator[FoundFile]:
    """Yield the weights files that lie directly in `folders`, by name; every one is read whole for its checksums."""
    seen: set[Path] = set()
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
            # a hidden file is what an interrupted import or a copying system left behind
            wanted = path == folder or (path.name.endswith(SUFFIXES) and not path.name.startswith("."))
            if not wanted or not path.is_file() or path.resolve() in seen:
                continue
            seen.add(path.resolve())
            yield look_at(path)


def look_at(path: Path) -> FoundFile:
    """Return a file with its checksums, and what they say."""
    status = path.stat()
    sha256, git_blob = checksums(path, status.st_size, status.st_mtime_ns)
    table = {known.checksum: known for known in KNOWN_WEIGHTS}
    return FoundFile(path, sha256, git_blob, table.get(f"sha256:{sha256}") or table.get(f"git-blob:{git_blob}"))


def look_inside(file: FoundFile) -> FoundFile:
    """Return the file with what its tensors say, if its checksums say nothing; only I3Ds are known by their tensors."""
    if file.known is not None:
        return file
    from univg_bench.features.i3d_identity import identify_file  # needs torch, which a checksum does not

    status = file.path.stat()
    identity = identify_file(file.path, status.st_size, status.st_mtime_ns)
    if identity is None:
        return file
    table = {known.checksum: known for known in KNOWN_WEIGHTS}
    known = table.get(f"crc32c:{identity.checkpoint}") if identity.exact else None
    if known is None and identity.refused:
        known = KnownFile(
            "", file.path.name, f"sha256:{file.sha256}", "i3d", "no metric", "", "", refused=identity.refused
        )
    return replace(file, known=known, remark=identity.sentence())


@lru_cache(maxsize=256)
def checksums(path: Path, size: int, mtime_ns: int) -> tuple[str, str]:
    """Return (SHA-256, git blob id) of a file in one reading; size and time of change are the key of the cache."""
    sha256, git_blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            git_blob.update(block)
    return sha256.hexdigest(), git_blob.hexdigest()


def container(path: Path) -> Container:
    """Return how a file is packed, from its content; of TensorFlow's data, which have no mark, from name or size.

    Raises InputError if it is no weights file at all, with what it is instead.
    """
    from univg_bench.features.i3d_checkpoints import checkpoints

    with path.open("rb") as file:
        head = file.read(64)
    if re.search(r"\.data-\d{5}-of-\d{5}$", path.name) and not _is_something_else(head):
        return "tensorflow"
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                # torch.save writes data.pkl alone; only TorchScript has constants beside it
                return "torchscript" if any(n.endswith("/constants.pkl") for n in archive.namelist()) else "torch"
        except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, struct.error) as error:
            raise InputError(f"{path} is a damaged archive, no whole weights file: get it again ({error})") from error
    if path.stat().st_size in {known.size for known in checkpoints()}:
        return "tensorflow"
    if head[8:9] == b"{":  # eight bytes of header length, then JSON
        return "safetensors"
    if head[:1] == b"\x80":  # a pickle, as torch.save wrote before 1.6
        return "torch"
    raise InputError(f"{path} {_no_weights(path, head)}")


def _is_something_else(head: bytes) -> bool:
    """Whether a file that begins like this is what people get in the place of a download."""
    return not head or head.startswith(_LFS) or head.lstrip().lower().startswith(_PAGES)


def _no_weights(path: Path, head: bytes) -> str:
    if not head:
        return "is empty, no weights file: get it again"
    if head.startswith(_LFS):
        return "is a pointer of git-LFS, no weights file: run `git lfs pull` in its repository"
    if head.lstrip().lower().startswith(_PAGES):
        return "is a web page, no weights file: open it in a browser to see what the site wants, and get the file again"
    if head.startswith(b"PK\x03\x04"):
        return "is an archive without its end, no whole weights file: get it again"
    if path.name.endswith(".index"):
        return "is the index of a TensorFlow checkpoint; name the .data-00000-of-00001 file beside it"
    return "is no weights file: neither safetensors, nor written by torch.save, nor TorchScript, nor TensorFlow's data"


def _shipped(name: Shipped) -> Weights:
    from univg_bench.features.tiny import weights_path

    path = weights_path(name)
    if not path.is_file():
        raise InputError(f"found no {path}, which is shipped with univg-bench: the installation is damaged, repeat it")
    status = path.stat()
    digest, _ = checksums(path, status.st_size, status.st_mtime_ns)
    note = "trained on Moving Shapes and shipped; numbers made with it compare with no paper's"
    return Weights(name, path, digest, container(path), note, architecture=name)


def weights_of(file: FoundFile, name: str) -> Weights:
    """Return a file as the weights `name`, with a note on how it is known."""
    known = file.known
    if known is None:
        note = "pinned by its own checksum; nobody but its user knows what it is"
    elif known.refused:
        note = f"pinned by its own checksum: {known.file} {known.refused}"
    elif known.checksum.startswith("crc32c:"):
        note = f"a file that {file.remark}"
    else:
        note = f"{known.file} as published ({known.source})"
    return Weights(name, file.path, file.sha256, container(file.path), note, known.architecture if known else None)


def _wanted(name: str) -> KnownFile:
    return next(known for known in KNOWN_WEIGHTS if known.name == name and not known.refused)


def _not_found(name: str, folders: list[Path], found: list[FoundFile]) -> str:
    places = ", ".join(map(str, folders))
    if name.startswith("sha256:"):
        return (
            f"found no file with {name} among {len(found)} weights files in {places}; put it there under any name that"
            f" ends in {', '.join(SUFFIXES[:-1])}, or name its folder with --weights or ${ENVIRONMENT}"
        )
    wanted = _wanted(name)
    published = {known.file for known in KNOWN_WEIGHTS if known.name == name}
    kin = [f for f in found if f.known and f.known.refused and f.known.architecture == wanted.architecture]
    namesakes = [f for f in found if f.known is None and not f.remark and f.path.name in published]
    return "; ".join(
        [
            f"found no weights {name!r} among {len(found)} weights files in {places}",
            *(f"{f.path} {f.known.refused}" for f in kin if f.known),
            *(f"{f.path} {f.remark}" for f in found if f.known is None and f.remark),
            *(f"{f.path} has the name but not the content (cut download?)" for f in namesakes),
            f"get {wanted.file} from {wanted.source} ({wanted.checksum}, licence: {wanted.licence}) and run"
            f" `univg-bench weights import` on it, or name its folder with --weights or ${ENVIRONMENT}",
        ]
    )
