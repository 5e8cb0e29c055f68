"""`univg-bench import`: take a folder of somebody's videos into a run."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.commands.options import data_option, workers_option
from univg_bench.console import Console
from univg_bench.errors import InputError

_PATH = click.Path(path_type=Path)


@click.command(name="import")
@click.argument("protocol", metavar="PROTOCOL")
@click.option("--model", required=True, help="Name of the model; it becomes a folder.")
@click.option("--from", "source", required=True, type=_PATH, help="The folder with the videos.")
@data_option
@click.option("--dest", type=_PATH, default=Path("runs"), show_default=True, help="The folder of all runs.")
@click.option("--images", type=_PATH, help="The folder of condition images, where the protocol says they are given.")
@click.option("--pattern", help='Where the file of an item lies, e.g. "{item_id}/{k}.mp4".  [default: {item_id}.*]')
@click.option("--map", "table", type=_PATH, help="A CSV file with the columns item_id, path and perhaps k.")
@click.option("--layout", type=click.Choice(["vbench", "evalcrafter"]), help="{prompt}-{k}.mp4, or 0000.mp4 ...")
@click.option(
    "--place",
    type=click.Choice(["copy", "hardlink", "symlink", "in-place"]),
    default="copy",
    show_default=True,
    help="How the videos get into the run; in-place leaves them where they are.",
)
@click.option("--allow-missing", is_flag=True, help="Go on without failing samples; results will say incomplete.")
@workers_option
@click.pass_obj
def import_(
    console: Console,
    protocol: str,
    model: str,
    source: Path,
    data: Path | None,
    dest: Path,
    images: Path | None,
    pattern: str | None,
    table: Path | None,
    layout: str | None,
    place: str,
    allow_missing: bool,
    workers: int,
) -> None:
    """Take the videos in a folder into the run of MODEL under PROTOCOL (an id, or a .yaml file).

    Every video is decoded once, to its end. Missing, unreadable, cut-off and unfit ones are named, never scored, and
    make the exit code 3. Run the same command again after a repair or an interruption: it does the rest.
    """
    from univg_bench.datasets import load_items
    from univg_bench.datasets.items import name_some
    from univg_bench.importing import import_samples, refuse_failing
    from univg_bench.layouts import match_files
    from univg_bench.problems import SUSPICIOUS
    from univg_bench.protocol_files import load_protocol

    loaded = load_protocol(protocol)
    if data is None:
        raise InputError(f"found no --data (nor $UNIVG_DATA); name the folder that holds the prompts of {loaded.name}")
    items = load_items(loaded, data, references=False, images=images)
    for note in items.notes:
        console.note(f"note: {note}")
    matched = match_files(
        items.items,
        loaded.generation.samples_per_item,
        source,
        pattern=pattern,
        table=table,
        layout=layout,  # type: ignore[arg-type]  # click has checked it
    )
    if matched.unmatched:
        console.note(f"note: {len(matched.unmatched)} videos belong to no item: {name_some(matched.unmatched)}")
    done = import_samples(
        loaded,
        items,
        matched,
        model=model,
        source=source,
        data=data,
        runs=dest,
        images=images,
        place=place,  # type: ignore[arg-type]  # click has checked it
        workers=workers,
        allow_missing=allow_missing,
        console=console,
    )
    expected, good = done.run.facts.expected, done.run.facts.expected - len(done.failing)
    console.say(f"{done.run.folder}: {good} of {expected} samples are good")
    console.note(f"{done.tally.decoded} videos were decoded, {expected - done.tally.decoded} had no need to be")
    suspicious = [p for p in done.problems if p.kind in SUSPICIOUS]
    if suspicious:
        console.warn(
            f"{len(suspicious)} remarks on videos that may be right: "
            + name_some(f"{p.name} ({p.kind})" for p in suspicious)
        )
    refuse_failing(done)
    if done.failing:
        reasons = name_some(f"{name} ({reason})" for name, reason in done.failing.items())
        console.warn(f"the run is marked incomplete; {len(done.failing)} samples are left out: {reasons}")
    console.finish(
        {
            "exit_code": 0,
            "run": str(done.run.folder),
            "expected": expected,
            "good": good,
            "decoded": done.tally.decoded,
            "complete": not done.failing,
            "failing": done.failing,
            "suspicious": {p.name: f"{p.kind}: {p.reason}" for p in suspicious},
            "unmatched": list(matched.unmatched),
        }
    )
