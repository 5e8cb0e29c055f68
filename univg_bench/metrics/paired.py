"""Is one run different from another on the same items? Tests that exchange the two, cluster by cluster.

If the runs do not differ, it does not matter which of the two videos of an item is called A and which B. So the
difference of a metric is compared with the differences after exchanging A and B in clusters drawn at random; all items
of a cluster are exchanged together. The p value is exact for any metric and any number of clusters: no normal
distribution, no variance, and the bias of FVD does no harm, because both sides have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh

from univg_bench.errors import InputError
from univg_bench.metrics.frechet import factor
from univg_bench.metrics.intervals import Interval, redraws
from univg_bench.statistics import check_rows, moments_of

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Swapped = NDArray[np.bool_]


class Difference(Protocol):
    """A metric of B minus that of A, as a function of which clusters (C,) have been exchanged between the two.

    rounding: differences closer than this are ties.
    """

    @property
    def num_clusters(self) -> int: ...

    @property
    def rounding(self) -> float: ...

    def __call__(self, swapped: Swapped) -> float: ...


@dataclass(frozen=True)
class PairedTest:
    """What a permutation test found. difference: of B minus A, as they are; least_p: what p could have been at best."""

    difference: float
    p_value: float
    least_p: float
    permutations: int
    num_clusters: int
    seed: int


def paired_permutation(
    difference: Difference,
    *,
    permutations: int,
    seed: int,
    watch: Callable[[Iterator[Swapped]], Iterator[Swapped]] = iter,
) -> PairedTest:
    """Return the two-sided p value of `difference` under random exchanges of A and B.

    The p value is (1 + number of exchanges with a difference at least as large) / (1 + permutations), so it is never 0
    and is valid at any number of permutations; with few clusters, drawing at random may come out below what all 2^C
    exchanges would give at best, and that is raised to it. watch: wraps the loop, to show progress.

    Raises InputError for fewer than 19 permutations, with which no p value can be below .05.
    Source: Phipson & Smyth 2010, "Permutation P-values Should Never Be Zero", eq. 2.
    """
    if permutations < 19:
        raise InputError(f"found {permutations} permutations, expected at least 19: fewer cannot give a p value of .05")
    count = difference.num_clusters
    observed = difference(np.zeros(count, dtype=bool))
    limit = abs(observed) - difference.rounding
    at_least = sum(abs(difference(swapped)) >= limit for swapped in watch(swaps(count, permutations, seed=seed)))
    # exchanging everything only turns the sign, so of 2^C exchanges two always reach the observed difference
    least = max(1 / (1 + permutations), 2.0 ** (1 - count) if count < 60 else 0.0)
    return PairedTest(
        difference=observed if limit > 0 else 0.0,
        p_value=max(least, (1 + at_least) / (1 + permutations)), least_p=least, permutations=permutations,
        num_clusters=count, seed=seed,
    )  # fmt: skip


def swaps(num_clusters: int, permutations: int, *, seed: int) -> Iterator[Swapped]:
    """Yield for each permutation which clusters are exchanged: the bits of raw PCG64 words, the same everywhere."""
    word = hashlib.sha256(f"swaps|{seed}".encode()).digest()
    bits = np.random.PCG64(int.from_bytes(word[:16], "big"))
    for _ in range(permutations):
        words = np.atleast_1d(bits.random_raw(-(-num_clusters // 64))).astype("<u8")
        yield np.unpackbits(words.view(np.uint8), count=num_clusters, bitorder="little").astype(bool)


@dataclass(frozen=True)
class SumDifference:
    """A difference that is a sum over clusters, each of which changes its sign when exchanged.

    per_cluster (C,): what each contributes; error: what rounding made of their sum before it came here. Means over
    videos are of this form, and so is KVD.
    """

    per_cluster: Floats
    error: float = 0.0

    @property
    def num_clusters(self) -> int:
        return len(self.per_cluster)

    @property
    def rounding(self) -> float:
        return self.error + 1e-12 * float(np.abs(self.per_cluster).sum())

    def __call__(self, swapped: Swapped) -> float:
        return float(self.per_cluster.sum() - 2 * self.per_cluster[swapped].sum())


def mean_interval(a: Floats, b: Floats, codes: Codes, num_clusters: int, *, replicates: int, seed: int) -> Interval:
    """Return the percentile interval of the mean of b - a (N,) over redrawn clusters: both videos of an item move."""
    sums = np.bincount(codes, weights=b - a, minlength=num_clusters)
    sizes = np.bincount(codes, minlength=num_clusters).astype(np.float64)
    drawn = redraws(num_clusters, replicates, seed=seed, name="paired")
    low, high = np.quantile([float(d @ sums) / float(d @ sizes) for d in drawn], [0.025, 0.975])
    return Interval(
        low=float(low), high=float(high), level=0.95, method="cluster-bootstrap percentile", replicates=replicates,
        seed=seed, clusters=num_clusters,
    )  # fmt: skip


def mean_difference(a: Floats, b: Floats, codes: Codes, num_clusters: int) -> SumDifference:
    """Return the difference of the means of b (N,) and a (N,), values of the same items; codes (N,): clusters."""
    sums = np.bincount(codes, weights=b - a, minlength=num_clusters)
    return SumDifference(sums.astype(np.float64) / len(a), error=1e-12 * float(np.abs(a).mean() + np.abs(b).mean()))


@dataclass(frozen=True)
class FvdDifference:
    """The difference of two FVDs to one set of real videos, quick to compute again after an exchange.

    turned_a, turned_b (N, r): centred features times the root R of the real covariance; the eigenvalues of their
    covariance are those of Σ Σ_real, so no root is taken again. turned_sum (r,), turned_outer (r, r): sums of both and
    of their outer products. sum_a, sum_b (D,), squares_a, squares_b: sums of centred features and of their squared
    lengths; sum_moves (C, D), square_moves (C,): what of these moves from B to A with each cluster. codes (N,).
    """

    turned_a: Floats
    turned_b: Floats
    turned_sum: Floats
    turned_outer: Floats
    sum_a: Floats
    sum_b: Floats
    sum_moves: Floats
    squares_a: float
    squares_b: float
    square_moves: Floats
    real_mean: Floats
    codes: Codes
    num_clusters: int
    ddof: int
    rounding: float

    @classmethod
    def of(
        cls,
        a: NDArray[np.floating],
        b: NDArray[np.floating],
        references: NDArray[np.floating],
        *,
        codes: Codes,
        num_clusters: int,
        ddof: int,
    ) -> FvdDifference:
        """Return the difference between a (N, D) and b (N, D), row by row of the same item, to references (M, D).

        Raises InputError for fewer than two rows, other dimensions, NaN.
        """
        x, z = check_rows(a, name="features of the first run"), check_rows(b, name="features of the second run")
        real = moments_of(references).gaussian(ddof=ddof)
        if x.shape != z.shape or x.shape[1] != real.mu.size or len(x) < 2:
            raise InputError(
                f"found features of shape {x.shape}, {z.shape} and of {real.mu.size} real dimensions, expected the same"
                " items, at least two, and the same extractor"
            )
        centre = (x.mean(axis=0) + z.mean(axis=0)) / 2
        x, z = x - centre, z - centre
        root = factor(real.sigma)
        turned_a, turned_b = x @ root, z @ root
        moves, squares_a, squares_b = np.zeros((num_clusters, x.shape[1])), (x**2).sum(axis=1), (z**2).sum(axis=1)
        np.add.at(moves, codes, z - x)
        # eigenvalues that are 0 come back as 1e-16 of the largest, and their roots as 1e-8: with fewer videos than
        # dimensions that is the noise of every distance, and no difference below it is one
        rounding = 1e-7 * float(squares_a.mean() + squares_b.mean() + np.trace(real.sigma))
        return cls(
            turned_a=turned_a, turned_b=turned_b, turned_sum=turned_a.sum(axis=0) + turned_b.sum(axis=0),
            turned_outer=turned_a.T @ turned_a + turned_b.T @ turned_b, sum_a=x.sum(axis=0), sum_b=z.sum(axis=0),
            sum_moves=moves, squares_a=float(squares_a.sum()), squares_b=float(squares_b.sum()),
            square_moves=np.bincount(codes, weights=squares_b - squares_a, minlength=num_clusters).astype(np.float64),
            real_mean=real.mu - centre, codes=codes, num_clusters=num_clusters, ddof=ddof, rounding=rounding,
        )  # fmt: skip

    def __call__(self, swapped: Swapped) -> float:
        taken = np.where(swapped[self.codes][:, None], self.turned_b, self.turned_a)
        outer, turned = taken.T @ taken, np.ones(len(taken)) @ taken
        sums, squares = swapped @ self.sum_moves, float(swapped @ self.square_moves)
        first = self._fvd(outer, turned, self.sum_a + sums, self.squares_a + squares)
        # whatever A got, B gave: its sums are what is left of those of both
        rest = self.turned_outer - outer, self.turned_sum - turned
        return self._fvd(*rest, self.sum_b - sums, self.squares_b - squares) - first

    def _fvd(self, outer: Floats, turned: Floats, total: Floats, squares: float) -> float:
        """Return the FVD less Tr Σ_real, which both sides have, from sums over rows."""
        n = len(self.codes)
        overlap = (outer - np.outer(turned, turned / n)) / (n - self.ddof)
        roots = np.sqrt(np.maximum(eigvalsh(overlap, check_finite=False, overwrite_a=True), 0)).sum()
        mean = total / n
        apart = mean - self.real_mean
        return float(apart @ apart + (squares - n * (mean @ mean)) / (n - self.ddof) - 2 * roots)


@dataclass(frozen=True)
class MeanOfDifferences:
    """The mean of several differences, exchanged together: of a metric that is a mean over runs of items."""

    parts: tuple[FvdDifference, ...]

    @property
    def num_clusters(self) -> int:
        return self.parts[0].num_clusters

    @property
    def rounding(self) -> float:
        return max(part.rounding for part in self.parts)

    def __call__(self, swapped: Swapped) -> float:
        return sum(part(swapped) for part in self.parts) / len(self.parts)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for there being several, in the same order: the k-th smallest of m times m - k + 1.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    order = np.argsort(p_values, kind="stable")
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted
