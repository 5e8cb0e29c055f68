"""The whole job on Moving Shapes: real videos, a perfect model, a ladder of damage, one table.

Every step is what a user's own command does; the commands are printed as they would be typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import load_items
from univg_bench.datasets.rendered import render_videos
from univg_bench.errors import InputError
from univg_bench.evaluate import evaluate_run
from univg_bench.importing import import_samples, refuse_failing
from univg_bench.ladder import RUNGS, write_ladder
from univg_bench.layouts import match_files
from univg_bench.measures.data import Rows
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.protocol import MovingShapesData, Protocol
from univg_bench.protocol_files import load_protocol
from univg_bench.protocol_metrics import FvdMetric
from univg_bench.recipes import FVD_RECIPES
from univg_bench.records import Record
from univg_bench.sheet import write_sheet
from univg_bench.statistics import moments_of
from univg_bench.tables import build_table, render

HELD_OUT = "held-out"  # other renderings of the same captions: what a perfect model would make


@dataclass(frozen=True)
class Floor:
    """The FVD between two sets of n real videos: below it no model can be told from real ones at that n.

    same_captions: renderings of the same captions, the floor of a model that is given the references' captions.
    other_captions: of captions that differ, for models that are not.
    """

    n: int
    same_captions: float
    other_captions: float | None


@dataclass(frozen=True)
class Demo:
    """What the demo made: a record per rung, the floor, and the files that hold the table."""

    records: tuple[Record, ...]
    floor: tuple[Floor, ...]
    table: str
    files: tuple[Path, ...]


def run_demo(name: str, dest: Path, *, workers: int, console: Console) -> Demo:
    """Render, damage, import, evaluate and tabulate; everything lies in `dest`, and a second run reuses it.

    name: a protocol on Moving Shapes. Raises InputError for another one.
    """
    protocol = load_protocol(name)
    if not isinstance(protocol.data, MovingShapesData):
        raise InputError(f"found protocol {protocol.name} on '{protocol.data.source}', expected one on moving-shapes")
    data, runs = dest / "data", dest / "runs"

    console.say("1. real videos, and held-out renderings of the same captions")
    console.say(f"   $ univg-bench prepare moving-shapes {name} --dest {data}")
    _render(protocol.data, data, protocol.data.rendering, console)
    console.say(
        f"   $ univg-bench prepare moving-shapes {name} --dest {data} --rendering {protocol.data.rendering + 1}"
    )
    held_out = _render(protocol.data, data, protocol.data.rendering + 1, console)
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
    floor = _floor(protocol, runs / protocol.name / HELD_OUT / "features")
    table = render(build_table(protocol, records, []), "markdown") + "\n" + _floor_text(floor)
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
    return Demo(tuple(records), floor, table, files)


def _render(data: MovingShapesData, root: Path, rendering: int, console: Console) -> Path:
    folder, _ = render_videos(
        data,
        root,
        rendering=rendering,
        progress=lambda todo, total: console.progress(todo, total=total, title="rendering", unit="video"),
    )
    return folder


def _floor(protocol: Protocol, features: Path) -> tuple[Floor, ...]:
    """Return the floor at n, n/2, n/4 ..., each a mean over the disjoint parts of size n."""
    metric = next(metric for metric in protocol.metrics if isinstance(metric, FvdMetric))
    ddof = FVD_RECIPES[metric.recipe].ddof
    held_out, real = (np.load(features / f"{metric.id}.{kind}.npy") for kind in ("samples", "references"))

    def distance(a: Rows, b: Rows) -> float:
        return frechet_distance(moments_of(a).gaussian(ddof=ddof), moments_of(b).gaussian(ddof=ddof))

    floor, n = [], len(real)
    while n >= 16:
        parts = [slice(start, start + n) for start in range(0, len(real) - n + 1, n)]
        same = float(np.mean([distance(held_out[part], real[part]) for part in parts]))
        pairs = list(zip(parts[::2], parts[1::2], strict=False))
        other = float(np.mean([distance(real[a], real[b]) for a, b in pairs])) if pairs else None
        floor.append(Floor(n, same, other))
        n //= 2
    return tuple(floor)


def _floor_text(floor: Sequence[Floor]) -> str:
    same = ", ".join(f"{one.same_captions:.1f} at n = {one.n}" for one in floor)
    other = ", ".join(f"{one.other_captions:.0f} at n = {one.n}" for one in floor if one.other_captions is not None)
    return (
        f"- The floor, FVD between two sets of real videos: of the same captions {same}; of different captions {other}."
        " It falls with n, so only rows of equal n and equal captions compare.\n"
    )
