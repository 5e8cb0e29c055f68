"""The trainings of Table 3: from one F_B, with BGN and without it, several seeds of each, nothing else different."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from reference_models.checkpoints import read_card, read_model
from reference_models.diffusion.bgn import ANIMATION_INTERVAL, SUPER_RESOLUTION_INTERVAL
from reference_models.studies.bench import Bench
from reference_models.studies.table3_rows import Arm, Study
from reference_models.training.export import export
from reference_models.training.loop import train
from reference_models.training.recipe import Biased, Keeping, Phase, Recipe
from reference_models.training.recipe_files import load_recipe
from reference_models.training.start import load_frozen
from reference_models.training.starting import Places, run_of
from univg_bench.errors import UnivgError

EVERY = 50  # steps between checkpoints: what kill -9 costs at most


class InterruptedTrainingError(UnivgError):
    """A signal ended a training; its checkpoint is written, and the same command goes on (exit 130)."""

    exit_code = 130


@dataclass(frozen=True)
class Start:
    """What all trainings begin with. base: folder of F_B's weights, which brings its autoencoder and CLIP. cache: where
    clips and their latents are kept."""

    base: Path
    cache: Path


def arm_recipe(study: Study, arm: Arm, seed: int) -> Recipe:
    """Return the recipe of one training: the shipped one, at the study's budget, with BGN or without it."""
    base, budget = load_recipe(study.budget.recipe), study.budget
    interval = Biased(*(ANIMATION_INTERVAL if study.stage == "animation" else SUPER_RESOLUTION_INTERVAL))
    phases = tuple(
        Phase(steps, phase.batches, phase.temporal)
        for phase, steps in zip(base.phases, _shares([p.steps for p in base.phases], budget.steps), strict=True)
    )
    return replace(
        base,
        name=f"{base.name}-{arm}-{seed}",
        seed=seed,
        phases=phases,
        optimiser=replace(base.optimiser, warmup=min(base.optimiser.warmup, budget.steps // 8)),
        diffusion=replace(base.diffusion, timesteps=budget.timesteps, bgn=interval if arm == "bgn" else None),
        checkpoints=Keeping(every=EVERY, keep=1, milestones=(budget.steps,)),
    )


def trained(bench: Bench, study: Study, arm: Arm, seed: int, start: Start) -> Path:
    """Return the folder of one training's weights, trained now or before, with its card.

    Raises InterruptedTrainingError on a signal; what the training's own code raises.
    """
    recipe = arm_recipe(study, arm, seed)
    name = f"{study.stage}/{arm}-seed{seed}"
    dest, work = bench.work / "weights" / name, bench.work / "training" / name
    if _is_there(dest, recipe, start.base):
        return dest
    bench.console.say(f"train {name}: {recipe.steps} steps")
    places = Places(
        work, start.base, (f"videos=moving-shapes:{study.budget.clips}",), init=start.base, cache=start.cache
    )  # fmt: skip
    with bench.paid(f"train {study.stage}"):
        done = train(run_of(recipe, places, quiet=bench.console.quiet))
    if done.interrupted:
        raise InterruptedTrainingError(f"{work}: {done.steps} of {recipe.steps} steps; the same command goes on")
    export(work, dest, load_frozen(start.base))
    return dest


def _is_there(dest: Path, recipe: Recipe, base: Path) -> bool:
    """Return whether `dest` holds this training's weights, by recipe and by what it began from."""
    if not (dest / "model.json").is_file():
        return False
    told = json.loads((dest / "model.json").read_bytes())["training"]
    began = read_card(read_model(base).weights("unet")).digest
    return bool((told["recipe_digest"], told["init"]) == (recipe.digest, began))


def _shares(steps: list[int], total: int) -> list[int]:
    """Return `total` steps over phases in the proportions of `steps`, at least one each."""
    made = [max(1, total * share // sum(steps)) for share in steps[:-1]]
    return [*made, total - sum(made)]
