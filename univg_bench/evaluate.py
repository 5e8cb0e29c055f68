"""From a run on disk to its record: check, index the real videos, extract features, measure, write results.json."""

from __future__ import annotations

import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from univg_bench.canonical import digest_of
from univg_bench.conditions import condition_images
from univg_bench.console import Console
from univg_bench.engine.local import run_chunks
from univg_bench.environment import describe_environment
from univg_bench.errors import InputError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Extractor, extract_chunk
from univg_bench.features.plan import FeaturePlan
from univg_bench.features.weights import find_weights
from univg_bench.measure import Planned, Store, measure, plan_metric
from univg_bench.measures.gather import write_index
from univg_bench.per_video import write_per_video
from univg_bench.problems import failing, suspicious
from univg_bench.protocol import GivenImages, Protocol
from univg_bench.protocol_metrics import Metric, recipe_of, weights_of
from univg_bench.records import Cost, GeneratedPart, ModelPart, ProtocolPart, Record, Status, VideoSetPart, save_record
from univg_bench.samples import Row, Run
from univg_bench.scored import scored_sets


def evaluate_run(
    path: Path,
    *,
    data: Path | None,
    weights: Path | None,
    workers: int,
    device: str,
    cache: Path | None,
    allow_missing: bool,
    console: Console,
    images: Path | None = None,
) -> Record:
    """Compute every metric of the run's protocol, write `results.json` and `per_video.parquet`, return the record.

    data: the folder of the protocol's data; None: where it lay when the run was made. weights: a folder searched for
    weights first. cache: the folder of features. images: the folder of condition images, where metrics compare with
    them; None: where they lay at import. What is cheap and may fail comes before what is expensive.

    Raises InputError for missing weights or data, SampleError for samples or references that are missing or cannot be
    scored (unless allow_missing), InfrastructureError when a worker dies.
    """
    started, wall, cpu = datetime.now(UTC), time.perf_counter(), _cpu_seconds()
    check_device(device)
    run = Run.open(path)
    protocol = run.protocol()
    extractors = {metric.id: _extractor(metric, weights, device) for metric in protocol.metrics}
    allow_missing = allow_missing or run.facts.allow_missing
    data = data or Path(run.facts.data)
    sets = scored_sets(run, protocol, data=data, workers=workers, allow_missing=allow_missing, console=console)
    items, references, found = sets.items, sets.references, sets.found
    pictures = condition_images(run, protocol, items, references, images, data)
    plan = FeaturePlan.empty(FeatureCache(cache or path.parent.parent / ".features"))
    planned = [
        plan_metric(metric, extractors[metric.id], sets.samples, items.items, references, plan, pictures)
        for metric in protocol.metrics
    ]
    num_features, chunks = plan.num_features(), plan.chunks()
    todo = run_chunks(extract_chunk, chunks, workers=workers)
    computed = sum(n for _, n in console.progress(todo, total=len(chunks), title="features", unit="chunk"))

    def watch(replicates: Iterator[Any]) -> Iterator[Any]:
        total = protocol.intervals.replicates
        return console.progress(replicates, total=total, title="interval", unit="replicate")

    num_references = len({item.reference_id for item in items.items if item.reference_id})
    store = Store(plan.cache, path / "features")
    measured = [measure(one, protocol, store, watch) for one in planned]
    write_per_video(path / "per_video.parquet", sets.rows, items, planned, [one.columns for one in measured])
    write_index(
        path / "features" / "index.json", {one.part.id: one.entry for one in measured},
        protocol_digest=protocol.digest, manifest_digest=run.index.digest,
    )  # fmt: skip
    record = Record(
        protocol=ProtocolPart(
            id=protocol.id, version=protocol.version, digest=protocol.digest, title=protocol.title, task=protocol.task
        ),
        model=ModelPart(
            name=run.facts.model,
            origin=run.facts.origin,
            source=run.facts.source,
            conditions_sha256=run.facts.conditions_digest or None,
            generated=_generated(run),
        ),
        status=Status(
            complete=not failing(found) and len(references) == num_references,
            manifest_digest=run.index.digest,
            expected=len(sets.rows),
            scored=len(sets.samples),
            excluded=failing(found),
            suspicious=suspicious(found),
            references_expected=num_references,
            references_scored=len(references),
            references_excluded=sets.excluded_references,
        ),
        samples=_describe([sets.rows[sample.video.name] for sample in sets.samples]),
        references=_describe(sets.reference_rows),
        metrics=[one.part for one in measured],
        notes=[
            *items.notes,
            *_notes_on_length(planned),
            *_notes_on_conditions(run, protocol),
        ],
        cost=Cost(
            wall_seconds=time.perf_counter() - wall,
            cpu_seconds=_cpu_seconds() - cpu,
            peak_memory_bytes=_peak_memory(),
            features_computed=computed,
            features_reused=num_features - computed,
        ),
        environment=describe_environment(device),
        command=["univg-bench", *sys.argv[1:]],
        engine={"name": "local", "workers": workers},
        started=started.isoformat(timespec="seconds"),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_record(record, path / "results.json")
    return record


def _generated(run: Run) -> GeneratedPart | None:
    facts = run.model_facts()
    if facts is None:
        return None
    try:
        told = {name: facts[name] for name in ("model", "dtype", "device", "base_seed")}
        return GeneratedPart(card_name=facts["card"]["name"], weights=facts["card"]["weights"], **told)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.folder}/model.json is damaged; run the same generate again") from error


def _extractor(metric: Metric, weights: Path | None, device: str) -> Extractor:
    name = weights_of(metric)
    return Extractor(recipe_of(metric), None if name is None else find_weights(name, weights), device)


def check_device(device: str) -> None:
    """Raise InputError unless networks can run on `device` here."""
    if device == "cpu":
        return
    import torch

    if not re.fullmatch(r"cuda(:[0-9]+)?", device):
        raise InputError(f"found --device {device}, expected cpu, cuda or cuda:<number>")
    if not torch.cuda.is_available():
        raise InputError(f"found --device {device}, but torch {torch.__version__} sees no CUDA device here; use cpu")
    if int(device.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise InputError(f"found --device {device}, but there are only {torch.cuda.device_count()} CUDA devices")


def _describe(rows: Sequence[Row]) -> VideoSetPart:
    def count(values: Iterator[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))

    return VideoSetPart(
        num_videos=len(rows),
        num_frames=count(str(row.frames) for row in rows),
        sizes=count(f"{row.width}x{row.height}" for row in rows),
        fps=count(f"{row.fps:.4g}" for row in rows),
        digest=digest_of([[row.name, row.rgb_sha256] for row in rows]),
    )


def _notes_on_length(planned: Sequence[Planned]) -> list[str]:
    """Say where a random choice of frames is none: a video of exactly as many frames gives all of them."""
    notes = []
    for one in planned:
        wanted = one.metric.frames.frames
        if wanted is None or not one.metric.frames.sampling.startswith("random"):
            continue
        exact = sum(sample.video.num_frames == wanted for sample in one.samples)
        if exact:
            notes.append(
                f"{exact} of {len(one.samples)} samples have exactly {wanted} frames, so {one.metric.id} sees all of"
                " them: its frames span a whole short video here and a part of a longer one in other runs"
            )
    return notes


def _notes_on_conditions(run: Run, protocol: Protocol) -> list[str]:
    image = protocol.conditions.image
    if not isinstance(image, GivenImages) or run.facts.conditions_digest:
        return []
    return [f"which condition images ({image.made_by}) were used is not recorded: they were not named with --images"]


def _cpu_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def _peak_memory() -> int:
    """Return the largest resident size that this process or any of its workers had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
