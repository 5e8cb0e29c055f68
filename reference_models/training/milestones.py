"""The averaged weights at chosen steps, kept for good: what Figure 5 is made of, and what is shipped in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from reference_models.checkpoints import save_weights
from reference_models.training.loop import AtMilestone
from reference_models.training.recipe import Recipe


def milestone_path(work: Path, step: int) -> Path:
    """Return where the weights after `step` steps lie."""
    return work / "milestones" / f"step-{step:08d}.safetensors"


def milestone_writer(recipe: Recipe, work: Path) -> AtMilestone:
    """Return what writes the averaged weights as float16, with the step and the recipe in their card."""

    def write(step: int, average: Mapping[str, Tensor], cpu_s: float) -> None:
        save_weights(
            milestone_path(work, step),
            {key: value.to(torch.float16) for key, value in average.items()},
            preset=recipe.preset,
            part="unet",
            source=f"{recipe.name} ({recipe.digest[:12]}), averaged weights after {step} of {recipe.steps} steps",
            settings=asdict(recipe.trained.network),
        )

    return write
