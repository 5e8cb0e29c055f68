"""Table 3 in small: train both arms, sample every row, score rows and baselines, say what differs and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reference_models.checkpoints import read_card, read_model
from reference_models.studies import baselines
from reference_models.studies.arms import Start, arm_recipe, trained
from reference_models.studies.bench import Bench, Scene, prepare, score_folder, score_model
from reference_models.studies.table3_rows import ARMS, SEEDS, Arm, Row, Study
from reference_models.studies.text import cost_lines, digits_of, labels_of, number, spread, table, write_page
from reference_models.studies.variance import Effect, Measured, effect, measured
from reference_models.training.start import load_frozen
from univg_bench.made import ModelCall
from univg_bench.model import Setting
from univg_bench.paired_runs import EvaluatedRun
from univg_bench.sheet import write_sheet

QUESTION = {
    "animation": "Does Biased Gaussian Noise help F_A, and what of it is the sampler?",
    "super_resolution": "Does Biased Gaussian Noise help F_SR, and what of it is the sampler, or where one starts?",
}
Runs = dict[str, list[EvaluatedRun]]


@dataclass(frozen=True, eq=False)
class Table3:
    """What came out. values: row or `baseline:NAME` -> metric -> one per seed. effects: contrast -> metric."""

    scene: Scene
    runs: Runs
    values: dict[str, dict[str, list[Measured]]]
    effects: dict[str, dict[str, Effect]]


def train_arms(
    bench: Bench, study: Study, *, base: Path, cache: Path, seeds: Sequence[int] = SEEDS
) -> dict[tuple[Arm, int], Path]:
    """Return the folder of weights of each arm and seed, trained where they are missing. See `arms.trained`."""
    start = Start(base, cache)
    return {(arm, seed): trained(bench, study, arm, seed, start) for seed in seeds for arm in ARMS}


def score(
    bench: Bench, study: Study, weights: Mapping[tuple[Arm, int], Path], *, protocol: str | None = None
) -> Table3:
    """Score every row of every seed and the baselines, and take the differences.

    weights: per arm and seed, with the same seeds for both arms. protocol: another than the study's, for a trial.
    """
    scene = prepare(bench, protocol or study.protocol)
    seeds = sorted({seed for _, seed in weights})
    low = baselines.low_quality(bench, scene) if study.stage == "super_resolution" else None
    runs: Runs = {}
    for name, folder in _folders(bench, scene, study, next(iter(weights.values())), low).items():
        runs[f"baseline:{name}"] = [score_folder(bench, scene, folder, name=name)]
    for number_, seed in enumerate(seeds):
        bench.console.note(f"seed {seed}, {number_ + 1} of {len(seeds)}")
        for row in study.rows:
            call = row_call(study, row, weights[row.arm, seed], low)
            runs.setdefault(row.name, []).append(score_model(bench, scene, call, name=f"{row.name}-seed{seed}"))
    values = {
        name: {metric: [measured(run, metric) for run in found] for metric in study.metrics}
        for name, found in runs.items()
    }
    effects = {
        contrast.says: {
            metric: effect(contrast.weights, {row: values[row][metric] for row in contrast.weights})
            for metric in study.metrics
        }
        for contrast in study.contrasts
    }
    return Table3(scene, runs, values, effects)


def row_call(study: Study, row: Row, weights: Path, low: Path | None) -> ModelCall:
    """Return how a row is loaded: the stage's factory with the row's settings."""
    options: list[tuple[str, Setting]] = [("weights", str(weights)), *sorted(row.settings.items())]
    if low is not None:
        options.append(("low", str(low)))
    return ModelCall(study.factory, tuple(options))


def write(bench: Bench, study: Study, made: Table3, weights: Mapping[tuple[Arm, int], Path], dest: Path) -> list[Path]:
    """Write the page, the numbers and a sheet of the first item; return the files."""
    facts, sheet = _facts(bench, study, made, weights), dest / "sheet.png"
    item = made.scene.items.items[0]
    assert item.reference is not None, "prepared"
    shown = [("real", item.reference)]
    for name, found in made.runs.items():
        index = found[0].run.index
        shown.append((name, next(index.path_of(row) for row in index.rows() if row.name == f"{item.item_id}-s0")))
    write_sheet(shown, sheet, heading=item.prompt, label_width=190)
    parts = [
        f"# {QUESTION[study.stage]}",
        f"Made by `python -m reference_models.studies table3 {_short(study)}`; how to read it: docs/studies.md. Values"
        " are of tiny models on Moving Shapes, scored by tiny extractors: they compare with no paper.",
        _plainly(made),
        "## What differs, and how surely",
        _effects(study, made),
        "## Rows",
        _rows(study, made),
        f"The first of {len(made.scene.items)} items, training seed {facts['seeds'][0]}:",
        "![every row](sheet.png)",
        "## What was trained and scored",
        _told(study, facts),
        cost_lines(bench.costs),
    ]
    return [*write_page(dest, parts, facts, name=f"table3-{_short(study)}"), sheet]


def _folders(bench: Bench, scene: Scene, study: Study, weights: Path, low: Path | None) -> dict[str, Path]:
    frozen = load_frozen(weights)
    made = {
        "held-out": scene.held_out,
        "vae": baselines.through_autoencoder(bench, scene, frozen.vae, frozen.digests["vae"]),
    }
    if low is None:
        made["frozen"] = baselines.frozen(bench, scene)
    else:
        made["bicubic"] = baselines.bicubic(bench, scene, low)
    assert list(made) == list(study.baselines), "every baseline of the table is made"
    return made


def _plainly(made: Table3) -> str:
    """Return a sentence per difference that BGN in training makes to FVD: what came out, whatever it is."""
    said = []
    for says, found in made.effects.items():
        if says.startswith("BGN in training"):
            one = found["fvd"]
            what = ("lower, which is better" if one.value < 0 else "higher, which is worse") if one.shown else (
                "not shown to differ"
            )  # fmt: skip
            said.append(f"- {says}: FVD {one.value:+.1f} [{one.low:+.1f}, {one.high:+.1f}]: {what}.")
    return "\n".join(said)


def _effects(study: Study, made: Table3) -> str:
    """Return the table of differences, and how many of them leave 0 out."""
    digits, labels = digits_of(made.scene.protocol), labels_of(made.scene.protocol)
    rows = []
    for says, found in made.effects.items():
        for metric, one in found.items():
            d = digits[metric] + 1
            rows.append([
                says, labels[metric], f"{one.value:+.{d}f}", number(one.se_items, d), number(one.se_seeds, d),
                f"[{one.low:+.{d}f}, {one.high:+.{d}f}]", "yes" if one.shown else "no",
            ])  # fmt: skip
    shown, all_of_them = sum(row[-1] == "yes" for row in rows), len(rows)
    seeds = max(len(one.per_seed) for found in made.effects.values() for one in found.values())
    over = "items and training seeds" if seeds > 1 else "items alone: one training seed says nothing of others"
    heads = ["difference", "metric", "value", "s.e. items", "s.e. seeds", "95 % interval", "leaves 0 out"]
    return table(heads, rows) + (
        f"\nIntervals over {over}, each for itself: of {all_of_them} intervals one in twenty leaves 0 out by chance,"
        f' here {shown} do. A "no" says that so many items and seeds cannot tell, not that there is no difference.'
    )


def _rows(study: Study, made: Table3) -> str:
    """Return the values of rows and baselines, mean ± standard deviation over seeds."""
    digits, labels = digits_of(made.scene.protocol), labels_of(made.scene.protocol)
    told = {row.name: (ARMS[row.arm], row.says) for row in study.rows}
    told |= {f"baseline:{name}": ("-", says) for name, says in study.baselines.items()}
    rows = [
        [
            f"`{name}`", *told[name],
            *(spread([one.value for one in made.values[name][metric]], digits[metric]) for metric in study.metrics),
        ]
        for name in told
    ]  # fmt: skip
    heads = ["row", "weights", "sampled", *(labels[metric] for metric in study.metrics)]
    return table(heads, rows) + "\n± is the standard deviation over training seeds, not an interval."


def _told(study: Study, facts: Mapping[str, Any]) -> str:
    budget = facts["budget"]
    rows = [[f"`{name}`", f"`{digest[:16]}`"] for name, digest in facts["weights"].items()]
    return (
        f"Each training: {budget['steps']} steps of the recipe `{budget['recipe']}`, timesteps {budget['timesteps']} in"
        f" both arms, from one F_B (`{facts['base'][:16]}`). Protocol `{facts['protocol']}`, n = {facts['n']}.\n\n"
        + table(["weights", "digest of the UNet"], rows)
    )


def _facts(bench: Bench, study: Study, made: Table3, weights: Mapping[tuple[Arm, int], Path]) -> dict[str, Any]:
    told = read_model(next(iter(weights.values()))).facts
    return {
        "study": f"table3-{_short(study)}",
        "protocol": made.scene.protocol.name,
        "protocol_digest": made.scene.protocol.digest,
        "n": len(made.scene.items),
        "seeds": sorted({seed for _, seed in weights}),
        "budget": asdict(study.budget),
        "recipes": {f"{arm}-seed{seed}": arm_recipe(study, arm, seed).digest for arm, seed in weights},
        "base": told.get("training", {}).get("init", "unknown"),
        "weights": {
            f"{arm}-seed{seed}": read_card(read_model(path).weights("unet")).digest
            for (arm, seed), path in weights.items()
        },
        "rows": {row.name: {"arm": row.arm, "settings": dict(row.settings)} for row in study.rows},
        "values": {
            name: {metric: [one.value for one in found] for metric, found in metrics.items()}
            for name, metrics in made.values.items()
        },
        "effects": {
            says: {metric: asdict(one) for metric, one in found.items()} for says, found in made.effects.items()
        },
        "cpu_seconds": bench.costs,
    }


def _short(study: Study) -> str:
    return {"animation": "fa", "super_resolution": "fsr"}[study.stage]
