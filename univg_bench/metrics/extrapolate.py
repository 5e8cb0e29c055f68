"""FVD at 1/N -> 0: the FVD that endless sets would have, from the FVDs of a set and of its halves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.metrics.frechet import frechet_distance
from univg_bench.metrics.influence import fvd_slopes, jackknife_error
from univg_bench.metrics.intervals import Z95, Interval, cluster_codes
from univg_bench.statistics import check_rows, moments_of

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

# Halvings are averaged: with R of them, the noise of the extrapolation that halving itself brings falls as 1/R. Five
# make 1 + 2·5 + 4 distances in all, the last four to test the law.
HALVINGS = 5


@dataclass(frozen=True)
class Extrapolated:
    """An FVD at 1/N -> 0 (or a difference of two), or the reason why there is none.

    value: may be negative when the sets are of one distribution. standard_error: infinitesimal jackknife over clusters.
    half: mean FVD of the half sets. curvature: mean FVD of quarter sets minus what the line through whole and halves
    says, over the FVD of all; a law other than 1/N shows here. None for a difference, where a quarter has fewer
    clusters than dimensions, and where the FVD of all is nothing but rounding.
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
    reason = _too_few(own, other, x.shape[1])
    if reason:
        return _nothing(reason)
    line = _line(x, y, own, other, count, ddof=ddof, seed=seed, halvings=halvings)
    curvature = None
    # a set against itself has an FVD of 0, and nothing is a share of that
    differ = line.whole > 1e-9 * float(x.var(axis=0).sum() + y.var(axis=0).sum())
    if differ and min(len(np.unique(own)), len(np.unique(other))) >= 4 * x.shape[1]:
        quarters = []
        for quarter in _parts(count, 4, 1, seed):
            part_x, part_y = x[np.isin(own, quarter)], y[np.isin(other, quarter)]
            stats = (moments_of(part).gaussian(ddof=ddof) for part in (part_x, part_y))
            quarters.append(frechet_distance(*stats))
        curvature = (float(np.mean(quarters)) - (line.value + 4 * (line.whole - line.value))) / line.whole
    return _extrapolated(line.value, line.slopes, half=line.half, curvature=curvature, seed=seed)


def fvd_difference_at_infinity(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    references: NDArray[np.floating],
    *,
    ddof: int,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    seed: int,
    halvings: int = HALVINGS,
) -> Extrapolated:
    """Return FVD of b minus FVD of a, both extrapolated over the same halves, with the error of the difference.

    a, b (N, D): videos of two models, row by row for the same item; clusters: for each row. The bias of FVD cancels in
    a difference only where the two models' features spread equally; here it is taken off each.

    Raises InputError as `fvd_at_infinity`.
    """
    x, z = check_rows(a, name="features of the first run"), check_rows(b, name="features of the second run")
    y = check_rows(references, name="real features")
    assert x.shape == z.shape
    codes, count = cluster_codes([*clusters, *reference_clusters])
    own, other = codes[: len(x)], codes[len(x) :]
    reason = _too_few(own, other, x.shape[1])
    if reason:
        return _nothing(reason)
    first, second = (
        _line(rows, y, own, other, count, ddof=ddof, seed=seed, halvings=halvings) for rows in (x, z)
    )  # fmt: skip
    return _extrapolated(
        second.value - first.value, second.slopes - first.slopes, half=second.half - first.half, curvature=None,
        seed=seed,
    )  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """FVD of all, mean FVD of halves, where the line through them ends, and that end's slope by each cluster (C,)."""

    whole: float
    half: float
    value: float
    slopes: Floats


def _line(x: Floats, y: Floats, own: Codes, other: Codes, count: int, *, ddof: int, seed: int, halvings: int) -> _Line:
    whole, slopes = fvd_slopes(x, y, own, other, count, ddof=ddof)
    values, sizes, half_slopes = [], [], np.zeros(count)
    for half in _parts(count, 2, halvings, seed):
        rows, real_rows = np.isin(own, half), np.isin(other, half)
        value, slope = fvd_slopes(x[rows], y[real_rows], own[rows], other[real_rows], count, ddof=ddof)
        values.append(value)
        half_slopes += slope / (2 * halvings)
        sizes.append((len(x) / rows.sum() + len(y) / real_rows.sum()) / 2)
    # the line through (1, whole) and (stretch, half), where the abscissa is N over the size, read at 0
    stretch, half_value = float(np.mean(sizes)), float(np.mean(values))
    weight = 1 / (stretch - 1)
    return _Line(
        whole=whole, half=half_value, value=whole + weight * (whole - half_value),
        slopes=(1 + weight) * slopes - weight * half_slopes,
    )  # fmt: skip


def _extrapolated(value: float, slopes: Floats, *, half: float, curvature: float | None, seed: int) -> Extrapolated:
    error = jackknife_error(slopes)
    interval = Interval(
        low=value - Z95 * error, high=value + Z95 * error, level=0.95, method="estimate ± 1.96 jackknife s.e.",
        replicates=len(slopes), seed=seed, clusters=len(slopes),
    )  # fmt: skip
    return Extrapolated(
        value=value, standard_error=error, interval=interval, half=half, curvature=curvature, reason=""
    )  # fmt: skip


def _too_few(own: Codes, other: Codes, dim: int) -> str:
    least = min(len(np.unique(own)), len(np.unique(other)))
    if least >= 2 * dim:
        return ""
    return (
        f"{least} independent videos for {dim} dimensions: below {2 * dim} the bias of FVD does not fall as 1/N, so"
        " there is no line to extrapolate"
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
