"""From jobs to the frames that features are made of, in order, one set of frames ahead of whoever computes.

Decoding needs a processor but not our networks' one thread, so the frames that come next are read in a thread of
their own while the features of these are computed. What comes out, its order and its errors are those of reading when
it is needed; memory holds the frames of one video more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import SampleError
from univg_bench.frames import FramePolicy

Frames = NDArray[np.uint8]  # (F, 3, H, W)
T = TypeVar("T")


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


@dataclass(frozen=True, eq=False)
class Read:
    """Frames that lie ready, and what to make of them. other: those of the counterpart, for features of a pair."""

    extractor: int
    key: str
    frames: Frames
    fps: Fraction | None = None
    other: Frames | None = None


def read_jobs(videos: Sequence[VideoJob], images: Sequence[ImageJob], *, has: Callable[[str], bool]) -> Iterator[Read]:
    """Yield the frames for every feature that is not there, videos first; each video is decoded once.

    has: whether the feature of a key is there. A key that was yielded counts as there: its features will be made
    before the next ones are looked at, or nothing more will be. Of a video that lacks nothing, no byte is read.

    Raises SampleError for a file that is no longer the one that was imported, or cannot be read.
    """
    given: set[str] = set()

    def lacks(key: str) -> bool:
        if key in given or has(key):
            return False
        given.add(key)
        return True

    for video in videos:
        wants = [want for want in video.wants if lacks(want.key)]
        if not wants:
            continue
        _check_unchanged(video.name, video.path, video.file_sha256)
        for want, frames in _frames_of(video, wants):
            other = None if want.other is None else _frames_of_other(want.other)
            yield Read(want.extractor, want.key, frames, want.fps, other)
            del frames, other  # or they would outlive their use by the reading of what comes next
    for image in images:
        if lacks(image.key):
            yield Read(image.extractor, image.key, _frames_of_other(image.image))


@contextmanager
def one_ahead(things: Iterator[T]) -> Iterator[Iterator[T]]:
    """Give the same things, each made in a thread while the one before it is used; at most one lies ready.

    An error in making a thing comes when its turn has come. However the block ends, the thread ends with it, after the
    thing that it is at.
    """
    with ThreadPoolExecutor(1, "reading") as thread:

        def next_one() -> list[T]:
            return list(islice(things, 1))  # empty at the end

        def ready() -> Iterator[T]:
            ahead = thread.submit(next_one)
            while made := ahead.result():
                ahead = thread.submit(next_one)
                yield made.pop()  # nothing here keeps it then

        yield ready()


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


def _frames_of(video: VideoJob, wants: list[Want]) -> Iterator[tuple[Want, Frames]]:
    """Yield each want with its frames (F, 3, H, W); all that know their indices share one decoding."""
    from univg_bench.video import read_chosen, read_frames

    known = [(want, want.indices) for want in wants if want.indices is not None]
    needed = sorted({index for _, indices in known for index in indices})
    if needed:
        frames = read_frames(video.path, needed)
        place = {index: position for position, index in enumerate(needed)}
        for want, indices in known:
            yield want, frames[[place[index] for index in indices]]
        del frames
    for want in wants:
        if want.indices is None:
            chosen = read_chosen(video.path, want.policy, video_id=video.name, num_frames=video.num_frames)
            assert chosen is not None, "the plan leaves out what its policy drops"
            yield want, chosen
            del chosen


def _frames_of_other(other: Counterpart) -> Frames:
    """Return the frames uint8 (F, 3, H, W) of a counterpart; one for an image, transparent parts on white."""
    from univg_bench.video import read_frames

    _check_unchanged(other.name, other.path, other.file_sha256)
    return read_image(other.path) if other.indices is None else read_frames(other.path, other.indices)


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
