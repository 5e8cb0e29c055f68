"""How a metric is computed, as frozen data: a named, versioned recipe whose digest stands in every cache key.

A recipe says everything that can move the number except the weights (they have a digest of their own) and the choice
of frames (it stands in the protocol). Implementations that the field uses differ by these fields and by nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from univg_bench.canonical import digest_of


@dataclass(frozen=True)
class Through:
    """A first step that some implementations take: to a square of uint8 pixels, which is what the rest starts from.

    size: of the short side, and then of the square cut from the middle. Bilinear with half-pixel centres. rounding:
    how the resized grey levels become whole numbers again.
    """

    size: int
    antialias: bool
    rounding: Literal["floor", "nearest"]


@dataclass(frozen=True)
class FvdRecipe:
    """From frames to an FVD.

    geometry: `squash` resizes the whole frame to size x size, whatever its aspect ratio; `crop` resizes the short side
    to size and cuts a square from the middle. kernel, antialias: of that resize; `bilinear-tf1` is TensorFlow 1's,
    without half-pixel centres. through: what is done before. bn_eps: of the I3D's batch norms; the TensorFlow graph
    has 1e-3, some ports 1e-5. ddof: of the covariance. network: `i3d` (400 Kinetics logits) or `tiny-i3d` (attribute
    logits of Moving Shapes). dtype: of the network's convolutions; statistics are float64 always, and the root
    is exact always.
    """

    name: str
    version: int
    network: Literal["i3d", "tiny-i3d"]
    size: int
    geometry: Literal["squash", "crop"]
    kernel: Literal["bilinear", "bilinear-tf1"]
    antialias: bool
    bn_eps: float
    ddof: int
    dtype: Literal["float32", "bfloat16"]
    source: str
    through: Through | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the fields that decide the number."""
        fields = asdict(self)
        if self.through is None:
            del fields["through"]  # so a recipe without that step is what it was before the field came
        return _digest("fvd", fields)


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


def cd_fvd(resolution: int) -> FvdRecipe:
    """Return the recipe of cd-fvd's loaders with `resolution` (their default is 256): through a square, rounded down.

    Source: cd-fvd 0.1.1, cdfvd/utils/data_utils.py `preprocess`, cdfvd/fvd.py `compute_real_stats`.
    """
    return FvdRecipe(
        name=f"cd-fvd-{resolution}", version=1, network="i3d", size=224, geometry="squash", kernel="bilinear",
        antialias=False, bn_eps=1e-5, ddof=0, dtype="float32",
        source=f"cd-fvd 0.1.1 (content-debiased-fvd), `load_videos(..., resolution={resolution})` of files",
        through=Through(size=resolution, antialias=True, rounding="floor"),
    )  # fmt: skip


def _published(
    name: str, geometry: Literal["squash", "crop"], *, bn_eps: float, ddof: int, source: str,
    kernel: Literal["bilinear", "bilinear-tf1"] = "bilinear", through: Through | None = None,
) -> FvdRecipe:  # fmt: skip
    return FvdRecipe(name, 1, "i3d", 224, geometry, kernel, False, bn_eps, ddof, "float32", source, through)


FVD_RECIPES: dict[str, FvdRecipe] = {
    recipe.name: recipe
    for recipe in [
        FvdRecipe(
            name="univg", version=1, network="i3d", size=224, geometry="squash", kernel="bilinear", antialias=False,
            bn_eps=1e-3, ddof=1, dtype="float32",
            source="geometry of StyleGAN-V's metric; batch norm, covariance of google-research/frechet_video_distance",
        ),
        FvdRecipe(
            name="univg-bf16", version=1, network="i3d", size=224, geometry="squash", kernel="bilinear",
            antialias=False, bn_eps=1e-3, ddof=1, dtype="bfloat16",
            source="`univg` with convolutions in half precision, for speed where the processor has it; another number",
        ),
        _published(
            "crop-256", "squash", bn_eps=1e-3, ddof=1, through=Through(256, antialias=True, rounding="nearest"),
            source="`univg` of videos that were stored as 256x256, the comparators' size (docs/decisions.md 8, 42)",
        ),
        # published implementations: what each prints for the same frames and weights (docs/metrics.md)
        _published(
            "tf-original", "squash", kernel="bilinear-tf1", bn_eps=1e-3, ddof=1,
            source="google-research/frechet_video_distance with the TF-Hub module deepmind/i3d-kinetics-400/1",
        ),
        _published(
            "stylegan-v", "squash", bn_eps=1e-3, ddof=0,
            source="universome/stylegan-v, src/metrics at 3fecd69 (frechet_video_distance.py, i3d_torchscript.pt)",
        ),
        _published("videogpt", "crop", bn_eps=1e-5, ddof=1, source="wilson1yan/VideoGPT, videogpt/fvd"),
        _published("tats", "squash", bn_eps=1e-5, ddof=1, source="SongweiGe/TATS, tats/fvd"),
        cd_fvd(256),
        cd_fvd(128),
        _published(
            "cd-fvd-arrays", "squash", bn_eps=1e-5, ddof=0,
            source="cd-fvd 0.1.1 (content-debiased-fvd), `compute_fvd` and `video_numpy`, which skip the loader's step",
        ),
        _published(
            "common-metrics-styleganv", "crop", bn_eps=1e-3, ddof=1,
            source="JunyaoHu/common_metrics_on_video_quality at 5f75173, method `styleganv`, last value of its curve",
        ),
        _published(
            "common-metrics-videogpt", "crop", bn_eps=1e-5, ddof=1,
            source="JunyaoHu/common_metrics_on_video_quality at 5f75173, method `videogpt`, last value of its curve",
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
