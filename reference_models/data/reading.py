"""Clips of a batch, read as the run was told: a broken one is an error, or another takes its place and it is counted.

What takes a place is drawn from the place's own seed, so a run with broken clips is as reproducible as one without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from reference_models.data.order import Order
from reference_models.data.source import BrokenClip, Clip, Source
from univg_bench.errors import InputError

OnBroken = Literal["error", "skip"]
MAX_BROKEN = 100  # so many in a row are no accident
_SENTENCES = 5  # of broken clips, kept per batch beside the counts
_CHOICE = 3  # what a place's seed is used for here


@dataclass(frozen=True)
class Wanted:
    """Clips to read. numbers: which clips of the run they are (`Order.at`). seeds: of their chance, as many."""

    num_frames: int
    numbers: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Read:
    """Clips in the order wanted. broken: how many were skipped by fault; sentences: the first of them, whole."""

    clips: tuple[Clip, ...]
    broken: Counter[str] = field(default_factory=Counter)
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Reading:
    """Sources with the order their clips come in. Picklable, so that worker processes can read.

    Raises ValueError when the order is of other sizes than the sources.
    """

    sources: tuple[Source, ...]
    order: Order
    on_broken: OnBroken = "error"

    def __post_init__(self) -> None:
        sizes = tuple(len(source) for source in self.sources)
        if sizes != self.order.sizes:
            raise ValueError(f"found an order of {self.order.sizes} clips for sources of {sizes}, expected the same")

    def read(self, wanted: Wanted) -> Read:
        """Return the clips wanted.

        Raises BrokenClip for a broken clip unless such are skipped, and InputError for a hundred in a row.
        """
        clips, broken, sentences = list[Clip](), Counter[str](), list[str]()
        for number, seed in zip(wanted.numbers, wanted.seeds, strict=True):
            clip, faults = self._one(number, seed, wanted.num_frames)
            clips.append(clip)
            broken.update(fault.fault for fault in faults)
            sentences += [str(fault) for fault in faults]
        return Read(tuple(clips), broken, tuple(sentences[:_SENTENCES]))

    def _one(self, number: int, seed: int, num_frames: int) -> tuple[Clip, Sequence[BrokenClip]]:
        which, index = self.order.at(number)
        source, faults = self.sources[which], list[BrokenClip]()
        for attempt in range(MAX_BROKEN):
            rng = np.random.default_rng([seed, _CHOICE, attempt])
            if attempt:
                # of the same source, so that the shares of the mixture stay
                index = int(rng.integers(len(source)))
            try:
                return source.clip(index, num_frames=num_frames, rng=rng), faults
            except BrokenClip as error:
                if self.on_broken == "error":
                    raise
                faults.append(error)
        raise InputError(f"found {MAX_BROKEN} broken clips one after the other, the last: {faults[-1]}; see what is"
                         " wrong with them, or take the source out")  # fmt: skip
