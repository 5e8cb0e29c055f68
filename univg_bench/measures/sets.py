"""Metrics that compare the set of generated videos with a set of real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from univg_bench.errors import SampleError
from univg_bench.measures.data import Details, Evidence, Number
from univg_bench.metrics.duplicates import said_of_duplicates, unique_videos
from univg_bench.metrics.extrapolate import fvd_at_infinity
from univg_bench.metrics.fid import fid
from univg_bench.metrics.fvd import FvdResult, fvd
from univg_bench.metrics.kvd import kvd
from univg_bench.metrics.prdc import prdc
from univg_bench.metrics.spectral import spectral_distance
from univg_bench.protocol_metrics import FidMetric, FvdMetric, KvdMetric, ManifoldMetric, SpectralMetric
from univg_bench.recipes import FVD_RECIPES
from univg_bench.recipes_frames import FID_RECIPES, SPECTRUM_RECIPES


def fvd_number(metric: FvdMetric, evidence: Evidence) -> Number:
    """Return the FVD; with `repeats` the mean over runs, and what each of them had to say."""
    ddof = FVD_RECIPES[metric.recipe].ddof
    samples, references = evidence.samples.rows, evidence.references.rows

    def of(rows: slice, replicates: int) -> FvdResult:
        return fvd(
            samples[rows], references, ddof=ddof, clusters=evidence.clusters[rows],
            reference_clusters=evidence.reference_clusters, replicates=replicates, seed=evidence.seed,
            watch=evidence.watch,
        )  # fmt: skip

    if metric.repeats is None:
        result = of(slice(None), evidence.replicates)
        beyond = fvd_at_infinity(
            samples, references, ddof=ddof, clusters=evidence.clusters,
            reference_clusters=evidence.reference_clusters, seed=evidence.seed,
        )  # fmt: skip
        extra: Details = {
            "extrapolated": beyond.value, "extrapolated_se": beyond.standard_error,
            "extrapolated_curvature": beyond.curvature,
        }  # fmt: skip
        warnings = [*result.warnings, *([f"not extrapolated: {beyond.reason}"] if beyond.reason else [])]
        return _fvd_number(metric, [result], extra, warnings, result)
    size, needed = metric.repeats.size, metric.repeats.size * metric.repeats.count
    if len(samples) < needed:
        raise SampleError(
            f"found {len(samples)} scored samples for metric {metric.id}, expected {needed}:"
            f" {metric.repeats.count} runs of {size}"
        )
    runs = [of(slice(i * size, (i + 1) * size), 0) for i in range(metric.repeats.count)]
    values = [run.value for run in runs]
    spread = {"repeats": len(values), "repeats_sd": float(np.std(values, ddof=1)) if len(values) > 1 else None}
    return _fvd_number(metric, runs, spread, _said_by(runs), runs[0])


def _fvd_number(
    metric: FvdMetric, runs: Sequence[FvdResult], extra: Details, warnings: Sequence[str], first: FvdResult
) -> Number:
    return Number(
        value=float(np.mean([run.value for run in runs])), n=first.n, n_reference=first.n_reference,
        interval=first.interval if metric.repeats is None else None,
        details={
            # means over the runs, so that they add up to the value; of counts the least
            "mean_part": float(np.mean([run.parts.mean for run in runs])),
            "trace_part": float(np.mean([run.parts.trace for run in runs])),
            "dimensions": first.dim,
            "n_unique": min(run.n_unique for run in runs),
            "n_reference_unique": min(run.n_reference_unique for run in runs),
            **extra,
        },
        warnings=warnings,
    )  # fmt: skip


def _said_by(runs: Sequence[FvdResult]) -> list[str]:
    """Return every warning of every run, once, with the number of runs it is of where not of all."""
    counts = Counter(warning for run in runs for warning in run.warnings)
    return [text if count == len(runs) else f"{count} of {len(runs)} runs: {text}" for text, count in counts.items()]


def kvd_number(metric: KvdMetric, evidence: Evidence) -> Number:
    """Return the KVD, with the standard error of its jackknife and, where asked for, its subsets."""
    result = kvd(
        evidence.samples.rows, evidence.references.rows, clusters=evidence.clusters,
        reference_clusters=evidence.reference_clusters, subsets=metric.subsets, subset_size=metric.subset_size,
        seed=evidence.seed,
    )  # fmt: skip
    return Number(
        value=result.value, n=result.n, n_reference=result.n_reference, interval=result.interval,
        details={
            "standard_error": result.standard_error, "dimensions": result.dim, "subsets": result.subsets,
            "subset_mean": result.subset_mean, "subset_sd": result.subset_deviation, "all_pairs": result.all_pairs,
            **_unique(evidence),
        },
        warnings=[*result.warnings, *_duplicates(evidence)],
    )  # fmt: skip


def manifold_number(metric: ManifoldMetric, evidence: Evidence) -> Number:
    """Return one of precision, recall, density and coverage, with the other three beside it."""
    result = prdc(evidence.samples.rows, evidence.references.rows, neighbours=metric.neighbours)
    four = {name: getattr(result, name) for name in ("precision", "recall", "density", "coverage")}
    return Number(
        value=four[metric.quantity], n=result.n, n_reference=result.n_reference,
        interval=None,  # a redrawn video lies at distance 0 from its copy, which moves every ball
        details={**four, "coverage_of_equals": result.coverage_of_equals, "neighbours": result.neighbours,
                 "dimensions": result.dim, **_unique(evidence)},
        warnings=[
            *result.warnings, *_duplicates(evidence),
            "no interval: redrawing videos would put copies into each other's balls",
        ],
    )  # fmt: skip


def spectral_number(metric: SpectralMetric, evidence: Evidence) -> Number:
    """Return the spectral distance, with the difference of the lower and of the higher frequencies beside it."""
    result = spectral_distance(
        evidence.samples.rows, evidence.references.rows, recipe=SPECTRUM_RECIPES[metric.recipe],
        clusters=evidence.clusters, reference_clusters=evidence.reference_clusters, replicates=evidence.replicates,
        seed=evidence.seed,
    )  # fmt: skip
    return Number(
        value=result.value, n=result.n, n_reference=result.n_reference, interval=result.interval,
        details={"low_frequencies": result.low, "high_frequencies": result.high, "floor": result.floor},
        warnings=result.warnings,
    )  # fmt: skip


def fid_number(metric: FidMetric, evidence: Evidence) -> Number:
    """Return the FID of all frames of both sets."""
    samples, references = evidence.samples, evidence.references
    per, real_per = samples.rows_per_name, references.rows_per_name
    result = fid(
        samples.rows, references.rows, ddof=FID_RECIPES[metric.recipe].ddof,
        videos=[name for name in samples.names for _ in range(per)],
        reference_videos=[name for name in references.names for _ in range(real_per)],
        clusters=[cluster for cluster in evidence.clusters for _ in range(per)],
        reference_clusters=[cluster for cluster in evidence.reference_clusters for _ in range(real_per)],
        replicates=0, seed=evidence.seed,
    )  # fmt: skip
    return Number(
        value=result.value, n=result.n, n_reference=result.n_reference, interval=None,
        details={
            "mean_part": result.parts.mean, "trace_part": result.parts.trace, "dimensions": result.dim,
            "frames": result.n_frames, "reference_frames": result.n_reference_frames, **_unique(evidence),
        },
        warnings=[
            *result.warnings, *_duplicates(evidence), "no interval: at 2,048 dimensions each replicate takes seconds",
        ],
    )  # fmt: skip


def _unique(evidence: Evidence) -> dict[str, int]:
    samples, references = evidence.samples, evidence.references
    return {
        "n_unique": unique_videos(samples.rows, samples.rows_per_name),
        "n_reference_unique": unique_videos(references.rows, references.rows_per_name),
    }


def _duplicates(evidence: Evidence) -> list[str]:
    n, n_reference = len(evidence.samples.names), len(evidence.references.names)
    return list(said_of_duplicates(n=n, n_reference=n_reference, **_unique(evidence)))
