"""One metric of one run: which videos it is over, which features it wants, and the number they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from univg_bench.atomic import atomic
from univg_bench.datasets import Item
from univg_bench.datasets.items import select_items
from univg_bench.errors import SampleError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Extractor
from univg_bench.features.plan import FeaturePlan, ScoredVideo
from univg_bench.metrics.clipsim import clipsim
from univg_bench.metrics.fvd import FvdResult, fvd
from univg_bench.metrics.intervals import Interval, few_clusters
from univg_bench.protocol import ClipsimMetric, FvdMetric, Metric, Protocol, recipe_of
from univg_bench.recipes import FVD_RECIPES
from univg_bench.records import IntervalPart, MetricPart, WeightsPart

Rows = NDArray[np.floating]
Watch = Callable[[Iterator[Any]], Iterator[Any]]


@dataclass(frozen=True)
class Sample:
    """A sample that is scored: its video and the item it was made for."""

    video: ScoredVideo
    item: Item


@dataclass(frozen=True)
class Planned:
    """What a metric will read from the cache: names and keys in the order of the items.

    references: reference id -> key. captions: key per sample, for metrics that read text. dropped: samples and
    references that the frame policy leaves out as too short.
    """

    metric: Metric
    extractor: Extractor
    samples: tuple[Sample, ...]
    keys: tuple[str, ...]
    captions: tuple[str, ...]
    references: dict[str, str]
    reference_clusters: dict[str, str]
    dropped: tuple[str, ...]


def plan_metric(
    metric: Metric,
    extractor: Extractor,
    samples: Sequence[Sample],
    items: Sequence[Item],
    references: dict[str, ScoredVideo],
    plan: FeaturePlan,
) -> Planned:
    """Return what `metric` reads, and enter the work it needs into `plan`.

    items: all items of the protocol, scored or not: selections are made among them, so that a missing sample does not
    move the others. references: the real videos that can be read, by id.
    """
    chosen = {item.item_id for item in (items if metric.select is None else select_items(items, metric.select))}
    kept, keys, dropped = [], [], []
    for sample in samples:
        if sample.item.item_id not in chosen:
            continue
        key = plan.want_video(sample.video, extractor, metric.frames)
        if key is None:
            dropped.append(sample.video.name)
        else:
            kept.append(sample)
            keys.append(key)
    captions = []
    if isinstance(metric, ClipsimMetric):
        captions = [plan.want_caption(sample.item.prompt, extractor) for sample in kept]
    reference_keys, clusters = {}, {}
    if metric.reference_frames is not None:
        for item in _reference_items(metric, items, chosen):
            video = references.get(item.reference_id or "")
            if video is None or video.name in reference_keys:
                continue
            key = plan.want_video(video, extractor, metric.reference_frames)
            if key is None:
                dropped.append(video.name)
            else:
                reference_keys[video.name], clusters[video.name] = key, item.cluster
    return Planned(
        metric, extractor, tuple(kept), tuple(keys), tuple(captions), reference_keys, clusters, tuple(dropped)
    )


def _reference_items(metric: Metric, items: Sequence[Item], chosen: set[str]) -> Sequence[Item]:
    if isinstance(metric, FvdMetric) and metric.reference_select is not None:
        return select_items(items, metric.reference_select)
    return [item for item in items if item.item_id in chosen]


def measure(
    planned: Planned, protocol: Protocol, cache: FeatureCache, dest: Path, watch: Watch
) -> tuple[MetricPart, dict[str, Rows]]:
    """Return the metric as it stands in the record, and its columns per sample (name of column -> (N,)).

    The features are gathered from `cache` into `dest`/<metric id>.*.npy, one row per video, and read from there through
    memory maps. Raises SampleError when fewer than two videos of a set are left.
    """
    metric = planned.metric
    if len(planned.keys) < 2:
        raise SampleError(f"found {len(planned.keys)} scored samples for metric {metric.id}, expected at least 2")
    samples = _gather(cache, planned.keys, dest / f"{metric.id}.samples.npy")
    references = _gather(cache, list(planned.references.values()), dest / f"{metric.id}.references.npy")
    if isinstance(metric, FvdMetric):
        return _measure_fvd(metric, planned, protocol, samples, references, watch)
    texts = _gather(cache, planned.captions, dest / f"{metric.id}.captions.npy")
    return _measure_clipsim(planned, protocol, samples, texts, references)


def _measure_fvd(
    metric: FvdMetric, planned: Planned, protocol: Protocol, samples: Rows, references: Rows, watch: Watch
) -> tuple[MetricPart, dict[str, Rows]]:
    clusters = [sample.item.cluster for sample in planned.samples]
    reference_clusters = list(planned.reference_clusters.values())
    recipe, intervals = FVD_RECIPES[metric.recipe], protocol.intervals

    def of(rows: slice, replicates: int) -> FvdResult:
        return fvd(
            samples[rows], references, ddof=recipe.ddof, clusters=clusters[rows],
            reference_clusters=reference_clusters, replicates=replicates, seed=intervals.seed, watch=watch,
        )  # fmt: skip

    if metric.repeats is None:
        result = of(slice(None), intervals.replicates)
        value, spread = result.value, {}
    else:
        size, needed = metric.repeats.size, metric.repeats.size * metric.repeats.count
        if len(samples) < needed:
            raise SampleError(
                f"found {len(samples)} scored samples for metric {metric.id}, expected {needed}:"
                f" {metric.repeats.count} runs of {size}"
            )
        runs = [of(slice(i * size, (i + 1) * size), 0) for i in range(metric.repeats.count)]
        result, values = runs[0], [run.value for run in runs]
        value = float(np.mean(values))
        spread = {"repeats": len(values), "repeats_sd": float(np.std(values, ddof=1)) if len(values) > 1 else None}
    details: dict[str, float | int | None] = {
        "mean_part": result.parts.mean, "trace_part": result.parts.trace, "dimensions": result.dim,
        "n_unique": result.n_unique, "n_reference_unique": result.n_reference_unique,
        "dropped_short": len(planned.dropped), **spread,
    }  # fmt: skip
    part = _part(
        planned, value=value, direction="lower", n=result.n, n_reference=result.n_reference,
        interval=result.interval, details=details, warnings=list(result.warnings),
    )  # fmt: skip
    return part, {}


def _measure_clipsim(
    planned: Planned, protocol: Protocol, samples: Rows, texts: Rows, references: Rows
) -> tuple[MetricPart, dict[str, Rows]]:
    rows = {name: row for row, name in enumerate(planned.references)}
    result = clipsim(
        samples,
        texts,
        clusters=[sample.item.cluster for sample in planned.samples],
        real_frames=references if rows else None,
        real_of=np.array([rows.get(sample.item.reference_id or "", -1) for sample in planned.samples], dtype=np.int64),
        replicates=protocol.intervals.replicates,
        seed=protocol.intervals.seed,
    )
    warnings = few_clusters(result.num_clusters)
    if result.ratio is not None and result.ratio > 1:
        warnings.append("above the CLIPSIM of the real videos: from there on, higher is not better")
    details: dict[str, float | int | None] = {
        "real": result.real, "ratio_to_real": result.ratio, "n_real": result.n_real,
        "mismatched_captions": result.mismatched, "gap_to_mismatched": result.gap,
        "dropped_short": len(planned.dropped),
    }  # fmt: skip
    part = _part(
        planned, value=result.value, direction="higher", n=result.n, n_reference=result.n_references,
        interval=result.interval, details=details, warnings=warnings,
    )  # fmt: skip
    return part, {planned.metric.id: result.per_video, f"{planned.metric.id}_real": result.real_per_video}


def _part(
    planned: Planned, *, value: float, direction: str, n: int, n_reference: int, interval: Interval | None,
    details: dict[str, float | int | None], warnings: list[str],
) -> MetricPart:  # fmt: skip
    metric, weights = planned.metric, planned.extractor.weights
    recipe = recipe_of(metric)
    return MetricPart.model_validate(
        {
            "id": metric.id,
            "kind": metric.kind,
            "value": value,
            "direction": direction,
            "n": n,
            "n_reference": n_reference,
            "interval": None if interval is None else IntervalPart(**asdict(interval)),
            "recipe": {**asdict(recipe), "digest": recipe.digest},
            "weights": WeightsPart(name=weights.name, sha256=weights.digest, note=weights.note),
            "frames": asdict(metric.frames),
            "reference_frames": asdict(metric.reference_frames) if metric.reference_frames else None,
            "details": details,
            "warnings": warnings,
        }
    )


def _gather(cache: FeatureCache, keys: Sequence[str], dest: Path) -> Rows:
    """Write the features named `keys` as rows of one file and return a memory map of it.

    Features of single frames become the mean over the frames, in float64: of unit embeddings it is all CLIPSIM needs.
    """
    if not keys:
        return np.empty((0, 0))
    first = _row(cache.load(keys[0]))
    with atomic(dest) as temporary:
        out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float64, shape=(len(keys), first.size))
        for row, key in enumerate(keys):
            out[row] = first if row == 0 else _row(cache.load(key))
        out.flush()
        del out
    mapped: Rows = np.load(dest, mmap_mode="r", allow_pickle=False)
    return mapped


def _row(features: NDArray[np.float32]) -> NDArray[np.float64]:
    return features.astype(np.float64) if features.ndim == 1 else features.mean(axis=0, dtype=np.float64)
