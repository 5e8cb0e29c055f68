"""CLIPSIM from embeddings: how well frames fit their caption, beside what real videos and wrong captions score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.intervals import Interval, cluster_codes, redraws
from univg_bench.statistics import BLOCK, check_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClipsimResult:
    """A CLIPSIM (a cosine in [-1, 1], not times 100) and the numbers that give it a meaning.

    per_video (N,): mean cosine of each video's frames with its caption; value is their mean.
    mismatched: mean over all pairs of a video with the caption of another cluster; gap = value - mismatched.
    real: the same of the reference videos, over the `n_real` captions that have one of the `n_references` (NaN in
    real_per_video (N,) for the others); ratio = value over those captions / real, which GODIVA calls relative matching.
    Above about 1, higher is not better: real videos do not score higher.
    """

    value: float
    per_video: Floats
    n: int
    interval: Interval | None
    mismatched: float | None
    gap: float | None
    real: float | None
    real_per_video: Floats
    n_real: int
    n_references: int
    num_clusters: int
    ratio: float | None


def clipsim(
    frames: NDArray[np.floating],
    texts: NDArray[np.floating],
    *,
    clusters: Sequence[str],
    real_frames: NDArray[np.floating] | None,
    real_of: NDArray[np.int64],
    replicates: int,
    seed: int,
) -> ClipsimResult:
    """Return the CLIPSIM of N videos.

    frames (N, D): for each video the mean of the unit embeddings of its frames; since a cosine with unit vectors is a
    dot product, the mean of the cosines is the dot product with the mean. texts (N, D): unit embeddings of the
    captions. clusters: for each video the real video its caption belongs to. real_frames (M, D): as `frames` for the
    reference videos; real_of (N,): for each caption the row of its reference, -1 where there is none. All of these may
    be memory maps.

    Raises InputError for other shapes, NaN, or embeddings that are not unit vectors.
    Source: GODIVA, Wu et al. 2021 (arXiv 2104.14806), section 4.2.
    """
    if frames.shape != texts.shape or frames.ndim != 2 or len(frames) != len(clusters):
        raise InputError(f"found {frames.shape} frame and {texts.shape} caption embeddings, expected one row per video")
    n = len(frames)
    codes, num_clusters = cluster_codes(clusters)
    per_video = np.empty(n)
    real_per_video = np.full(n, np.nan)
    video_sums, text_sums = (np.zeros((num_clusters, frames.shape[1])) for _ in range(2))
    # in blocks: the arrays may be maps of files that are larger than memory
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        video = check_rows(frames[rows], name="frame embeddings")
        text = check_rows(texts[rows], name="caption embeddings")
        _check_unit(text)
        per_video[rows] = (video * text).sum(axis=1)
        np.add.at(video_sums, codes[rows], video)
        np.add.at(text_sums, codes[rows], text)
        has = np.flatnonzero(real_of[rows] >= 0)
        if real_frames is not None and len(has):
            real_rows = check_rows(real_frames[real_of[rows][has]], name="frame embeddings of the references")
            real_per_video[start + has] = (real_rows * text[has]).sum(axis=1)
    value = float(per_video.mean())
    mismatched = _mean_over_other_clusters(video_sums, text_sums, codes)
    has_real = ~np.isnan(real_per_video)
    n_references = len(np.unique(real_of[has_real]))
    real = float(real_per_video[has_real].mean()) if has_real.any() else None
    ratio = float(per_video[has_real].mean()) / real if real is not None and real > 0 else None

    interval = None
    if replicates and num_clusters > 1:
        sums = np.bincount(codes, weights=per_video, minlength=num_clusters)
        sizes = np.bincount(codes, minlength=num_clusters).astype(np.float64)
        draws = redraws(num_clusters, replicates, seed=seed, name="clipsim")
        means = [float(draw @ sums) / float(draw @ sizes) for draw in draws]
        low, high = np.quantile(means, [0.025, 0.975])
        interval = Interval(
            low=float(low), high=float(high), level=0.95, method="cluster-bootstrap percentile",
            replicates=replicates, seed=seed, clusters=num_clusters,
        )  # fmt: skip
    return ClipsimResult(
        value=value, per_video=per_video, n=n, interval=interval, mismatched=mismatched,
        gap=None if mismatched is None else value - mismatched, real=real, real_per_video=real_per_video,
        n_real=int(has_real.sum()), n_references=n_references, num_clusters=num_clusters, ratio=ratio,
    )  # fmt: skip


def _mean_over_other_clusters(video_sums: Floats, text_sums: Floats, codes: NDArray[np.int64]) -> float | None:
    """Return the mean cosine over every pair of a video and a caption of another cluster; None with one cluster.

    video_sums, text_sums (C, D): embeddings summed per cluster; codes (N,): the cluster of each video. All pairs at
    once, without forming them: the sum over i, j of v_i·t_j is (Σ v_i)·(Σ t_j), and the pairs within a cluster are
    taken off the same way. So there is no random shuffle and no seed.
    """
    sizes = np.bincount(codes, minlength=len(video_sums))
    pairs = len(codes) ** 2 - int((sizes**2).sum())
    if pairs == 0:
        return None
    everything = float(video_sums.sum(axis=0) @ text_sums.sum(axis=0))
    return (everything - float((video_sums * text_sums).sum())) / pairs


def _check_unit(rows: Floats) -> None:
    lengths = np.sqrt((rows**2).sum(axis=1))
    if len(rows) and abs(lengths - 1).max() > 1e-3:
        raise InputError(
            f"found caption embeddings of length {lengths.min():.3f} to {lengths.max():.3f}, expected unit vectors: a "
            "cosine would leave [-1, 1]"
        )
