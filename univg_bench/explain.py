"""Why two FVDs of the same videos differ: the number under every recipe, from one decoding, knob by knob.

Implementations differ by a few choices, the knobs. Each recipe is compared with the one that the number was made with,
and then each of its knobs is turned alone, so that a table says which choice moves the number by how much.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.console import Console
from univg_bench.engine.local import run_chunks
from univg_bench.errors import InputError
from univg_bench.explain_sets import VideoSets
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Extractor, extract_chunk
from univg_bench.features.plan import FeaturePlan
from univg_bench.metrics.frechet import FrechetParts, frechet_parts
from univg_bench.metrics.fvd import fvd
from univg_bench.recipes import FVD_RECIPES, FvdRecipe, cd_fvd
from univg_bench.statistics import GaussianStats, Moments, moments_of

# knob -> the fields of a recipe that it turns together; all that tells two recipes of one network apart
KNOBS: dict[str, tuple[str, ...]] = {
    "geometry": ("size", "geometry", "kernel", "antialias", "through"),
    "bn_eps": ("bn_eps",),
    "ddof": ("ddof",),
    "dtype": ("dtype",),
}
FULL_SIZE = FVD_RECIPES["univg"].size


@dataclass(frozen=True)
class Turned:
    """The number with one knob set as in another recipe and all else as it was, and its relative difference."""

    value: float
    relative: float | None


@dataclass(frozen=True)
class Line:
    """The number under one recipe.

    relative: difference to the baseline as a share of it; None for the baseline itself, or when that is 0. alone: knob
    -> what turning it alone does; only knobs that differ from the baseline's.
    """

    recipe: FvdRecipe
    parts: FrechetParts
    relative: float | None
    alone: dict[str, Turned]


@dataclass(frozen=True)
class Explanation:
    """A line per recipe, the baseline first. computed, reused: features made now, and found in the cache."""

    compared: VideoSets
    lines: tuple[Line, ...]
    warnings: tuple[str, ...]
    computed: int
    reused: int


def recipes_of(baseline: FvdRecipe, names: Sequence[str] = ()) -> list[FvdRecipe]:
    """Return the recipes to set beside `baseline`, which comes first: those named, or all of its network.

    names: of FVD_RECIPES, or cd-fvd-<resolution>; with a tiny network `tiny/<name>` is the same recipe in small.

    Raises InputError for an unknown name.
    """
    full = {name: recipe for name, recipe in FVD_RECIPES.items() if recipe.network == "i3d"}
    chosen = []
    for name in names or full:
        plain = name.removeprefix("tiny/") if baseline.network == "tiny-i3d" else name
        resolution = re.fullmatch(r"cd-fvd-([1-9][0-9]{1,3})", plain)
        if plain == baseline.name:
            continue
        if plain not in full and resolution is None:
            known = ", ".join(full)
            raise InputError(f"found the recipe {name!r}, expected one of {known}, or cd-fvd-<resolution>")
        recipe = full.get(plain) or cd_fvd(int(plain.rpartition("-")[2]))
        chosen.append(in_small(recipe, baseline) if baseline.network == "tiny-i3d" else recipe)
    return [baseline, *(recipe for recipe in dict.fromkeys(chosen) if names or settings(recipe) != settings(baseline))]


def in_small(recipe: FvdRecipe, tiny: FvdRecipe) -> FvdRecipe:
    """Return `recipe` for the network of `tiny`, its sizes in proportion: 256 of 224 become 73 of 64."""
    first = recipe.through
    if first is not None:
        first = replace(first, size=round(first.size * tiny.size / recipe.size))
    return replace(
        recipe, name=f"tiny/{recipe.name}", network=tiny.network, size=tiny.size, through=first,
        source=f"{recipe.name} in small, for the I3D trained on Moving Shapes; not comparable with any paper",
    )  # fmt: skip


def settings(recipe: FvdRecipe) -> dict[str, tuple[object, ...]]:
    """Return knob -> how `recipe` sets it; recipes of one network with equal settings give equal numbers."""
    return {knob: tuple(getattr(recipe, field) for field in fields) for knob, fields in KNOBS.items()}


def explain(
    compared: VideoSets, recipes: Sequence[FvdRecipe], *, cache: Path, workers: int, device: str, console: Console
) -> Explanation:
    """Return the FVD of `compared` under each of `recipes`, whose first is its own.

    cache: the folder of features; what an evaluation or an interrupted call left there is not computed again. Every
    video is decoded once. The numbers do not depend on workers.

    Raises InputError for fewer than two videos in a set, SampleError for a video that has changed,
    InfrastructureError when a worker dies.
    """
    baseline = recipes[0]
    turned = {
        (recipe.name, knob): _turn(baseline, recipe, knob)
        for recipe in recipes
        for knob, setting in settings(recipe).items()
        if setting != settings(baseline)[knob]
    }
    plan = FeaturePlan.empty(FeatureCache(cache))
    sets = _Sets.planned(compared, [*recipes, *turned.values()], plan, device)
    num_features, chunks = plan.num_features(), plan.chunks()
    todo = run_chunks(extract_chunk, chunks, workers=workers)
    computed = sum(n for _, n in console.progress(todo, total=len(chunks), title="features", unit="chunk"))
    base = sets.distance(baseline)
    alone = {place: sets.distance(recipe).distance for place, recipe in turned.items()}
    lines = []
    for recipe in recipes:
        parts = sets.distance(recipe)
        lines.append(
            Line(
                recipe, parts, None if recipe is baseline else _relative(parts.distance, base.distance),
                {
                    knob: Turned(value, _relative(value, base.distance))
                    for (name, knob), value in alone.items()
                    if name == recipe.name
                },
            )
        )  # fmt: skip
    return Explanation(compared, tuple(lines), sets.warnings(baseline), computed, num_features - computed)


def record(explanation: Explanation) -> dict[str, Any]:
    """Return everything as plain data for JSON: the baseline first, then a row per recipe with its knobs."""
    compared = explanation.compared
    return {
        "what": compared.what,
        "baseline": explanation.lines[0].recipe.name,
        "n": len(compared.generated),
        "n_reference": len(compared.real),
        "repeats": None if compared.repeats is None else compared.repeats.model_dump(),
        "frames": asdict(compared.frames),
        "reference_frames": asdict(compared.reference_frames),
        "weights": {
            "name": compared.weights.name, "sha256": compared.weights.digest, "note": compared.weights.note,
        },
        "recipes": [
            {
                "value": line.parts.distance, "mean_part": line.parts.mean, "trace_part": line.parts.trace,
                "relative": line.relative, "alone": {knob: asdict(one) for knob, one in line.alone.items()},
                "recipe": {**asdict(line.recipe), "digest": line.recipe.digest},
            }
            for line in explanation.lines
        ],
        "dropped_short": list(compared.dropped),
        "notes": list(compared.notes),
        "warnings": list(explanation.warnings),
        "features_computed": explanation.computed,
        "features_reused": explanation.reused,
    }  # fmt: skip


@dataclass
class _Sets:
    """The features of both sets under all that is asked, by keys in the cache; moments are taken when needed."""

    compared: VideoSets
    cache: FeatureCache
    keys: dict[FvdRecipe, tuple[list[str], list[str]]]
    moments: dict[FvdRecipe, tuple[list[Moments], Moments]]

    @classmethod
    def planned(cls, compared: VideoSets, recipes: Sequence[FvdRecipe], plan: FeaturePlan, device: str) -> _Sets:
        """Enter into `plan` what `recipes` need; those that see alike share features."""
        # Features are kept under the number's own recipe, as an evaluation keeps them, else under the first published
        # one that sees alike: so another choice of recipes finds them again.
        first: dict[FvdRecipe, FvdRecipe] = {}
        for recipe in recipes_of(recipes[0]):
            first.setdefault(_seen(recipe), recipe)
        keys = {}
        for seen in dict.fromkeys(_seen(recipe) for recipe in recipes):
            extractor = Extractor(first.get(seen, seen), compared.weights, device)
            generated = [plan.want_video(video, extractor, compared.frames) for video in compared.generated]
            real = [plan.want_video(video, extractor, compared.reference_frames) for video in compared.real]
            keys[seen] = ([key for key in generated if key], [key for key in real if key])
        return cls(compared, plan.cache, keys, {})

    def rows(self, recipe: FvdRecipe) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (N, D) and (M, D) of generated and real videos, float64."""
        generated, real = (
            np.array([self.cache.load(key) for key in keys], dtype=np.float64) for keys in self.keys[_seen(recipe)]
        )
        return generated, real

    def distance(self, recipe: FvdRecipe) -> FrechetParts:
        """Return the two terms of the distance, means over the runs where there are several."""
        seen = _seen(recipe)
        if seen not in self.moments:
            generated, real = self.rows(recipe)
            self.moments[seen] = (
                [moments_of(generated[part]) for part in self._runs(len(generated))],
                moments_of(real),
            )
        runs, real_moments = self.moments[seen]
        real_stats: GaussianStats = real_moments.gaussian(ddof=recipe.ddof)
        parts = [frechet_parts(run.gaussian(ddof=recipe.ddof), real_stats) for run in runs]
        return FrechetParts(
            mean=float(np.mean([part.mean for part in parts])), trace=float(np.mean([part.trace for part in parts]))
        )

    def warnings(self, recipe: FvdRecipe) -> tuple[str, ...]:
        """Return what the evaluation would warn of."""
        generated, real = self.rows(recipe)
        first = generated[self._runs(len(generated))[0]]
        names, others = [str(i) for i in range(len(first))], [str(i) for i in range(len(real))]
        return fvd(
            first, real, ddof=recipe.ddof, clusters=names, reference_clusters=others, replicates=0, seed=0
        ).warnings

    def _runs(self, n: int) -> list[slice]:
        repeats = self.compared.repeats
        if repeats is None:
            return [slice(None)]
        if n < repeats.size * repeats.count:
            raise InputError(f"found {n} scored samples, expected {repeats.count} runs of {repeats.size}")
        return [slice(i * repeats.size, (i + 1) * repeats.size) for i in range(repeats.count)]


def _turn(baseline: FvdRecipe, other: FvdRecipe, knob: str) -> FvdRecipe:
    taken = {field: getattr(other, field) for field in KNOBS[knob]}
    return replace(baseline, name=f"{baseline.name} with {knob} of {other.name}", **taken)


def _seen(recipe: FvdRecipe) -> FvdRecipe:
    """Return `recipe` without what decides no feature."""
    return replace(recipe, name="combination", version=1, ddof=1, source="")


def _relative(value: float, base: float) -> float | None:
    return value / base - 1 if base > 0 else None
