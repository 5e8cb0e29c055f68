"""`univg-bench run`: from models to a table and a page, in one command that can be repeated."""

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
    weights_option,
)
from univg_bench.console import Console


@click.command()
@click.argument("protocol", metavar="PROTOCOL")
@click.option("--model", "models", multiple=True, required=True, help="As of `generate`; may repeat.")
@generation_options
@weights_option
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of features [default: DEST/.features].")
@click.option("--allow-missing", is_flag=True, help="Score what is there; the record then says incomplete.")
@click.option("--items", type=click.IntRange(min=1), default=4, show_default=True, help="Shown in previews and page.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes of each step.")
@click.pass_obj
def run(
    console: Console,
    protocol: str,
    models: tuple[str, ...],
    given: tuple[str, ...],
    name: str | None,
    data: Path | None,
    images: Path | None,
    dest: Path,
    device: str,
    dtype: Any,
    base_seed: int,
    limit: int | None,
    weights: Path | None,
    cache: Path | None,
    allow_missing: bool,
    items: int,
    workers: int,
) -> None:
    """Generate, check and evaluate models under PROTOCOL (an id, or a .yaml file), then write table, previews, page.

    After an interruption the same command does the rest. It ends with the exit code of the step that failed: 2 input,
    3 samples, 5 machine or model, 130 interrupted. --option goes to every model.
    """
    from univg_bench.evaluate import check_device
    from univg_bench.made import ModelCall
    from univg_bench.protocol_files import load_protocol
    from univg_bench.run import Place, run_models

    options = tuple(model_options(given).items())
    check_device(device)
    loaded = load_protocol(protocol)
    data = data_folder(data, loaded)
    asked = items_of(console, loaded, data, images)
    find_modules_here()
    place = Place(data, dest, images, weights, cache, device, workers)
    ran = run_models(
        loaded, asked, [ModelCall(model, options, device, dtype) for model in models], place,
        name=name, base_seed=base_seed, limit=limit, allow_missing=allow_missing, shown=items, console=console,
    )  # fmt: skip
    console.say()
    console.say(ran.table.rstrip("\n"))
    console.say()
    console.say(f"written: {ran.files[0]}, {ran.files[1]} and {len(ran.files) - 2} previews")
    console.finish(
        {
            "exit_code": 0,
            "runs": [
                {
                    "run": str(one.run.folder),
                    "made": one.made,
                    "reused": one.reused,
                    "record": record.model_dump(mode="json", by_alias=True),
                }
                for one, record in zip(ran.generated, ran.records, strict=True)
            ],
            "table": ran.table,
            "files": [str(path) for path in ran.files],
        }
    )
