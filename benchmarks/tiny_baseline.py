"""The baseline of the tiny family: numbers of a small run, and how far they may move before somebody must look.

    python -m benchmarks.tiny_baseline write      # after the tiny weights or anything that changes numbers on purpose
    python -m benchmarks.tiny_baseline check      # what CI does

`write` generates and scores the protocol with several base seeds. The values of base seed 0 are the baseline; three
standard deviations over the seeds are the tolerance: a change of rounding moves a number much less, broken sampling,
decoding or metrics move one of them more. `check` repeats base seed 0.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import load_items
from univg_bench.demo_ladder import render_set
from univg_bench.errors import InputError
from univg_bench.made import ModelCall, loaded, unload
from univg_bench.model import Setting
from univg_bench.protocol import MovingShapesData
from univg_bench.protocol_files import load_protocol
from univg_bench.records import Record, save_record
from univg_bench.run import Place, run_model

HOME = Path(__file__).resolve().parents[1] / "results" / "baselines" / "tiny"
MODELS = ("univg-hg", "univg-lg")
SEEDS = 8
DEVIATIONS = 3
# where all seeds agree (a number at its bound), rounding alone may still move the last digits
LEAST = 1e-3
SCHEMA = "univg-bench/tiny-baseline/1"

Records = dict[str, list[Record]]


def write(
    home: Path, *, models: Sequence[str] = MODELS, options: Mapping[str, Setting], seeds: int = SEEDS, workers: int = 1
) -> dict[str, Any]:
    """Write baseline.json and a record per model of base seed 0 into `home`, which holds quick.yaml; return the first.

    options: for the models' factories. Raises InputError for fewer than two seeds.
    """
    if seeds < 2:
        raise InputError(f"found {seeds} seeds, expected 2 or more: a tolerance needs a spread")
    protocol = load_protocol(home / "quick.yaml")
    records = _records(home, models, options, range(seeds), workers)
    baseline: dict[str, Any] = {
        "schema": SCHEMA,
        "protocol_digest": protocol.digest,
        "seeds": seeds,
        "tolerance": f"{DEVIATIONS} standard deviations over base seeds, at least {LEAST:g} of the value",
        "models": {},
    }
    for model, found in records.items():
        first = found[0]
        assert first.model.generated is not None
        values = {metric.id: [one.metric(metric.id) for one in found] for metric in first.metrics}
        metrics = {}
        for name, parts in values.items():
            numbers = [part.value for part in parts if part is not None]
            deviation = float(np.std(numbers, ddof=1))
            tolerance = max(DEVIATIONS * deviation, LEAST * abs(numbers[0]))
            metrics[name] = {"value": numbers[0], "deviation": deviation, "tolerance": tolerance}
        baseline["models"][model] = {
            "name": first.model.generated.card_name,
            "weights": first.model.generated.weights,
            "metrics": metrics,
        }
        save_record(first, home / f"{model}.json")
    write_bytes(home / "baseline.json", (json.dumps(baseline, indent=1) + "\n").encode())
    return baseline


def check(home: Path, *, options: Mapping[str, Setting], workers: int = 1) -> list[str]:
    """Generate and score base seed 0 again; return a sentence for everything that is not as the baseline says.

    Raises InputError when there is no baseline.
    """
    file = home / "baseline.json"
    if not file.is_file():
        raise InputError(f"found no {file}; run `python -m benchmarks.tiny_baseline write` to make it")
    baseline = json.loads(file.read_bytes())
    digest = load_protocol(home / "quick.yaml").digest
    if digest != baseline["protocol_digest"]:
        return [
            f"quick.yaml has the digest {digest[:12]}, the baseline {baseline['protocol_digest'][:12]}; write it anew"
        ]
    said = []
    for model, expected in baseline["models"].items():  # before any work: other weights are other numbers
        if loaded(ModelCall(model, tuple(options.items()))).card.weights != expected["weights"]:
            said.append(f"{model}: the weights are not those of the baseline; write it anew")
    unload()
    if said:
        return said
    records = _records(home, tuple(baseline["models"]), options, range(1), workers)
    for model, expected in baseline["models"].items():
        record = records[model][0]
        for name, one in expected["metrics"].items():
            metric = record.metric(name)
            if metric is None or not abs(metric.value - one["value"]) <= one["tolerance"]:
                now = "not measured" if metric is None else f"{metric.value:.6g}"
                said.append(f"{model}: {name} is {now}, was {one['value']:.6g} ± {one['tolerance']:.2g}")
    return said


def _records(
    home: Path, models: Sequence[str], options: Mapping[str, Setting], seeds: Sequence[int], workers: int
) -> Records:
    protocol = load_protocol(home / "quick.yaml")
    assert isinstance(protocol.data, MovingShapesData)
    silent = Console(quiet=True, json=True)
    found: Records = {}
    with tempfile.TemporaryDirectory(prefix="univg-baseline-") as folder:
        place = Place(Path(folder) / "data", Path(folder) / "runs", workers=workers)
        render_set(protocol.data, place.data, protocol.data.rendering, silent)
        items = load_items(protocol, place.data)
        for model in models:
            call = ModelCall(model, tuple(options.items()))
            found[model] = [
                run_model(
                    protocol, items, call, place, name=f"{model}-{seed}", base_seed=seed, console=silent
                )[1]
                for seed in seeds
            ]  # fmt: skip
    return found


def main() -> int:
    """Write or check the baseline; return 1 when it does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", choices=["write", "check"])
    parser.add_argument("--home", type=Path, default=HOME, help="folder with quick.yaml")
    parser.add_argument("--weights", default="tiny", help="of the models: tiny, random-tiny or a folder")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    options: dict[str, Setting] = {"weights": given.weights}
    if given.what == "write":
        made = write(given.home, options=options, seeds=given.seeds, workers=given.workers)
        print(json.dumps(made["models"], indent=1))
        return 0
    said = check(given.home, options=options, workers=given.workers)
    print("\n".join(said) or "the baseline holds")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
