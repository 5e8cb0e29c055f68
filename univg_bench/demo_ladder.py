"""The damage ladder on Moving Shapes, scored: real videos, a perfect model, nine kinds of damage, one table.

Every step is what a user's own command does; the commands are printed as they would be typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import load_items
from univg_bench.datasets.rendered import render_videos
from univg_bench.errors import InputError
from univg_bench.evaluate import evaluate_run
from univg_bench.floor import Floor, floor_text, floors
from univg_bench.importing import import_samples, refuse_failing
from univg_bench.ladder import RUNGS, write_ladder
from univg_bench.layouts import match_files
from univg_bench.protocol import MovingShapesData
from univg_bench.protocol_files import load_protocol
from univg_bench.records import Record
from univg_bench.sheet import write_sheet
from univg_bench.tables import build_table, render

HELD_OUT = "held-out"  # other renderings of the same captions: what a perfect model would make


@dataclass(frozen=True)
class ScoredLadder:
    """What was made: a record per rung, the floor, and the files that hold the table."""

    records: tuple[Record, ...]
    floor: tuple[Floor, ...]
    table: str
    files: tuple[Path, ...]


def score_ladder(name: str, dest: Path, *, workers: int, console: Console) -> ScoredLadder:
    """Render, damage, import, evaluate and tabulate; everything lies in `dest`, and a second run reuses it.

    name: a protocol on Moving Shapes. Raises InputError for another one.
    """
    protocol = load_protocol(name)
    if not isinstance(protocol.data, MovingShapesData):
        raise InputError(f"found protocol {protocol.name} on '{protocol.data.source}', expected one on moving-shapes")
    data, runs = dest / "data", dest / "runs"

    console.say("1. real videos, and held-out renderings of the same captions")
    console.say(f"   $ univg-bench prepare moving-shapes {name} --dest {data}")
    render_set(protocol.data, data, protocol.data.rendering, console)
    console.say(
        f"   $ univg-bench prepare moving-shapes {name} --dest {data} --rendering {protocol.data.rendering + 1}"
    )
    held_out = render_set(protocol.data, data, protocol.data.rendering + 1, console)
    console.say("2. a ladder: the real videos, damaged in known ways")
    console.say(f"   $ univg-bench ladder {name} --data {data} --dest {dest / 'ladder'}")
    items = load_items(protocol, data)
    folders = {HELD_OUT: held_out, **write_ladder(items, dest / "ladder", RUNGS, console=console)}

    console.say("3. import each as if it were a model, and evaluate it")
    console.say(f"   $ univg-bench import {name} --model {HELD_OUT} --from {held_out} --data {data} --dest {runs}")
    console.say(f"   $ univg-bench evaluate {runs}/{protocol.name}/{HELD_OUT}")
    console.say(f"   ... and so for {', '.join(list(folders)[1:])}")
    records = []
    for model, folder in console.progress(folders.items(), total=len(folders), title="ladder", unit="rung"):
        imported = import_samples(
            protocol, items, match_files(items.items, 1, folder), model=model, source=folder, data=data, runs=runs,
            workers=workers, console=Console(quiet=True),
        )  # fmt: skip
        refuse_failing(imported)
        records.append(
            evaluate_run(
                imported.run.folder,
                data=data,
                weights=None,
                workers=workers,
                device="cpu",
                cache=None,
                allow_missing=False,
                console=Console(quiet=True),
            )
        )
    floor = floors(protocol, runs / protocol.name / HELD_OUT, held_out=True)
    table = render(build_table(protocol, records, []), "markdown") + f"\n- {floor_text(floor)}\n"
    everything = build_table(protocol, records, [], wide=True)
    files = (dest / "table.md", dest / "table_wide.md", dest / "table.csv", dest / "ladder.png")
    for file, text in zip(files, (table, render(everything, "markdown"), render(everything, "csv")), strict=False):
        write_bytes(file, text.encode())
    first = items.items[0]
    assert first.reference is not None, "a prepared Moving Shapes set has all its real videos"
    shown = [("real", first.reference), *((rung, folder / f"{first.item_id}.mp4") for rung, folder in folders.items())]
    write_sheet(shown, files[-1])
    console.say("4. the table")
    console.say(f"   $ univg-bench table {runs}/{protocol.name}/*           # and --wide for every metric")
    return ScoredLadder(tuple(records), floor, table, files)


def render_set(data: MovingShapesData, root: Path, rendering: int, console: Console) -> Path:
    """Render what is missing of one rendering of the protocol's scenes; return its folder."""
    folder, _ = render_videos(
        data,
        root,
        rendering=rendering,
        progress=lambda todo, total: console.progress(todo, total=total, title="rendering", unit="video"),
    )
    return folder
