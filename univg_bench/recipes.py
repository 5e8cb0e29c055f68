"""How a metric is computed, as frozen data: a named, versioned recipe whose digest stands in every cache key.

A recipe says everything that can move the number except the weights (they have a digest of their own) and the choice
of frames (it stands in the protocol). Implementations that the field uses differ by these fields and by nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from univg_bench.canonical import digest_of


@dataclass(frozen=True)
class FvdRecipe:
    """From frames to an FVD.

    geometry: `squash` resizes the whole frame to size x size, whatever its aspect ratio. kernel, antialias: of that
    resize. bn_eps: of the I3D's batch norms; the TensorFlow graph has 1e-3, some ports 1e-5. ddof: of the covariance.
    network: `i3d` (400 Kinetics logits) or `tiny-i3d` (attribute logits of Moving Shapes). dtype: of the network;
    statistics are float64 always, and the root is exact always.
    """

    name: str
    version: int
    network: Literal["i3d", "tiny-i3d"]
    size: int
    geometry: Literal["squash"]
    kernel: Literal["bilinear"]
    antialias: bool
    bn_eps: float
    ddof: int
    dtype: Literal["float32"]
    source: str

    @property
    def digest(self) -> str:
        """SHA-256 of the fields that decide the number."""
        return _digest("fvd", asdict(self))


@dataclass(frozen=True)
class ClipsimRecipe:
    """From frames and a caption to a CLIPSIM, the mean over videos of the mean over frames of cos(image, text).

    model: an open_clip architecture, or `tiny-clip`. size, kernel, antialias, crop, mean, std: the image preprocessing,
    done on uint8 images by PIL as the CLIP authors do. The value is a cosine in [-1, 1], never multiplied or clipped.
    """

    name: str
    version: int
    model: str
    size: int
    kernel: Literal["bicubic"]
    antialias: bool
    crop: Literal["center", "squash"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str

    @property
    def digest(self) -> str:
        """SHA-256 of the fields that decide the number."""
        return _digest("clipsim", asdict(self))


def _digest(kind: str, fields: dict[str, Any]) -> str:
    # the source is prose about the recipe, not a part of it
    return digest_of({"kind": kind, **{key: value for key, value in fields.items() if key != "source"}})


# mean and std of CLIP's training images: openai/CLIP, clip/clip.py, `_transform`
_OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
_OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

FVD_RECIPES: dict[str, FvdRecipe] = {
    recipe.name: recipe
    for recipe in [
        FvdRecipe(
            name="univg", version=1, network="i3d", size=224, geometry="squash", kernel="bilinear", antialias=False,
            bn_eps=1e-3, ddof=1, dtype="float32",
            source="geometry of StyleGAN-V's metric; batch norm, covariance of google-research/frechet_video_distance",
        ),
        FvdRecipe(
            name="tiny", version=1, network="tiny-i3d", size=64, geometry="squash", kernel="bilinear", antialias=False,
            bn_eps=1e-3, ddof=1, dtype="float32",
            source="the recipe `univg` in small, for the I3D trained on Moving Shapes; not comparable with any paper",
        ),
    ]
}  # fmt: skip

CLIPSIM_RECIPES: dict[str, ClipsimRecipe] = {
    recipe.name: recipe
    for recipe in [
        ClipsimRecipe(
            name="vit-b32", version=1, model="ViT-B-32-quickgelu", size=224, kernel="bicubic", antialias=True,
            crop="center", mean=_OPENAI_MEAN, std=_OPENAI_STD,
            source="GODIVA (arXiv 2104.14806) with the CLIP ViT-B/32 that published MSR-VTT rows use",
        ),
        ClipsimRecipe(
            name="vit-b16", version=1, model="ViT-B-16-quickgelu", size=224, kernel="bicubic", antialias=True,
            crop="center", mean=_OPENAI_MEAN, std=_OPENAI_STD,
            source="the backbone of Phenaki and of VideoPoet's main column (arXiv 2312.14125, A.5.5)",
        ),
        ClipsimRecipe(
            name="tiny", version=1, model="tiny-clip", size=64, kernel="bicubic", antialias=True,
            crop="squash", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
            source="the CLIP trained on Moving Shapes; not comparable with any paper",
        ),
    ]
}  # fmt: skip
