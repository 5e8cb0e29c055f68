"""`univg-bench generate`: run a model over a protocol's items into the sample store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from univg_bench.commands.options import (
    data_folder,
    find_modules_here,
    generation_options,
    items_of,
    model_options,
)
from univg_bench.console import Console


@click.command()
@click.argument("protocol", metavar="PROTOCOL")
@click.option("--model", required=True, help="An installed model's name, or package.module:factory.")
@generation_options
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
    from univg_bench.evaluate import check_device
    from univg_bench.made import ModelCall
    from univg_bench.plan import Shard
    from univg_bench.protocol_files import load_protocol

    options = model_options(given)
    part = None if shard is None else Shard.parse(shard)
    check_device(device)
    loaded = load_protocol(protocol)
    data = data_folder(data, loaded)
    items = items_of(console, loaded, data, images)
    find_modules_here()
    _generate(
        console, loaded, items, ModelCall(model, tuple(options.items()), device, dtype), data=data, runs=dest,
        name=name, images=images, base_seed=base_seed, workers=workers, limit=limit, shard=part,
    )  # fmt: skip


def _generate(console: Console, protocol: Any, items: Any, call: Any, **how: Any) -> None:
    from univg_bench.generate import generate_samples, tell

    done = generate_samples(protocol, items, call, console=console, **how)
    suspicious = tell(done, console)
    facts = done.run.facts
    console.finish(
        {
            "exit_code": 0,
            "run": str(done.run.folder),
            "model": done.card.name,
            "expected": facts.expected,
            "made": done.made,
            "reused": done.reused,
            "finished": done.finished,
            "complete": done.finished and done.good == facts.expected,
            "suspicious": {p.name: f"{p.kind}: {p.reason}" for p in suspicious},
        }
    )
