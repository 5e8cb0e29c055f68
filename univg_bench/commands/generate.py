"""`univg-bench generate`: run a model over a protocol's items into the sample store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from univg_bench.commands.options import data_option, model_options
from univg_bench.console import Console
from univg_bench.errors import InputError

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("protocol", metavar="PROTOCOL")
@click.option("--model", required=True, help="An installed model's name, or package.module:factory.")
@click.option("--option", "given", multiple=True, metavar="NAME=VALUE", help="For the factory, as weights=FOLDER.")
@click.option("--name", help="Name of the run; it becomes a folder.  [default: the model's own]")
@data_option
@click.option("--images", type=_PATH, help="The folder of condition images, where the protocol says they are given.")
@click.option("--dest", type=_PATH, default=Path("runs"), show_default=True, help="The folder of all runs.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu, cuda, cuda:1.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True)
@click.option("--base-seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another run of the model.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many samples, for a trial.")
@click.option("--shard", metavar="I/N", help="Only every N-th sample from the I-th on; finish without --shard.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes, each with the model in memory; the bits do not depend on it.",
)
@click.pass_obj
def generate(
    console: Console,
    protocol: str,
    model: str,
    given: tuple[str, ...],
    name: str | None,
    data: Path | None,
    images: Path | None,
    dest: Path,
    device: str,
    dtype: Any,
    base_seed: int,
    limit: int | None,
    shard: str | None,
    workers: int,
) -> None:
    """Run a model over the items of PROTOCOL (an id, or a .yaml file), into a run that `evaluate` takes.

    Every sample has a seed of its own and is stored losslessly with a record of how it was made. Run the same command
    again after an interruption: it makes the rest, and the run ends with the same bytes. Samples that were made by
    other weights or options are made anew, never mixed.
    """
    from univg_bench.datasets import load_items
    from univg_bench.evaluate import check_device
    from univg_bench.made import ModelCall
    from univg_bench.plan import Shard
    from univg_bench.protocol import ReferenceFrame
    from univg_bench.protocol_files import load_protocol

    options = model_options(given)
    part = None if shard is None else Shard.parse(shard)
    check_device(device)
    loaded = load_protocol(protocol)
    if data is None:
        raise InputError(f"found no --data (nor $UNIVG_DATA); name the folder that holds the prompts of {loaded.name}")
    references = isinstance(loaded.conditions.image, ReferenceFrame)
    items = load_items(loaded, data, references=references, images=images)
    for note in items.notes:
        console.note(f"note: {note}")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a module in this folder is found, and shadows nothing that is installed
    _generate(
        console, loaded, items, ModelCall(model, tuple(options.items()), device, dtype), data=data, runs=dest,
        name=name, images=images, base_seed=base_seed, workers=workers, limit=limit, shard=part,
    )  # fmt: skip


def _generate(console: Console, protocol: Any, items: Any, call: Any, **how: Any) -> None:
    from univg_bench.datasets.items import name_some
    from univg_bench.generate import generate_samples
    from univg_bench.problems import SUSPICIOUS

    done = generate_samples(protocol, items, call, console=console, **how)
    facts, card = done.run.facts, done.card
    for note in card.notes:
        console.note(f"{card.name}: {note}")
    if not card.weights:
        console.note(f"note: {card.name} names no weights, so samples of other weights cannot be told from these")
    for remark in done.remarks:
        console.warn(remark)
    suspicious = [p for p in done.problems if p.kind in SUSPICIOUS]
    if suspicious:
        console.warn(
            f"{len(suspicious)} remarks on videos that may be right: "
            + name_some(f"{p.name} ({p.kind})" for p in suspicious)
        )
    if done.finished:
        console.say(f"{done.run.folder}: {done.good} of {facts.expected} samples are there")
    else:
        console.say(
            f"{done.run.folder}: this shard is done; when all are, the command without --shard finishes the run"
        )
    console.note(f"{done.made} samples were made, {done.reused} were there")
    console.finish(
        {
            "exit_code": 0,
            "run": str(done.run.folder),
            "model": card.name,
            "expected": facts.expected,
            "made": done.made,
            "reused": done.reused,
            "finished": done.finished,
            "complete": done.finished and done.good == facts.expected,
            "suspicious": {p.name: f"{p.kind}: {p.reason}" for p in suspicious},
        }
    )
