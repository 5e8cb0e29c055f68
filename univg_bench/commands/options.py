"""Options that several verbs share, so that they mean the same everywhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from univg_bench.engine.local import default_workers
from univg_bench.errors import InputError

if TYPE_CHECKING:
    from univg_bench.console import Console
    from univg_bench.datasets import ItemSet
    from univg_bench.model import Setting
    from univg_bench.protocol import Protocol

Command = TypeVar("Command", bound=Callable[..., Any])

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


def generation_options(command: Command) -> Command:
    """Give a command the options that say which model is asked, where and how: those of `generate`."""
    path = click.Path(path_type=Path)
    options = (
        click.option("--option", "given", multiple=True, metavar="NAME=VALUE", help="For the factory: weights=FOLDER."),
        click.option("--name", help="Name of the run; it becomes a folder.  [default: the model's own]"),
        data_option,
        click.option("--images", type=path, help="The folder of condition images, where the protocol says so."),
        click.option("--dest", type=path, default=Path("runs"), show_default=True, help="The folder of all runs."),
        click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, cuda:1."),
        click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True),
        click.option("--base-seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another run."),
        click.option("--limit", type=click.IntRange(min=1), help="Only the first so many samples, for a trial."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def data_folder(data: Path | None, protocol: Protocol) -> Path:
    """Return the folder of the data. Raises InputError when nobody named it."""
    if data is None:
        raise InputError(
            f"found no --data (nor $UNIVG_DATA); name the folder that holds the prompts of {protocol.name}"
        )
    return data


def items_of(console: Console, protocol: Protocol, data: Path, images: Path | None) -> ItemSet:
    """Return what a model is asked for under a protocol, and say what is to be known of the data."""
    from univg_bench.datasets import load_items
    from univg_bench.protocol import ReferenceFrame

    references = isinstance(protocol.conditions.image, ReferenceFrame)
    items = load_items(protocol, data, references=references, images=images)
    for note in items.notes:
        console.note(f"note: {note}")
    return items


def find_modules_here() -> None:
    """Let `--model module:factory` name a module in this folder; it shadows nothing that is installed."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))


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
