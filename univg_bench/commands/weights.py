"""`univg-bench weights`: which weights the metrics need, where to get them, and whether what lies here is that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.features.known_weights import KNOWN_WEIGHTS, SHIPPED, names
from univg_bench.features.weights import (
    ENVIRONMENT,
    FoundFile,
    Weights,
    container,
    find_weights,
    look_at,
    look_inside,
    scan,
    weights_folders,
    weights_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from univg_bench.features.anchors import Check

folder_option = click.option(
    "--weights",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help=f"Folder (or file) to search first; then ${ENVIRONMENT} and ~/.cache/univg-bench/weights.",
)


@click.group(name="weights")
def weights() -> None:
    """List, import and verify the weights that metrics need. Nothing is downloaded."""


@weights.command(name="list")
@folder_option
@click.pass_obj
def list_(console: Console, folder: Path | None) -> None:
    """Print what each metric needs, its licence, where to get it, and what was found here."""
    from univg_bench.features.tiny import weights_path

    found = [look_inside(file) for file in scan(weights_folders(folder))]
    rows: list[dict[str, Any]] = []
    for known in KNOWN_WEIGHTS:
        if known.name:
            paths = [str(file.path) for file in found if file.known == known]
            rows.append(
                {"name": known.name, "use": known.use, "licence": known.licence, "file": known.file,
                 "source": known.source, "checksum": known.checksum, "found": paths[0] if paths else None}
            )  # fmt: skip
    for tiny in SHIPPED:
        use = "FVD of Moving Shapes" if tiny == "tiny-i3d" else "CLIPSIM of Moving Shapes"
        rows.append(
            {"name": tiny, "use": use, "licence": "Apache-2.0", "file": "package data", "source": "this package",
             "checksum": "", "found": str(weights_path(tiny)) if weights_path(tiny).is_file() else None}
        )  # fmt: skip
    for name in names():
        files = [row for row in rows if row["name"] == name]
        here = next((row["found"] for row in files if row["found"]), None)
        console.say(f"{name:<16}  {files[0]['use']:<26}  {'found: ' + here if here else 'not found'}")
        for number, row in enumerate(files):
            console.say(f"    {'or ' if number else ''}{row['file']} from {row['source']}")
            console.say(f"        licence: {row['licence']}" + (f"; {row['checksum']}" if row["checksum"] else ""))
    others = [file for file in found if file.known is None or file.known.refused]
    for file in others:
        console.say(f"{file.path}: {_what_is_it(file)}")
    console.finish({"exit_code": 0, "weights": rows, "other_files": {str(f.path): _what_is_it(f) for f in others}})


@weights.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="Refuse the file if it holds other weights than these.")
@click.option("--dry-run", is_flag=True, help="Say what it is and where it would go; write nothing.")
@click.pass_obj
def import_(console: Console, file: Path, name: str | None, dry_run: bool) -> None:
    """Take FILE into the weights folder ($UNIVG_WEIGHTS, or the cache), if it is weights that a metric needs.

    The FVD weights become one safetensors file, the same from whatever layout; other files are copied as they are. A
    note beside says what was imported, from what, and when.
    """
    from univg_bench.features.weights_import import carry_out, import_folder, plan_import

    if name is not None and name not in names():
        raise InputError(f"found weights {name!r}, expected one of {', '.join(names())}")
    plan = plan_import(file, folder=import_folder(), name=name)
    verb = {"copy": "copied", "convert": "converted"}[plan.how]
    console.say(f"{file} {plan.what}: {plan.name}")
    if not dry_run:
        note = carry_out(plan)
        console.say(f"{verb} to {plan.dest}; its origin stands in {note.name}")
    else:
        console.say(f"would be {verb} to {plan.dest}")
    console.finish(
        {"exit_code": 0, "dry_run": dry_run, **asdict(plan), "source": str(plan.source), "dest": str(plan.dest)}
    )


@weights.command()
@click.argument("name", required=False)
@folder_option
@click.option("--quick", is_flag=True, help="Leave out the anchor that takes minutes.")
@click.option(
    "--sample-clip",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="DeepMind's v_CricketShot_g04_c01_rgb.npy: check the network with rgb_imagenet, which then must be here too.",
)
@click.pass_obj
def verify(console: Console, name: str | None, folder: Path | None, quick: bool, sample_clip: Path | None) -> int:
    """Compute published numbers again with the weights NAME (a name or a file; all that are found, without).

    Exit 0 when all agree, 1 when one does not, 2 when weights are missing, refused or damaged. NAME is one of `weights
    list`, sha256:<hex> for a file that you pin by its own checksum, or a path.
    """
    from univg_bench.features import anchors

    def watch(clips: Iterator[Tensor], total: int) -> Iterator[Tensor]:
        return console.progress(clips, total=total, title="clips", unit="clip") if total > 1 else clips

    record: dict[str, Any] = {}
    for one in _targets(name, folder, sample_clip):
        tensors = _tensors(one)
        console.say(f"{one.name}  {one.path}")
        console.say(f"    sha256 {one.digest}; {one.note}")
        if tensors:
            console.say(f"    {tensors}")
        if sample_clip is not None:
            found = anchors.check_sample_clip(anchors.network(one), sample_clip)
        else:
            found = anchors.checks_of(one, quick=quick, watch=watch) if one.name in names() else iter(())
        checks: list[Check] = []
        for check in found:
            checks.append(check)
            console.say(
                f"    {'pass' if check.ok else 'FAIL'}  {check.name}: {check.measured:.7g}, expected"
                f" {check.expected:.7g} ± {check.tolerance:g} ({check.source})"
            )
        if not checks:
            console.say("    there is no published number to compute again")
        record[one.name] = {
            "path": str(one.path), "sha256": one.digest, "note": one.note, "tensors": tensors,
            "checks": [{**asdict(check), "ok": check.ok} for check in checks],
        }  # fmt: skip
    failed = [f"{key}: {c['name']}" for key, value in record.items() for c in value["checks"] if not c["ok"]]
    if failed:
        console.say(
            f"{len(failed)} failed: {'; '.join(failed)}; these weights, or this reader of them, are not to trust"
        )
    code = 1 if failed else 0
    console.finish({"exit_code": code, "quick": quick, "verified": record})
    return code


def _tensors(one: Weights) -> str:
    """Return what the tensors of an I3D say, also where a checksum has said enough; nothing of other networks."""
    from univg_bench.features.i3d_identity import identify_file

    if one.architecture not in ("i3d", None):
        return ""
    status = one.path.stat()
    identity = identify_file(one.path, status.st_size, status.st_mtime_ns)
    return identity.sentence() if identity else ""


def _targets(name: str | None, folder: Path | None, sample_clip: Path | None) -> list[Weights]:
    if sample_clip is not None:
        place = [Path(name)] if name is not None and Path(name).is_file() else weights_folders(folder)
        for file in map(look_inside, scan(place)):
            if file.known is not None and file.known.checkpoint == "rgb_imagenet":
                return [weights_of(file, "rgb_imagenet")]
        raise InputError(
            f"found no rgb_imagenet in {', '.join(map(str, place))}, whose numbers for this clip are published; get it"
            " from github.com/google-deepmind/kinetics-i3d, folder data/checkpoints/rgb_imagenet"
        )
    if name is not None and name not in names() and Path(name).exists():
        return [_file_target(Path(name))]
    if name is not None:
        return [find_weights(name, folder)]
    if folder is not None and folder.expanduser().is_file():
        return [_file_target(folder.expanduser())]
    files = [look_inside(file) for file in scan(weights_folders(folder))]
    spoilt = [f for f in files if f.known is None and f.path.name in _published_names()]
    if spoilt:
        raise InputError(
            "; ".join(f"{f.path} has the name of published weights but not their content" for f in spoilt)
            + ": get it again (`univg-bench weights list` says where), or rename it"
        )
    here = [weights_of(f, f.known.name) for f in files if f.known is not None and not f.known.refused]
    first = {one.name: one for one in reversed(here)}  # of two files with one name the first counts, as in evaluation
    return [first[n] if n in first else find_weights(n, folder) for n in names() if n in first or n in SHIPPED]


def _file_target(path: Path) -> Weights:
    if path.is_dir():
        raise InputError(f"found {path}, a folder; name a file, or give the folder with --weights")
    container(path)
    file = look_inside(look_at(path))
    if file.known is None:
        raise InputError(f"{path}: {_what_is_it(file)}")
    if file.known.refused:
        raise InputError(f"{path} {file.known.refused}")
    return weights_of(file, file.known.name)


def _what_is_it(file: FoundFile) -> str:
    if file.known:
        return file.known.refused
    try:
        container(file.path)
    except InputError as error:
        return str(error).removeprefix(f"{file.path} ")
    what = file.remark or "unknown to this table"
    return f"{what}; a protocol can pin it as sha256:{file.sha256}"


def _published_names() -> set[str]:
    return {known.file for known in KNOWN_WEIGHTS if known.name and "/" not in known.file}
