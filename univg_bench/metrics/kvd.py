"""KVD, the kernel video distance: an unbiased squared MMD, so the number of videos does not bias it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.intervals import Z95, Interval, cluster_codes, few_clusters
from univg_bench.metrics.paired import SumDifference
from univg_bench.statistics import check_rows

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

# The kernel is (x·y / d + 1)³: scikit-learn's defaults (gamma 1/d, coef0 1, degree 3), which KID and TATS's KVD use.
# The kernel matrix is never held: it is made in tiles of this many rows and columns, 8 MB of float64 each.
TILE = 1024


@dataclass(frozen=True)
class KvdResult:
    """A KVD and how sure it is.

    value: the unbiased estimate over pairs of videos of different clusters; it is negative about as often as positive
    when the sets are of one distribution. all_pairs: the same over all pairs of different videos, which is what KID and
    TATS count; far below 0 where generated videos resemble their own real ones. standard_error: jackknife over
    clusters, None with fewer than three. subset_mean, subset_deviation: mean and standard deviation over `subsets`
    subsets of `subset_size` videos per set, as KID prints them; the deviation is that of a set of subset_size, not that
    of `value`; None without subsets.
    """

    value: float
    all_pairs: float
    standard_error: float | None
    interval: Interval | None
    subset_mean: float | None
    subset_deviation: float | None
    subsets: int
    subset_size: int
    n: int
    n_reference: int
    dim: int
    num_clusters: int
    warnings: tuple[str, ...]


def kvd(
    samples: NDArray[np.floating],
    references: NDArray[np.floating],
    *,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    subsets: int,
    subset_size: int,
    seed: int,
) -> KvdResult:
    """Return the KVD between generated and real videos: MMD² with the kernel (x·y / d + 1)³ over independent pairs.

    A pair counts when its two videos are of different clusters. A generated video and the real one of its caption are
    not independent, nor are two captions of one video; counting them is what would bias the estimate. Where no two
    videos share a cluster this is the usual estimate, all pairs but those of a video with itself.

    samples (N, D), references (M, D): one feature vector per video, in memory or mapped; N and M may differ. clusters,
    reference_clusters: for each row, the real video it belongs to. subsets, subset_size: of the subset statistics;
    whole clusters are drawn for both sets together and cut at subset_size rows. With subsets 0, or a subset_size that
    is not below both N and M and above the largest cluster, there are none.

    Raises InputError for fewer than two rows in a set, other dimensions, NaN.
    Source: Gretton et al. 2012, "A Kernel Two-Sample Test", eq. 3; kernel and subsets: Bińkowski et al. 2018,
    "Demystifying MMD GANs" (KID); for video, Unterthiner et al. 2018 (KVD) and TATS, Ge et al. 2022.
    """
    x, y = check_rows(samples, name="generated features"), check_rows(references, name="real features")
    n, m = len(x), len(y)
    if n < 2 or m < 2:
        raise InputError(f"found {n} generated and {m} real videos, expected at least 2 of each for a KVD")
    if x.shape[1] != y.shape[1]:
        raise InputError(f"found features of {x.shape[1]} and {y.shape[1]} dimensions, expected the same extractor")
    assert len(clusters) == n
    assert len(reference_clusters) == m
    warnings: list[str] = []
    codes, num_clusters = cluster_codes([*clusters, *reference_clusters])
    if min(len(set(clusters)), len(set(reference_clusters))) == 1:
        warnings.append("all videos of a set are of one cluster: KVD takes them for independent")
        codes, num_clusters = np.arange(n + m), n + m
    own, other = codes[:n], codes[n:]

    sums = _ClusterSums.of(x, y, own, other, num_clusters)
    value, left_out = sums.estimate(), sums.left_out()
    error = None if left_out is None else _jackknife(left_out)
    interval = None
    if error is not None:
        interval = Interval(
            low=value - Z95 * error, high=value + Z95 * error, level=0.95, method="estimate ± 1.96 jackknife s.e.",
            replicates=num_clusters, seed=seed, clusters=num_clusters,
        )  # fmt: skip
    warnings += few_clusters(num_clusters)
    drawn: list[float] = []
    largest = int(max(np.bincount(own).max(), np.bincount(other).max()))
    if subsets and largest < subset_size < min(n, m):
        drawn = [
            _ClusterSums.of(x[rows], y[real_rows], own[rows], other[real_rows], num_clusters).estimate()
            for rows, real_rows in _subsets(own, other, num_clusters, subsets, subset_size, seed)
        ]
    elif subsets:
        warnings.append(
            f"no KVD over subsets: {subset_size} videos per subset, expected fewer than the {min(n, m)} of a set and"
            f" more than the {largest} of a cluster"
        )
    return KvdResult(
        value=value, all_pairs=sums.over_all_pairs(), standard_error=error, interval=interval,
        subset_mean=float(np.mean(drawn)) if drawn else None,
        subset_deviation=float(np.std(drawn, ddof=1)) if len(drawn) > 1 else None,
        subsets=len(drawn), subset_size=subset_size, n=n, n_reference=m, dim=x.shape[1], num_clusters=num_clusters,
        warnings=tuple(warnings),
    )  # fmt: skip


@dataclass(frozen=True)
class KvdDifference:
    """KVD of two runs: both values, their difference as a sum over clusters, its jackknife error (None: too few)."""

    a: float
    b: float
    difference: SumDifference
    standard_error: float | None


def kvd_difference(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    references: NDArray[np.floating],
    *,
    codes: Codes,
    real_codes: Codes,
    num_clusters: int,
) -> KvdDifference:
    """Return KVD of a and of b, and b minus a in a form that can be permuted.

    a, b (N, D): videos of two runs, row by row of the same item; references (M, D); codes (N,), real_codes (M,): their
    clusters, at least two in each set.

    Exchanging A and B in a cluster turns the sign of one term and leaves the others alone: with u = ±1, a pair i, j
    within a set is worth (u_i + u_j)/2 · (k(a_i, a_j) - k(b_i, b_j)) + (u_i - u_j)/2 · (k(a_i, b_j) - k(b_i, a_j)),
    linear in u. So a permutation is a sum of signed numbers, and the kernel is needed once.

    Raises InputError for NaN.
    """
    x, z = check_rows(a, name="features of the first run"), check_rows(b, name="features of the second run")
    y = check_rows(references, name="real features")
    assert x.shape == z.shape
    first, second = (_ClusterSums.of(rows, y, codes, real_codes, num_clusters) for rows in (x, z))
    crossed = np.zeros(len(x))
    for top, left, tile in _tiles(z, x, upper=False):
        crossed[top] += tile.sum(axis=1)
        crossed[left] -= tile.sum(axis=0)  # what is inside a cluster cancels
    within = second.xx - first.xx + _by_cluster(codes, crossed, num_clusters)
    pairs, _, across = first.pairs()
    by_cluster = within / pairs - 2 * (second.xy_rows - first.xy_rows) / across
    lower, upper = first.left_out(), second.left_out()
    error = None if lower is None or upper is None else _jackknife(upper - lower)
    # what is subtracted is far larger than what is left
    error_of_sums = 1e-12 * float(sum(abs(one.xx).sum() + abs(one.yy).sum() for one in (first, second)) / pairs)
    return KvdDifference(first.estimate(), second.estimate(), SumDifference(by_cluster, error_of_sums), error)


@dataclass(frozen=True)
class _ClusterSums:
    """Sums of the kernel over ordered pairs of different clusters, by cluster: enough to leave any of them out.

    sizes, real_sizes (C,): videos per cluster. xx (C,): over pairs of generated videos whose first is of the cluster;
    yy of real ones; xy_rows (C,): over pairs of a generated video of the cluster with a real one of another, xy_columns
    (C,): of a real video of the cluster with a generated one of another. own_xx, own_yy (C,): over pairs of different
    videos inside the cluster; own_xy (C,) of a generated with a real one.
    """

    sizes: Floats
    real_sizes: Floats
    xx: Floats
    yy: Floats
    xy_rows: Floats
    xy_columns: Floats
    own_xx: Floats
    own_yy: Floats
    own_xy: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, own: Codes, other: Codes, count: int) -> _ClusterSums:
        rows_xx, own_xx = _within(x, own, count)
        rows_yy, own_yy = _within(y, other, count)
        per_x, per_y, own_xy = np.zeros(len(x)), np.zeros(len(y)), np.zeros(count)
        for rows, columns, tile in _tiles(x, y, upper=False):
            per_x[rows] += tile.sum(axis=1)
            per_y[columns] += tile.sum(axis=0)
            _add_shared(own_xy, tile, own[rows], other[columns])
        return cls(
            sizes=np.bincount(own, minlength=count).astype(np.float64),
            real_sizes=np.bincount(other, minlength=count).astype(np.float64),
            xx=rows_xx - own_xx, yy=rows_yy - own_yy, xy_rows=_by_cluster(own, per_x, count) - own_xy,
            xy_columns=_by_cluster(other, per_y, count) - own_xy, own_xx=own_xx, own_yy=own_yy, own_xy=own_xy,
        )  # fmt: skip

    def pairs(self) -> tuple[float, float, float]:
        """Return how many ordered pairs of different clusters there are: generated, real, and of one with the other."""
        n, m = self.sizes.sum(), self.real_sizes.sum()
        return (
            float(n**2 - (self.sizes**2).sum()),
            float(m**2 - (self.real_sizes**2).sum()),
            float(n * m - self.sizes @ self.real_sizes),
        )

    def estimate(self) -> float:
        """Return MMD² over pairs of different clusters."""
        xx, yy, xy = self.pairs()
        return float(self.xx.sum() / xx + self.yy.sum() / yy - 2 * self.xy_rows.sum() / xy)

    def over_all_pairs(self) -> float:
        """Return MMD² over all pairs of different videos, whatever their clusters."""
        n, m = self.sizes.sum(), self.real_sizes.sum()
        xx, yy = (self.xx + self.own_xx).sum() / (n * (n - 1)), (self.yy + self.own_yy).sum() / (m * (m - 1))
        return float(xx + yy - 2 * (self.xy_rows + self.own_xy).sum() / (n * m))

    def left_out(self) -> Floats | None:
        """Return MMD² without each cluster (C,), or None where one without a cluster would have no pairs."""
        (all_xx, all_yy, all_xy), n, m = self.pairs(), self.sizes.sum(), self.real_sizes.sum()
        # a pair leaves with either of its two videos; none has both in one cluster
        xx = all_xx - 2 * self.sizes * (n - self.sizes)
        yy = all_yy - 2 * self.real_sizes * (m - self.real_sizes)
        xy = all_xy - self.sizes * (m - self.real_sizes) - self.real_sizes * (n - self.sizes)
        if min(xx.min(), yy.min(), xy.min()) <= 0:
            return None
        between = (self.xy_rows.sum() - self.xy_rows - self.xy_columns) / xy
        left_out: Floats = (self.xx.sum() - 2 * self.xx) / xx + (self.yy.sum() - 2 * self.yy) / yy - 2 * between
        return left_out


def _jackknife(left_out: Floats) -> float:
    count = len(left_out)
    return float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))


def _within(x: Floats, codes: Codes, count: int) -> tuple[Floats, Floats]:
    """Return per cluster the kernel summed over pairs that begin in it, and over pairs inside it."""
    per_row, own = np.zeros(len(x)), np.zeros(count)
    for rows, columns, tile in _tiles(x, x, upper=True):
        per_row[rows] += tile.sum(axis=1)
        per_row[columns] += tile.sum(axis=0)
        _add_shared(own, tile, codes[rows], codes[columns])
    return _by_cluster(codes, per_row, count), 2 * own


def _by_cluster(codes: Codes, values: Floats, count: int) -> Floats:
    return np.bincount(codes, weights=values, minlength=count).astype(np.float64)


def _add_shared(own: Floats, tile: Floats, rows: Codes, columns: Codes) -> None:
    i, j = np.nonzero(rows[:, None] == columns[None, :])
    np.add.at(own, rows[i], tile[i, j])


def _tiles(x: Floats, y: Floats, *, upper: bool) -> Iterator[tuple[slice, slice, Floats]]:
    """Yield the kernel matrix of x and y in tiles, with their rows and columns.

    upper: x and y are one set; yield the pairs i < j only, the others of a tile being 0.
    """
    for top in range(0, len(x), TILE):
        for left in range(top if upper else 0, len(y), TILE):
            rows, columns = slice(top, min(top + TILE, len(x))), slice(left, min(left + TILE, len(y)))
            root = x[rows] @ y[columns].T / x.shape[1] + 1.0
            tile = root * root * root  # a product: NumPy's power is ten times slower
            yield rows, columns, np.triu(tile, k=1) if upper and left == top else tile


def _subsets(
    own: Codes, other: Codes, num_clusters: int, subsets: int, size: int, seed: int
) -> Iterator[tuple[Codes, Codes]]:
    """Yield the rows of each subset in both sets: clusters in random order until there are `size` rows of each set.

    The order comes from raw 64-bit PCG64 words, so it is the same under every NumPy version.
    """
    word = hashlib.sha256(f"subsets|kvd|{seed}".encode()).digest()
    bits = np.random.PCG64(int.from_bytes(word[:16], "big"))
    for _ in range(subsets):
        rank = bits.random_raw(num_clusters)
        # rows of one cluster have one rank; a second word per row orders them, so that a cut cluster is cut at random
        rows = np.lexsort((bits.random_raw(len(own)), rank[own]))[:size]
        real_rows = np.lexsort((bits.random_raw(len(other)), rank[other]))[:size]
        yield rows, real_rows
