"""Intervals for numbers made of videos: clusters are redrawn, never single videos of one cluster.

Twenty captions of one MSR-VTT video are twenty samples but one draw from the world; treating them as independent makes
an interval more than four times too narrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# Below this an interval over clusters is short of its level (Cameron, Gelbach & Miller 2008 study 5 to 30 of them).
FEW_CLUSTERS = 20
# two-sided 95 % point of the standard normal distribution
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """A 95 % interval [low, high] and the words that say how it was made."""

    low: float
    high: float
    level: float
    method: Literal[
        "cluster-bootstrap percentile",
        "estimate ± 1.96 bootstrap s.d. (conservative)",
        "estimate ± 1.96 jackknife s.e.",
    ]
    replicates: int
    seed: int
    clusters: int


def cluster_codes(clusters: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Return the number of each video's cluster, in order of first appearance, and how many clusters there are."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.int64)
    return codes, len(numbers)


def few_clusters(num_clusters: int) -> list[str]:
    """Return a warning where redrawing so few clusters says little about other ones."""
    if num_clusters >= FEW_CLUSTERS:
        return []
    if num_clusters == 1:
        return ["all videos are of one cluster, so there is no interval"]
    return [f"only {num_clusters} clusters: the interval is likely too narrow"]


def redraws(num_clusters: int, replicates: int, *, seed: int, name: str) -> Iterator[NDArray[np.int64]]:
    """Yield for each replicate how often each cluster is drawn: (num_clusters,), summing to num_clusters.

    The draws come from raw 64-bit PCG64 words reduced modulo the number of clusters (bias below 1e-12 for a million
    clusters), so they are the same under every NumPy version. `name` separates the streams of different metrics.
    """
    word = hashlib.sha256(f"bootstrap|{name}|{seed}".encode()).digest()
    bits = np.random.PCG64(int.from_bytes(word[:16], "big"))
    for _ in range(replicates):
        drawn = (bits.random_raw(num_clusters) % np.uint64(num_clusters)).astype(np.int64)
        yield np.bincount(drawn, minlength=num_clusters)
