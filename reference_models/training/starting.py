"""A run, put together from a recipe and the places that the command names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reference_models.data.readers import Reader as VideoReader
from reference_models.degradation import FIRST, MILD, Degradation
from reference_models.presets import Preset, load_preset
from reference_models.training.distributed import ALONE, World
from reference_models.training.evaluation import evaluate_milestone
from reference_models.training.examples import Examples, Reader
from reference_models.training.latents import Latents
from reference_models.training.loop import Run
from reference_models.training.milestones import write_facts, write_milestone
from reference_models.training.moving_shapes import MovingShapes
from reference_models.training.recipe import Kind, Recipe
from reference_models.training.sources import readings, sources_of
from reference_models.training.start import load_frozen, start_networks
from univg_bench.errors import InputError

# what F_SR is given is what the others make
_SMALL = {"univg-fsr": "univg-fb", "univg-fsr-concat": "univg-fb", "tiny-fsr": "tiny-fb", "tiny-fsr-concat": "tiny-fb"}


@dataclass(frozen=True)
class Places:
    """Where things are, and who reads videos. frozen, init: see `start.py`. sources: see `sources.py`. cache: clips,
    latents, indices. data: of the protocols by which milestones are evaluated."""

    work: Path
    frozen: Path
    sources: tuple[str, ...]
    init: Path | None = None
    cache: Path = Path(".cache/tiny")
    reader: VideoReader = "decord"
    data: Path | None = None


def run_of(
    recipe: Recipe, places: Places, *, world: World = ALONE, workers: int = 0, skip_broken: bool = False,
    quiet: bool = False,
) -> Run:  # fmt: skip
    """Return the run of a recipe. Raises InputError for weights or sources that are not what the recipe needs."""
    preset = recipe.trained
    if recipe.evaluation.protocols and places.data is None:
        raise InputError(
            f"found no --data, expected the folder with the data of {', '.join(recipe.evaluation.protocols)}, by which"
            f" {recipe.name} is evaluated on the way"
        )
    sources = sources_of(places.sources, preset, cache=places.cache, reader=places.reader, skip_cut_off=skip_broken)
    reader = Reader(readings(sources, recipe, skip_broken=skip_broken), damage_of(preset))
    fixed = load_frozen(places.frozen)
    networks, facts = start_networks(recipe, fixed, init=places.init, device=world.device)
    latents: dict[Kind, Latents] = {}
    made: dict[int, Latents] = {}
    for kind, reading in reader.readings.items():
        source = reading.sources[0]
        if len(reading.sources) == 1 and isinstance(source, MovingShapes):
            folder = places.cache / "latents"
            if id(source) not in made:
                made[id(source)] = Latents(source, networks.vae, vae_digest=fixed.digests["vae"], folder=folder)
            latents[kind] = made[id(source)]
    if set(latents) != set(reader.readings):
        latents = {}
    examples = Examples(networks, reader, latents, workers=workers)
    identities = {kind: [source.identity for source in reading.sources] for kind, reading in reader.readings.items()}
    facts["sources"] = hashlib.sha256(repr(sorted(identities.items())).encode()).hexdigest()
    told = {**facts, "data": ", ".join(places.sources)}

    def at_milestone(step: int, average: Mapping[str, Tensor], cpu_s: float) -> None:
        write_milestone(recipe, places.work, step, average, network=networks.unet.config)
        write_facts(places.work, recipe, told, step=step, cpu_s=cpu_s)
        if recipe.evaluation.protocols and places.data is not None:
            evaluate_milestone(
                places.work, fixed, step=step, protocols=recipe.evaluation.protocols, data=places.data,
                cache=places.cache / "features",
            )  # fmt: skip

    return Run(
        recipe, networks, examples, places.work, world=world, facts=facts, at_milestone=at_milestone, quiet=quiet
    )


def damage_of(preset: Preset) -> Degradation | None:
    """Return how a low-resolution video is made for F_SR (decisions 76 and 91); None for the other stages."""
    if preset.stage != "super_resolution":
        return None
    small = load_preset(_SMALL[preset.name])
    rounds = (MILD if preset.name.startswith("tiny") else FIRST,)
    return Degradation(small.height, small.width, rounds)
