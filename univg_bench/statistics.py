"""Means and covariances of feature vectors: gathered in a stream, in float64, mergeable, with constant memory.

`Moments` is the state (what has been seen), `GaussianStats` the result (what a metric compares). Nothing here knows
torch, videos or metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from univg_bench.errors import InputError

Floats = NDArray[np.float64]

# Rows are folded in blocks of this many. A block is fixed by the position of its rows and by nothing else, so the same
# rows in the same order give the same bits however they arrived; 256 rows of 2,048 float64 are 4 MB.
BLOCK = 256


@dataclass(frozen=True)
class GaussianStats:
    """Mean (D,) and covariance (D, D) of n vectors, float64; ddof says which covariance (1: unbiased, 0: plain)."""

    n: int
    mu: Floats
    sigma: Floats
    ddof: int


@dataclass(frozen=True)
class Moments:
    """Count, mean (D,) and sum of squared deviations (D, D) of the vectors seen so far, float64.

    An immutable value: `update` and `merge` return a new one. Deviations are taken from the running mean, so large
    offsets cost no digits, as they would with raw sums of squares.

    Source: Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    n: int
    mean: Floats
    scatter: Floats

    @classmethod
    def empty(cls, dim: int) -> Moments:
        """Return the moments of no vectors of dimension `dim`: the neutral element of `merge`."""
        return cls(0, np.zeros(dim), np.zeros((dim, dim)))

    @classmethod
    def of(cls, rows: ArrayLike, weights: ArrayLike | None = None) -> Moments:
        """Return the moments of `rows` (N, D), each counted `weights` (N,) times (whole numbers; default once).

        Raises InputError for an array that is not (N, D) or holds NaN or infinities.
        """
        x = check_rows(rows, name="features")
        counts = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
        assert counts.shape == (len(x),), (counts.shape, x.shape)
        n = int(counts.sum())
        if n == 0:
            return cls.empty(x.shape[1])
        mean = counts @ x / n
        centred = x - mean  # (N, D)
        return cls(n, mean, centred.T @ (centred * counts[:, None]))

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets together, as if they had been seen in one stream.

        Raises InputError when the dimensions differ.
        """
        if self.mean.shape != other.mean.shape:
            raise InputError(
                f"found features of dimension {other.mean.size} where {self.mean.size} was expected: these were made "
                "by different extractors and cannot be merged"
            )
        if self.n == 0 or other.n == 0:
            return other if self.n == 0 else self
        n = self.n + other.n
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.n / n)
        # what each set lacks is the spread between the two means
        between = np.outer(apart, apart) * (self.n * other.n / n)
        return Moments(n, mean, self.scatter + other.scatter + between)

    def gaussian(self, *, ddof: int = 1) -> GaussianStats:
        """Return mean and covariance, divided by n - ddof.

        Raises InputError when fewer than two vectors were seen: one vector has no covariance.
        """
        if self.n < 2 or self.n <= ddof:
            raise InputError(f"found {self.n} feature vectors, expected at least 2: a covariance needs a spread")
        sigma = self.scatter / (self.n - ddof)
        return GaussianStats(self.n, self.mean, (sigma + sigma.T) / 2, ddof)


def moments_of(rows: NDArray[np.floating] | Iterable[ArrayLike], weights: ArrayLike | None = None) -> Moments:
    """Return the moments of `rows` (N, D), an array (also memory-mapped) or an iterable of vectors, block by block.

    Holds one block of `BLOCK` rows in memory. Equal rows in equal order give equal bits, whoever produced them.

    Raises InputError as `Moments.of`, and when there are no rows at all.
    """
    total: Moments | None = None
    counts = None if weights is None else np.asarray(weights, dtype=np.float64)
    start = 0
    for block in _blocks(rows):
        part = Moments.of(block, None if counts is None else counts[start : start + len(block)])
        total = part if total is None else total.merge(part)
        start += len(block)
    if total is None:
        raise InputError("found no feature vectors at all, expected at least 2")
    return total


def check_rows(rows: ArrayLike, *, name: str) -> Floats:
    """Return `rows` as float64 (N, D); raise InputError when they are not a finite matrix."""
    x = np.asarray(rows, dtype=np.float64)
    if x.ndim != 2:
        raise InputError(f"found {name} of shape {x.shape}, expected (N, D): one row per video")
    if not np.isfinite(x).all():
        bad = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"found NaN or infinity in row {bad} of {name}: the extractor or its weights are broken")
    return x


def _blocks(rows: NDArray[np.floating] | Iterable[ArrayLike]) -> Iterable[Floats]:
    if isinstance(rows, np.ndarray):
        for start in range(0, len(rows), BLOCK):
            yield np.asarray(rows[start : start + BLOCK], dtype=np.float64)
        return
    block: list[Floats] = []
    for row in rows:
        block.append(np.asarray(row, dtype=np.float64))
        if len(block) == BLOCK:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)
