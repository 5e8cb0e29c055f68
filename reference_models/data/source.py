"""What training learns from: numbered clips with captions. All chance comes from the generator that is passed in.

So what step s of a run sees is a function of the run's seed and s: the same for any number of processes and workers,
and after an interruption. A source never skips: it says why a clip is broken, and `reading.py` does as it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import SampleError

Fault = Literal["missing", "unreadable", "truncated", "corrupt", "too short", "too slow", "no caption", "not UTF-8"]
FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True, eq=False)
class Clip:
    """One thing to learn from. pixels: (F, 3, H, W), uint8 RGB; F = 1 for an image. name: says where it came from."""

    pixels: NDArray[np.uint8]
    caption: str
    name: str


class BrokenClip(SampleError):  # noqa: N818 - the name says what it is about, as the callers' except lines read
    """One clip cannot be learned from; `fault` is the class under which it is counted."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault: Fault = fault

    def __reduce__(self) -> tuple[type[BrokenClip], tuple[Fault, str]]:
        # an exception that took other arguments than its base cannot cross to another process without this
        return BrokenClip, (self.fault, str(self))


class Source(Protocol):
    """Numbered clips of one size. Must be picklable: worker processes get a copy.

    identity: SHA-256 in hex of what the source is (its list of names and captions, how clips are cut). Another one is
    other data: a run is not resumed with it and a cache not read.
    """

    @property
    def identity(self) -> str: ...

    def __len__(self) -> int: ...

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        """Return clip `index` (0 .. len - 1) with exactly `num_frames` frames; equal arguments give equal bits.

        Raises BrokenClip with a sentence when it cannot be read whole. Raises InputError for a length that no clip of
        this source can have (an image has one frame).
        """
        ...
