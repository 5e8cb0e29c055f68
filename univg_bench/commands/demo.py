"""`univg-bench demo`: the whole job on Moving Shapes, with the shipped tiny extractors."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.commands.options import workers_option
from univg_bench.console import Console


@click.command()
@click.option("--dest", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where it lies.")
@click.option("--protocol", default="moving-shapes-tiny", show_default=True, help="A protocol on Moving Shapes.")
@workers_option
@click.pass_obj
def demo(console: Console, dest: Path, protocol: str, workers: int) -> None:
    """Render real videos, damage them in known ways, import, evaluate and tabulate each kind like a model.

    Nothing is downloaded. The numbers are made with extractors trained on Moving Shapes and compare with no paper's.
    """
    from univg_bench.demo import run_demo

    made = run_demo(protocol, dest, workers=workers, console=console)
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
