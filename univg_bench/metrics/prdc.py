"""Precision, recall, density and coverage: whether videos look real, and whether all that is real is made.

A Fréchet or kernel distance cannot tell the two apart. Here each set is a union of balls around its videos, with the
distance to the k-th nearest neighbour as radius, and videos of one set are looked for in the balls of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.fvd import CUSTOMARY_VIDEOS
from univg_bench.statistics import check_rows

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

# of Naeem et al. 2020, section 4; Kynkäänniemi et al. 2019 use 3 for images
NEIGHBOURS = 5
# Distances are made in tiles of this many rows and columns (8 MB of float64), pairs of videos in blocks of PAIRS.
TILE = 1024
PAIRS = 4096


@dataclass(frozen=True)
class PrdcResult:
    """Four shares and what must be known to read them.

    precision: share of generated videos inside a ball of a real one. recall: share of real videos inside a ball of a
    generated one. density: mean number of real balls around a generated video, over k; may exceed 1. coverage: share of
    real videos with a generated one in their ball; coverage_of_equals: what coverage is expected to be when both sets
    are of one distribution (density is then 1).
    """

    precision: float
    recall: float
    density: float
    coverage: float
    coverage_of_equals: float
    neighbours: int
    n: int
    n_reference: int
    dim: int
    warnings: tuple[str, ...]


def prdc(
    samples: NDArray[np.floating], references: NDArray[np.floating], *, neighbours: int = NEIGHBOURS
) -> PrdcResult:
    """Return precision, recall, density and coverage of generated against real videos.

    samples (N, D), references (M, D): one feature vector per video, in memory or mapped; N and M may differ.
    neighbours: k; a video is not its own neighbour. A ball contains its surface, so a copy of a video lies in the
    video's ball also where k duplicates make its radius 0. Distances are compared exactly: the quick form |x|² + |y|² -
    2 x·y decides only where it is certain, the other pairs are computed from x - y.

    Raises InputError for no more than `neighbours` rows in a set, other dimensions, NaN.
    Source: precision, recall: Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative
    Models", eq. 1, 2; density, coverage: Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative
    Models", eq. 3, 5, and for equal distributions its section 3.3.
    """
    x, y = check_rows(samples, name="generated features"), check_rows(references, name="real features")
    n, m = len(x), len(y)
    if neighbours < 1 or min(n, m) <= neighbours:
        raise InputError(
            f"found {n} generated and {m} real videos and {neighbours} neighbours, expected at least 1 neighbour and "
            "more videos than neighbours in each set"
        )
    if x.shape[1] != y.shape[1]:
        raise InputError(f"found features of {x.shape[1]} and {y.shape[1]} dimensions, expected the same extractor")
    radius, real_radius = _radii(x, neighbours), _radii(y, neighbours)
    in_real_balls, in_fake_ball, covered = np.zeros(n, dtype=np.int64), np.zeros(m, dtype=bool), np.zeros(m, dtype=bool)
    for rows, columns, quick, slack in _tiles(x, y):
        in_real = _inside(quick, slack, x, y, rows, columns, real_radius[columns][None, :])
        in_fake = _inside(quick, slack, x, y, rows, columns, radius[rows][:, None])
        in_real_balls[rows] += in_real.sum(axis=1)
        covered[columns] |= in_real.any(axis=0)
        in_fake_ball[columns] |= in_fake.any(axis=0)
    return PrdcResult(
        precision=float((in_real_balls > 0).mean()), recall=float(in_fake_ball.mean()),
        density=float(in_real_balls.sum()) / (neighbours * n), coverage=float(covered.mean()),
        coverage_of_equals=coverage_of_equals(n, m, neighbours), neighbours=neighbours, n=n, n_reference=m,
        dim=x.shape[1], warnings=tuple(_warnings(n, m)),
    )  # fmt: skip


def coverage_of_equals(n: int, m: int, neighbours: int) -> float:
    """Return the expected coverage of m real videos by n generated ones of the same distribution.

    A real video is not covered when its k nearest among the m - 1 other real and n generated videos are all real; when
    all are of one distribution, every order of them is as likely as any other.
    """
    j = np.arange(neighbours)
    return float(1 - np.prod((m - 1 - j) / (m - 1 - j + n)))


def _radii(x: Floats, neighbours: int) -> Floats:
    """Return the squared distance (N,) of each row of x to its k-th nearest other row."""
    found = np.empty(len(x))
    for start in range(0, len(x), TILE):
        rows = slice(start, min(start + TILE, len(x)))
        best = np.full((rows.stop - start, neighbours), np.inf)
        for _, columns, quick, slack in _tiles(x, x, only=rows):
            own = np.arange(max(start, columns.start), min(rows.stop, columns.stop))
            quick[own - start, own - columns.start] = np.inf
            # candidates are all that may be among the k nearest of what was seen so far
            nearest = np.partition(quick, min(neighbours, quick.shape[1]) - 1, axis=1)[:, :neighbours]
            if nearest.shape[1] == neighbours:
                limit = np.minimum(nearest[:, -1] + 2 * slack, best[:, -1] + slack)
            else:
                limit = best[:, -1] + slack
            best = _nearest(best, (quick <= limit[:, None]) & np.isfinite(quick), x, rows, columns)
        found[rows] = best[:, -1]
    return found


def _nearest(best: Floats, candidates: NDArray[np.bool_], x: Floats, rows: slice, columns: slice) -> Floats:
    """Return the k smallest of `best` (rows, k) and of the exact distances of the candidates, sorted."""
    i, j = np.nonzero(candidates)
    counts = candidates.sum(axis=1)
    # as a rectangle, filled up with infinities: most rows have k candidates or none
    wide = np.full((len(best), int(counts.max(initial=0))), np.inf)
    place = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
    wide[i, place] = _exact(x, x, i + rows.start, j + columns.start)
    merged: Floats = np.sort(np.concatenate([best, wide], axis=1), axis=1)[:, : best.shape[1]]
    return merged


def _inside(
    quick: Floats, slack: float, x: Floats, y: Floats, rows: slice, columns: slice, radius: Floats
) -> NDArray[np.bool_]:
    """Return for each pair of a tile whether its squared distance is at most `radius` (broadcast), exactly."""
    inside: NDArray[np.bool_] = quick <= radius
    i, j = np.nonzero(np.abs(quick - radius) <= slack)
    limits = np.broadcast_to(radius, quick.shape)[i, j]
    inside[i, j] = _exact(x, y, i + rows.start, j + columns.start) <= limits
    return inside


def _exact(x: Floats, y: Floats, i: Rows, j: Rows) -> Floats:
    """Return |x_i - y_j|² (P,) from the differences: 0 for equal rows, and the same bits for x, y exchanged."""
    found = np.empty(len(i))
    for start in range(0, len(i), PAIRS):
        block = slice(start, start + PAIRS)
        found[block] = ((x[i[block]] - y[j[block]]) ** 2).sum(axis=1)
    return found


def _tiles(x: Floats, y: Floats, only: slice | None = None) -> Iterator[tuple[slice, slice, Floats, float]]:
    """Yield squared distances of x and y in tiles with rows, columns and a bound of their rounding error.

    only: these rows of x, in one tile's height.
    """
    centre = y.mean(axis=0)  # distances do not change, the rounding error of large common offsets goes away
    rows_of_x = [slice(top, min(top + TILE, len(x))) for top in range(0, len(x), TILE)] if only is None else [only]
    for rows in rows_of_x:
        a = x[rows] - centre
        lengths = (a**2).sum(axis=1)
        for left in range(0, len(y), TILE):
            columns = slice(left, min(left + TILE, len(y)))
            b = y[columns] - centre
            real_lengths = (b**2).sum(axis=1)
            quick = lengths[:, None] + real_lengths[None, :] - 2 * (a @ b.T)
            # sums of D products are off by at most D eps times the lengths (Higham 2002, section 3.1)
            largest = float(lengths.max() + real_lengths.max())
            yield rows, columns, quick, 4 * (x.shape[1] + 8) * np.finfo(np.float64).eps * largest


def _warnings(n: int, m: int) -> Iterator[str]:
    if min(n, m) < CUSTOMARY_VIDEOS:
        yield (
            f"{min(n, m)} videos make large balls: precision and recall are higher than those of larger sets, so "
            "compare only with rows of equal n"
        )
    if n != m:
        yield f"{n} generated against {m} real videos: recall and coverage depend on the ratio of the two"
