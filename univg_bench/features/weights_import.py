"""Weights into the weights folder: identified first, then copied or converted, with a note of where they came from.

What is converted must be known again afterwards, by content and not by what the file says of itself. I3D can be: its
tensors have known checksums. So DeepMind's checkpoint, or any copy of it, becomes one safetensors file, the same bytes
whatever it was made of. CLIP and Inception are known by the checksum of the published file alone, so that is copied.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from univg_bench import __version__
from univg_bench.atomic import atomic, write_bytes
from univg_bench.errors import InfrastructureError, InputError
from univg_bench.features.weights import (
    DEFAULT_FOLDER,
    ENVIRONMENT,
    FoundFile,
    Weights,
    checksums,
    container,
    look_at,
    look_inside,
)

FVD_CHECKPOINT = "rgb_scratch"


@dataclass(frozen=True)
class Import:
    """What an import will do. name: of the weights. what: how they are known, as the end of a sentence."""

    name: str
    source: Path
    dest: Path
    how: Literal["copy", "convert"]
    what: str
    sha256: str
    git_blob: str


def import_folder() -> Path:
    """Return where imported weights go: $UNIVG_WEIGHTS, or ~/.cache/univg-bench/weights.

    Raises InputError when that is a file.
    """
    folder = Path(os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"found {folder}, a file; set ${ENVIRONMENT} to the folder that weights go to")
    return folder


def plan_import(source: Path, *, folder: Path, name: str | None = None) -> Import:
    """Return what importing `source` into `folder` will do; reads the whole file, writes nothing.

    name: refuse the file if it holds other weights.

    Raises InputError for a file that is not there, cannot be read, is refused, or that nobody knows, with the reason.
    """
    if source.is_dir():
        raise InputError(f"found {source}, a folder; name the weights file in it")
    if not source.is_file():
        raise InputError(f"found no {source}; name the weights file that you have got")
    container(source)  # a web page or a pointer in the place of weights is said to be one
    file = look_inside(look_at(source))
    known = file.known
    if known is None:
        raise InputError(_unknown(file))
    if known.refused:
        raise InputError(f"{source} {known.refused}")
    if name is not None and known.name != name:
        raise InputError(f"{source} holds the weights {known.name!r}, not {name!r}")
    if known.architecture == "i3d" and _is_fvd_checkpoint(source):
        how: Literal["copy", "convert"] = "convert"
        dest = folder / f"{known.name}.safetensors"
    else:
        how, dest = "copy", folder / known.file.replace("/", "-")
    if dest.exists() and dest.samefile(source):
        raise InputError(f"{source} is in its place already")
    what = file.remark or f"is {known.file} as published ({known.source})"
    return Import(known.name, source, dest, how, what, file.sha256, file.git_blob)


def carry_out(plan: Import) -> Path:
    """Write the weights and a note of their origin beside them; return the note's path. Both are whole or not there.

    Raises InfrastructureError when what was written is not what was read.
    """
    with atomic(plan.dest) as temporary:
        if plan.how == "convert":
            _convert(plan.source, temporary)
        else:
            shutil.copyfile(plan.source, temporary)
            if checksums(temporary, temporary.stat().st_size, temporary.stat().st_mtime_ns)[0] != plan.sha256:
                raise InfrastructureError(f"{plan.source} changed while it was copied; run the same command again")
    note = plan.dest.with_name(f"{plan.dest.name}.provenance.json")
    record = {
        **{key: value for key, value in asdict(plan).items() if key not in ("source", "dest")},
        "source_file": plan.source.name,
        "file": plan.dest.name,
        "file_sha256": look_at(plan.dest).sha256,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "univg_bench": __version__,
    }
    write_bytes(note, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    return note


def _convert(source: Path, dest: Path) -> None:
    from safetensors.torch import load_file, save_file

    from univg_bench.features.i3d_identity import identify
    from univg_bench.features.i3d_layouts import keys, read_i3d_tensors

    state = read_i3d_tensors(Weights(source.name, source, "", container(source), "", None))
    # one entry, and nothing that differs between sources or days: equal weights become equal files
    save_file({key: state[key].contiguous() for key in keys()}, dest, metadata={"checkpoint": FVD_CHECKPOINT})
    identity = identify(load_file(dest))
    if not identity.exact or identity.checkpoint != FVD_CHECKPOINT:
        raise InfrastructureError(f"{dest} {identity.sentence()}, unlike {source}; check the disk, and try again")


def _is_fvd_checkpoint(path: Path) -> bool:
    from univg_bench.features.i3d_identity import identify_file

    status = path.stat()
    identity = identify_file(path, status.st_size, status.st_mtime_ns)
    return identity is not None and identity.exact and identity.checkpoint == FVD_CHECKPOINT


def _unknown(file: FoundFile) -> str:
    from univg_bench.features.tensors import read_tensors

    if file.remark:
        return (
            f"{file.path} {file.remark}; a protocol can pin it as sha256:{file.sha256}, and its FVD will compare with"
            " no other"
        )
    tensors = read_tensors(Weights(file.path.name, file.path, file.sha256, container(file.path), "", None))
    return (
        f"{file.path} is unknown: neither its checksum nor its {len(tensors)} tensors are in the table of"
        f" `weights list`; a protocol can pin it as sha256:{file.sha256}"
    )
