"""The damage ladder: real videos made worse in known ways, to see whether a metric notices.

A metric that does not order these sensibly on some data, with some weights and some n, orders nothing there. Each rung
is a folder of videos like any model's, so the ladder goes through the same import, evaluation and table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from univg_bench.console import Console
from univg_bench.datasets import ItemSet
from univg_bench.encode import write_lossless
from univg_bench.errors import InputError
from univg_bench.video import decode

Frames = NDArray[np.uint8]  # (F, 3, H, W)
Damage = Callable[[Frames, np.random.Generator], Frames]


@dataclass(frozen=True)
class Rung:
    """One kind of damage. what: in words; damage: from the frames of a real video to worse ones."""

    name: str
    what: str
    damage: Damage


def _noise(deviation: float) -> Damage:
    def damage(frames: Frames, rng: np.random.Generator) -> Frames:
        noisy = frames + deviation * rng.standard_normal(frames.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return damage


def _blur(sigma: float) -> Damage:
    def damage(frames: Frames, rng: np.random.Generator) -> Frames:
        from scipy.ndimage import gaussian_filter

        blurred: NDArray[np.float64] = gaussian_filter(
            frames.astype(np.float64), sigma=(0, 0, sigma, sigma), mode="nearest"
        )
        rounded: Frames = np.clip(np.rint(blurred), 0, 255).astype(np.uint8)
        return rounded

    return damage


def _frozen(frames: Frames, rng: np.random.Generator) -> Frames:
    return np.repeat(frames[:1], len(frames), axis=0)


def _shuffled(frames: Frames, rng: np.random.Generator) -> Frames:
    return frames[rng.permutation(len(frames))]


def _reversed(frames: Frames, rng: np.random.Generator) -> Frames:
    return frames[::-1]


def _untouched(frames: Frames, rng: np.random.Generator) -> Frames:
    return frames


# `wrong-captions` is special: the videos are real ones, given to other items than their own.
WRONG_CAPTIONS = "wrong-captions"
RUNGS: tuple[Rung, ...] = (
    Rung("noise-8", "Gaussian noise, s.d. 8 of 255", _noise(8.0)),
    Rung("noise-20", "Gaussian noise, s.d. 20 of 255", _noise(20.0)),
    Rung("noise-40", "Gaussian noise, s.d. 40 of 255", _noise(40.0)),
    Rung("blur-1", "Gaussian blur, sigma 1 pixel", _blur(1.0)),
    Rung("blur-2", "Gaussian blur, sigma 2 pixels", _blur(2.0)),
    Rung("frozen", "the first frame, repeated", _frozen),
    Rung("shuffled", "frames in random order", _shuffled),
    Rung("reversed", "time runs backwards", _reversed),
    Rung(WRONG_CAPTIONS, "real videos under the captions of others", _untouched),
)


def write_ladder(
    items: ItemSet, dest: Path, rungs: Sequence[Rung], *, seed: int = 0, console: Console
) -> dict[str, Path]:
    """Write `dest`/<rung>/<item_id>.mp4 for every rung and every item that has a reference; return rung -> folder.

    Lossless, at the rate of the reference. The damage of a video depends on seed, rung and item id alone.

    Raises InputError when fewer than two items have a reference, UnreadableVideo for a damaged reference.
    """
    sources = [(item.item_id, item.cluster, item.reference) for item in items.items if item.reference is not None]
    if len(sources) < 2:
        raise InputError(f"found {len(sources)} items with a real video, expected at least 2 to build a ladder from")
    work = [(rung, number) for number in range(len(sources)) for rung in rungs]
    for rung, number in console.progress(work, total=len(work), title="ladder", unit="video"):
        item_id, _, path = sources[number]
        if rung.name == WRONG_CAPTIONS:
            path = sources[_next_of_other_cluster(number, [cluster for _, cluster, _ in sources])][2]
        decoded = list(decode(path))
        seconds = decoded[-1].time + decoded[-1].duration - decoded[0].time
        fps = len(decoded) / seconds if seconds else Fraction(8)
        frames = rung.damage(np.stack([frame.rgb for frame in decoded]), _generator(seed, rung.name, item_id))
        write_lossless(dest / rung.name / f"{item_id}.mp4", frames, fps)
    return {rung.name: dest / rung.name for rung in rungs}


def _next_of_other_cluster(number: int, clusters: Sequence[str]) -> int:
    """Return the next item, cyclically, whose cluster differs; the item itself when there is no other cluster."""
    for step in range(1, len(clusters)):
        other = (number + step) % len(clusters)
        if clusters[other] != clusters[number]:
            return other
    return number


def _generator(seed: int, rung: str, item_id: str) -> np.random.Generator:
    word = hashlib.sha256(f"ladder|{seed}|{rung}|{item_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(word[:16], "big")))
