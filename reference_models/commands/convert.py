"""`univg-bench convert`: published weights into our own files, with an account of every key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from univg_bench.console import Console
from univg_bench.errors import InputError

if TYPE_CHECKING:
    from reference_models.convert.bundle import Bundle

SHOWN = 5  # keys of a list that a person sees without --verbose


@click.command(short_help="Turn published weights into ours.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--dest", type=click.Path(path_type=Path), help="Folder for the parts and model.json.")
@click.option("--family", help="Which published model it is, where its keys do not tell (docs/convert.md).")
@click.option("--part", type=click.Choice(["unet", "vae", "text", "image", "resampler"]), help="Take this part alone.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), help="Of what is written [as found].")
@click.option("--dry-run", is_flag=True, help="Only say what would become of every key; reads no weights.")
@click.pass_obj
def convert(
    console: Console,
    source: Path,
    dest: Path | None,
    family: str | None,
    part: Any,
    dtype: str | None,
    dry_run: bool,
) -> int:
    """Turn published weights into the reference models' own files.

    SOURCE is a checkpoint (.ckpt, .pth, .bin, .safetensors), an index of shards, or a folder that holds one of these.
    Nothing in it is executed. Each network that it holds becomes a safetensors file in --dest, with a digest; several
    sources may go into one folder. The weights keep their authors' terms, and are none of UniVG's.
    """
    if dest is None and not dry_run:
        raise InputError("found no --dest, expected a folder to write to, or --dry-run to see what would be done")

    from reference_models.checkpoints import DTYPES
    from reference_models.convert.bundle import save_bundle, take_apart
    from reference_models.convert.files import read_source

    opened = read_source(source, shapes_only=dry_run)
    bundle = take_apart(opened, asked=family, only=part)
    _tell(console, bundle)
    if dry_run:
        code = 2 if bundle.problem() else 0
        if code:
            console.warn(f"{source} does not fit: {bundle.problem()}")
        console.finish({"exit_code": code, "written": False, **_account(bundle)})
        return code  # and not an error, which would put another record behind the account
    assert dest is not None
    facts = save_bundle(bundle, opened, dest, dtype=DTYPES[dtype] if dtype else None)
    console.say(f"wrote {', '.join(bundle.parts)} of {bundle.preset} to {dest}")
    console.finish({"exit_code": 0, "written": True, **_account(bundle), "model": facts})
    return 0


def _tell(console: Console, bundle: Bundle) -> None:
    shown = None if console.verbose else SHOWN
    console.say(f"preset {bundle.preset}")
    for name, conversion in bundle.parts.items():
        report = conversion.report
        console.say(
            f"{name}: {len(report.used)} keys used ({len(report.reshaped)} reshaped), {len(report.unused)} unused,"
            f" {len(report.missing)} missing, {len(report.misfits)} of another shape"
        )
        for what, listed in (("unused", report.unused), ("missing", report.missing), ("misfit", report.misfits)):
            for key in listed[:shown]:
                console.say(f"  {what}  {key}")
            if len(listed[:shown]) < len(listed):
                console.say(f"  {what}  ... and {len(listed) - SHOWN} more (--verbose, --json)")
    reasons: dict[str, list[str]] = {}
    for key, reason in bundle.dropped.items():
        reasons.setdefault(reason, []).append(key)
    for reason, keys in reasons.items():
        more = f" and {len(keys) - SHOWN} more" if shown and len(keys) > shown else ""
        console.say(f"dropped {len(keys)}: {', '.join(keys[:shown])}{more} ({reason})")
    if bundle.unknown:
        console.say(f"unknown {len(bundle.unknown)}: {', '.join(bundle.unknown[:shown])}")
    if bundle.left:
        console.say(f"left {bundle.left} keys that were not asked for")
    for note in bundle.notes:
        console.warn(note)


def _account(bundle: Bundle) -> dict[str, Any]:
    """Return every key of the source and what becomes of it, as JSON has it."""
    return {
        "preset": bundle.preset,
        "parts": {
            name: {
                "settings": dict(conversion.settings),
                "used": list(conversion.report.used),
                "reshaped": list(conversion.report.reshaped),
                "unused": list(conversion.report.unused),
                "missing": list(conversion.report.missing),
                "misfits": list(conversion.report.misfits),
            }
            for name, conversion in bundle.parts.items()
        },
        "dropped": dict(bundle.dropped),
        "unknown": list(bundle.unknown),
        "left": bundle.left,
        "notes": list(bundle.notes),
    }
