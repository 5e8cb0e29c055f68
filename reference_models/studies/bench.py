"""Where a study works, and its three steps: prepare the real videos, score a model, score a folder of videos.

Each step finds what an earlier command finished, so the same command after kill -9 does the rest.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import ItemSet, load_items
from univg_bench.demo_ladder import render_set
from univg_bench.errors import InputError
from univg_bench.evaluate import evaluate_run
from univg_bench.importing import import_samples, refuse_failing
from univg_bench.layouts import match_files
from univg_bench.made import ModelCall
from univg_bench.paired_runs import EvaluatedRun
from univg_bench.protocol import MovingShapesData, Protocol
from univg_bench.protocol_files import load_protocol
from univg_bench.run import Place, run_model

SILENT = Console(quiet=True, json=True)


@dataclass(frozen=True)
class Bench:
    """work: everything that can be made again. workers: processes that sample and score. console: the study's voice."""

    work: Path
    workers: int = 1
    console: Console = field(default_factory=Console)

    @property
    def place(self) -> Place:
        """Where data, runs and features lie."""
        return Place(self.work / "data", self.work / "runs", cache=self.work / "features", workers=self.workers)

    @contextmanager
    def paid(self, what: str) -> Iterator[None]:
        """Note the CPU seconds that the block takes, children included, under `what`; they add up over commands.

        What a killed command spent on its last piece is not in them.
        """
        before, began = _cpu_seconds(), time.perf_counter()
        try:
            yield
        finally:
            spent, costs = _cpu_seconds() - before, self.costs
            costs[what] = round(costs.get(what, 0.0) + spent, 2)
            write_bytes(self.work / "costs.json", (json.dumps(costs, indent=1) + "\n").encode())
            self.console.note(f"  {what}: {spent:.1f} CPU s, {time.perf_counter() - began:.1f} s")

    @property
    def costs(self) -> dict[str, float]:
        """CPU seconds so far, by what they went into."""
        path = self.work / "costs.json"
        found: dict[str, float] = json.loads(path.read_bytes()) if path.is_file() else {}
        return found


@dataclass(frozen=True)
class Scene:
    """A protocol on Moving Shapes with its real videos rendered. held_out: the folder of another rendering."""

    protocol: Protocol
    items: ItemSet
    held_out: Path


def prepare(bench: Bench, name: str) -> Scene:
    """Render what a protocol needs, and real videos again of the same captions. Raises InputError for other data."""
    protocol = load_protocol(name)
    data = protocol.data
    if not isinstance(data, MovingShapesData):
        raise InputError(f"found protocol {protocol.name} on '{data.source}', expected one on moving-shapes")
    render_set(data, bench.place.data, data.rendering, bench.console)
    held_out = render_set(data, bench.place.data, data.rendering + 1, bench.console)
    return Scene(protocol, load_items(protocol, bench.place.data), held_out)


def score_model(bench: Bench, scene: Scene, call: ModelCall, *, name: str) -> EvaluatedRun:
    """Generate what is missing of a run, evaluate it, return it."""
    with bench.paid(f"{scene.protocol.id}: {name}"):
        shown = Console(json=True, quiet=bench.console.quiet)
        done, _ = run_model(scene.protocol, scene.items, call, bench.place, name=name, console=shown)
    return EvaluatedRun.open(done.run.folder)


def score_folder(bench: Bench, scene: Scene, folder: Path, *, name: str) -> EvaluatedRun:
    """Import a folder of `<item>.mp4` as the run `name`, evaluate it, return it."""
    place = bench.place
    with bench.paid(f"{scene.protocol.id}: {name}"):
        imported = import_samples(
            scene.protocol, scene.items, match_files(scene.items.items, 1, folder), model=name, source=folder,
            data=place.data, runs=place.runs, workers=place.workers, console=SILENT,
        )  # fmt: skip
        refuse_failing(imported)
        evaluate_run(
            imported.run.folder, data=place.data, weights=None, workers=place.workers, device="cpu", cache=place.cache,
            allow_missing=False, console=SILENT,
        )  # fmt: skip
    return EvaluatedRun.open(imported.run.folder)


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
