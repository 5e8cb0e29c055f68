"""What the import makes of a video before people see it: size, frame rate and length, from the policy of the study.

A copy's timing is counted in ticks of 1/90000 s, so that two videos that are to be equally long are so exactly,
whatever their frame rates: the last frame is held for what is missing. Nothing here touches a file (`encoding.py`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from human_eval_app.study import Presentation

# divisible by 24, 25, 30 and 60; the rate of MPEG's own clock (ISO/IEC 13818-1, 2.4.2), which every player knows
TICKS = 90_000
# two frame durations that differ by less than this share are one frame rate, written down with rounding
UNEVEN = Fraction(1, 10)
# frames per second of a copy at most; more is thinned out, as most screens would
FASTEST = 60


@dataclass(frozen=True)
class SourceFacts:
    """A video as it came. times: when each frame begins, from 0, in seconds; seconds: until the last one ends."""

    sha256: str
    width: int
    height: int
    times: tuple[Fraction, ...]
    seconds: Fraction

    @property
    def even(self) -> bool:
        """Whether all frames are shown equally long, the last one aside."""
        gaps = [b - a for a, b in pairwise(self.times)]
        return max(gaps) - min(gaps) <= UNEVEN * max(gaps)

    @property
    def fps(self) -> Fraction:
        """Frames per second; of an uneven video, those of its shortest frame."""
        if self.even:
            return (len(self.times) - 1) / (self.times[-1] - self.times[0])
        return 1 / min(b - a for a, b in pairwise(self.times) if b > a)


@dataclass(frozen=True)
class Copy:
    """How a presentation copy is made. The source is scaled to `scaled`, then grown to width x height.

    grown: "no", "edge" (last row or column repeated, of odd sizes) or "grey" (bars of a box). indices: which frame of
    the source each frame of the copy is. fps: of the copy. ticks: its length.
    """

    width: int
    height: int
    scaled: tuple[int, int]
    grown: str
    fps: Fraction
    indices: tuple[int, ...]
    ticks: int

    @property
    def starts(self) -> tuple[int, ...]:
        """When each frame begins, in ticks."""
        return tuple(round(k * TICKS / self.fps) for k in range(len(self.indices)))

    @property
    def durations(self) -> tuple[int, ...]:
        """How long each frame is shown, in ticks."""
        bounds = (*self.starts, self.ticks)
        return tuple(b - a for a, b in pairwise(bounds))

    def described(self, source: SourceFacts) -> dict[str, object]:
        """What was done, for the record (JSON): sizes, rates and frame counts before and after."""
        return {
            "source": {
                "width": source.width, "height": source.height, "fps": float(source.fps),
                "frames": len(source.times), "seconds": float(source.seconds), "even": source.even,
            },
            "scaled": list(self.scaled) if self.scaled != (source.width, source.height) else None,
            "grown": self.grown,
            "frames_left_out": len(source.times) - len(set(self.indices)),
            "frames_repeated": len(self.indices) - len(set(self.indices)),
        }  # fmt: skip


def plan_copies(sources: Mapping[str, SourceFacts], policy: Presentation) -> dict[str, Copy]:
    """Return how the videos of one item are copied, by method; `trim_to_shortest` makes them equally long."""
    shortest = min((source.seconds for source in sources.values()), default=Fraction(0))
    trim = policy.duration == "trim_to_shortest"
    return {
        method: _plan(source, policy, min(source.seconds, shortest) if trim else source.seconds)
        for method, source in sources.items()
    }


def _plan(source: SourceFacts, policy: Presentation, seconds: Fraction) -> Copy:
    scaled, size, grown = _sizes(source, policy)
    ticks = round(seconds * TICKS)
    if policy.fps is not None:
        fps = Fraction(policy.fps).limit_denominator(1001)
    else:
        fps = min(source.fps, Fraction(FASTEST)).limit_denominator(100_000)
    # a frame that would begin within the last hundredth of its time is an artefact of rounding
    count = max(1, math.ceil(Fraction(ticks, TICKS) * fps - Fraction(1, 100)))
    if policy.fps is None and source.even and source.fps <= FASTEST:
        count = min(count, len(source.times))
        indices: Sequence[int] = range(count)
    else:
        # what is on the screen in the middle of each frame of the copy
        indices = [max(0, bisect_right(source.times, (k + Fraction(1, 2)) / fps) - 1) for k in range(count)]
    return Copy(*size, scaled, grown, fps, tuple(indices), ticks)


def _sizes(source: SourceFacts, policy: Presentation) -> tuple[tuple[int, int], tuple[int, int], str]:
    """Return (scaled, final, how it was grown); yuv420p needs even sides."""
    width, height = source.width, source.height
    if policy.resolution == "native":
        size = (width + width % 2, height + height % 2)
        return (width, height), size, "no" if size == (width, height) else "edge"
    assert policy.height is not None, "study_files.py asks for it"
    if policy.resolution == "fit_height":
        scaled = (_even(Fraction(width * policy.height, height)), policy.height)
        return scaled, scaled, "no"
    assert policy.width is not None, "study_files.py asks for it"
    factor = min(Fraction(policy.width, width), Fraction(policy.height, height))
    scaled = (min(_even(width * factor), policy.width), min(_even(height * factor), policy.height))
    box = (policy.width, policy.height)
    return scaled, box, "no" if scaled == box else "grey"


def _even(side: Fraction) -> int:
    return max(2, 2 * round(side / 2))
