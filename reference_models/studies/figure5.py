"""Figure 5 in small: FVD and CLIPSIM over training for text, image, and both, from the milestones of one run of F_B."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from reference_models.studies.bench import Bench, prepare, score_folder
from reference_models.studies.figures import over_training, write_figure
from reference_models.studies.text import cost_lines, number, table, write_page
from reference_models.training.evaluation import evaluate_milestone
from reference_models.training.milestones import milestone_path, milestone_steps, read_facts
from reference_models.training.start import load_frozen
from univg_bench.atomic import write_bytes
from univg_bench.canonical import digest_of
from univg_bench.errors import InputError
from univg_bench.records import Record, load_record

GIVEN = {
    "T": "moving-shapes-fb-t2v-tiny", "I": "moving-shapes-fb-i2v-tiny", "T+I": "moving-shapes-fb-ti2v-tiny",
}  # fmt: skip
METRICS = ("fvd", "clipsim")


@dataclass(frozen=True)
class Point:
    """One milestone under one protocol, with the record of its run."""

    given: str
    step: int
    record: Record


def evaluate(
    bench: Bench, training: Path, frozen: Path, *, protocols: dict[str, str] = GIVEN, steps: Sequence[int] = ()
) -> tuple[list[Point], dict[str, Record]]:
    """Return every milestone's record, and per condition that of real videos again, the floor.

    training: the work folder of F_B; only its milestones are read. steps: some of them, none for all. Raises
    InputError where there are none.
    """
    there = milestone_steps(training)
    wanted = sorted(steps) or there
    if not wanted or not set(wanted) <= set(there):
        raise InputError(
            f"found milestones {there} in {training}, expected {wanted or 'one or more'}; train on to the next"
        )
    scenes = {given: prepare(bench, name) for given, name in protocols.items()}
    floor = {
        given: score_folder(bench, scene, scene.held_out, name="held-out").record for given, scene in scenes.items()
    }
    mine = _linked(bench, training)
    fixed, points = load_frozen(frozen), []
    for step in wanted:
        for given, name in protocols.items():
            scene = scenes[given]
            folder = mine / "evaluations" / f"step-{step:08d}" / scene.protocol.name / "univg-base-tiny"
            mark, key = folder.parent / "studied.json", _key(training, step, scene.protocol.digest)
            if not (mark.is_file() and json.loads(mark.read_bytes()) == key and (folder / "results.json").is_file()):
                with bench.paid(f"{scene.protocol.id}: step {step}"):
                    evaluate_milestone(
                        mine, fixed, step=step, protocols=[name], data=bench.place.data, cache=bench.place.cache
                    )
                write_bytes(mark, json.dumps(key).encode())
            points.append(Point(given, step, load_record(folder)))
    return points, floor


def write(bench: Bench, points: Sequence[Point], floor: dict[str, Record], dest: Path, *, training: str) -> list[Path]:
    """Write figure, numbers and page; return the files. training: what is told of the run."""
    frame = points_frame(points, floor)
    n = points[0].record.status.scored
    panels = (("fvd", "FVD (tiny), lower is better"), ("clipsim", "CLIPSIM (tiny), higher is better"))
    files = write_figure(over_training(frame, panels), dest / "figure5", frame)
    facts = {
        "study": "figure5", "n": n, "training": training,
        "protocols": {one.given: one.record.protocol.digest for one in points},
        "unet": {str(one.step): _unet(one.record) for one in points},
        "points": json.loads(frame.to_json(orient="records")), "cpu_seconds": bench.costs,
    }  # fmt: skip
    parts = [
        "# Figure 5 in small: FVD and CLIPSIM over training",
        "Made by `python -m reference_models.studies figure5`; how to read it: docs/studies.md. Values are of a tiny"
        " model on Moving Shapes, scored by tiny extractors: they compare with no paper.",
        "![FVD and CLIPSIM over training](figure5.svg)",
        f"n = {n}. Bars are the 95 % intervals of the records, over items. Thin lines: other real videos of the same"
        " captions (FVD: the floor at this n), and the real videos' own CLIPSIM.",
        _table(frame),
        _in_words(points),
        f"## What was trained and scored\n\n{training}",
        cost_lines(bench.costs),
    ]
    return [*files, *write_page(dest, parts, facts, name="figure5-record")]


def points_frame(points: Sequence[Point], floor: dict[str, Record]) -> pd.DataFrame:
    """Return a row per condition, milestone and metric: value, interval, and the real videos' value."""
    rows: list[dict[str, Any]] = []
    for point in points:
        for name in METRICS:
            part, other = point.record.metric(name), floor[point.given].metric(name)
            assert part is not None
            assert other is not None
            low, high = (part.interval.low, part.interval.high) if part.interval else (part.value, part.value)
            real = other.value if name == "fvd" else part.details.get("real")
            rows.append({
                "given": point.given, "step": point.step, "metric": name, "value": part.value, "low": low,
                "high": high, "real": real, "n": part.n,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _table(frame: pd.DataFrame) -> str:
    heads = ["step", *(f"{name} {given}" for name in ("FVD", "CLIPSIM") for given in dict.fromkeys(frame["given"]))]
    digits = {"fvd": 0, "clipsim": 3}

    def cells(step: int | None) -> list[str]:
        found = []
        for metric in METRICS:
            for given in dict.fromkeys(frame["given"]):
                own = frame[(frame["metric"] == metric) & (frame["given"] == given)]
                value = own["real"].iloc[0] if step is None else own[own["step"] == step]["value"].iloc[0]
                found.append(number(value, digits[metric]))
        return found

    rows = [[str(step), *cells(int(step))] for step in sorted(set(frame["step"]))]
    return table(heads, [*rows, ["real", *cells(None)]])


def _in_words(points: Sequence[Point]) -> str:
    """Return for each condition from where to where FVD went, and whether it fell at every milestone."""
    said = []
    for given in dict.fromkeys(point.given for point in points):
        own = [p.record.metric("fvd") for p in sorted(points, key=lambda p: p.step) if p.given == given]
        values = [part.value for part in own if part is not None]
        rises = sum(after > before for before, after in pairwise(values))
        fell = "at every milestone" if rises == 0 else f"with {rises} rises on the way"
        if len(values) > 1:
            change = "fell" if values[-1] < values[0] else "rose"
            said.append(f"- {given}: FVD {change} from {values[0]:.0f} to {values[-1]:.0f}, {fell}.")
    return "\n".join(said) or "One milestone: nothing to see of the course of training."


def told_of(training: Path) -> str:
    """Return a sentence about a training from the facts beside its last milestone."""
    facts = read_facts(training, milestone_steps(training)[-1])
    return (
        f"Recipe `{facts['recipe']}` (digest `{facts['recipe_digest'][:16]}`), {facts['steps']} of"
        f" {facts['steps_of_recipe']} steps so far, {facts['cpu_hours']:.2f} CPU-hours; data: {facts['data']}."
    )


def _linked(bench: Bench, training: Path) -> Path:
    """Return a folder beside the bench's own things that has the training's milestones and log, by links.

    The training may still be running, so nothing is written into its folder.
    """
    mine = bench.work / "figure5"
    mine.mkdir(parents=True, exist_ok=True)
    for name in ("milestones", "log.jsonl"):
        link, target = mine / name, (training / name).resolve()
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return mine


def _key(training: Path, step: int, protocol_digest: str) -> str:
    weights = hashlib.sha256(milestone_path(training, step).read_bytes()).hexdigest()
    return digest_of([weights, step, protocol_digest])


def _unet(record: Record) -> str:
    assert record.model.generated is not None
    return record.model.generated.weights["base/unet"]
