"""One metric of one run: which videos it is over, which features it wants, and the number they make.

Nothing here knows a kind of metric: what they have in common is `protocol_metrics.TRAITS`, what they do is
`measures.kinds.KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.datasets import Item
from univg_bench.datasets.items import select_items
from univg_bench.errors import SampleError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Extractor
from univg_bench.features.plan import FeaturePlan, ScoredVideo
from univg_bench.features.reading import Counterpart
from univg_bench.measures.data import Evidence, Gathered, Number, Rows, Watch
from univg_bench.measures.gather import gather, index_entry
from univg_bench.measures.kinds import KINDS
from univg_bench.protocol import Protocol
from univg_bench.protocol_metrics import Metric, direction_of, recipe_of, reference_frames_of, traits_of
from univg_bench.records import IntervalPart, MetricPart, WeightsPart


@dataclass(frozen=True)
class Sample:
    """A sample that is scored: its video and the item it was made for."""

    video: ScoredVideo
    item: Item


@dataclass(frozen=True)
class Planned:
    """What a metric will read from the cache: names and keys in the order of the items.

    references: reference id -> key. captions, images: key per sample, for metrics that hold frames against a caption or
    an image of their own. dropped: samples and references that the frame policy leaves out as too short; alone: samples
    left out because what they are held against is not there.
    """

    metric: Metric
    extractor: Extractor
    samples: tuple[Sample, ...]
    keys: tuple[str, ...]
    captions: tuple[str, ...]
    images: tuple[str, ...]
    references: dict[str, str]
    reference_clusters: dict[str, str]
    dropped: tuple[str, ...]
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """A metric as it stands in the record, its columns per sample (name -> (N,)), and its entry in the index."""

    part: MetricPart
    columns: Mapping[str, Rows]
    entry: dict[str, Any]


@dataclass
class Store:
    """Where features come from and where their rows go; files with equal rows are linked, not written twice."""

    cache: FeatureCache
    dest: Path
    files: dict[str, Path] = field(default_factory=dict)


def plan_metric(
    metric: Metric,
    extractor: Extractor,
    samples: Sequence[Sample],
    items: Sequence[Item],
    references: Mapping[str, ScoredVideo],
    plan: FeaturePlan,
    images: Mapping[str, Counterpart] | None = None,
) -> Planned:
    """Return what `metric` reads, and enter the work it needs into `plan`.

    items: all items of the protocol, scored or not: selections are made among them, so that a missing sample does not
    move the others. references: the real videos that can be read, by id. images: condition images by item id.

    Raises SampleError when a video is too short, or unlike its reference, and the metric cannot do with that.
    """
    traits = traits_of(metric)
    chosen = {item.item_id for item in (items if metric.select is None else select_items(items, metric.select))}
    others: Mapping[str, ScoredVideo | Counterpart] = {}
    if traits.compares == "image":
        others = images or {}
    elif traits.compares == "reference":
        real = {item.item_id: references.get(item.reference_id or "") for item in items}
        others = {item_id: video for item_id, video in real.items() if video is not None}
    kept: list[Sample] = []
    keys: list[str] = []
    dropped: list[str] = []
    alone: list[str] = []
    for sample in samples:
        item_id = sample.item.item_id
        if item_id not in chosen:
            continue
        if traits.compares in ("image", "reference") and item_id not in others:
            alone.append(sample.video.name)
            continue
        if traits.pair:
            key = plan.want_pair(sample.video, extractor, metric.frames, others[item_id])
        else:
            key = plan.want_video(sample.video, extractor, metric.frames)
        if key is None:
            dropped.append(sample.video.name)
        else:
            kept.append(sample)
            keys.append(key)
    captions, pictures = [], []
    if traits.compares == "captions":
        captions = [plan.want_caption(sample.item.prompt, extractor) for sample in kept]
    if traits.compares == "image" and not traits.pair:
        pictures = [plan.want_image(_image(others[sample.item.item_id]), extractor) for sample in kept]
    reference_keys, clusters = {}, {}
    policy = reference_frames_of(metric)
    if policy is not None:
        for item in _reference_items(metric, items, chosen):
            video = references.get(item.reference_id or "")
            if video is None or video.name in reference_keys:
                continue
            key = plan.want_video(video, extractor, policy)
            if key is None:
                dropped.append(video.name)
            else:
                reference_keys[video.name], clusters[video.name] = key, item.cluster
    return Planned(
        metric, extractor, tuple(kept), tuple(keys), tuple(captions), tuple(pictures), reference_keys, clusters,
        tuple(dropped), tuple(alone),
    )  # fmt: skip


def _image(other: ScoredVideo | Counterpart) -> Counterpart:
    assert isinstance(other, Counterpart)
    return other


def _reference_items(metric: Metric, items: Sequence[Item], chosen: set[str]) -> Sequence[Item]:
    select = getattr(metric, "reference_select", None)
    return select_items(items, select) if select is not None else [item for item in items if item.item_id in chosen]


def measure(planned: Planned, protocol: Protocol, store: Store, watch: Watch) -> Measured:
    """Return the metric as it stands in the record, its columns per sample, and whose its rows are.

    The features are gathered from the cache into `store.dest`/<metric id>.*.npy and read from there through memory
    maps. Raises SampleError when fewer than two videos of a set are left, and what the metric's own functions raise.
    """
    metric = planned.metric
    if len(planned.keys) < 2:
        lost = f"; {len(planned.alone)} have nothing to be held against" if planned.alone else ""
        raise SampleError(f"found {len(planned.keys)} scored samples for metric {metric.id}, expected at least 2{lost}")
    if traits_of(metric).compares == "set" and len(planned.references) < 2:
        raise SampleError(
            f"found {len(planned.references)} real videos for metric {metric.id}, expected at least 2 to compare with"
        )
    names = [sample.video.name for sample in planned.samples]
    roles = {
        "samples": _gathered(planned, store, "samples", names, planned.keys, planned.images),
        "references": _gathered(planned, store, "references", list(planned.references), planned.references.values()),
        "captions": _gathered(planned, store, "captions", names, planned.captions),
    }
    clusters = [sample.item.cluster for sample in planned.samples]
    real_clusters = list(planned.reference_clusters.values())
    place = {name: number for number, name in enumerate(planned.references)}
    evidence = Evidence(
        **roles, clusters=clusters, reference_clusters=real_clusters,
        reference_of=np.array([place.get(s.item.reference_id or "", -1) for s in planned.samples], dtype=np.int64),
        replicates=protocol.intervals.replicates, seed=protocol.intervals.seed, watch=watch,
    )  # fmt: skip
    number = KINDS[metric.kind].number(metric, evidence)
    entry = index_entry(
        roles, {"samples": clusters, "references": real_clusters, "captions": clusters}, kind=metric.kind,
        extractor=planned.extractor.digest,
    )  # fmt: skip
    return Measured(_part(planned, number), number.columns, entry)


def _gathered(
    planned: Planned, store: Store, role: str, names: Sequence[str], keys: Any, others: Sequence[str] = ()
) -> Gathered:
    metric, kind = planned.metric, KINDS[planned.metric.kind]
    what = f"{kind.reduction}|{getattr(metric, 'quantity', '') if others else ''}"
    return gather(
        store.cache, names, list(keys), store.dest / f"{metric.id}.{role}.npy",
        lambda features, other: kind.rows(metric, features, other),
        others=others, what=what, known=store.files,
    )  # fmt: skip


def _part(planned: Planned, number: Number) -> MetricPart:
    metric, weights = planned.metric, planned.extractor.weights
    recipe, policy = recipe_of(metric), reference_frames_of(metric)
    warnings = list(number.warnings)
    if planned.alone:
        warnings.append(f"{len(planned.alone)} samples were left out: there is nothing to hold them against")
    details = {**number.details, "dropped_short": len(planned.dropped)}
    return MetricPart.model_validate(
        {
            "id": metric.id,
            "kind": metric.kind,
            "value": number.value,
            "direction": direction_of(metric),
            "n": number.n,
            "n_reference": number.n_reference,
            "interval": None if number.interval is None else IntervalPart(**asdict(number.interval)),
            "recipe": {**asdict(recipe), "digest": recipe.digest},
            "weights": weights and WeightsPart(name=weights.name, sha256=weights.digest, note=weights.note),
            "frames": asdict(metric.frames),
            "reference_frames": asdict(policy) if policy else None,
            "details": details,
            "warnings": warnings,
        }
    )
