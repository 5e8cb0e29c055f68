"""Metrics that hold frames against their caption."""

from __future__ import annotations

from univg_bench.measures.data import Evidence, Number
from univg_bench.metrics.clipsim import clipsim
from univg_bench.metrics.intervals import few_clusters
from univg_bench.protocol_metrics import ClipsimMetric


def clipsim_number(metric: ClipsimMetric, evidence: Evidence) -> Number:
    """Return the CLIPSIM, with that of the real videos and of the captions of others beside it."""
    result = clipsim(
        evidence.samples.rows,
        evidence.captions.rows,
        clusters=evidence.clusters,
        real_frames=evidence.references.rows if evidence.references.names else None,
        real_of=evidence.reference_of,
        replicates=evidence.replicates,
        seed=evidence.seed,
    )
    warnings = few_clusters(result.num_clusters)
    if result.ratio is not None and result.ratio > 1:
        warnings.append("above the CLIPSIM of the real videos: from there on, higher is not better")
    return Number(
        value=result.value, n=result.n, n_reference=result.n_references, interval=result.interval,
        details={
            "real": result.real, "ratio_to_real": result.ratio, "n_real": result.n_real,
            "mismatched_captions": result.mismatched, "gap_to_mismatched": result.gap,
        },
        warnings=warnings, columns={metric.id: result.per_video, f"{metric.id}_real": result.real_per_video},
    )  # fmt: skip
