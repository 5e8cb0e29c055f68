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

    value: the unbiased estimate over all pairs of both sets; it is negative about as often as positive when the sets
    are of one distribution. standard_error: jackknife over clusters, None with fewer than three clusters. subset_mean,
    subset_deviation: mean and standard deviation of the estimate over `subsets` subsets of `subset_size` videos per
    set, as KID prints them; the deviation is that of a set of subset_size, not that of `value`; None without subsets.
    """

    value: float
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
    """Return the KVD between generated and real videos: MMD² with the kernel (x·y / d + 1)³, pairs of a video with
    itself left out.

    samples (N, D), references (M, D): one feature vector per video, in memory or mapped; N and M may differ. clusters,
    reference_clusters: for each row, the real video it belongs to. subsets, subset_size: of the subset statistics;
    whole clusters are drawn for both sets together and cut at subset_size rows. With subsets 0, or a subset_size that
    is not below both N and M, there are none.

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
    codes, num_clusters = cluster_codes([*clusters, *reference_clusters])
    own, other = codes[:n], codes[n:]

    sums = _ClusterSums.of(x, y, own, other, num_clusters)
    value = sums.estimate()
    error = sums.jackknife_error() if num_clusters > 2 else None
    interval = None
    if error is not None:
        interval = Interval(
            low=value - Z95 * error, high=value + Z95 * error, level=0.95, method="estimate ± 1.96 jackknife s.e.",
            replicates=num_clusters, seed=seed, clusters=num_clusters,
        )  # fmt: skip
    warnings = few_clusters(num_clusters)
    drawn: list[float] = []
    if subsets and subset_size < min(n, m):
        drawn = [
            unbiased_mmd2(x[rows], y[real_rows])
            for rows, real_rows in _subsets(own, other, num_clusters, subsets, subset_size, seed)
        ]
    elif subsets:
        warnings.append(f"no KVD over subsets: {subset_size} videos per subset, but only {min(n, m)} videos")
    return KvdResult(
        value=value, standard_error=error, interval=interval,
        subset_mean=float(np.mean(drawn)) if drawn else None,
        subset_deviation=float(np.std(drawn, ddof=1)) if len(drawn) > 1 else None,
        subsets=len(drawn), subset_size=subset_size, n=n, n_reference=m, dim=x.shape[1], num_clusters=num_clusters,
        warnings=tuple(warnings),
    )  # fmt: skip


def unbiased_mmd2(x: Floats, y: Floats) -> float:
    """Return the unbiased MMD² of x (N, D) and y (M, D), in tiles, without clusters and without errors."""
    n, m = len(x), len(y)
    xx, yy = (2 * sum(float(tile.sum()) for _, _, tile in _tiles(z, z, upper=True)) for z in (x, y))
    xy = sum(float(tile.sum()) for _, _, tile in _tiles(x, y, upper=False))
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def kvd_difference(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    references: NDArray[np.floating],
    *,
    codes: Codes,
    real_codes: Codes,
    num_clusters: int,
) -> tuple[SumDifference, float | None]:
    """Return KVD of b minus KVD of a as a sum over clusters, and its jackknife standard error (None: too few).

    a, b (N, D): videos of two runs, row by row of the same item; references (M, D); codes (N,), real_codes (M,).

    Exchanging A and B in item i turns the sign of one term and leaves the others alone. For the part within a set, with
    u = ±1, the pair i, j is worth (u_i + u_j)/2 · (k(a_i, a_j) - k(b_i, b_j)) + (u_i - u_j)/2 · (k(a_i, b_j) -
    k(b_i, a_j)): linear in u. So a permutation is a sum of signed numbers, and the kernel is needed once.

    Raises InputError for NaN.
    """
    x, z = check_rows(a, name="features of the first run"), check_rows(b, name="features of the second run")
    y = check_rows(references, name="real features")
    assert x.shape == z.shape
    n, m = len(x), len(y)
    per_row, crossed = np.zeros(n), np.zeros(n)
    for sign, rows in ((1, z), (-1, x)):
        for top, left, tile in _tiles(rows, rows, upper=True):
            per_row[top] += sign * tile.sum(axis=1) / (n * (n - 1))
            per_row[left] += sign * tile.sum(axis=0) / (n * (n - 1))
        for top, _, tile in _tiles(rows, y, upper=False):
            per_row[top] -= sign * 2 * tile.sum(axis=1) / (n * m)
    for top, left, tile in _tiles(z, x, upper=False):
        crossed[top] += tile.sum(axis=1)
        crossed[left] -= tile.sum(axis=0)
    by_cluster = _by_cluster(codes, per_row + crossed / (n * (n - 1)), num_clusters)
    first, second = (
        _ClusterSums.of(rows, y, codes, real_codes, num_clusters).left_out() if num_clusters > 2 else None
        for rows in (x, z)
    )
    error = None if first is None or second is None else _jackknife(second - first)
    return SumDifference(by_cluster), error


@dataclass(frozen=True)
class _ClusterSums:
    """Sums of the kernel over ordered pairs, in all and per cluster: enough to leave any one cluster out.

    sizes, real_sizes (C,): videos per cluster. rows_xx (C,): over pairs whose first video is of the cluster, pairs of
    a video with itself left out; own_xx (C,): over pairs with both in the cluster; yy likewise. xy_rows (C,): over
    pairs of a generated video of the cluster with any real one; xy_columns (C,): of any generated video with a real one
    of the cluster; own_xy (C,): both in the cluster.
    """

    sizes: Floats
    real_sizes: Floats
    rows_xx: Floats
    own_xx: Floats
    rows_yy: Floats
    own_yy: Floats
    xy_rows: Floats
    xy_columns: Floats
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
            rows_xx=rows_xx, own_xx=own_xx, rows_yy=rows_yy, own_yy=own_yy,
            xy_rows=_by_cluster(own, per_x, count), xy_columns=_by_cluster(other, per_y, count), own_xy=own_xy,
        )  # fmt: skip

    def estimate(self) -> float:
        """Return MMD² of everything."""
        n, m = self.sizes.sum(), self.real_sizes.sum()
        return float(_mmd2(n, m, self.rows_xx.sum(), self.rows_yy.sum(), self.xy_rows.sum()))

    def jackknife_error(self) -> float | None:
        """Return the delete-one-cluster jackknife standard error; None where a set would be left with one video."""
        left_out = self.left_out()
        return None if left_out is None else _jackknife(left_out)

    def left_out(self) -> Floats | None:
        """Return MMD² without each cluster (C,), or None where a set would be left with one video."""
        n, m = self.sizes.sum() - self.sizes, self.real_sizes.sum() - self.real_sizes
        if min(n.min(), m.min()) < 2:
            return None
        # a pair leaves with either of its two videos, and must not leave twice when both are of the cluster
        xx = self.rows_xx.sum() - 2 * self.rows_xx + self.own_xx
        yy = self.rows_yy.sum() - 2 * self.rows_yy + self.own_yy
        xy = self.xy_rows.sum() - self.xy_rows - self.xy_columns + self.own_xy
        return _mmd2(n, m, xx, yy, xy)


def _jackknife(left_out: Floats) -> float:
    count = len(left_out)
    return float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))


def _mmd2(n: Floats, m: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


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
