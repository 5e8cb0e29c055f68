"""FID over frames: the Fréchet distance of two sets of frames, with what a reader must know before trusting it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.frechet import FrechetParts, frechet_parts
from univg_bench.metrics.fvd import bootstrap_interval
from univg_bench.metrics.intervals import Interval
from univg_bench.statistics import moments_of

# Heusel et al. 2017 (TTUR), README of the reference implementation: at least 10,000 images, else the bias is large
CUSTOMARY_FRAMES = 10_000

Features = NDArray[np.floating]


@dataclass(frozen=True)
class FidResult:
    """An FID, its two terms, and how many frames of how many videos stand behind it."""

    value: float
    parts: FrechetParts
    n_frames: int
    n_reference_frames: int
    n: int
    n_reference: int
    dim: int
    interval: Interval | None
    warnings: tuple[str, ...]


def fid(
    samples: Features,
    references: Features,
    *,
    ddof: int,
    videos: Sequence[str],
    reference_videos: Sequence[str],
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    replicates: int,
    seed: int,
    watch: Callable[[Iterator[NDArray[np.int64]]], Iterator[NDArray[np.int64]]] = iter,
) -> FidResult:
    """Return the FID between the frames of generated and of real videos.

    samples (R, D), references (S, D): one row per frame, in memory or mapped; they are read block by block. videos,
    clusters, and the same of the references: for each row the video it is of, and the real video that one belongs to.
    replicates: of the bootstrap over clusters behind the interval, 0 for none; each costs as much as the FID itself.
    watch: wraps the loop over replicates, to show progress.

    Raises InputError for fewer than two frames in a set, other dimensions, NaN.
    Source: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", eq. 6.
    """
    for rows, names, groups in ((samples, videos, clusters), (references, reference_videos, reference_clusters)):
        if not len(rows) == len(names) == len(groups):
            raise InputError(
                f"found {len(rows)} frames of {len(names)} videos in {len(groups)} clusters, expected a name of each"
            )
    if len(samples) < 2 or len(references) < 2:
        raise InputError(
            f"found {len(samples)} generated and {len(references)} real frames, expected at least 2 of each for an FID"
        )
    parts = frechet_parts(moments_of(samples).gaussian(ddof=ddof), moments_of(references).gaussian(ddof=ddof))
    interval, said = bootstrap_interval(
        parts.distance, samples, references, clusters, reference_clusters, ddof=ddof, replicates=replicates, seed=seed,
        watch=watch,
    )  # fmt: skip
    n, n_reference = len(set(videos)), len(set(reference_videos))
    return FidResult(
        value=parts.distance, parts=parts, n_frames=len(samples), n_reference_frames=len(references), n=n,
        n_reference=n_reference, dim=samples.shape[1], interval=interval,
        warnings=(*_warnings(len(samples), len(references), n, n_reference, samples.shape[1]), *said),
    )  # fmt: skip


def _warnings(frames: int, reference_frames: int, videos: int, reference_videos: int, dim: int) -> Iterator[str]:
    least = min(frames, reference_frames)
    if least < dim:
        yield f"only {least} frames for {dim} dimensions: the covariance is singular and most of this FID is bias"
    elif least < CUSTOMARY_FRAMES:
        yield (
            f"{least} frames are fewer than the {CUSTOMARY_FRAMES:,} that FID asks for: compare only with rows of equal"
            " frames and videos"
        )
    if frames > videos or reference_frames > reference_videos:
        yield (
            f"{frames} frames are of {videos} generated videos, {reference_frames} of {reference_videos} real ones:"
            " frames of one video are alike, so the bias is that of fewer frames"
        )
    if frames != reference_frames:
        yield f"{frames} generated against {reference_frames} real frames: the bias differs from that of equal sets"
