"""`univg-bench ladder`: real videos made worse in known ways, as folders to import."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.commands.options import data_option, workers_option
from univg_bench.console import Console
from univg_bench.errors import InputError


@click.command()
@click.argument("protocol")
@data_option
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="Where the folders of videos go.")
@click.option("--rung", "names", multiple=True, help="Only this rung; may repeat.  [default: all]")
@click.option("--seed", default=0, show_default=True, help="Of the random damages.")
@click.option("--score", is_flag=True, help="On Moving Shapes: render, damage, import, evaluate and tabulate, all.")
@workers_option
@click.pass_obj
def ladder(
    console: Console,
    protocol: str,
    data: Path | None,
    dest: Path,
    names: tuple[str, ...],
    seed: int,
    score: bool,
    workers: int,
) -> None:
    """Write damaged copies of the real videos of PROTOCOL, one folder per rung, named by item.

    Import and evaluate each like a model: a metric that does not put these in order, with your weights, your data and
    your n, puts nothing in order there. On Moving Shapes --score does all of it in DEST, with a table at the end.
    """
    if score:
        if names or seed:
            raise InputError(
                "found --rung or --seed beside --score, which makes every rung with seed 0; leave them out"
            )
        _score(console, protocol, dest, workers)
        return
    from univg_bench.datasets import load_items
    from univg_bench.ladder import RUNGS, write_ladder
    from univg_bench.protocol_files import load_protocol

    known = {rung.name: rung for rung in RUNGS}
    for name in names:
        if name not in known:
            raise InputError(f"found the rung '{name}', expected one of {', '.join(known)}")
    if data is None:
        raise InputError("found no --data (nor $UNIVG_DATA); name the folder that holds the real videos")
    chosen = [known[name] for name in names] or list(RUNGS)
    folders = write_ladder(load_items(load_protocol(protocol), data), dest, chosen, seed=seed, console=console)
    for rung in chosen:
        console.say(f"{folders[rung.name]}: {rung.what}")
    console.finish({"exit_code": 0, "rungs": {name: str(folder) for name, folder in folders.items()}})


def _score(console: Console, protocol: str, dest: Path, workers: int) -> None:
    from univg_bench.demo_ladder import score_ladder

    made = score_ladder(protocol, dest, workers=workers, console=console)
    console.say()
    console.say(made.table.rstrip("\n"))
    console.say()
    console.say(f"written: {', '.join(map(str, made.files))}; every run is in {dest / 'runs'} with its results.json")
    console.finish(
        {
            "exit_code": 0,
            "records": [record.model_dump(mode="json", by_alias=True) for record in made.records],
            "floor": [vars(one) for one in made.floor],
            "files": [str(path) for path in made.files],
        }
    )
