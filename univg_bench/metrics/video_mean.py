"""A number per video, averaged: the mean over videos, an interval over clusters, and the same of the real videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.intervals import Interval, cluster_codes, few_clusters, redraws

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VideoMean:
    """value: mean of per_video (N,). real: mean over the M real videos, None without any."""

    value: float
    per_video: Floats
    interval: Interval | None
    real: float | None
    n: int
    n_reference: int
    warnings: tuple[str, ...]


def video_mean(
    values: ArrayLike, *, clusters: Sequence[str], real: ArrayLike, replicates: int, seed: int, name: str
) -> VideoMean:
    """Return the mean of `values` (N,), one per generated video, with a percentile interval over redrawn clusters.

    clusters: for each video the real video it belongs to. real (M,): the same quantity of the real videos, may be
    empty. name: of the stream of random draws.

    Raises InputError for no videos, or values that are not finite.
    """
    found, others = np.asarray(values, dtype=np.float64), np.asarray(real, dtype=np.float64)
    if found.ndim != 1 or len(found) != len(clusters) or not len(found):
        raise InputError(f"found values of shape {found.shape} for {len(clusters)} videos, expected one per video")
    if not (np.isfinite(found).all() and np.isfinite(others).all()):
        raise InputError("found NaN or infinity among the values of single videos: their features are damaged")
    codes, count = cluster_codes(clusters)
    interval = None
    if replicates and count > 1:
        sums = np.bincount(codes, weights=found, minlength=count)
        sizes = np.bincount(codes, minlength=count).astype(np.float64)
        means = [float(d @ sums) / float(d @ sizes) for d in redraws(count, replicates, seed=seed, name=name)]
        low, high = np.quantile(means, [0.025, 0.975])
        interval = Interval(
            low=float(low), high=float(high), level=0.95, method="cluster-bootstrap percentile", replicates=replicates,
            seed=seed, clusters=count,
        )  # fmt: skip
    return VideoMean(
        value=float(found.mean()), per_video=found, interval=interval,
        real=float(others.mean()) if len(others) else None, n=len(found), n_reference=len(others),
        warnings=tuple(few_clusters(count)),
    )  # fmt: skip
