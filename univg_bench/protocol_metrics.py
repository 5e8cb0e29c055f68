"""What a protocol may say about metrics: one section per kind, and what is true of a kind whatever its section says.

A new kind is a section here, a row of TRAITS, and a row of `measures.kinds.KINDS` that makes a number of features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from univg_bench.frames import FramePolicy
from univg_bench.protocol_fields import Count, Id, Policy, Select, Strict
from univg_bench.recipes import CLIPSIM_RECIPES, FVD_RECIPES, ClipsimRecipe, FvdRecipe

KindName = Literal["fvd", "clipsim", "kvd", "manifold", "consistency", "image-alignment"]
Direction = Literal["higher", "lower", "neither"]
Recipe = FvdRecipe | ClipsimRecipe


class Repeats(Strict):
    """The metric is the mean over `count` disjoint runs of `size` consecutive items of its selection."""

    count: Count
    size: Count


class _Metric(Strict):
    id: Id = Field(description="what tables and records call it; unique in the file")
    recipe: str = Field(description="how it is computed, by name (univg_bench.recipes)")
    select: Select | None = Field(default=None, description="its items; null: all of the protocol")


class _Seen(_Metric):
    frames: Policy = Field(description="of the generated videos")


class _Network(_Seen):
    weights: str = Field(
        description="of the network: a name of `univg-bench weights list`, or sha256: and 64 hex digits"
    )


class _Sets(_Network):
    reference_frames: Policy = Field(description="of the real videos")
    reference_select: Select | None = Field(default=None, description="the real videos; null: those of the items")


class FvdMetric(_Sets):
    """Fréchet video distance of the generated videos to the distinct reference videos."""

    kind: Literal["fvd"]
    repeats: Repeats | None = None


class KvdMetric(_Sets):
    """Kernel video distance: unbiased, so sets of any size compare."""

    kind: Literal["kvd"]
    subsets: int = Field(default=0, ge=0, description="random subsets whose mean and deviation stand beside it")
    subset_size: Count = Field(default=1000, description="videos per subset and set")


class ManifoldMetric(_Sets):
    """Precision, recall, density or coverage: balls around videos, looked into from the other set."""

    kind: Literal["manifold"]
    quantity: Literal["precision", "recall", "density", "coverage"]
    neighbours: Count = Field(default=5, description="a ball reaches to this neighbour of its video")


class ClipsimMetric(_Network):
    """Mean cosine of frames with their caption."""

    kind: Literal["clipsim"]
    reference_frames: Policy | None = Field(default=None, description="of the real videos; null: no CLIPSIM of theirs")


class ConsistencyMetric(_Network):
    """Mean cosine of frames with the frame before and with the first one; a frozen video scores 1."""

    kind: Literal["consistency"]
    reference_frames: Policy | None = Field(default=None, description="of the real videos; null: no value of theirs")


class ImageAlignmentMetric(_Network):
    """Cosine of frames with the condition image, both embedded as images."""

    kind: Literal["image-alignment"]
    quantity: Literal["first", "mean", "min"] = Field(description="over the frames: the first, their mean, the least")


Metric = Annotated[
    FvdMetric | KvdMetric | ManifoldMetric | ClipsimMetric | ConsistencyMetric | ImageAlignmentMetric,
    Field(discriminator="kind"),
]


@dataclass(frozen=True)
class Traits:
    """What is true of every metric of a kind.

    direction: which values are better; `neither`: those near the real videos' are. recipes: those it may name.
    compares: what with, beside the frames themselves: a set of real videos, captions, the condition image, or each
    video's own reference. pair: its features are of frames and counterpart together. least_frames: a policy must take.
    """

    direction: Direction
    recipes: Mapping[str, Recipe]
    compares: Literal["set", "captions", "image", "reference", "itself"]
    pair: bool = False
    least_frames: int = 1


# with fewer than 9 frames, I3D's last pool has nothing to pool (docs/findings.md 1)
TRAITS: dict[str, Traits] = {
    "fvd": Traits("lower", FVD_RECIPES, "set", least_frames=9),
    "kvd": Traits("lower", FVD_RECIPES, "set", least_frames=9),
    "manifold": Traits("higher", FVD_RECIPES, "set", least_frames=9),
    "clipsim": Traits("higher", CLIPSIM_RECIPES, "captions"),
    "consistency": Traits("higher", CLIPSIM_RECIPES, "itself", least_frames=2),
    "image-alignment": Traits("higher", CLIPSIM_RECIPES, "image"),
}
assert set(TRAITS) == set(get_args(KindName))


def traits_of(metric: Metric) -> Traits:
    """Return what is true of the metric's kind."""
    return TRAITS[metric.kind]


def recipe_of(metric: Metric) -> Recipe:
    """Return the recipe that the metric names."""
    return traits_of(metric).recipes[metric.recipe]


def weights_of(metric: Metric) -> str | None:
    """Return the name or checksum of the weights that the metric names; None where there is no network."""
    return metric.weights if isinstance(metric, _Network) else None


def reference_frames_of(metric: Metric) -> FramePolicy | None:
    """Return which frames of real videos the metric sees; None: of none."""
    return getattr(metric, "reference_frames", None)
