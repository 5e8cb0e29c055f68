"""A protocol's `generation.params`, or a person's, in the place of the presets' settings. None is passed over.

Names without a prefix belong to the first stage, or to F_SR where it stands alone; with sr_ to F_SR. Behind another
stage F_SR shares sampler, w_T, w and negative_prompt with it unless it is given its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from reference_models.stages.pipelines import AnyStage, Pipeline
from reference_models.stages.settings import Joint, Separate
from reference_models.stages.super_resolution import SuperResolutionStage
from univg_bench.errors import InputError
from univg_bench.model import Setting

# name -> types of its values
_NUMBERS: dict[str, tuple[type, ...]] = {
    "solver": (str,), "steps": (int,), "grid": (str,), "start": (str,), "t_m": (int,), "t_n": (int,),
    "sampler": (str,), "w_T": (int, float), "w_I": (int, float), "w": (int, float), "eta": (int, float),
    "guidance_rescale": (int, float), "end": (int, type(None)), "negative_prompt": (str,), "fps_embedding": (int,),
}  # fmt: skip
_SHARED = ("sampler", "w_T", "w", "negative_prompt")


def setting_names(pipeline: Pipeline) -> dict[str, tuple[type, ...]]:
    """Return the settings that `generate` takes for this pipeline, and the types of their values."""
    known = dict(_NUMBERS)
    if isinstance(pipeline.stages[0], SuperResolutionStage):
        return known | {"sr_steps": (int,), "sr_start": (int,)}
    if len(pipeline.stages) > 1:
        known |= {f"sr_{name}": kinds for name, kinds in _NUMBERS.items() if name not in ("start", "w_I")}
        known |= {"sr_start": (int,)}
    return known


def configured(pipeline: Pipeline, settings: Mapping[str, Setting]) -> Pipeline:
    """Return the pipeline with settings of a protocol's `generation.params` in the place of the presets'.

    sr_start is the timestep at which F_SR starts, t_n of its BGN, as in the protocols.

    Raises InputError for a name or value that the pipeline does not know.
    """
    known = setting_names(pipeline)
    for name, value in settings.items():
        if name not in known:
            raise InputError(
                f"found the setting {name!r} for {pipeline.name}, which does not know it; it knows"
                f" {', '.join(sorted(known))}"
            )
        if not isinstance(value, known[name]) or (isinstance(value, bool) and bool not in known[name]):
            kinds = " or ".join(kind.__name__ for kind in known[name])
            raise InputError(f"found {name} = {value!r} for {pipeline.name}, expected a value of type {kinds}")
    own = {name: value for name, value in settings.items() if not name.startswith("sr_")}
    behind = {"t_n" if name == "sr_start" else name[3:]: v for name, v in settings.items() if name.startswith("sr_")}
    alone = len(pipeline.stages) == 1
    stages: list[AnyStage] = []
    for place, stage in enumerate(pipeline.stages):
        mine: dict[str, Setting] = own if place == 0 else {}
        if isinstance(stage, SuperResolutionStage):
            shared = own if alone else {name: value for name, value in own.items() if name in _SHARED}
            mine = shared | behind
        if not alone and mine.get("start", stage.settings.start) != "biased":
            # it belongs to Biased Gaussian Noise, which the other stage has
            mine = {name: value for name, value in mine.items() if name != "sampler"}
        with refused(pipeline.name):
            stages.append(_with(stage, mine))
    return replace(pipeline, stages=tuple(stages))


def _with(stage: AnyStage, settings: Mapping[str, Setting]) -> AnyStage:
    """Return a stage with these settings. Raises ValueError where they contradict each other or the stage."""
    changes: dict[str, Any] = {k: v for k, v in settings.items() if k not in ("w", "w_T", "w_I")}
    weights = {k: float(v) for k, v in settings.items() if k in ("w", "w_T", "w_I") and v is not None}
    start = changes.get("start", stage.settings.start)
    if start != stage.settings.start:  # what belonged to the old one goes, unless it is asked for
        changes = {"t_m": None, "grid": "trailing" if start == "noise" else "uniform", **changes}
        if start == "noise":
            changes = {"t_n": None, **changes}
    if weights:
        changes["guidance"] = _guidance(stage, weights)
    return replace(stage, settings=replace(stage.settings, **changes))


def _guidance(stage: AnyStage, weights: Mapping[str, float]) -> Separate | Joint:
    if "w" in weights:
        if len(weights) > 1:
            raise ValueError("found w beside w_T or w_I, expected one weight for all conditions or one for each")
        return Joint(weights["w"])
    if "w_I" in weights and not stage.networks.takes_image:
        raise ValueError(f"found w_I for {stage.networks.preset.name}, which attends to no image; drop it")
    before = stage.settings.guidance
    return replace(before if isinstance(before, Separate) else Separate(), **weights)


@contextmanager
def refused(whose: str) -> Iterator[None]:
    """Turn what a stage refuses into the user's error, which says whose it is."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{whose}: {error}") from error
