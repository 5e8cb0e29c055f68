"""Which batch a step gets: kind, length, and for each clip its number and a seed. A function of seed and step alone.

So a step needs no memory of those before it (a resumed run is exact), and a clip's chance does not depend on how many
processes share its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reference_models.training.recipe import Batches, Kind, Recipe


@dataclass(frozen=True)
class Planned:
    """One batch of a step. numbers: of its clips, among all of their kind in the run. seeds: of their chance."""

    kind: Kind
    num_frames: int
    numbers: tuple[int, ...]
    seeds: tuple[int, ...]

    def part(self, rank: int, world: int) -> Planned:
        """Return the share of one process of `world`."""
        each = len(self.seeds) // world
        own = slice(rank * each, (rank + 1) * each)
        return Planned(self.kind, self.num_frames, self.numbers[own], self.seeds[own])


def planned(recipe: Recipe, step: int) -> Iterator[Planned]:
    """Yield the batches of `step`, 0-based, as many as are accumulated."""
    phase, within = recipe.phase(step)
    cycle = interleaved(phase.batches)
    for i in range(recipe.compute.accumulation):
        place = within * recipe.compute.accumulation + i
        batches = cycle[place % len(cycle)]
        first = _clips_before(recipe, batches.kind, step=step, place=place)
        random = np.random.default_rng([recipe.seed, step, i])
        low, high = batches.num_frames
        num_frames = int(random.integers(low, high + 1))
        seeds = random.integers(2**62, size=batches.clips)
        numbers = tuple(range(first, first + batches.clips))
        yield Planned(batches.kind, num_frames, numbers, tuple(int(seed) for seed in seeds))


def interleaved(batches: Sequence[Batches]) -> list[Batches]:
    """Return one cycle in which every kind comes as often as its share says, spread as evenly as can be."""
    total = sum(batch.share for batch in batches)
    cycle: list[Batches] = []
    for place in range(total):
        # who is furthest behind what is due to it by the end of this place; of equals the first
        due = [batch.share * (place + 1) - total * sum(made is batch for made in cycle) for batch in batches]
        cycle.append(batches[due.index(max(due))])
    return cycle


def _clips_before(recipe: Recipe, kind: Kind, *, step: int, place: int) -> int:
    """Return how many clips of a kind come before the batch at `place` of the phase of `step`."""
    count = 0
    for phase in recipe.phases:
        current = step < phase.steps
        batches = place if current else phase.steps * recipe.compute.accumulation
        cycle = interleaved(phase.batches)
        whole, rest = divmod(batches, len(cycle))
        clips = [batch.clips if batch.kind == kind else 0 for batch in cycle]
        count += whole * sum(clips) + sum(clips[:rest])
        if current:
            return count
        step -= phase.steps
    raise AssertionError("a step beyond the last")
