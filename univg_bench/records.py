"""The result file: every number with its recipe, its n, its interval, its weights and its protocol, or no number.

`results.json` keeps full float64; tables round. Its JSON schema is exported to `results/result.schema.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from univg_bench.atomic import write_bytes
from univg_bench.errors import InputError
from univg_bench.protocol_metrics import Direction, KindName

SCHEMA = "univg-bench/result/1"


class Part(BaseModel):
    """A frozen piece of a record; unknown keys are errors, so a typing mistake never loses a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ProtocolPart(Part):
    """Under which conditions the numbers hold."""

    id: str
    version: int
    digest: str
    title: str
    task: str


class GeneratedPart(Part):
    """What a generated run was made with; all of it stands in the run's model.json."""

    model: str = Field(description="its name among the installed ones, or package.module:factory")
    card_name: str = Field(description="what the model calls itself")
    weights: dict[str, str] = Field(description="part -> SHA-256, by the model's own card")
    dtype: str
    device: str
    base_seed: int


class ModelPart(Part):
    """Whose videos were scored, and how they came here."""

    name: str
    origin: str
    source: str
    conditions_sha256: str | None = Field(description="over the condition images named at import; null: none were")
    generated: GeneratedPart | None = Field(default=None, description="null: the videos were imported")


class Status(Part):
    """Whether all that the protocol asks for was there. `excluded` names, per class, what was not scored."""

    complete: bool
    manifest_digest: str = Field(description="of the run's manifest; a table refuses a result of another manifest")
    expected: int
    scored: int
    excluded: dict[str, list[str]]
    suspicious: dict[str, list[str]]
    references_expected: int
    references_scored: int
    references_excluded: dict[str, list[str]]


class VideoSetPart(Part):
    """What the videos of a set look like: how many have which length, size and rate."""

    num_videos: int
    num_frames: dict[str, int]
    sizes: dict[str, int]
    fps: dict[str, int]
    digest: str = Field(description="SHA-256 over (name, RGB hash) of the scored videos, in item order")


class IntervalPart(Part):
    """An interval, how it was made, and how many clusters it rests on."""

    low: float
    high: float
    level: float
    method: str
    replicates: int
    seed: int
    clusters: int


class WeightsPart(Part):
    """Which file the network's weights came from."""

    name: str
    sha256: str
    note: str


class MetricPart(Part):
    """One number and everything needed to trust it."""

    id: str
    kind: KindName
    value: float
    direction: Direction = Field(description="which values are better; neither: those near the real videos'")
    n: int
    n_reference: int
    interval: IntervalPart | None
    recipe: dict[str, Any] = Field(description="all fields of the recipe, with its digest")
    weights: WeightsPart | None = Field(description="null: no network is involved")
    frames: dict[str, Any] = Field(description="which frames of a generated video were seen")
    reference_frames: dict[str, Any] | None = Field(description="which frames of a real video were seen")
    details: dict[str, float | int | None] = Field(description="numbers that belong beside this one")
    warnings: list[str]


class Cost(Part):
    """What the evaluation took on the machine named in `environment`."""

    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    features_computed: int
    features_reused: int


class Record(Part):
    """One evaluated run: the content of `results.json`."""

    schema_: Literal["univg-bench/result/1"] = Field(default="univg-bench/result/1", alias="schema")
    protocol: ProtocolPart
    model: ModelPart
    status: Status
    samples: VideoSetPart
    references: VideoSetPart
    metrics: list[MetricPart]
    notes: list[str]
    cost: Cost
    environment: dict[str, Any]
    command: list[str]
    engine: dict[str, Any]
    started: Annotated[str, Field(description="UTC, ISO 8601")]
    ended: Annotated[str, Field(description="UTC, ISO 8601")]

    def metric(self, metric_id: str) -> MetricPart | None:
        """Return the metric of that id, or None when the record has none."""
        return next((metric for metric in self.metrics if metric.id == metric_id), None)

    def numbers(self) -> dict[str, Any]:
        """Return what must be equal to the bit when the same run is evaluated again: no times, no machine."""
        data = self.model_dump(mode="json", by_alias=True)
        return {key: data[key] for key in ("protocol", "model", "status", "samples", "references", "metrics", "notes")}


def save_record(record: Record, dest: Path) -> None:
    """Write `record` to `dest` atomically: a reader sees the old file or the new one, never half of one."""
    text = json.dumps(record.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(dest, (text + "\n").encode())


def load_record(path: Path) -> Record:
    """Return the record in `path`, a results.json or the folder of a run.

    Raises InputError when there is none, or it is of another schema.
    """
    file = path / "results.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"found no {file}; run `univg-bench evaluate {path}` to make it")
    try:
        return Record.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{file} is no {SCHEMA} record: {where}: {first['msg']}") from error


def record_schema() -> dict[str, Any]:
    """Return the JSON schema of `results.json`."""
    return Record.model_json_schema(by_alias=True)
