"""The Fréchet distance between two Gaussians, exactly: no matrix square root, no epsilon on the diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, svdvals

from univg_bench.errors import InputError
from univg_bench.statistics import GaussianStats

Floats = NDArray[np.float64]

# Of the trace part, as a share of both traces. Sets against themselves, 2 to 3,000 videos of up to 2,048 dimensions,
# had at most 5e-15 (tests/metrics/test_frechet.py).
ROUNDING = 64 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class FrechetParts:
    """The two terms of a Fréchet distance: how far the means are apart, and how different the covariances are."""

    mean: float
    trace: float

    @property
    def distance(self) -> float:
        return self.mean + self.trace


def frechet_distance(a: GaussianStats, b: GaussianStats) -> float:
    """Return d² = |μ_a - μ_b|² + Tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½), as FVD and FID do (no root is taken of the sum).

    Raises InputError as `frechet_parts`.
    """
    return frechet_parts(a, b).distance


def frechet_parts(a: GaussianStats, b: GaussianStats) -> FrechetParts:
    """Return the mean and the trace part of d².

    With Σ = R Rᵀ, the trace of (Σ_a Σ_b)^½ is the sum of the singular values of R_aᵀ R_b. Singular covariances, as
    fewer videos than dimensions give, need no care here: a factor just has fewer columns. A matrix square root of the
    product loses half the digits in that case, and scipy's has changed its signature and its results over the years.

    The trace part is at least 0 in exact arithmetic; what is below its rounding, either way, is 0. So a set is at
    distance 0 from itself whatever the scale of its features.

    Raises InputError when the dimensions or the ddof of the two differ.
    Source: Dowson & Landau 1982; for video, Unterthiner et al. 2018, eq. 2.
    """
    if a.mu.shape != b.mu.shape:
        raise InputError(f"found features of {a.mu.size} and {b.mu.size} dimensions, expected the same extractor")
    if a.ddof != b.ddof:
        raise InputError(f"found covariances with ddof {a.ddof} and {b.ddof}, expected one convention for both sets")
    apart = a.mu - b.mu
    overlap = factor(a.sigma).T @ factor(b.sigma)
    spread = float(np.trace(a.sigma) + np.trace(b.sigma))
    trace = spread - 2.0 * float(svdvals(overlap, check_finite=False).sum())
    return FrechetParts(mean=float(apart @ apart), trace=trace if trace > ROUNDING * spread else 0.0)


def factor(sigma: Floats) -> Floats:
    """Return R (D, rank) with Σ = R Rᵀ, from the eigenvectors whose eigenvalues stand above rounding."""
    values, vectors = eigh(sigma, check_finite=False)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    root: Floats = vectors[:, kept] * np.sqrt(values[kept])
    return root
