"""Sheets and metrics of a milestone, under protocols: Figure 5. The same during training as afterwards, by this code.

A milestone is evaluated from its file and never from memory, by the benchmark's own generation and evaluation.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from reference_models.presets import Stage, load_preset
from reference_models.training.export import export
from reference_models.training.start import Frozen
from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import load_items
from univg_bench.evaluate import evaluate_run
from univg_bench.generate import generate_samples
from univg_bench.made import ModelCall
from univg_bench.protocol import ReferenceFrame
from univg_bench.protocol_files import load_protocol
from univg_bench.sheet import write_sheet

SHOWN = 6  # samples on a sheet
_MODELS: dict[Stage, str] = {
    "base": "univg-base",
    "animation": "univg-animation",
    "super_resolution": "univg-super-resolution",
}


def evaluate_milestone(
    work: Path, frozen: Frozen, *, step: int, protocols: Sequence[str], data: Path, cache: Path | None = None,
    console: Console | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Generate and score under each protocol with the weights after `step` steps; return what was measured.

    In `work/evaluations/step-N`: the run with its samples and `results.json`, and a sheet of the first of them. What
    was measured is a line of `work/evaluations.jsonl` per protocol; one of the same step and protocol is replaced.

    Raises InputError for a protocol that the stage cannot serve alone.
    """
    console = console or Console(quiet=True)
    place = work / "evaluations" / f"step-{step:08d}"
    weights = place / "weights"
    made = export(work, weights, frozen, step=step)
    model = _MODELS[load_preset(made["preset"]).stage]
    lines = []
    for name in protocols:
        protocol = load_protocol(name)
        references = isinstance(protocol.conditions.image, ReferenceFrame)
        items = load_items(protocol, data, references=references)
        done = generate_samples(
            protocol, items, ModelCall(model, (("weights", str(weights)),)), data=data, runs=place, console=console
        )
        record = evaluate_run(
            done.run.folder, data=data, weights=None, workers=1, device="cpu", cache=cache, allow_missing=False,
            console=console,
        )  # fmt: skip
        line = {
            "step": step,
            "protocol": protocol.name,
            "unet": made["parts"]["unet"]["digest"],
            "n": record.status.scored,
            **{metric.id: metric.value for metric in record.metrics},
        }
        lines.append(line)
        _note(work / "evaluations.jsonl", line)
        rows = islice(done.run.index.rows(), SHOWN)
        write_sheet([(row.name, done.run.index.path_of(row)) for row in rows], place / f"{protocol.id}.png")
    shutil.rmtree(weights)
    return lines


def _note(path: Path, line: dict[str, Any]) -> None:
    lines = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    kept = [one for one in lines if (one["step"], one["protocol"]) != (line["step"], line["protocol"])]
    ordered = sorted([*kept, line], key=lambda one: (one["step"], one["protocol"]))
    write_bytes(path, "".join(json.dumps(one) + "\n" for one in ordered).encode())
