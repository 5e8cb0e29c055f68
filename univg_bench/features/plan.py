"""What has to be computed: from the videos of a run and the metrics of a protocol to chunks of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from univg_bench.features.cache import FeatureCache, text_key, video_key
from univg_bench.features.extract import CaptionJob, Chunk, Extractor, VideoJob, Want
from univg_bench.frames import FramePolicy

T = TypeVar("T")

# A chunk is what a worker does before it reports. Small, so that progress moves; fixed, so that it depends on nothing.
VIDEOS_PER_CHUNK = 4
CAPTIONS_PER_CHUNK = 256


@dataclass(frozen=True)
class ScoredVideo:
    """A video that passed all checks, with what decides its features.

    name: `item-s0` of a sample, the reference id of a real video; random frame choices depend on it. cluster: the real
    video it belongs to. seconds: its length.
    """

    name: str
    cluster: str
    path: Path
    file_sha256: str
    rgb_sha256: str
    num_frames: int
    seconds: Fraction


@dataclass
class FeaturePlan:
    """Collects what metrics want of videos and captions, and cuts it into chunks; nothing is computed here."""

    cache: FeatureCache
    extractors: list[Extractor]
    videos: dict[str, VideoJob]
    captions: dict[str, CaptionJob]

    @classmethod
    def empty(cls, cache: FeatureCache) -> FeaturePlan:
        """Return a plan of no work."""
        return cls(cache, [], {}, {})

    def want_video(self, video: ScoredVideo, extractor: Extractor, policy: FramePolicy) -> str | None:
        """Plan the features of `video` and return their cache key; None when the policy drops a short video.

        Raises SampleError when the policy refuses a short video.
        """
        number = self._number(extractor)
        if policy.sampling == "fps_matched":
            # the frames depend on the time of each frame, which only decoding tells; the file's bytes decide them
            if policy.is_short(video.num_frames, video.seconds) and policy.short == "drop":
                return None
            choice: list[object] = [asdict(policy), video.file_sha256]
            indices: tuple[int, ...] | None = None
        else:
            indices = policy.indices(num_frames=video.num_frames, video_id=video.name)
            if indices is None:
                return None
            choice = list(indices)
        key = video_key(extractor=extractor.digest, rgb_sha256=video.rgb_sha256, choice=choice)
        place = str(video.path)
        job = self.videos.get(place) or VideoJob(video.name, video.path, video.file_sha256, video.num_frames, ())
        if key not in {want.key for want in job.wants}:
            job = replace(job, wants=(*job.wants, Want(number, policy, indices, key)))
        self.videos[place] = job
        return key

    def want_caption(self, caption: str, extractor: Extractor) -> str:
        """Plan the embedding of `caption` and return its cache key; equal captions are embedded once."""
        key = text_key(extractor=extractor.digest, caption=caption)
        self.captions[key] = CaptionJob(caption, self._number(extractor), key)
        return key

    def num_features(self) -> int:
        """Return how many features are planned."""
        return sum(len(job.wants) for job in self.videos.values()) + len(self.captions)

    def chunks(self) -> list[Chunk]:
        """Return the work that the cache does not hold yet, in chunks."""
        videos = [job for job in self.videos.values() if not all(self.cache.has(want.key) for want in job.wants)]
        captions = [job for job in self.captions.values() if not self.cache.has(job.key)]
        extractors = tuple(self.extractors)
        return [
            *(Chunk(extractors, self.cache, videos=part) for part in _parts(videos, VIDEOS_PER_CHUNK)),
            *(Chunk(extractors, self.cache, captions=part) for part in _parts(captions, CAPTIONS_PER_CHUNK)),
        ]

    def _number(self, extractor: Extractor) -> int:
        if extractor not in self.extractors:
            self.extractors.append(extractor)
        return self.extractors.index(extractor)


def _parts(things: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(things), size):
        yield tuple(things[start : start + size])
