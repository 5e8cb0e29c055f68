"""FVD from feature vectors: the Fréchet distance of two sets of videos, with its interval and its warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.duplicates import said_of_duplicates, unique_videos
from univg_bench.metrics.frechet import FrechetParts, frechet_parts
from univg_bench.metrics.intervals import Z95, Interval, cluster_codes, few_clusters, redraws
from univg_bench.statistics import GaussianStats, moments_of

# FVD of one distribution against itself falls as 1/N (docs/findings.md 16), so a number needs a customary n: 2,048 is
# what the field's implementations ask for (StyleGAN-V, TATS, cd-fvd).
CUSTOMARY_VIDEOS = 2048

Features = NDArray[np.floating]


@dataclass(frozen=True)
class FvdResult:
    """An FVD, its two terms, how many videos stand behind it, and what a reader must know before trusting it."""

    value: float
    parts: FrechetParts
    n: int
    n_reference: int
    n_unique: int
    n_reference_unique: int
    dim: int
    interval: Interval | None
    warnings: tuple[str, ...]


def fvd(
    samples: Features,
    references: Features,
    *,
    ddof: int,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    replicates: int,
    seed: int,
    watch: Callable[[Iterator[NDArray[np.int64]]], Iterator[NDArray[np.int64]]] = iter,
) -> FvdResult:
    """Return the FVD between generated and real videos.

    samples (N, D), references (M, D): one feature vector per video, in memory or mapped; N and M may differ. clusters,
    reference_clusters: for each row, the real video it belongs to. replicates: of the bootstrap behind the interval, 0
    for none. watch: wraps the loop over replicates, to show progress.

    Raises InputError for fewer than two rows in a set, other dimensions, NaN.
    Source: Unterthiner et al. 2018, "Towards Accurate Generative Models of Video".
    """
    if len(samples) < 2 or len(references) < 2:
        raise InputError(
            f"found {len(samples)} generated and {len(references)} real videos, expected at least 2 of each for an FVD"
        )
    generated = moments_of(samples).gaussian(ddof=ddof)
    real = moments_of(references).gaussian(ddof=ddof)
    parts = frechet_parts(generated, real)
    unique, reference_unique = unique_videos(samples), unique_videos(references)
    interval, said = bootstrap_interval(
        parts.distance, samples, references, clusters, reference_clusters, ddof=ddof, replicates=replicates, seed=seed,
        watch=watch,
    )  # fmt: skip
    return FvdResult(
        value=parts.distance, parts=parts, n=len(samples), n_reference=len(references), n_unique=unique,
        n_reference_unique=reference_unique, dim=generated.mu.size, interval=interval,
        warnings=(*_warnings(generated, real, unique, reference_unique), *said),
    )  # fmt: skip


def bootstrap_interval(
    distance: float,
    samples: Features,
    references: Features,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    *,
    ddof: int,
    replicates: int,
    seed: int,
    watch: Callable[[Iterator[NDArray[np.int64]]], Iterator[NDArray[np.int64]]],
) -> tuple[Interval | None, list[str]]:
    """Return the interval of a Fréchet distance by a bootstrap over clusters, and what to say of it.

    No interval and nothing to say for 0 replicates; no interval for one cluster, or where nearly all replicates had
    too few rows. The other arguments are those of `fvd`; a row may be a frame, whose cluster is its video's.
    """
    num_clusters = len({*clusters, *reference_clusters})
    if not replicates:
        return None, []
    deviation = None
    if num_clusters > 1:
        deviation = bootstrap_deviation(
            samples, references, clusters, reference_clusters, ddof=ddof, replicates=replicates, seed=seed, watch=watch
        )
    if deviation is None:
        return None, few_clusters(num_clusters)
    interval = Interval(
        low=max(0.0, distance - Z95 * deviation), high=distance + Z95 * deviation, level=0.95,
        method="estimate ± 1.96 bootstrap s.d. (conservative)", replicates=replicates, seed=seed,
        clusters=num_clusters,
    )  # fmt: skip
    return interval, few_clusters(num_clusters)


def bootstrap_deviation(
    samples: Features,
    references: Features,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    *,
    ddof: int,
    replicates: int,
    seed: int,
    watch: Callable[[Iterator[NDArray[np.int64]]], Iterator[NDArray[np.int64]]],
) -> float | None:
    """Return the standard deviation of FVD over replicates that redraw clusters of both sets together.

    None when fewer than two replicates had videos enough.

    Only the deviation is used, never the percentiles: a replicate holds about 63 % distinct videos, so its FVD sits
    above the estimate by the bias of the smaller set, and a percentile interval can miss the estimate altogether.
    """
    assert len(clusters) == len(samples)
    assert len(reference_clusters) == len(references)
    codes, num_clusters = cluster_codes([*clusters, *reference_clusters])
    own, other = codes[: len(clusters)], codes[len(clusters) :]
    values = []
    for draw in watch(redraws(num_clusters, replicates, seed=seed, name="fvd")):
        weights, reference_weights = draw[own], draw[other]
        if weights.sum() <= ddof or reference_weights.sum() <= ddof:
            continue  # possible with a handful of clusters only; such a replicate has no covariance
        generated = moments_of(samples, weights).gaussian(ddof=ddof)
        real = moments_of(references, reference_weights).gaussian(ddof=ddof)
        values.append(frechet_parts(generated, real).distance)
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _warnings(generated: GaussianStats, real: GaussianStats, unique: int, reference_unique: int) -> Iterator[str]:
    dim, least = generated.mu.size, min(generated.n, real.n)
    if least < dim:
        yield (
            f"only {least} videos for {dim} dimensions: the covariance is singular and most of this FVD is sample-size "
            "bias"
        )
    if least < CUSTOMARY_VIDEOS:
        yield (
            f"{least} videos are fewer than the {CUSTOMARY_VIDEOS:,} that published FVDs use: compare only with rows "
            "of equal n and captions, and with real against real at that n"
        )
    if generated.n != real.n:
        yield f"{generated.n} generated against {real.n} real videos: the bias differs from that of equal sets"
    yield from said_of_duplicates(
        n=generated.n, n_unique=unique, n_reference=real.n, n_reference_unique=reference_unique
    )
