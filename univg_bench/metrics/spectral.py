"""Spectral distance: are two sets of videos equally sharp, from the mean log power of their spatial frequencies.

A Fréchet distance on features of small squashed frames does not see sharpness; this sees little else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.metrics.intervals import Z95, Interval, cluster_codes, few_clusters, redraws
from univg_bench.recipes_frames import SpectrumRecipe
from univg_bench.statistics import check_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SpectralResult:
    """value: root mean square over the bins of the difference of mean spectra, in dB; 0 is equal.

    low, high: mean difference over the lower and the upper half of the frequencies, samples minus references: negative
    `high` is blur, positive is noise or over-sharpening. difference (bins,): of each bin. floor: the value that two
    sets of one distribution would have at these numbers of videos; None without replicates.
    """

    value: float
    low: float
    high: float
    difference: Floats
    floor: float | None
    n: int
    n_reference: int
    interval: Interval | None
    warnings: tuple[str, ...]


def spectral_distance(
    samples: NDArray[np.floating],
    references: NDArray[np.floating],
    *,
    recipe: SpectrumRecipe,
    clusters: Sequence[str],
    reference_clusters: Sequence[str],
    replicates: int,
    seed: int,
) -> SpectralResult:
    """Return how far the mean spectra of N generated and M real videos are apart.

    samples (N, 2 + bins), references (M, 2 + bins): height, width and power per bin in dB of each video. clusters,
    reference_clusters: for each row, the real video it belongs to; both sets are redrawn together, `replicates` times.

    A recipe that reads frequencies relative to each video's own pixels compares one size only: the same blur is another
    share of another Nyquist frequency, and resizing would itself take off or invent sharpness.

    Raises InputError for no videos, sizes that such a recipe cannot compare, other shapes, NaN.
    """
    x, y = check_rows(samples, name="spectra"), check_rows(references, name="spectra of the references")
    if not len(x) or not len(y) or x.shape[1] != y.shape[1]:
        raise InputError(f"found spectra of shapes {x.shape} and {y.shape}, expected at least one of each, equal bins")
    sizes = sorted({(int(h), int(w)) for h, w in np.concatenate([x[:, :2], y[:, :2]])})
    if recipe.lines is None and len(sizes) > 1:
        raise InputError(
            f"found videos of {', '.join(f'{h}x{w}' for h, w in sizes[:4])}, the recipe {recipe.name!r} compares one"
            " size only; take a recipe that names a number of lines, or resize one set and say so"
        )
    x, y = x[:, 2:], y[:, 2:]
    difference = x.mean(axis=0) - y.mean(axis=0)
    value = _rms(difference)
    codes, num_clusters = cluster_codes([*clusters, *reference_clusters])
    own, other = codes[: len(x)], codes[len(x) :]
    interval, floor = None, None
    redrawn = []
    if replicates and num_clusters > 1:
        for draw in redraws(num_clusters, replicates, seed=seed, name=recipe.name):
            weights, reference_weights = draw[own], draw[other]
            if weights.any() and reference_weights.any():
                redrawn.append(
                    np.average(x, axis=0, weights=weights) - np.average(y, axis=0, weights=reference_weights)
                )
    if len(redrawn) > 1:
        floor = float(np.sqrt(np.var(redrawn, axis=0, ddof=1).mean()))
        deviation = float(np.std([_rms(d) for d in redrawn], ddof=1))
        # not percentiles: a replicate's noise adds to the distance, so all of them lie above a distance near 0
        interval = Interval(
            low=max(0.0, value - Z95 * deviation), high=value + Z95 * deviation, level=0.95,
            method="estimate ± 1.96 bootstrap s.d. (conservative)", replicates=replicates, seed=seed,
            clusters=num_clusters,
        )  # fmt: skip
    warnings = few_clusters(num_clusters)
    if floor is not None and value < 2 * floor:
        warnings.append(
            f"within twice the {floor:.2f} dB that equal sets would show at these n: take it for no difference"
        )
    half = recipe.bins // 2
    return SpectralResult(
        value=value, low=float(difference[:half].mean()), high=float(difference[half:].mean()), difference=difference,
        floor=floor, n=len(x), n_reference=len(y), interval=interval, warnings=tuple(warnings),
    )  # fmt: skip


def _rms(difference: Floats) -> float:
    return float(np.sqrt((difference**2).mean()))
