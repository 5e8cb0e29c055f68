"""Feature vectors of many videos: each is decoded once, gives all that the metrics want, and goes to the cache.

A video's features depend on that video alone, since it is a batch of its own and one thread computes it. So the
number of workers, the order and an interrupted run before this one change no bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from univg_bench.canonical import digest_of
from univg_bench.features.cache import FeatureCache
from univg_bench.features.reading import Frames, ImageJob, VideoJob, one_ahead, read_jobs
from univg_bench.features.weights import Weights
from univg_bench.recipes import ClipsimRecipe, FvdRecipe
from univg_bench.recipes_frames import FidelityRecipe, FidRecipe, FlickerRecipe, MotionRecipe, SpectrumRecipe

if TYPE_CHECKING:
    from univg_bench.features.clip import ImageTextFeatures
    from univg_bench.features.inception import FrameFeatures
    from univg_bench.features.video_features import VideoFeatures

# raise it when our own code path makes other numbers from the same recipe and weights: old cache entries then rest
CODE_VERSION = 2

Features = NDArray[np.floating]


class Recipe(Protocol):
    """What every recipe is: frozen fields with a name, a digest of what decides the numbers, and a source in words."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def source(self) -> str: ...


@dataclass(frozen=True)
class Extractor:
    """What turns frames into features: a recipe, weights and a device, as data that can go to another process.

    weights: None where no network is involved.
    """

    recipe: Recipe
    weights: Weights | None
    device: str

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the features; the kind of device too, as its kernels round differently."""
        return digest_of(
            {
                "recipe": self.recipe.digest,
                "weights": self.weights.digest if self.weights else None,
                # without a network NumPy computes, wherever networks run
                "device": self.device.partition(":")[0] if self.weights else "cpu",
                "code": CODE_VERSION,
            }
        )


@dataclass(frozen=True)
class CaptionJob:
    """A caption to embed."""

    caption: str
    extractor: int
    key: str


@dataclass(frozen=True)
class Chunk:
    """A piece of the plan: what one worker does before it reports."""

    extractors: tuple[Extractor, ...]
    cache: FeatureCache
    videos: tuple[VideoJob, ...] = ()
    images: tuple[ImageJob, ...] = ()
    captions: tuple[CaptionJob, ...] = ()


def extract_chunk(chunk: Chunk) -> int:
    """Compute what the cache lacks of `chunk` and store it, video by video; return how many features were computed.

    Raises SampleError when a file is no longer the one that was imported, and what the extractors raise.
    """
    computed = 0
    jobs = read_jobs(chunk.videos, chunk.images, has=chunk.cache.has)
    with _one_thread(), one_ahead(jobs) as ready:
        for read in ready:
            features = _features(chunk.extractors[read.extractor], read.frames, fps=read.fps, other=read.other)
            chunk.cache.save(read.key, features)
            computed += 1
            del read  # or its frames would stay while the next ones are waited for
        for caption in chunk.captions:
            if not chunk.cache.has(caption.key):
                chunk.cache.save(caption.key, _image_text(chunk.extractors[caption.extractor]).text(caption.caption))
                computed += 1
    return computed


def _features(
    extractor: Extractor, frames: Frames, *, fps: Fraction | None = None, other: Frames | None = None
) -> Features:
    """Return the features of frames (F, 3, H, W) of one video, or of them and their counterpart: (D,) or (F, D).

    fps: the rate of the frames, for recipes that measure speed.
    """
    match extractor.recipe:
        case FvdRecipe():
            return _video_through(extractor)(frames)
        case ClipsimRecipe():
            embeddings: Features = _image_text(extractor).images(frames)
            return embeddings
        case FidRecipe():
            return _single_frames(extractor)(frames)
        case FidelityRecipe() as recipe:
            assert other is not None, "fidelity is of a pair"
            from univg_bench.features.pixels import condition_frame, pair_fidelity

            if len(frames) == 1:
                # a condition image may have any size; videos of unequal sizes were refused by the plan
                other = condition_frame(other[0], height=frames.shape[2], width=frames.shape[3])
            return pair_fidelity(frames, other, recipe)
        case MotionRecipe() | FlickerRecipe() | SpectrumRecipe() as recipe:
            from univg_bench.features.pixels import pixel_features

            return pixel_features(frames, fps=fps, recipe=recipe)
    raise AssertionError(f"no extractor for {extractor.recipe}")


# One process serves one evaluation: its networks are loaded once and stay until it ends.
@lru_cache(maxsize=8)
def _video(extractor: Extractor) -> VideoFeatures:
    from univg_bench.features.video_features import load_video_features

    assert isinstance(extractor.recipe, FvdRecipe)
    assert extractor.weights is not None
    return load_video_features(extractor.recipe, extractor.weights, extractor.device)


@lru_cache(maxsize=32)
def _video_through(extractor: Extractor) -> VideoFeatures:
    """Return the extractor of a recipe, with a network that all recipes share which only bring frames to it otherwise.

    `explain` has a dozen of them, and a network of its own for each would fill the memory of every worker.
    """
    recipe = extractor.recipe
    assert isinstance(recipe, FvdRecipe)
    shared = replace(
        recipe, name=recipe.network, geometry="squash", kernel="bilinear", antialias=False, ddof=1, through=None
    )
    return replace(_video(replace(extractor, recipe=shared)), name=f"{recipe.network} {recipe.name}", recipe=recipe)


@lru_cache(maxsize=8)
def _image_text(extractor: Extractor) -> ImageTextFeatures:
    from univg_bench.features.clip import load_image_text_features

    assert isinstance(extractor.recipe, ClipsimRecipe)
    assert extractor.weights is not None
    return load_image_text_features(extractor.recipe, extractor.weights, extractor.device)


@lru_cache(maxsize=8)
def _single_frames(extractor: Extractor) -> FrameFeatures:
    from univg_bench.features.inception import load_frame_features

    assert isinstance(extractor.recipe, FidRecipe)
    assert extractor.weights is not None
    return load_frame_features(extractor.recipe, extractor.weights, extractor.device)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one CPU thread: a sum split over threads rounds differently, and workers would crowd the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
