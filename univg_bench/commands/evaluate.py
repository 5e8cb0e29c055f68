"""`univg-bench evaluate`: the protocol's metrics of runs, into results.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from univg_bench.commands.options import data_option, weights_option, workers_option
from univg_bench.console import Console


def _print_schema(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from univg_bench.records import record_schema

        click.echo(json.dumps(record_schema(), indent=2, ensure_ascii=False))
        ctx.exit()


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@data_option
@weights_option
@workers_option
@click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, cuda:1.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of features [default: RUNS/.features].")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of condition images [default: as imported].")
@click.option("--allow-missing", is_flag=True, help="Score what is there; the record then says incomplete.")
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON schema of results.json and leave.",
)
@click.pass_obj
def evaluate(
    console: Console,
    runs: tuple[Path, ...],
    data: Path | None,
    weights: Path | None,
    workers: int,
    device: str,
    cache: Path | None,
    images: Path | None,
    allow_missing: bool,
) -> None:
    """Compute the metrics of RUNS, each the folder of a run that `import` made.

    Features are kept per video, so an interrupted evaluation goes on where it was, and a second metric of the same
    videos costs nothing. The numbers do not depend on --workers.
    """
    from univg_bench.evaluate import evaluate_run

    finished: list[dict[str, Any]] = []
    for path in runs:
        record = evaluate_run(
            path, data=data, weights=weights, workers=workers, device=device, cache=cache,
            allow_missing=allow_missing, console=console, images=images,
        )  # fmt: skip
        status = record.status
        console.say(f"{path}: {record.model.name}, {status.scored} of {status.expected} samples")
        for metric in record.metrics:
            interval = metric.interval
            spread = "" if interval is None else f"  95 % [{interval.low:.4g}, {interval.high:.4g}] ({interval.method})"
            console.say(f"  {metric.id} = {metric.value:.6g}{spread}  n = {metric.n}/{metric.n_reference}")
            for name, value in metric.details.items():
                if value is not None:
                    console.detail(f"    {name} = {value:.6g}")
            for warning in metric.warnings:
                console.note(f"    note: {warning}")
        finished.append({"run": str(path), "record": record.model_dump(mode="json", by_alias=True)})
    console.finish({"exit_code": 0, "runs": finished})
