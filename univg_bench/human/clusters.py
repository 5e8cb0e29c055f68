"""How far a mean of votes may be off when votes share items and annotators.

Votes on one item resemble each other, and so do votes of one annotator. Taken as independent they give 95 % intervals
that covered the truth in 38-78 % of simulated studies (docs/human_statistics.md); the two estimates here do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats


@dataclass(frozen=True)
class Votes:
    """The answers of one comparison on one dimension.

    y: (N,) +1, 0, -1. item, annotator: (N,) int64 codes 0 .. num_items-1 and 0 .. num_annotators-1, all used.
    """

    y: np.ndarray
    item: np.ndarray
    annotator: np.ndarray
    num_items: int
    num_annotators: int

    @classmethod
    def of(cls, y: np.ndarray, item: np.ndarray, annotator: np.ndarray) -> Votes:
        """Return votes with the codes renumbered without holes, in their order."""
        items, item = np.unique(item, return_inverse=True)
        annotators, annotator = np.unique(annotator, return_inverse=True)
        return cls(y.astype(np.int64), item, annotator, len(items), len(annotators))

    @property
    def mean(self) -> float:
        return float(self.y.sum() / len(self.y))

    def item_means(self) -> np.ndarray:
        """(num_items,) mean vote of each item."""
        means: np.ndarray = np.bincount(self.item, self.y, self.num_items) / np.bincount(self.item)
        return means


@dataclass(frozen=True)
class Variances:
    """Variances of the mean of some votes, by what is taken to vary from study to study."""

    naive: float
    item: float
    annotator: float
    two_way: float


# Sums whose true value is 0 leave about 1e-17 of what was added up; what is below this share of it is 0
NOISE = 1e-12


def variances(votes: Votes) -> Variances:
    """Return the cluster-robust variances of the mean, each with the small-sample factor g/(g-1).

    With residuals e = y - mean and sums over clusters, V = V_item + V_annotator - V_naive (every vote is its own
    item-annotator intersection). Where that falls below V_item, by chance or because annotators hardly differ, V_item
    is taken: a further source of variation cannot make a mean more certain. Where only rounding is left of it, it is 0.

    Source: Cameron, Gelbach & Miller 2011, J. Business & Economic Statistics 29(2), eq. 2.11-2.13.
    """
    n, total = len(votes.y), int(votes.y.sum())
    # n e = n y - total is a whole number: sums are exact, so no order of rows or clusters moves a digit
    residual = n * votes.y - total

    def clustered(codes: np.ndarray, groups: int) -> float:
        if groups < 2:
            return 0.0
        sums = np.bincount(codes, residual, groups)
        return float(np.sort(sums**2).sum()) / float(n) ** 4 * groups / (groups - 1)

    squares = sum(int((votes.y == value).sum()) * (n * value - total) ** 2 for value in (1, 0, -1))
    own = squares / float(n) ** 4 * (n / (n - 1) if n > 1 else 0.0)
    by_item = clustered(votes.item, votes.num_items)
    by_annotator = clustered(votes.annotator, votes.num_annotators)
    two_way = max(by_item + by_annotator - own, by_item)
    return Variances(own, by_item, by_annotator, two_way if two_way > NOISE * own else 0.0)


def t_interval(mean: float, variance: float, df: int, level: float) -> tuple[float, float]:
    """Return mean -+ t_df * standard error, cut to the possible range [-1, 1]."""
    half = float(stats.t.ppf(0.5 + level / 2, df)) * variance**0.5
    return max(mean - half, -1.0), min(mean + half, 1.0)


class Pigeonhole:
    """Pigeonhole bootstrap: draw items and, independently, annotators; a vote weighs the product of its two counts.

    Source: Owen 2007, Annals of Applied Statistics 1(2), 386-411.

    The counts depend on the seed and the numbers of items and annotators only, so dimensions of one comparison share
    them.
    """

    def __init__(self, draws: int, seed: int) -> None:
        self.draws, self.seed = draws, seed
        self._counts: dict[tuple[int, int, int, int], np.ndarray] = {}

    def interval(self, votes: Votes, level: float) -> tuple[float, float] | None:
        """Return the percentile interval, or None where nothing can be drawn (one item or one annotator)."""
        if votes.num_items < 2 or votes.num_annotators < 2:
            return None
        means = self.means(votes)
        low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
        return float(low), float(high)

    def means(self, votes: Votes) -> np.ndarray:
        """(draws,) weighted means; a draw that hits no vote at all (sparse designs) is left out."""
        # annotators in an order that does not depend on their names: relabelling them moves no interval
        annotator = annotator_order(votes)[votes.annotator]
        shape = (votes.num_annotators, votes.num_items)
        total = sparse.csr_array((votes.y.astype(np.float32), (annotator, votes.item)), shape=shape)
        count = sparse.csr_array((np.ones(len(votes.y), np.float32), (annotator, votes.item)), shape=shape)
        if total.nnz > DENSE * votes.num_items * votes.num_annotators:
            total, count = total.toarray(), count.toarray()
        # a chunk of draws is as large as memory allows, and the same for items and annotators
        chunk = min(max(CHUNK_COUNTS // votes.num_items, 1), 500)
        above, below = [], []
        for start in range(0, self.draws, chunk):
            draws = min(chunk, self.draws - start)
            p = self._drawn(votes.num_items, start, draws, salt=0).astype(np.float32)
            q = self._drawn(votes.num_annotators, start, draws, salt=1).astype(np.float64)
            # single precision is exact: every partial sum is a whole number up to num_items (< 2^24)
            above.append((q * (total @ p)).sum(axis=0))
            below.append((q * (count @ p)).sum(axis=0))
        sums, weights = np.concatenate(above), np.concatenate(below)
        means: np.ndarray = sums[weights > 0] / weights[weights > 0]
        return means

    def _drawn(self, size: int, start: int, draws: int, *, salt: int) -> np.ndarray:
        """(size, draws) int16: how often each of `size` things came in `size` draws with replacement."""
        key = (size, start, draws, salt)
        counts = self._counts.get(key)
        if counts is None:
            rng = np.random.default_rng([self.seed, salt, size, start])
            drawn = rng.integers(0, size, size=(size, draws)) * draws + np.arange(draws)
            counts = np.bincount(drawn.ravel(), minlength=size * draws).reshape(size, draws).astype(np.int16)
            if size * self.draws <= KEPT_COUNTS:
                self._counts[key] = counts
        return counts


CHUNK_COUNTS = 2_000_000  # counts drawn at once
KEPT_COUNTS = 50_000_000  # counts kept for the next dimension (100 MB); larger studies draw them again
DENSE = 0.1  # share of filled cells above which a dense product is the faster one


def annotator_order(votes: Votes) -> np.ndarray:
    """(num_annotators,) a place for each annotator that follows from their votes and not from their name.

    Sorted by a hash of (item, vote) sums whose sign turns with the methods; annotators with equal votes are
    interchangeable, so ties do no harm.
    """
    mixed = (votes.item.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    seen = np.zeros(votes.num_annotators, dtype=np.int64)
    liked = np.zeros(votes.num_annotators, dtype=np.int64)
    np.add.at(seen, votes.annotator, mixed.view(np.int64))
    np.add.at(liked, votes.annotator, mixed.view(np.int64) * votes.y)
    place = np.empty(votes.num_annotators, dtype=np.int64)
    place[np.lexsort((seen, np.abs(liked)))] = np.arange(votes.num_annotators)
    return place
