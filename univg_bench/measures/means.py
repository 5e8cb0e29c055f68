"""Metrics that are a number per video, averaged over videos."""

from __future__ import annotations

from univg_bench.measures.data import Details, Evidence, Number, Rows
from univg_bench.metrics.video_mean import video_mean
from univg_bench.protocol_metrics import FidelityMetric, FirstFrameMetric, Metric, MotionMetric


def mean_number(metric: Metric, evidence: Evidence, *, column: int = 0, **details: Rows) -> Number:
    """Return the mean of one column of the samples' rows, with the value of the real videos beside it.

    details: name -> values per sample, whose mean becomes a detail of that name.
    """
    real = evidence.references.rows[:, column] if evidence.references.names else ()
    result = video_mean(
        evidence.samples.rows[:, column], clusters=evidence.clusters, real=real, replicates=evidence.replicates,
        seed=evidence.seed, name=metric.kind,
    )  # fmt: skip
    ratio = result.value / result.real if result.real else None
    beside: Details = {"real": result.real, "ratio_to_real": ratio} if evidence.references.names else {}
    return Number(
        value=result.value, n=result.n, n_reference=result.n_reference, interval=result.interval,
        details={**beside, **{name: float(values.mean()) for name, values in details.items()}},
        warnings=result.warnings, columns={metric.id: result.per_video},
    )  # fmt: skip


def motion_number(metric: MotionMetric, evidence: Evidence) -> Number:
    """Return the mean speed, with the share of blocks that move beside it."""
    return mean_number(metric, evidence, moving_share=evidence.samples.rows[:, 1])


def fidelity_number(metric: FirstFrameMetric | FidelityMetric, evidence: Evidence) -> Number:
    """Return the mean PSNR or SSIM: over the frames of a video, then over videos."""
    return mean_number(metric, evidence, column=("psnr", "ssim").index(metric.quantity))
