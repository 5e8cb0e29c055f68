"""What must fit together in a protocol and no single field can say; each fault with the place it stands at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from univg_bench.features.known_weights import DEFAULT_WEIGHTS, KNOWN_WEIGHTS
from univg_bench.protocol import (
    DataImages,
    FolderData,
    Generation,
    MovingShapesData,
    MsrvttData,
    Protocol,
    ReferenceFrame,
)
from univg_bench.protocol_fields import Select
from univg_bench.protocol_metrics import TRAITS, FidelityMetric, Metric, Recipe, direction_of, traits_of, weights_of
from univg_bench.recipes import ClipsimRecipe, FvdRecipe
from univg_bench.recipes_frames import FidRecipe

Place = tuple[str | int, ...]
Fault = tuple[Place, str]  # where in the file, and a sentence without the place

MOVING_SHAPES_SIZES = ((32, 56), (72, 128))


def faults(protocol: Protocol) -> Iterator[Fault]:
    """Yield everything in `protocol` that does not fit together."""
    yield from _conditions(protocol)
    yield from _data(protocol)
    yield from _generation(protocol.generation)
    seen: set[str] = set()
    for index, metric in enumerate(protocol.metrics):
        place: Place = ("metrics", index)
        if metric.id in seen:
            yield (*place, "id"), f"a second metric is called '{metric.id}'; give each its own id"
        seen.add(metric.id)
        yield from _metric(protocol, metric, place)
    yield from _still_wins(protocol)
    yield from _tables(protocol)


def suggest(word: str, known: list[str]) -> str:
    """Return "; did you mean 'x'?", or the list of known words when none is near."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"


def _conditions(protocol: Protocol) -> Iterator[Fault]:
    text, image = protocol.conditions.text, protocol.conditions.image
    wanted = {"t2v": (True, False), "i2v": (False, True), "ti2v": (True, True)}[protocol.task]
    if text != wanted[0]:
        yield ("conditions", "text"), f"found text: {str(text).lower()}, but task {protocol.task} says otherwise"
    if (image is not None) != wanted[1]:
        expected = "an image" if wanted[1] else "image: null"
        yield ("conditions", "image"), f"task {protocol.task} expects {expected} among its conditions"
    if protocol.freedom == "low" and image is None:
        yield ("freedom",), "found freedom: low without an image; a video can only follow an image that is given"
    data = protocol.data
    if isinstance(image, DataImages) and not (isinstance(data, FolderData) and data.images):
        yield ("conditions", "image", "source"), "found source: data, but the data have no `images` pattern"
    if isinstance(image, ReferenceFrame) and not _has_references(protocol):
        yield ("conditions", "image", "source"), "found source: reference, but the data have no reference videos"


def _data(protocol: Protocol) -> Iterator[Fault]:
    data = protocol.data
    if isinstance(data, MsrvttData):
        yield from _select(data.select, ("data", "select"))
    if isinstance(data, MovingShapesData) and (data.height, data.width) not in MOVING_SHAPES_SIZES:
        yield ("data", "width"), f"found {data.height}x{data.width}, but Moving Shapes has 32x56 and 72x128"
    if isinstance(data, FolderData) and (data.expect.references or 0) > data.expect.items:
        yield ("data", "expect", "references"), f"found more references than items ({data.expect.items})"
    if isinstance(data, FolderData) and data.expect.references and data.references is None:
        yield ("data", "expect", "references"), "references are expected, but `data.references` does not say where"


def _select(select: Select, place: Place) -> Iterator[Fault]:
    chooses = select.captions_per_video != "all" or select.videos != "all"
    for name in ("rule", "salt"):
        if chooses and getattr(select, name) is None:
            yield place, f"a choice of captions or videos needs `{name}`, e.g. rule: hash_min with a salt of your own"
        if not chooses and getattr(select, name) is not None:
            yield (*place, name), f"`{name}` chooses nothing while captions_per_video and videos are `all`; remove it"


def _generation(generation: Generation) -> Iterator[Fault]:
    fields = ["num_frames", "fps", "height", "width"]
    for index, name in enumerate(generation.fixed):
        place: Place = ("generation", "fixed", index)
        if name in fields:
            if getattr(generation, name) is None:
                yield place, f"'{name}' cannot be fixed while generation.{name} is null"
        elif name not in generation.params:
            yield place, f"found '{name}'{suggest(name, fields + list(generation.params))}"


def _still_wins(protocol: Protocol) -> Iterator[Fault]:
    """Refuse what a frozen video wins unless its motion stands beside it, in the file and in every table."""
    kinds = {metric.id: metric.kind for metric in reversed(protocol.metrics)}
    for index, metric in enumerate(protocol.metrics):
        if traits_of(metric).frozen_wins and "motion" not in kinds.values():
            yield ("metrics", index), f"found {metric.kind} without a motion metric: {_FROZEN}"
    for section, columns in (("table", protocol.table), ("wide", (*protocol.table, *protocol.wide))):
        shown = [kinds[column.metric] for column in columns if column.metric in kinds]
        if section == "wide" and not protocol.wide:
            continue
        winning = next((kind for kind in shown if TRAITS[kind].frozen_wins), None)
        if winning and "motion" not in shown:
            yield (section,), f"found a column of {winning} without one of motion: {_FROZEN}"


_FROZEN = "a frozen video wins it, so the motion must stand beside it"


def _metric(protocol: Protocol, metric: Metric, place: Place) -> Iterator[Fault]:
    traits, name, weights = traits_of(metric), metric.recipe, weights_of(metric)
    recipe = traits.recipes.get(name)
    if recipe is None:
        yield (*place, "recipe"), f"unknown {metric.kind} recipe '{name}'{suggest(name, list(traits.recipes))}"
    elif weights is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", weights):
        fitting = _weights_of(_network(recipe))
        if weights not in fitting:
            known = " or ".join([*fitting, "sha256: and 64 hex digits"])
            yield (*place, "weights"), f"found weights '{weights}', but recipe '{name}' computes with {known}"
    if metric.select is not None:
        yield from _select(metric.select, (*place, "select"))
    if traits.compares in ("set", "reference") and not _has_references(protocol):
        yield place, f"{_NAMES[metric.kind]} compares with real videos, but the data have no `references`"
    if traits.compares == "image" and protocol.conditions.image is None:
        yield place, f"{metric.kind} compares with the condition image, but `conditions.image` is null"
    for field in ("frames", "reference_frames"):
        policy = getattr(metric, field, None)
        if policy is not None and policy.frames is not None and policy.frames < traits.least_frames:
            reason = " for I3D" if isinstance(recipe, FvdRecipe) else f" for {metric.kind}"
            yield (
                (*place, field, "frames"),
                f"found {policy.frames} frames, expected at least {traits.least_frames}{reason}",
            )
        if policy is not None and traits.neighbours and policy.sampling not in _IN_A_ROW:
            yield (
                (*place, field, "sampling"),
                f"found {policy.sampling}, but {metric.kind} compares frames that follow one another; take one of"
                f" {', '.join(_IN_A_ROW)}",
            )
        if policy is not None and metric.kind == "fid" and policy.frames is None:
            yield (*place, field), "an FID takes equally many frames of every video; choose how many with `frames`"
    if isinstance(metric, FidelityMetric) and metric.frames.sampling == "fps_matched":
        yield (*place, "frames", "sampling"), "frames chosen by time cannot be paired one by one; use another sampling"
    select = getattr(metric, "reference_select", None)
    if select is not None:
        yield from _select(select, (*place, "reference_select"))
        if select.captions_per_video != "all" or select.first is not None:
            yield (*place, "reference_select"), "real videos have no captions to choose; only `videos` fits here"


_NAMES = {
    "fvd": "an FVD", "kvd": "a KVD", "manifold": "a manifold metric", "fid": "an FID",
    "spectral": "a spectral distance", "fidelity": "fidelity",
}  # fmt: skip
_IN_A_ROW = ("all", "first", "centre", "random_consecutive", "fps_matched")


def _network(recipe: Recipe) -> str:
    assert isinstance(recipe, FvdRecipe | ClipsimRecipe | FidRecipe), "only these have weights"
    return recipe.model if isinstance(recipe, ClipsimRecipe) else recipe.network


def _weights_of(network: str) -> list[str]:
    """Return the names of the weights that fit the network: another pair asks for a number that cannot exist."""
    published = [known.name for known in KNOWN_WEIGHTS if known.name and known.architecture == network]
    return list(dict.fromkeys([DEFAULT_WEIGHTS[network], *published]))


def _tables(protocol: Protocol) -> Iterator[Fault]:
    known = {metric.id: metric for metric in reversed(protocol.metrics)}  # of two with one id the first counts
    for section, columns in (("table", protocol.table), ("wide", protocol.wide)):
        for index, column in enumerate(columns):
            metric = known.get(column.metric)
            if metric is None:
                yield (section, index, "metric"), f"found metric '{column.metric}'{suggest(column.metric, list(known))}"
                continue
            if metric.recipe not in traits_of(metric).recipes:
                continue  # said already
            kind, better = metric.kind, direction_of(metric)
            if column.direction != better:
                says = f"the {better} is better" if better != "neither" else "neither is better: write `neither`"
                yield (section, index, "direction"), f"found {column.direction}, but of {kind} {says}"


def _has_references(protocol: Protocol) -> bool:
    return not (isinstance(protocol.data, FolderData) and protocol.data.references is None)
