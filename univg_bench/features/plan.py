"""What has to be computed: from the videos of a run and the metrics of a protocol to chunks of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from univg_bench.errors import SampleError
from univg_bench.features.cache import FeatureCache, image_key, pair_key, text_key, video_key
from univg_bench.features.extract import CaptionJob, Chunk, Extractor
from univg_bench.features.reading import Counterpart, ImageJob, VideoJob, Want
from univg_bench.frames import FramePolicy, exact_rate
from univg_bench.recipes_frames import MotionRecipe

T = TypeVar("T")

# A chunk is what a worker does before it reports. Small, so that progress moves; fixed, so that it depends on nothing.
VIDEOS_PER_CHUNK = 4
IMAGES_PER_CHUNK = 64
CAPTIONS_PER_CHUNK = 256


@dataclass(frozen=True)
class ScoredVideo:
    """A video that passed all checks, with what decides its features.

    name: `item-s0` of a sample, the reference id of a real video; random frame choices depend on it. cluster: the real
    video it belongs to. seconds: its length. size: height and width.
    """

    name: str
    cluster: str
    path: Path
    file_sha256: str
    rgb_sha256: str
    num_frames: int
    seconds: Fraction
    size: tuple[int, int]


@dataclass
class FeaturePlan:
    """Collects what metrics want of videos and captions, and cuts it into chunks; nothing is computed here."""

    cache: FeatureCache
    extractors: list[Extractor]
    videos: dict[str, VideoJob]
    images: dict[str, ImageJob]
    captions: dict[str, CaptionJob]

    @classmethod
    def empty(cls, cache: FeatureCache) -> FeaturePlan:
        """Return a plan of no work."""
        return cls(cache, [], {}, {}, {})

    def want_video(self, video: ScoredVideo, extractor: Extractor, policy: FramePolicy) -> str | None:
        """Plan the features of `video` and return their cache key; None when the policy drops a short video.

        Raises SampleError when the policy refuses a short video.
        """
        chosen = _choice(video, policy)
        if chosen is None:
            return None
        choice, indices = chosen
        fps = _rate(video, policy) if isinstance(extractor.recipe, MotionRecipe) else None
        if fps is not None:
            choice = [*choice, f"at {fps} fps"]
        key = video_key(extractor=extractor.digest, rgb_sha256=video.rgb_sha256, choice=choice)
        self._add(video, Want(self._number(extractor), policy, indices, key, fps=fps))
        return key

    def want_pair(
        self, video: ScoredVideo, extractor: Extractor, policy: FramePolicy, other: ScoredVideo | Counterpart
    ) -> str | None:
        """Plan what `extractor` makes of frames of `video` beside their counterpart, and return its cache key.

        other: an image or frame, or a video of as many frames, of which the same ones are taken; None when the policy
        drops a short video. Raises SampleError for videos of unequal length or size, and as `want_video`.
        """
        chosen = _choice(video, policy)
        if chosen is None:
            return None
        choice, indices = chosen
        if isinstance(other, ScoredVideo):
            if (video.num_frames, video.size) != (other.num_frames, other.size):
                problem = f"has {_shape(video)}, its reference {other.name} {_shape(other)}"
                raise SampleError(
                    f"{video.name} {problem}; what compares pixel with pixel needs equal videos", {video.name: problem}
                )
            if indices is None:
                raise SampleError(f"frames chosen by time cannot be paired ({video.name}); use another `sampling`")
            other = Counterpart(other.name, other.path, other.file_sha256, indices)
        key = pair_key(
            extractor=extractor.digest, rgb_sha256=video.rgb_sha256, choice=choice, other_sha256=other.file_sha256,
            other=other.indices,
        )  # fmt: skip
        self._add(video, Want(self._number(extractor), policy, indices, key, other))
        return key

    def want_image(self, image: Counterpart, extractor: Extractor) -> str:
        """Plan the features of an image or of a frame and return their cache key; equal files are read once."""
        key = image_key(extractor=extractor.digest, file_sha256=image.file_sha256, frames=image.indices)
        self.images[key] = ImageJob(image, self._number(extractor), key)
        return key

    def want_caption(self, caption: str, extractor: Extractor) -> str:
        """Plan the embedding of `caption` and return its cache key; equal captions are embedded once."""
        key = text_key(extractor=extractor.digest, caption=caption)
        self.captions[key] = CaptionJob(caption, self._number(extractor), key)
        return key

    def num_features(self) -> int:
        """Return how many features are planned."""
        return sum(len(job.wants) for job in self.videos.values()) + len(self.images) + len(self.captions)

    def chunks(self) -> list[Chunk]:
        """Return the work that the cache does not hold yet, in chunks."""
        videos = [job for job in self.videos.values() if not all(self.cache.has(want.key) for want in job.wants)]
        images = [job for job in self.images.values() if not self.cache.has(job.key)]
        captions = [job for job in self.captions.values() if not self.cache.has(job.key)]
        extractors = tuple(self.extractors)
        return [
            *(Chunk(extractors, self.cache, videos=part) for part in _parts(videos, VIDEOS_PER_CHUNK)),
            *(Chunk(extractors, self.cache, images=part) for part in _parts(images, IMAGES_PER_CHUNK)),
            *(Chunk(extractors, self.cache, captions=part) for part in _parts(captions, CAPTIONS_PER_CHUNK)),
        ]

    def _add(self, video: ScoredVideo, want: Want) -> None:
        place = str(video.path)
        job = self.videos.get(place) or VideoJob(video.name, video.path, video.file_sha256, video.num_frames, ())
        if want.key not in {known.key for known in job.wants}:
            job = replace(job, wants=(*job.wants, want))
        self.videos[place] = job

    def _number(self, extractor: Extractor) -> int:
        if extractor not in self.extractors:
            self.extractors.append(extractor)
        return self.extractors.index(extractor)


def _choice(video: ScoredVideo, policy: FramePolicy) -> tuple[list[object], tuple[int, ...] | None] | None:
    """Return what names the frames in a key, and the frames where they are known before decoding; None: dropped."""
    if policy.sampling == "fps_matched":
        # the frames depend on the time of each frame, which only decoding tells; the file's bytes decide them
        if policy.is_short(video.num_frames, video.seconds) and policy.short == "drop":
            return None
        return [asdict(policy), video.file_sha256], None
    indices = policy.indices(num_frames=video.num_frames, video_id=video.name)
    return None if indices is None else (list(indices), indices)


def _rate(video: ScoredVideo, policy: FramePolicy) -> Fraction:
    """Return the frames per second of neighbours that the policy takes. Raises SampleError for a video without time."""
    if policy.fps is not None:
        return exact_rate(policy.fps)
    if not video.seconds:
        raise SampleError(f"{video.name} has no duration, so nothing in it has a speed", {video.name: "no duration"})
    return video.num_frames / video.seconds


def _shape(video: ScoredVideo) -> str:
    return f"{video.num_frames} frames of {video.size[1]}x{video.size[0]}"


def _parts(things: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(things), size):
        yield tuple(things[start : start + size])
