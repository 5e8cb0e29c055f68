"""`univg-bench demo`: tiny models generate on Moving Shapes and are scored, with a page at the end."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.commands.options import find_modules_here, model_options, workers_option
from univg_bench.console import Console


@click.command()
@click.option("--dest", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where it lies.")
@click.option("--protocol", "protocols", multiple=True, help="Instead of the three tasks; may repeat.")
@click.option("--model", "models", multiple=True, help="Instead of UniVG-HG and -LG; may repeat.")
@click.option(
    "--option", "given", multiple=True, metavar="NAME=VALUE", help="For every model.  [default: weights=tiny]"
)
@workers_option
@click.pass_obj
def demo(
    console: Console,
    dest: Path,
    protocols: tuple[str, ...],
    models: tuple[str, ...],
    given: tuple[str, ...],
    workers: int,
) -> None:
    """Generate videos from text, image and both with tiny models, score them, and write a table and a page.

    Beside them stand other renderings of the same captions, which a perfect model would make, and the given image
    standing still. Nothing is downloaded. Networks are tiny and know Moving Shapes only: no number compares with a
    paper's. --option weights=random-tiny needs no trained weights.
    """
    from univg_bench.demo import PARTS, Part, run_demo

    ours = tuple(dict.fromkeys(model for part in PARTS for model in part.models))
    parts = [Part(name, models or ours) for name in protocols]
    parts = parts or [Part(part.protocol, models or part.models) for part in PARTS]
    options = model_options(given or (() if models else ("weights=tiny",)))
    find_modules_here()
    made = run_demo(dest, parts=parts, options=options, workers=workers, console=console)
    console.say()
    console.say(made.table.rstrip("\n"))
    console.say()
    console.say(
        f"The page: {made.files[0]}. The table: {made.files[1]}. {len(made.files) - 2} previews: {dest}/previews"
    )
    console.finish(
        {
            "exit_code": 0,
            "records": [record.model_dump(mode="json", by_alias=True) for record in made.records],
            "floor": {one.protocol.name: [vars(floor) for floor in one.floor] for one in made.sections},
            "files": [str(path) for path in made.files],
        }
    )
