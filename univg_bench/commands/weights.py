"""`univg-bench weights`: which weights the metrics need, where to get them, and whether what lies here is that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.features.weights import (
    ENVIRONMENT,
    KNOWN_WEIGHTS,
    SHIPPED,
    FoundFile,
    find_weights,
    names,
    scan,
    weights_folders,
)

folder_option = click.option(
    "--weights",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help=f"Folder (or file) to search first; then ${ENVIRONMENT} and ~/.cache/univg-bench/weights.",
)


@click.group(name="weights")
def weights() -> None:
    """List, find and verify the weights that metrics need. Nothing is downloaded."""


@weights.command(name="list")
@folder_option
@click.pass_obj
def list_(console: Console, folder: Path | None) -> None:
    """Print what each metric needs, its licence, where to get it, and what was found here."""
    from univg_bench.features.tiny import weights_path

    found = list(scan(weights_folders(folder)))
    rows: list[dict[str, Any]] = []
    for known in KNOWN_WEIGHTS:
        if known.name and not known.refused:
            paths = [str(file.path) for file in found if file.known == known]
            rows.append(
                {"name": known.name, "use": known.use, "licence": known.licence, "file": known.file,
                 "source": known.source, "checksum": known.checksum, "found": paths[0] if paths else None}
            )  # fmt: skip
    for name in SHIPPED:
        use = "FVD of Moving Shapes" if name == "tiny-i3d" else "CLIPSIM of Moving Shapes"
        rows.append(
            {"name": name, "use": use, "licence": "Apache-2.0", "file": "package data", "source": "this package",
             "checksum": "", "found": str(weights_path(name)) if weights_path(name).is_file() else None}
        )  # fmt: skip
    for row in rows:
        console.say(f"{row['name']:<16}  {row['use']:<26}  {'found: ' + row['found'] if row['found'] else 'not found'}")
        console.say(f"    {row['file']} from {row['source']}")
        console.say(f"    licence: {row['licence']}" + (f"; {row['checksum']}" if row["checksum"] else ""))
    others = [file for file in found if file.known is None or file.known.refused]
    for file in others:
        console.say(f"{file.path}: {_what_is_it(file)}")
    console.finish({"exit_code": 0, "weights": rows, "other_files": {str(f.path): _what_is_it(f) for f in others}})


@weights.command()
@click.argument("name", required=False)
@folder_option
@click.pass_obj
def verify(console: Console, name: str | None, folder: Path | None) -> None:
    """Read the weights NAME (all that are found, without NAME) and compare their checksums.

    NAME is one of `weights list`, or sha256:<hex> for a file that you pin by its own checksum.
    """
    if name is not None:
        found = [find_weights(name, folder)]
    else:
        files = list(scan(weights_folders(folder)))
        spoilt = [file for file in files if file.known is None and file.path.name in _published_names()]
        if spoilt:
            raise InputError(
                "; ".join(f"{f.path} has the name of published weights but not their content" for f in spoilt)
                + ": get it again (`univg-bench weights list` says where), or rename it"
            )
        here = {file.known.name for file in files if file.known and file.known.name and not file.known.refused}
        found = [find_weights(n, folder) for n in names() if n in here or n in SHIPPED]
    for one in found:
        console.say(f"ok  {one.name}  {one.path}")
        console.say(f"    sha256 {one.digest}; {one.note}")
    console.finish(
        {
            "exit_code": 0,
            "verified": {one.name: {"path": str(one.path), "sha256": one.digest, "note": one.note} for one in found},
        }
    )


def _what_is_it(file: FoundFile) -> str:
    if file.known:
        return file.known.refused
    return f"unknown to this table; a protocol can pin it as sha256:{file.sha256}"


def _published_names() -> set[str]:
    return {known.file for known in KNOWN_WEIGHTS if known.name}
