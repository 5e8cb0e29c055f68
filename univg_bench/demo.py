"""The demo: tiny models generate from text, image and both, and are scored beside real videos and a still image.

Every step is what a user's own command does; the commands are printed as they would be typed. The models come by name,
from whatever package offers them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import ItemSet, load_items
from univg_bench.demo_ladder import HELD_OUT, render_set
from univg_bench.errors import InputError
from univg_bench.evaluate import evaluate_run
from univg_bench.floor import floor_text
from univg_bench.importing import import_samples, refuse_failing
from univg_bench.ladder import RUNGS, write_ladder
from univg_bench.layouts import match_files
from univg_bench.made import ModelCall
from univg_bench.model import Setting
from univg_bench.page import TASKS, Section, write_page
from univg_bench.preview import write_previews
from univg_bench.protocol import MovingShapesData, Protocol
from univg_bench.protocol_files import load_protocol
from univg_bench.records import Record
from univg_bench.run import Place, refuse_equal_names, run_model
from univg_bench.tables import build_table, render

FROZEN = "still-image"  # the given image, repeated: what a model must beat that is to make a video of it
TITLE = "UniVG-Bench, the demo: tiny models on Moving Shapes"
SHOWN = 4


@dataclass(frozen=True)
class Part:
    """One task of the demo. protocol: on Moving Shapes. models: names that `generate` knows."""

    protocol: str
    models: tuple[str, ...]


# UniVG-LG goes on from an image, so it has no part in text to video
PARTS = (
    Part("moving-shapes-t2v-tiny", ("univg-hg",)),
    Part("moving-shapes-i2v-tiny", ("univg-hg", "univg-lg")),
    Part("moving-shapes-ti2v-tiny", ("univg-hg", "univg-lg")),
)


@dataclass(frozen=True)
class Demo:
    """What the demo made: the records, what the page says, and the files that a person looks at."""

    records: tuple[Record, ...]
    sections: tuple[Section, ...]
    table: str
    files: tuple[Path, ...]


def run_demo(
    dest: Path, *, parts: Sequence[Part] = PARTS, options: Mapping[str, Setting], workers: int, console: Console
) -> Demo:
    """Render, generate, evaluate, tabulate and show; everything lies in `dest`, and a second run reuses it.

    options: for every model's factory. Raises InputError for a protocol that is not on Moving Shapes, and what
    `run_model` raises; what was committed before stays.
    """
    protocols = [load_protocol(part.protocol) for part in parts]
    for protocol in protocols:
        if not isinstance(protocol.data, MovingShapesData):
            raise InputError(
                f"found protocol {protocol.name} on '{protocol.data.source}', expected one on moving-shapes"
            )
    calls = {model: ModelCall(model, tuple(options.items())) for part in parts for model in part.models}
    refuse_equal_names(list(calls.values()))  # weights that are missing are said at once
    place = Place(dest / "data", dest / "runs", workers=workers)
    given = " ".join(f"--option {name}={value}" for name, value in options.items())
    records: list[Record] = []
    paths: list[Path] = []
    for part, protocol in zip(parts, protocols, strict=True):
        task = TASKS.get(protocol.task, protocol.task)
        console.say(f"{task}: {protocol.title}")
        for model, record, folder in _baselines(part.protocol, protocol, place, dest, console):
            console.note(f"  {model}: {folder}")
            records, paths = [*records, record], [*paths, folder]
        items = load_items(protocol, place.data)
        for model in part.models:
            console.say(f"   $ univg-bench run {part.protocol} --model {model} {given} --data {place.data}")
            done, record = run_model(protocol, items, calls[model], place, console=_quieter(console))
            records, paths = [*records, record], [*paths, done.run.folder]
    console.say("What came out")
    page = dest / "page.html"
    sections = write_page(
        paths, page, title=TITLE, held_out=HELD_OUT, words={FROZEN: "the given image, repeated"}, items=SHOWN,
        console=console,
    )  # fmt: skip
    previews = write_previews(paths, dest / "previews", items=SHOWN, console=console)
    tables = []
    for section in sections:
        table = render(build_table(section.protocol, section.records, []), "markdown")
        tables.append(f"{table}- n = {len(load_items(section.protocol, place.data))}. {floor_text(section.floor)}\n")
    text = "\n".join(tables)
    write_bytes(dest / "table.md", text.encode())
    return Demo(tuple(records), sections, text, (page, dest / "table.md", *previews))


def _quieter(console: Console) -> Console:
    """Return a console for the steps: their progress is shown, what they say of their results is in the table."""
    return Console(json=True, quiet=console.quiet, verbose=console.verbose)


def _baselines(
    name: str, protocol: Protocol, place: Place, dest: Path, console: Console
) -> list[tuple[str, Record, Path]]:
    """Return (name, record, folder) of what stands beside the models: real videos again, and the image standing still.

    The real videos of the protocol are rendered first.
    """
    assert isinstance(protocol.data, MovingShapesData), "checked before any work"
    data = place.data
    console.say(f"   $ univg-bench prepare moving-shapes {name} --dest {data}       # and --rendering 1: {HELD_OUT}")
    render_set(protocol.data, data, protocol.data.rendering, console)
    folders = {HELD_OUT: render_set(protocol.data, data, protocol.data.rendering + 1, console)}
    items = load_items(protocol, data)
    if protocol.conditions.image is not None:
        console.say(f"   $ univg-bench ladder {name} --rung frozen --data {data} --dest {dest / 'ladder'}")
        frozen = [rung for rung in RUNGS if rung.name == "frozen"]
        folders[FROZEN] = write_ladder(items, dest / "ladder", frozen, console=console)["frozen"]
    return [(model, *_scored(protocol, items, model, folder, place)) for model, folder in folders.items()]


def _scored(protocol: Protocol, items: ItemSet, model: str, folder: Path, place: Place) -> tuple[Record, Path]:
    silent = Console(quiet=True, json=True)
    imported = import_samples(
        protocol, items, match_files(items.items, 1, folder), model=model, source=folder, data=place.data,
        runs=place.runs, workers=1, console=silent,
    )  # fmt: skip
    refuse_failing(imported)
    record = evaluate_run(
        imported.run.folder, data=place.data, weights=None, workers=1, device="cpu", cache=None, allow_missing=False,
        console=silent,
    )  # fmt: skip
    return record, imported.run.folder
