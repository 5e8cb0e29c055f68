"""Two evaluated runs side by side, row by row of the same item, or a sentence that says why they cannot stand so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from univg_bench.datasets.items import name_some
from univg_bench.errors import InputError, SampleError
from univg_bench.metrics.intervals import cluster_codes
from univg_bench.records import MetricPart, Record, load_record
from univg_bench.samples import Run

Floats = NDArray[np.float64]
Rows = NDArray[np.floating]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class EvaluatedRun:
    """A run with its record and the index of its features, all three of one evaluation."""

    path: Path
    run: Run
    record: Record
    features: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> EvaluatedRun:
        """Return the evaluated run in the folder `path`.

        Raises InputError when it was not evaluated, or something in it is of another evaluation.
        """
        run, record = Run.open(path), load_record(path)
        again = f"run `univg-bench evaluate {path}`"
        try:
            index = json.loads((path / "features" / "index.json").read_bytes())
            of = index["protocol_digest"], index["manifest_digest"]
            entries: dict[str, Any] = index["metrics"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"found no readable {path}/features/index.json, which names the features; {again}"
            ) from error
        if of != (record.protocol.digest, record.status.manifest_digest) or run.index.digest != of[1]:
            raise InputError(f"the samples, features and results.json in {path} are not of one evaluation; {again}")
        return cls(path, run, record, entries)

    def column(self, name: str, items: Sequence[str]) -> Floats | None:
        """Return the values of `items` in a column of per_video.parquet, None when there is no such column.

        Raises InputError when the file is missing, damaged, or of other samples.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self.path / "per_video.parquet"
        try:
            if name not in pq.read_schema(file).names:
                return None
            table = pq.read_table(file, columns=["name", name])
            values = dict(zip(table["name"].to_pylist(), table[name].to_pylist(), strict=True))
            return np.array([values[item] for item in items], dtype=np.float64)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise InputError(
                f"found no readable {file} with the values of single videos; run `univg-bench evaluate {self.path}`"
            ) from error


@dataclass(frozen=True)
class PairedMetric:
    """One metric of two runs over the same samples, in the same order.

    names (N,): of the samples. codes (N,): their clusters, numbered from 0; num_clusters of them. rows_a, rows_b
    (N·R, D): features, R rows per name; references (M, D) and real_codes (M,), whose clusters may go on after
    num_clusters to all_clusters. values_a, values_b (N,): where the metric is a mean over videos. whole: no sample was
    left out, so the values of the records hold.
    """

    a: MetricPart
    b: MetricPart
    repeats: tuple[int, int] | None
    names: tuple[str, ...]
    codes: Codes
    num_clusters: int
    rows_a: Rows
    rows_b: Rows
    row_codes: Codes
    references: Rows
    real_codes: Codes
    all_clusters: int
    values_a: Floats | None
    values_b: Floats | None
    whole: bool
    warnings: tuple[str, ...]


def pair_runs(a: EvaluatedRun, b: EvaluatedRun, *, metrics: Sequence[str], common: bool) -> list[PairedMetric]:
    """Return the metrics of both runs, paired; `metrics` names some, none: all. common: over the samples of both.

    Raises InputError when protocol, prompts, extractor, real videos or metrics differ, SampleError when a run is not
    complete (unless common), with what differs and what to do.
    """
    _check_conditions(a, b)
    if not common:
        for one in (a, b):
            _check_complete(one)
    known = [metric.id for metric in a.record.metrics]
    unknown = [name for name in metrics if name not in known]
    if unknown:
        raise InputError(f"found no metric {', '.join(unknown)} in {a.path}, expected one of {', '.join(known)}")
    return [_pair(a, b, name, common) for name in known if not metrics or name in metrics]


def _check_conditions(a: EvaluatedRun, b: EvaluatedRun) -> None:
    first, second = a.record.protocol, b.record.protocol
    if first.digest != second.digest:
        raise InputError(
            f"found runs under {first.id}@{first.version} (digest {first.digest[:12]}) and {second.id}@{second.version}"
            f" (digest {second.digest[:12]}), expected one protocol; see what differs with `univg-bench protocol diff`,"
            " and import the videos of both under the same file"
        )
    if a.run.facts.items_digest != b.run.facts.items_digest:
        raise InputError(
            f"{a.path} and {b.path} were made for different prompts (digests {a.run.facts.items_digest[:12]} and"
            f" {b.run.facts.items_digest[:12]}), expected the same; import both with the same --data"
        )


def _check_complete(one: EvaluatedRun) -> None:
    status = one.record.status
    if status.complete:
        return
    unfit = {name: kind for kind, names in {**status.excluded, **status.references_excluded}.items() for name in names}
    raise SampleError(
        f"{one.path} is incomplete: {status.scored} of {status.expected} samples and {status.references_scored} of"
        f" {status.references_expected} real videos were scored ({name_some(sorted(unfit))}); put them right, or"
        " compare what both runs have with --common",
        unfit,
    )


def _pair(a: EvaluatedRun, b: EvaluatedRun, name: str, common: bool) -> PairedMetric:
    (first, first_entry), (second, second_entry) = _metric(a, name), _metric(b, name)
    entries = first_entry, second_entry
    if entries[0]["extractor"] != entries[1]["extractor"]:
        raise InputError(_unlike(name, a, b, first, second))
    samples = [entry["roles"]["samples"] for entry in entries]
    shared = set(samples[1]["names"])
    names = [own for own in samples[0]["names"] if own in shared]
    lost = {own for one in samples for own in one["names"]} - set(names)
    if lost and not common:
        raise SampleError(
            f"metric {name} saw {len(samples[0]['names'])} samples of {a.path} and {len(samples[1]['names'])} of"
            f" {b.path} ({name_some(sorted(lost))} in one only); compare what both have with --common",
            dict.fromkeys(sorted(lost), "scored in one run only"),
        )
    if len(names) < 2:
        raise SampleError(f"found {len(names)} samples for metric {name} in both runs, expected at least 2")
    clusters = dict(zip(samples[0]["names"], samples[0]["clusters"], strict=True))
    references, real_clusters = _references(a, b, name, entries)
    codes, count = cluster_codes([clusters[own] for own in names])
    pooled, all_clusters = cluster_codes([*(clusters[own] for own in names), *real_clusters])
    each = samples[0]["rows_per_name"]
    protocol_metric = next(metric for metric in a.run.protocol().metrics if metric.id == name)
    repeats = getattr(protocol_metric, "repeats", None)
    return PairedMetric(
        a=first, b=second, repeats=None if repeats is None else (repeats.count, repeats.size), names=tuple(names),
        codes=codes, num_clusters=count, row_codes=np.repeat(codes, each), rows_a=_rows(a, name, samples[0], names),
        rows_b=_rows(b, name, samples[1], names), references=references, real_codes=pooled[len(names) :],
        all_clusters=all_clusters, values_a=a.column(name, names), values_b=b.column(name, names), whole=not lost,
        warnings=tuple(_warnings(first, second, names, lost)),
    )  # fmt: skip


def _metric(one: EvaluatedRun, name: str) -> tuple[MetricPart, dict[str, Any]]:
    part, entry = one.record.metric(name), one.features.get(name)
    if part is None or entry is None:
        raise InputError(f"found no metric {name} in {one.path}; run `univg-bench evaluate {one.path}`")
    return part, entry


def _unlike(name: str, a: EvaluatedRun, b: EvaluatedRun, first: MetricPart, second: MetricPart) -> str:
    """Return what is different between two extractors of one metric: weights, or the device and the code."""
    weights = [part.weights.sha256[:12] if part.weights else "none" for part in (first, second)]
    what = f"weights {weights[0]} and {weights[1]}" if weights[0] != weights[1] else "another device or version"
    return (
        f"metric {name} of {a.path} and {b.path} was computed by different extractors ({what}), expected one; evaluate"
        " both with the same --weights, --device and version"
    )


def _rows(one: EvaluatedRun, name: str, role: dict[str, Any], names: Sequence[str]) -> Rows:
    """Return the rows of `names` in one run's features: mapped, or copied where some are left out or moved."""
    each = role["rows_per_name"]
    rows = _load(one, f"{name}.samples.npy", len(role["names"]) * each)
    if names == role["names"]:
        return rows
    place = {own: number for number, own in enumerate(role["names"])}
    where = np.array([place[own] for own in names])
    return np.asarray(rows[(where[:, None] * each + np.arange(each)).ravel()])


def _references(a: EvaluatedRun, b: EvaluatedRun, name: str, entries: Sequence[Any]) -> tuple[Rows, list[str]]:
    roles = [entry["roles"].get("references") for entry in entries]
    if roles[0] is None or roles[1] is None:
        return np.empty((0, 0)), []
    if roles[0]["names"] != roles[1]["names"]:
        raise InputError(
            f"metric {name} compares {a.path} with {len(roles[0]['names'])} real videos and {b.path} with"
            f" {len(roles[1]['names'])}, expected the same ones; evaluate both with the same --data"
        )
    each = roles[0]["rows_per_name"]
    rows = [_load(one, f"{name}.references.npy", len(roles[0]["names"]) * each) for one in (a, b)]
    if not np.array_equal(rows[0], rows[1]):
        raise InputError(
            f"the real videos have other features in {b.path} than in {a.path} for metric {name}, so their files"
            " differ; evaluate both with the same --data"
        )
    return rows[0], [cluster for cluster in roles[0]["clusters"] for _ in range(each)]


def _load(one: EvaluatedRun, file: str, count: int) -> Rows:
    try:
        rows: Rows = np.load(one.path / "features" / file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {one.path}/features/{file}; run `univg-bench evaluate {one.path}`") from error
    if rows.ndim != 2 or len(rows) != count:
        raise InputError(
            f"found {rows.shape} features in {one.path}/features/{file}, expected {count} rows; run `univg-bench"
            f" evaluate {one.path}`"
        )
    return rows


def _warnings(a: MetricPart, b: MetricPart, names: Sequence[str], lost: set[str]) -> list[str]:
    said = []
    if a.n != b.n:
        said.append(f"the records hold n = {a.n} for A and {b.n} for B: their values are not comparable, these are")
    if lost:
        said.append(f"over the {len(names)} samples that both runs have; {len(lost)} were left out")
    return said
