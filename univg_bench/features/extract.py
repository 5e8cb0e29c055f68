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
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from univg_bench.canonical import digest_of
from univg_bench.errors import SampleError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.weights import Weights
from univg_bench.frames import FramePolicy
from univg_bench.recipes import ClipsimRecipe, FvdRecipe
from univg_bench.recipes_frames import FidelityRecipe, FidRecipe, FlickerRecipe, MotionRecipe, SpectrumRecipe

if TYPE_CHECKING:
    from univg_bench.features.clip import ImageTextFeatures
    from univg_bench.features.inception import FrameFeatures
    from univg_bench.features.video_features import VideoFeatures

# raise it when our own code path makes other numbers from the same recipe and weights: old cache entries then rest
CODE_VERSION = 2


Frames = NDArray[np.uint8]  # (F, 3, H, W)
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
class Counterpart:
    """What a video is held against: frames of another video, or (indices None) the image that a file holds.

    name: as errors and records say it. file_sha256: of the file when the run was planned.
    """

    name: str
    path: Path
    file_sha256: str
    indices: tuple[int, ...] | None


@dataclass(frozen=True)
class Want:
    """Features that a metric wants of a video: by which extractor, of which frames, stored under which key.

    indices: the frames, or None where only decoding tells (a policy that looks at the times of frames). other: what
    the frames are held against, for features of a pair. fps: the rate of the frames, for recipes that measure speed.
    """

    extractor: int
    policy: FramePolicy
    indices: tuple[int, ...] | None
    key: str
    other: Counterpart | None = None
    fps: Fraction | None = None


@dataclass(frozen=True)
class VideoJob:
    """A video to read once, and everything wanted of it. file_sha256: of the file that was imported."""

    name: str
    path: Path
    file_sha256: str
    num_frames: int
    wants: tuple[Want, ...]


@dataclass(frozen=True)
class ImageJob:
    """An image, or a frame of a video, to make features of by itself."""

    image: Counterpart
    extractor: int
    key: str


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
    with _one_thread():
        for video in chunk.videos:
            computed += _extract_video(video, chunk)
        for image in chunk.images:
            if not chunk.cache.has(image.key):
                frames = _frames_of_other(image.image)
                chunk.cache.save(image.key, _features(chunk.extractors[image.extractor], frames))
                computed += 1
        for caption in chunk.captions:
            if not chunk.cache.has(caption.key):
                chunk.cache.save(caption.key, _image_text(chunk.extractors[caption.extractor]).text(caption.caption))
                computed += 1
    return computed


def _extract_video(video: VideoJob, chunk: Chunk) -> int:
    wants = [want for want in video.wants if not chunk.cache.has(want.key)]
    if not wants:
        return 0
    _check_unchanged(video.name, video.path, video.file_sha256)
    for want, frames in _frames_of(video, wants):
        other = None if want.other is None else _frames_of_other(want.other)
        features = _features(chunk.extractors[want.extractor], frames, fps=want.fps, other=other)
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


def _frames_of_other(other: Counterpart) -> Frames:
    """Return the frames uint8 (F, 3, H, W) of a counterpart; one for an image, transparent parts on white."""
    from univg_bench.video import read_frames

    _check_unchanged(other.name, other.path, other.file_sha256)
    return read_image(other.path) if other.indices is None else read_frames(other.path, other.indices)


def read_image(path: Path) -> Frames:
    """Return the image in `path`, uint8 (1, 3, H, W), turned as its EXIF says; what is transparent lies on white.

    Raises SampleError for a file that is no image or is damaged.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            turned = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        raise SampleError(
            f"{path} cannot be read as an image ({error}); put a PNG or JPEG there", {path.name: "unreadable"}
        ) from error
    white = Image.new("RGBA", turned.size, (255, 255, 255, 255))
    rgb = np.asarray(Image.alpha_composite(white, turned).convert("RGB"))
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))[None]


def _check_unchanged(name: str, path: Path, file_sha256: str) -> None:
    import hashlib

    problem = None
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != file_sha256:
                problem = "changed since it was imported"
    except OSError as error:
        problem = f"cannot be read any more ({error.strerror})"
    if problem:
        raise SampleError(
            f"{path} ({name}) {problem}; run the import again so that the run says what it holds", {name: problem}
        )


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
