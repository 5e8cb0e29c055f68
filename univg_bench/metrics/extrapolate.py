"""FVD at 1/N -> 0: the FVD that endless sets would have, from the FVDs of a set and of its halves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, svd

from univg_bench.metrics.frechet import frechet_distance
from univg_bench.metrics.intervals import Z95, Interval, cluster_codes
from univg_bench.statistics import GaussianStats, check_rows, moments_of

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

# Halvings are averaged: with R of them, the noise of the extrapolation that halving itself brings falls as 1/R. Five
# make 1 + 2·5 + 4 distances in all, the last four to test the law.
HALVINGS = 5


@dataclass(frozen=True)
class Extrapolated:
    """An FVD at 1/N -> 0, or the reason why there is none.

    value: may be negative when the sets are of one distribution. standard_error: infinitesimal jackknife over clusters.
    half: mean FVD of the half sets. curvature: mean FVD of quarter sets minus what the line through whole and halves
    says, over the value at N; a law other than 1/N shows here. None where a quarter has fewer clusters than dimensions.
    """

    value: float | None
    standard_error: float | None
    interval: Interval | None
    half: float | None
    curvature: float | None
    reason: str


def fvd_at_infinity(
    samples: NDArray[np.floating],
    references: NDArray[np.floating],
    *,
    ddof: int,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    seed: int,
    halvings: int = HALVINGS,
) -> Extrapolated:
    """Return FVD extrapolated to endless sets: the line in 1/N through the FVD of all and the mean FVD of halves.

    samples (N, D), references (M, D): one feature vector per video, in memory or mapped; both sets are halved together,
    by cluster. clusters, reference_clusters: for each row, the real video it belongs to.

    The bias of FVD falls as 1/N only once there are more independent videos than dimensions (docs/findings.md 16);
    below that nothing is extrapolated and `reason` says why. Two sizes and no more: each smaller size adds bias by the
    next term of the law, 1/N², and noise; a quartering tests the law instead.

    Raises InputError for fewer than two rows in a set, other dimensions, NaN.
    Source: Chong & Forsyth 2020, "Effectively Unbiased FID and Inception Score and Where to Find Them", section 3.
    """
    x, y = check_rows(samples, name="generated features"), check_rows(references, name="real features")
    codes, count = cluster_codes([*clusters, *reference_clusters])
    own, other = codes[: len(x)], codes[len(x) :]
    least = min(len(np.unique(own)), len(np.unique(other)))
    if least < 2 * x.shape[1]:
        return _nothing(
            f"{least} independent videos for {x.shape[1]} dimensions: below {2 * x.shape[1]} the bias of FVD does not"
            " fall as 1/N, so there is no line to extrapolate"
        )
    whole, slope = _distance_and_slope(x, y, own, other, count, ddof)
    halves, sizes, half_slopes = [], [], []
    for half in _parts(count, 2, halvings, seed):
        rows, real_rows = np.isin(own, half), np.isin(other, half)
        value, part = _distance_and_slope(x[rows], y[real_rows], own[rows], other[real_rows], count, ddof)
        halves.append(value)
        half_slopes.append(part)
        sizes.append((len(x) / rows.sum() + len(y) / real_rows.sum()) / 2)
    # the line through (1, whole) and (stretch, half), where the abscissa is N over the size, read at 0
    stretch, half_value = float(np.mean(sizes)), float(np.mean(halves))
    weight = 1 / (stretch - 1)
    value = whole + weight * (whole - half_value)
    slopes = (1 + weight) * slope - weight * np.mean(half_slopes, axis=0)
    error = float(np.sqrt(count / (count - 1) * (slopes**2).sum()))
    interval = Interval(
        low=value - Z95 * error, high=value + Z95 * error, level=0.95, method="estimate ± 1.96 jackknife s.e.",
        replicates=count, seed=seed, clusters=count,
    )  # fmt: skip
    curvature = None
    if least >= 4 * x.shape[1]:
        quarters = []
        for quarter in _parts(count, 4, 1, seed):
            part_x, part_y = x[np.isin(own, quarter)], y[np.isin(other, quarter)]
            stats = (moments_of(part).gaussian(ddof=ddof) for part in (part_x, part_y))
            quarters.append(frechet_distance(*stats))
        curvature = (float(np.mean(quarters)) - (value + 4 * (whole - value))) / whole
    return Extrapolated(
        value=value, standard_error=error, interval=interval, half=half_value, curvature=curvature, reason=""
    )


def _nothing(reason: str) -> Extrapolated:
    return Extrapolated(value=None, standard_error=None, interval=None, half=None, curvature=None, reason=reason)


def _parts(count: int, parts: int, times: int, seed: int) -> Iterator[Codes]:
    """Yield the clusters of each of `parts` equal, disjoint parts, `times` over, drawn with raw PCG64 words."""
    word = hashlib.sha256(f"parts|fvd|{parts}|{seed}".encode()).digest()
    bits = np.random.PCG64(int.from_bytes(word[:16], "big"))
    for _ in range(times):
        order = np.argsort(bits.random_raw(count), kind="stable")
        yield from np.array_split(order, parts)


def _distance_and_slope(x: Floats, y: Floats, own: Codes, other: Codes, count: int, ddof: int) -> tuple[float, Floats]:
    """Return the FVD and its derivative by the weight of each cluster (count,), at weight 1.

    The derivative of d² by Σ_a is I - T, T the optimal map from a to b. Squares of single videos under T are all that
    is needed, and T = R⁻ᵀ U s Uᵀ R⁻¹ with Σ_a = R Rᵀ and R_aᵀ R_b = U s Vᵀ.
    """
    a, b = moments_of(x).gaussian(ddof=ddof), moments_of(y).gaussian(ddof=ddof)
    (root, whiten), (real_root, real_whiten) = _factors(a), _factors(b)
    u, s, vt = svd(root.T @ real_root, full_matrices=False, check_finite=False)
    apart = a.mu - b.mu
    distance = float(apart @ apart + np.trace(a.sigma) + np.trace(b.sigma) - 2 * s.sum())
    slope = np.zeros(count)
    for rows, codes, stats, turn, direction in (
        (x, own, a, whiten @ u, apart),
        (y, other, b, real_whiten @ vt.T, -apart),
    ):
        centred = rows - stats.mu
        squares = (centred**2).sum(axis=1) - ((centred @ turn) ** 2) @ s
        n = len(rows)
        covariance = squares / (n - ddof)
        by_row = 2 * (centred @ direction) / n + covariance - covariance.sum() / (n - ddof)
        slope += np.bincount(codes, weights=by_row, minlength=count)
    return max(distance, float(apart @ apart)), slope


def _factors(stats: GaussianStats) -> tuple[Floats, Floats]:
    """Return R (D, rank) with Σ = R Rᵀ and R⁻ᵀ (D, rank), the inverse within the space where Σ is not 0."""
    values, vectors = eigh(stats.sigma, check_finite=False)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    lengths = np.sqrt(values[kept])
    return vectors[:, kept] * lengths, vectors[:, kept] / lengths
