"""Feature vectors of many videos: each is decoded once, gives all that the metrics want, and goes to the cache.

A video's features depend on that video alone, since it is a batch of its own and one thread computes it. So the
number of workers, the order and an interrupted run before this one change no bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from univg_bench.canonical import digest_of
from univg_bench.errors import SampleError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.weights import Weights
from univg_bench.frames import FramePolicy
from univg_bench.recipes import ClipsimRecipe, FvdRecipe

if TYPE_CHECKING:
    from univg_bench.features.clip import ImageTextFeatures
    from univg_bench.features.i3d import VideoFeatures

# raise it when our own code path makes other numbers from the same recipe and weights: old cache entries then rest
CODE_VERSION = 1


@dataclass(frozen=True)
class Extractor:
    """What turns frames into features: a recipe, weights and a device, as data that can go to another process."""

    recipe: FvdRecipe | ClipsimRecipe
    weights: Weights
    device: str

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the features; the kind of device too, as its kernels round differently."""
        return digest_of(
            {
                "recipe": self.recipe.digest,
                "weights": self.weights.digest,
                "device": self.device.partition(":")[0],
                "code": CODE_VERSION,
            }
        )


@dataclass(frozen=True)
class Want:
    """Features that a metric wants of a video: by which extractor, of which frames, stored under which key.

    indices: the frames, or None where only decoding tells (a policy that looks at the times of frames).
    """

    extractor: int
    policy: FramePolicy
    indices: tuple[int, ...] | None
    key: str


@dataclass(frozen=True)
class VideoJob:
    """A video to read once, and everything wanted of it. file_sha256: of the file that was imported."""

    name: str
    path: Path
    file_sha256: str
    num_frames: int
    wants: tuple[Want, ...]


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
    captions: tuple[CaptionJob, ...] = ()


def extract_chunk(chunk: Chunk) -> int:
    """Compute what the cache lacks of `chunk` and store it, video by video; return how many features were computed.

    Raises SampleError when a file is no longer the one that was imported, and what the extractors raise.
    """
    computed = 0
    with _one_thread():
        for video in chunk.videos:
            computed += _extract_video(video, chunk)
        for caption in chunk.captions:
            if not chunk.cache.has(caption.key):
                chunk.cache.save(caption.key, _image_text(chunk.extractors[caption.extractor]).text(caption.caption))
                computed += 1
    return computed


def _extract_video(video: VideoJob, chunk: Chunk) -> int:
    wants = [want for want in video.wants if not chunk.cache.has(want.key)]
    if not wants:
        return 0
    _check_unchanged(video)
    for want, frames in _frames_of(video, wants):
        extractor = chunk.extractors[want.extractor]
        if isinstance(extractor.recipe, FvdRecipe):
            features = _video(extractor)(frames)
        else:
            features = _image_text(extractor).images(frames)
        chunk.cache.save(want.key, features)
    return len(wants)


def _frames_of(video: VideoJob, wants: list[Want]) -> Iterator[tuple[Want, NDArray[np.uint8]]]:
    """Yield each want with its frames (F, 3, H, W); all that know their indices share one decoding."""
    from univg_bench.video import read_chosen, read_frames

    known = [(want, want.indices) for want in wants if want.indices is not None]
    needed = sorted({index for _, indices in known for index in indices})
    if needed:
        frames = read_frames(video.path, needed)
        place = {index: position for position, index in enumerate(needed)}
        for want, indices in known:
            yield want, frames[[place[index] for index in indices]]
    for want in wants:
        if want.indices is None:
            chosen = read_chosen(video.path, want.policy, video_id=video.name, num_frames=video.num_frames)
            assert chosen is not None, "the plan leaves out what its policy drops"
            yield want, chosen


def _check_unchanged(video: VideoJob) -> None:
    import hashlib

    problem = None
    try:
        with video.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != video.file_sha256:
                problem = "changed since it was imported"
    except OSError as error:
        problem = f"cannot be read any more ({error.strerror})"
    if problem:
        raise SampleError(
            f"{video.path} ({video.name}) {problem}; run the import again so that the run says what it holds",
            {video.name: problem},
        )


# One process serves one evaluation: its networks are loaded once and stay until it ends.
@lru_cache(maxsize=8)
def _video(extractor: Extractor) -> VideoFeatures:
    from univg_bench.features.i3d import load_video_features

    assert isinstance(extractor.recipe, FvdRecipe)
    return load_video_features(extractor.recipe, extractor.weights, extractor.device)


@lru_cache(maxsize=8)
def _image_text(extractor: Extractor) -> ImageTextFeatures:
    from univg_bench.features.clip import load_image_text_features

    assert isinstance(extractor.recipe, ClipsimRecipe)
    return load_image_text_features(extractor.recipe, extractor.weights, extractor.device)


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
