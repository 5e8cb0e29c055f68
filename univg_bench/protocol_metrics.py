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
from univg_bench.recipes_frames import (
    FID_RECIPES,
    FIDELITY_RECIPES,
    FLICKER_RECIPES,
    MOTION_RECIPES,
    SPECTRUM_RECIPES,
    FrameRecipe,
)

KindName = Literal[
    "fvd", "clipsim", "kvd", "manifold", "fid", "spectral", "consistency", "motion", "flicker", "image-alignment",
    "first-frame", "fidelity",
]  # fmt: skip
Direction = Literal["higher", "lower", "neither"]
Recipe = FvdRecipe | ClipsimRecipe | FrameRecipe


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


class _Sets(_Seen):
    reference_frames: Policy = Field(description="of the real videos")
    reference_select: Select | None = Field(default=None, description="the real videos; null: those of the items")


class _Beside(_Seen):
    reference_frames: Policy | None = Field(default=None, description="of the real videos; null: no value of theirs")


class FvdMetric(_Sets, _Network):
    """Fréchet video distance of the generated videos to the distinct reference videos."""

    kind: Literal["fvd"]
    repeats: Repeats | None = None


class KvdMetric(_Sets, _Network):
    """Kernel video distance: unbiased, so sets of any size compare."""

    kind: Literal["kvd"]
    subsets: int = Field(default=0, ge=0, description="random subsets whose mean and deviation stand beside it")
    subset_size: Count = Field(default=1000, description="videos per subset and set")


class ManifoldMetric(_Sets, _Network):
    """Precision, recall, density or coverage: balls around videos, looked into from the other set."""

    kind: Literal["manifold"]
    quantity: Literal["precision", "recall", "density", "coverage"]
    neighbours: Count = Field(default=5, description="a ball reaches to this neighbour of its video")


class FidMetric(_Sets, _Network):
    """Fréchet inception distance of single frames."""

    kind: Literal["fid"]


class SpectralMetric(_Sets):
    """How far the mean spectra of generated and real frames are apart, in dB: sharpness."""

    kind: Literal["spectral"]


class ClipsimMetric(_Beside, _Network):
    """Mean cosine of frames with their caption."""

    kind: Literal["clipsim"]


class ConsistencyMetric(_Beside, _Network):
    """Mean cosine of frames with the frame before and with the first one; a frozen video scores 1."""

    kind: Literal["consistency"]


class MotionMetric(_Beside):
    """Mean speed of the picture's blocks; neither more nor less is better, as much as real videos have is."""

    kind: Literal["motion"]


class FlickerMetric(_Beside):
    """How unsteady the brightness of blocks is, motion taken off; a frozen video has none."""

    kind: Literal["flicker"]


class ImageAlignmentMetric(_Network):
    """Cosine of frames with the condition image, both embedded as images."""

    kind: Literal["image-alignment"]
    quantity: Literal["first", "mean", "min"] = Field(description="over the frames: the first, their mean, the least")


class FirstFrameMetric(_Metric):
    """PSNR or SSIM of the first frame against the condition image, resized to the size of the video."""

    kind: Literal["first-frame"]
    quantity: Literal["psnr", "ssim"]

    @property
    def frames(self) -> FramePolicy:
        """The first frame; there is nothing to choose."""
        return FramePolicy(sampling="first", frames=1)


class FidelityMetric(_Seen):
    """PSNR or SSIM of each frame against the same frame of the video's own reference, of equal length and size."""

    kind: Literal["fidelity"]
    quantity: Literal["psnr", "ssim"]


Metric = Annotated[
    FvdMetric
    | KvdMetric
    | ManifoldMetric
    | FidMetric
    | SpectralMetric
    | ClipsimMetric
    | ConsistencyMetric
    | MotionMetric
    | FlickerMetric
    | ImageAlignmentMetric
    | FirstFrameMetric
    | FidelityMetric,
    Field(discriminator="kind"),
]


@dataclass(frozen=True)
class Traits:
    """What is true of every metric of a kind.

    direction: which values are better; `neither`: those near the real videos' are. recipes: those it may name.
    compares: what with, beside the frames themselves: a set of real videos, captions, the condition image, or each
    video's own reference. pair: its features are of frames and counterpart together. least_frames: that a policy must
    take. neighbours: it compares frames that follow one another. frozen_wins: a video without motion is the best.
    """

    direction: Direction
    recipes: Mapping[str, Recipe]
    compares: Literal["set", "captions", "image", "reference", "itself"]
    pair: bool = False
    least_frames: int = 1
    neighbours: bool = False
    frozen_wins: bool = False


# with fewer than 9 frames, I3D's last pool has nothing to pool (docs/findings.md 1)
TRAITS: dict[str, Traits] = {
    "fvd": Traits("lower", FVD_RECIPES, "set", least_frames=9),
    "kvd": Traits("lower", FVD_RECIPES, "set", least_frames=9),
    "manifold": Traits("higher", FVD_RECIPES, "set", least_frames=9),
    "fid": Traits("lower", FID_RECIPES, "set"),
    "spectral": Traits("lower", SPECTRUM_RECIPES, "set"),
    "clipsim": Traits("higher", CLIPSIM_RECIPES, "captions"),
    "consistency": Traits("higher", CLIPSIM_RECIPES, "itself", least_frames=2, frozen_wins=True),
    "motion": Traits("neither", MOTION_RECIPES, "itself", least_frames=2, neighbours=True),
    "flicker": Traits("lower", FLICKER_RECIPES, "itself", least_frames=3, neighbours=True, frozen_wins=True),
    "image-alignment": Traits("higher", CLIPSIM_RECIPES, "image", frozen_wins=True),
    "first-frame": Traits("higher", FIDELITY_RECIPES, "image", pair=True),
    "fidelity": Traits("higher", FIDELITY_RECIPES, "reference", pair=True),
}
assert set(TRAITS) == set(get_args(KindName))


def traits_of(metric: Metric) -> Traits:
    """Return what is true of the metric's kind."""
    return TRAITS[metric.kind]


def recipe_of(metric: Metric) -> Recipe:
    """Return the recipe that the metric names."""
    return traits_of(metric).recipes[metric.recipe]


def direction_of(metric: Metric) -> Direction:
    """Return which values of the metric are better."""
    if isinstance(metric, FlickerMetric) and FLICKER_RECIPES[metric.recipe].method == "vbench":
        return "higher"  # 1 is steady there
    return traits_of(metric).direction


def weights_of(metric: Metric) -> str | None:
    """Return the name or checksum of the weights that the metric names; None where there is no network."""
    return metric.weights if isinstance(metric, _Network) else None


def reference_frames_of(metric: Metric) -> FramePolicy | None:
    """Return which frames of real videos the metric sees; None: of none."""
    return getattr(metric, "reference_frames", None)
