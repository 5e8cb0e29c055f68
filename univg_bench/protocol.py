"""Protocol files: the frozen conditions of a number. Here is what a file may say; `protocol_files.py` reads it.

A protocol says which items there are, what a model gets for each, what it is to make, how the results are measured and
which columns a table shows. Whatever can change a number stands here and in the digest; flags only say where and how
fast. Models are immutable, unknown keys are errors, and nothing is converted: "16" is not a number.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from univg_bench.canonical import digest_of
from univg_bench.protocol_fields import Count, Id, InnerPath, Line, Pattern, Scalar, Select, Strict
from univg_bench.protocol_metrics import Direction, Metric, recipe_of

# ------------------------------------------------------------------------------------------------------- data sets


class ExpectMsrvtt(Strict):
    """What a complete copy of the data holds."""

    videos: Count = Field(description="videos of the split; another count is an error")
    captions: Count | None = Field(default=None, description="nominal; another count is noted, not refused")


class MsrvttData(Strict):
    """MSR-VTT, from the annotation files in circulation (docs/datasets.md)."""

    source: Literal["msrvtt"]
    split: Literal["test", "train", "validate", "jsfusion-1k-a", "jsfusion-train-9k"] = Field(
        default="test",
        description="`test`: video7010 .. video9999; jsfusion: of retrieval papers",
    )
    select: Select = Field(default_factory=lambda: Select(), description="all captions of all videos by default")
    expect: ExpectMsrvtt


class ExpectFolder(Strict):
    """What the folder holds; another count is an error."""

    items: Count
    references: int | None = Field(default=None, ge=0)


class FolderData(Strict):
    """Prompts in a file and videos in a folder; one item per row, ids are text."""

    source: Literal["folder"]
    prompts: InnerPath = Field(description=".csv or .jsonl with the columns below, or .txt with one prompt per line")
    id_column: Line = "item_id"
    prompt_column: Line = "prompt"
    cluster_column: Line | None = Field(default=None, description="intervals resample clusters")
    references: Pattern | None = Field(default=None, description="the real video of an item, if there is one")
    images: Pattern | None = Field(default=None, description="the condition image of an item")
    expect: ExpectFolder


class MovingShapesData(Strict):
    """The procedural video world of this project; `univg-bench prepare moving-shapes` renders its references."""

    source: Literal["moving-shapes"]
    split: Id = Field(description="name of an independent series of scenes")
    count: Count = Field(description="the scenes 0 .. count-1 of the split")
    height: Literal[32, 72]
    width: Literal[56, 128]
    rendering: int = Field(default=0, ge=0, description="which video of each caption is the reference")


Data = Annotated[MsrvttData | FolderData | MovingShapesData, Field(discriminator="source")]

# ------------------------------------------------------------------------------------------ what a model gets and makes


class ReferenceFrame(Strict):
    """The condition image is a frame of the real video."""

    source: Literal["reference"]
    frame: int = Field(default=0, ge=0)


class GivenImages(Strict):
    """The condition images come from a folder that is named at run time; their SHA-256 go into the record."""

    source: Literal["folder"]
    pattern: Pattern = Field(description="file name of an item's image")
    made_by: Line = Field(description="what made them, e.g. the text-to-image model; numbers depend on it")


class DataImages(Strict):
    """The condition images lie in the data set (`data.images`)."""

    source: Literal["data"]


Image = Annotated[ReferenceFrame | GivenImages | DataImages, Field(discriminator="source")]


class Conditions(Strict):
    """What a model is given for an item."""

    text: bool
    image: Image | None = None


class Generation(Strict):
    """What a model is asked to make; null means: as the model likes."""

    num_frames: Count | None = None
    fps: float | None = Field(default=None, gt=0)
    height: Count | None = None
    width: Count | None = None
    samples_per_item: Count = 1
    fixed: tuple[Line, ...] = Field(default=(), description="fields above, or params, that samples must keep")
    params: dict[Line, Scalar] = Field(default_factory=dict, description="settings of the paper, handed to the model")

    @field_validator("params")
    @classmethod
    def _without_nulls(cls, params: dict[str, Scalar]) -> dict[str, Scalar]:
        # a variant takes a setting away by null, and a model must not be handed what the digest does not know
        return {name: value for name, value in params.items() if value is not None}


# ------------------------------------------------------------------------------------------------- how it is shown


class Intervals(Strict):
    """Of the resampling behind every interval."""

    replicates: int = Field(default=1000, ge=2)
    seed: int = Field(default=0, ge=0)


class Column(Strict):
    """A column of the table."""

    label: Line
    metric: Id
    direction: Direction = Field(description="which values are better; neither: those near the real videos'")
    digits: int = Field(ge=0, le=10, description="after the decimal point")


# --------------------------------------------------------------------------------------------------------- the file


class Protocol(Strict):
    """The frozen conditions of a number: items, conditions, generation, metrics, table."""

    format: Literal["univg-bench/protocol/1"] = Field(alias="schema", description="the form of this file")
    id: Id = Field(description="what the file is called; with the version part of every seed")
    version: Count = Field(description="raise it when the meaning changes")
    title: Line = Field(description="one line for people; not part of the digest")
    sources: tuple[Line, ...] = Field(default=(), description="where the choices come from; not part of the digest")
    task: Literal["t2v", "i2v", "ti2v"]
    freedom: Literal["high", "low"] = Field(
        default="high",
        description="low: the video follows the pixels of its image; high: its meaning",
    )
    data: Data
    conditions: Conditions
    generation: Generation
    metrics: tuple[Metric, ...] = Field(min_length=1)
    intervals: Intervals = Field(default_factory=lambda: Intervals())
    table: tuple[Column, ...] = Field(min_length=1, description="what is shown; not part of the digest")
    wide: tuple[Column, ...] = Field(
        default=(),
        description="columns of a second table (`table --wide`), after those of `table`; not part of the digest",
    )

    # where each value stands, "data.expect.videos" -> "x.yaml:7:31"; for errors that show only when data are there
    _places: dict[str, str] = PrivateAttr(default_factory=dict)

    def where(self, path: str) -> str:
        """Return "file:line:column: " of a value, to start an error about it with; "" if no file is known."""
        return f"{self._places[path]}: " if path in self._places else ""

    @property
    def name(self) -> str:
        """The id and version as seeds, folders and tables write them: `msrvtt-t2v-2990@1`."""
        return f"{self.id}@{self.version}"

    def meaning(self, *, defaults: bool = False) -> dict[str, Any]:
        """Return, as plain data, everything that can change a number; what is shown or cited is left out.

        A recipe stands here with its digest, so that a protocol means something else when its recipe does. Fields at
        their default are left out unless `defaults`: writing a default down changes nothing, and a new optional field
        of a later version of this program leaves old digests alone. Therefore a default must never change.
        """
        shown = {"title", "sources", "table", "wide"}
        plain = self.model_dump(mode="json", by_alias=True, exclude_defaults=not defaults, exclude=shown)
        for metric, entry in zip(self.metrics, plain["metrics"], strict=True):
            entry["recipe"] = {"name": metric.recipe, "digest": recipe_of(metric).digest}
        plain["metrics"].sort(key=lambda entry: entry["id"])  # their order in the file moves no number
        generation = plain["generation"]
        if "fixed" in generation:
            generation["fixed"] = sorted(generation["fixed"])
        if "params" in generation:
            generation["params"] = {name: _one_spelling(value) for name, value in generation["params"].items()}
        return plain

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the meaning: not of comments, key order, title, sources, tables or the way of `extends`."""
        return digest_of(self.meaning())


def _one_spelling(value: Scalar) -> Scalar:
    # 50 and 50.0 are one setting
    return int(value) if isinstance(value, float) and value.is_integer() else value
