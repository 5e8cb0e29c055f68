"""Options that several verbs share, so that they mean the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from univg_bench.engine.local import default_workers
from univg_bench.errors import InputError

if TYPE_CHECKING:
    from univg_bench.model import Setting

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


def setting_of(text: str, *, option: str, example: str) -> tuple[str, Setting]:
    """Return name and value of NAME=VALUE; what is no number, true, false or none is a word.

    option, example: how the user wrote it and could have, for the message. Raises InputError for another form.
    """
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise InputError(f"found {option} {text!r}, expected NAME=VALUE as {example}")
    words: dict[str, Setting] = {"true": True, "false": False, "none": None}
    if value in words:
        return name, words[value]
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        return name, number if math.isfinite(number) else value
    return name, value


def model_options(given: Iterable[str]) -> dict[str, Setting]:
    """Return what `--option NAME=VALUE` says to a model's factory. Raises InputError for what has a flag of its own."""
    options = {}
    for text in given:
        name, value = setting_of(text, option="--option", example="weights=FOLDER")
        if name in ("device", "dtype"):
            raise InputError(f"found --option {text!r}, expected --{name} {value}")
        options[name] = value
    return options
