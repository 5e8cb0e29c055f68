"""Which frames of a video a metric sees: named policies, exact in their indices, seeded per video.

Two readings of "16 frames" are two different numbers, so the choice is data (`FramePolicy`, frozen, part of the
protocol) and every random choice depends on the policy and the video's own id alone: not on other videos, their
order, the process, or the version of a random generator. The indices, for n frames out of T:

| sampling           | indices                                                                                  |
|--------------------|------------------------------------------------------------------------------------------|
| all                | 0 .. T-1                                                                                 |
| first              | 0 .. n-1                                                                                 |
| centre             | n in a row from floor((T-n)/2)                                                           |
| uniform            | floor((2i+1) T / 2n), the frames under the midpoints of n equal parts; identity for n=T  |
| random_consecutive | n in a row from a start drawn uniformly from 0 .. T-n                                    |
| random_sorted      | n different ones drawn uniformly, in order of time                                       |
| fps_matched        | the frame nearest in time to t_0 + i/fps (the earlier of two equally near ones)          |

The random words are the SHA-256 digests of "univg-bench/frames/1|sampling|n|seed|video_id|counter", cut into 64-bit
big-endian integers and made uniform by rejection. No library generator takes part: NumPy may change the streams of
its Generator methods, a hash never changes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Literal

from univg_bench.errors import InputError, SampleError

Sampling = Literal["all", "first", "centre", "uniform", "random_consecutive", "random_sorted", "fps_matched"]
Short = Literal["error", "drop", "loop"]


@dataclass(frozen=True, kw_only=True)
class FramePolicy:
    """The choice of frames as frozen data.

    frames: how many (None for `all`; may be None for `fps_matched`: as many as the video lasts). seed: of the random
    ones; give two metrics different seeds to make their choices independent. fps: of `fps_matched` only.
    short: what becomes of a video with too few frames: `error` refuses it, `drop` leaves it out (and the caller
    counts it), `loop` repeats it from its start until there are enough.

    Raises InputError for fields that do not belong together.
    """

    sampling: Sampling
    frames: int | None = None
    seed: int = 0
    short: Short = "error"
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.sampling == "all" and self.frames is not None:
            raise InputError(f"sampling `all` takes every frame, but frames is {self.frames}; leave `frames` out")
        if self.sampling not in ("all", "fps_matched") and self.frames is None:
            raise InputError(f"sampling `{self.sampling}` needs `frames`, the number of frames to take")
        if self.frames is not None and self.frames < 1:
            raise InputError(f"found frames: {self.frames}, expected at least 1")
        if (self.sampling == "fps_matched") != (self.fps is not None):
            raise InputError(
                f"`fps` goes with sampling `fps_matched` and only there; found {self.fps}, {self.sampling}"
            )
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise InputError(f"found fps: {self.fps}, expected more than 0")

    def is_short(self, num_frames: int, seconds: Fraction | float | None = None) -> bool:
        """Return whether a video has too few frames for this policy.

        seconds: how long it lasts; needed by `fps_matched`, where too short means that its time does not reach the
        last point of the grid.
        """
        if num_frames < 1:
            return True
        if self.frames is None:
            return False
        if self.fps is None:
            return num_frames < self.frames
        if seconds is None:
            raise InputError("sampling `fps_matched` needs the length of the video in seconds")
        return Fraction(seconds) <= (self.frames - 1) / exact_rate(self.fps)

    def indices(
        self,
        *,
        num_frames: int,
        video_id: str,
        times: Sequence[Fraction] | None = None,
        seconds: Fraction | None = None,
    ) -> tuple[int, ...] | None:
        """Return the indices to take, in the order to show them, or None when the video is to be dropped.

        num_frames: the decoded count. video_id: the id of the sample or reference, the only thing besides the policy
        that a random choice depends on. times: of every frame, ascending, in seconds, and seconds: the length of the
        video; both needed by `fps_matched` alone. Indices ascend strictly, except that `fps_matched` repeats a frame
        where the video is slower than the grid, and `loop` starts again from 0.

        Raises SampleError when the video is too short and the policy says `error`, or has no frame at all.
        """
        if num_frames < 1:
            raise SampleError(f"{video_id} has no frame", {video_id: "no frame"})
        if self.is_short(num_frames, seconds):
            return self._of_short(num_frames, video_id)
        n = num_frames if self.frames is None else self.frames
        if self.sampling in ("all", "first"):
            return tuple(range(n))
        if self.sampling == "centre":
            return tuple(range((num_frames - n) // 2, (num_frames - n) // 2 + n))
        if self.sampling == "uniform":
            return tuple((2 * i + 1) * num_frames // (2 * n) for i in range(n))
        if self.sampling == "fps_matched":
            return self._nearest_in_time(num_frames, times, seconds)
        words = _words(f"univg-bench/frames/1|{self.sampling}|{n}|{self.seed}|{video_id}")
        if self.sampling == "random_consecutive":
            start = _below(num_frames - n + 1, words)
            return tuple(range(start, start + n))
        return _subset(num_frames, n, words)

    def _of_short(self, num_frames: int, video_id: str) -> tuple[int, ...] | None:
        assert self.frames is not None, "only a policy with a number of frames can find a video short"
        if self.short == "drop":
            return None
        if self.short == "loop":
            return tuple(i % num_frames for i in range(self.frames))
        wanted = f"{self.frames} frames" + (f" at {self.fps:g} fps" if self.fps else "")
        problem = f"has {num_frames} frames, but `{self.sampling}` takes {wanted}"
        raise SampleError(
            f"{video_id} {problem}; the protocol's `short` decides what becomes of it", {video_id: problem}
        )

    def _nearest_in_time(
        self, num_frames: int, times: Sequence[Fraction] | None, seconds: Fraction | None
    ) -> tuple[int, ...]:
        if times is None or seconds is None or len(times) != num_frames:
            raise InputError("sampling `fps_matched` needs the time of every frame and the length of the video")
        assert self.fps is not None
        step = 1 / exact_rate(self.fps)
        # grid points t_0 + i step with i step < seconds: the ceiling of seconds / step, at least the first frame
        n = self.frames if self.frames is not None else max(1, -int(-(Fraction(seconds) / step) // 1))
        return tuple(_nearest(times, times[0] + i * step) for i in range(n))


def exact_rate(fps: float) -> Fraction:
    """Return the frame rate that a person means by its decimal form: 29.97 is 2997/100, not the nearest double."""
    return Fraction(repr(fps))


def _nearest(times: Sequence[Fraction], moment: Fraction) -> int:
    after = bisect_left(times, moment)
    if after == 0:
        return 0
    if after == len(times) or moment - times[after - 1] <= times[after] - moment:
        return after - 1
    return after


def _words(key: str) -> Iterator[int]:
    for counter in count():
        digest = hashlib.sha256(f"{key}|{counter}".encode()).digest()
        for at in range(0, 32, 8):
            yield int.from_bytes(digest[at : at + 8], "big")


def _below(bound: int, words: Iterator[int]) -> int:
    # rejection: the 2**64 mod bound largest words would make the small results likelier
    limit = (1 << 64) - (1 << 64) % bound
    return next(word for word in words if word < limit) % bound


def _subset(num_frames: int, n: int, words: Iterator[int]) -> tuple[int, ...]:
    # the first n steps of a Fisher-Yates shuffle, then in order of time
    deck = list(range(num_frames))
    for i in range(n):
        j = i + _below(num_frames - i, words)
        deck[i], deck[j] = deck[j], deck[i]
    return tuple(sorted(deck[:n]))
