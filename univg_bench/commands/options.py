"""Options that several verbs share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.engine.local import default_workers

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="UNIVG_DATA",
    help="Folder that holds the protocol's data [default: $UNIVG_DATA; evaluate: where the import found it].",
)
weights_option = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="Folder of weights files, known by content [default: $UNIVG_WEIGHTS, ~/.cache/univg-bench/weights].",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=default_workers,
    show_default="number of CPUs",
    help="Processes; the results do not depend on it.",
)
