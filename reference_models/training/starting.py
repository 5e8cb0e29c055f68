"""A run, put together from a recipe and the places that the command names."""

from __future__ import annotations

from pathlib import Path

import torch

from reference_models.training.examples import Examples
from reference_models.training.latents import Latents
from reference_models.training.loop import Run
from reference_models.training.milestones import milestone_writer
from reference_models.training.moving_shapes import MovingShapes
from reference_models.training.recipe import Kind, Recipe
from reference_models.training.start import load_frozen, start_networks


def run_of(
    recipe: Recipe, *, work: Path, frozen: Path, init: Path | None, cache: Path, clips: int, skip_broken: bool,
    quiet: bool,
) -> Run:  # fmt: skip
    """Return the run of a recipe on Moving Shapes. Raises InputError for weights that are not what the recipe needs."""
    preset = recipe.trained
    source = MovingShapes(clips, height=preset.height, width=preset.width, cache=cache / "clips")
    fixed = load_frozen(frozen)
    networks, facts = start_networks(recipe, fixed, init=init, device=torch.device("cpu"))
    latents = Latents(source, networks.vae, vae_digest=fixed.digests["vae"], folder=cache / "latents")
    kinds: tuple[Kind, ...] = ("images", "frames", "videos")
    examples = Examples(networks, dict.fromkeys(kinds, source), dict.fromkeys(kinds, latents), skip_broken=skip_broken)
    return Run(
        recipe, networks, examples, work, facts={**facts, "source": source.identity},
        at_milestone=milestone_writer(recipe, work), quiet=quiet,
    )  # fmt: skip
