"""The averaged weights at chosen steps, kept for good: what Figure 5 is made of, and what is shipped in the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reference_models.checkpoints import save_weights
from reference_models.nn.unet3d import UNetConfig
from reference_models.training.recipe import Recipe
from univg_bench.atomic import write_bytes
from univg_bench.environment import describe_environment
from univg_bench.errors import InputError


def milestone_path(work: Path, step: int) -> Path:
    """Return where the weights after `step` steps lie; what is told of them lies beside them as JSON."""
    return work / "milestones" / f"step-{step:08d}.safetensors"


def milestone_steps(work: Path) -> list[int]:
    """Return the steps whose weights a work folder keeps for good, rising."""
    return sorted(int(path.stem.removeprefix("step-")) for path in (work / "milestones").glob("step-*.safetensors"))


def write_milestone(
    recipe: Recipe, work: Path, step: int, average: Mapping[str, Tensor], *, network: UNetConfig
) -> None:
    """Write the averaged weights as float16, with the step and the recipe in their card.

    A run that was killed after a milestone and before a checkpoint comes to it again, with the same bits.
    """
    save_weights(
        milestone_path(work, step),
        {key: value.to(torch.float16) for key, value in average.items()},
        preset=recipe.preset,
        part="unet",
        source=f"{recipe.name} ({recipe.digest[:12]}), averaged weights after {step} of {recipe.steps} steps",
        settings=asdict(network),
    )


def write_facts(work: Path, recipe: Recipe, told: Mapping[str, str], *, step: int, cpu_s: float) -> None:
    """Write what a card tells of a milestone: recipe, data, what it began from, time, machine."""
    environment = describe_environment("cpu")
    facts = {
        **told,
        "recipe": recipe.name,
        "recipe_digest": recipe.digest,
        "settings": recipe.plain(),
        "steps": step,
        "steps_of_recipe": recipe.steps,
        "cpu_hours": round(cpu_s / 3600, 3),
        "machine": {key: environment[key] for key in ("cpu", "cpus", "platform")},
        "torch": environment["packages"]["torch"],
    }
    write_bytes(milestone_path(work, step).with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())


def read_facts(work: Path, step: int) -> dict[str, Any]:
    """Return what `write_facts` wrote. Raises InputError when it is not there."""
    path = milestone_path(work, step).with_suffix(".json")
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; train on to the next milestone") from error
    return facts
