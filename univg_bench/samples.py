"""The sample store: folders of videos with a manifest that says what each of them is, and what became of the others.

A run lies in `<runs>/<protocol>@<version>/<model>/`:

    run.json                    whose samples these are, under which protocol
    conditions.json             SHA-256 of each item's condition image, where the images were named
    model.json                  of generated samples: the model's card, its options, type of numbers, device
    protocol.json               the protocol itself, so that the folder speaks for itself
    index.json                  how the files are placed, how many rows there are, whether the last import ended
    manifest/00000.jsonl ...    one row per sample, 16 rows a part, in the order of the items
    samples/<2 hex>/<item>-s<k>.<suffix>, and of generated ones <item>-s<k>.json, how they were made

A set of references is the lower half of that: index.json and manifest, in a folder of its own (`Index`).
Parts and files appear complete or not at all (`atomic.py`), and the parts are cut by the plan alone, so the bytes of a
manifest depend on the sources and on nothing else: not on workers, interruptions or order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from univg_bench.canonical import canonical_json, digest_of
from univg_bench.errors import InputError, SampleError

if TYPE_CHECKING:
    from univg_bench.protocol import Protocol

INDEX_SCHEMA = "univg-bench/index/1"
RUN_SCHEMA = "univg-bench/run/1"
MODEL_SCHEMA = "univg-bench/model/1"
ROWS_PER_PART = 16

Status = Literal["ok", "missing", "unreadable", "truncated", "corrupt"]
Form = TypeVar("Form", bound="Row | IndexFacts | RunFacts")
Place = Literal["copy", "hardlink", "symlink", "in-place"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One video of a manifest: what it is when `status` is ok, else `error`, a reason.

    name: `<item>-s<k>` of a sample, the reference id of a reference. path: below the index, or below its root when
    placed in-place. file_sha256: of the stored bytes. rgb_sha256, brightest, contrast, motion: see video.VideoFacts.
    seconds: its length, an exact fraction ("33/10"). source_*: the file it was made from, relative to the root; size
    and time of change tell a changed source from an unchanged one.
    """

    name: str
    status: Status
    error: str = ""
    path: str = ""
    bytes: int = 0
    file_sha256: str = ""
    rgb_sha256: str = ""
    frames: int = 0
    height: int = 0
    width: int = 0
    seconds: str = "0"
    brightest: int = 0
    contrast: int = 0
    motion: int = 0
    source_path: str = ""
    source_bytes: int = 0
    source_mtime_ns: int = 0

    @property
    def ok(self) -> bool:
        """Whether the file was decoded to its end."""
        return self.status == "ok"

    @property
    def duration(self) -> Fraction:
        """The length in seconds, exactly."""
        return Fraction(self.seconds)

    @property
    def fps(self) -> float:
        """Frames per second over the whole length; 0 when the length is unknown."""
        return float(self.frames / self.duration) if self.duration else 0.0


@dataclass(frozen=True)
class IndexFacts:
    """The content of index.json. root: the folder the sources came from. complete: whether the last writing ended."""

    place: Place
    root: str
    count: int
    complete: bool


@dataclass(frozen=True)
class Index:
    """A folder with a manifest."""

    folder: Path

    @property
    def facts(self) -> IndexFacts:
        """How the files are placed and how many rows there are. Raises InputError when the folder has no index."""
        return _typed(IndexFacts, self.folder / "index.json", _load_json(self.folder / "index.json", INDEX_SCHEMA))

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order of the plan, part by part.

        Raises SampleError when the index was never finished or a part is not what it should be.
        """
        facts = self.facts
        if not facts.complete:
            raise SampleError(
                f"{self.folder} was not finished: what filled it was stopped; run the same import or generate again"
            )
        seen: set[str] = set()
        for part in range(-(-facts.count // ROWS_PER_PART)):
            for row in read_part(self.part_path(part)):
                if row.name in seen:
                    raise SampleError(f"found {row.name} twice in {self.folder}/manifest; import it again")
                seen.add(row.name)
                yield row
        if len(seen) != facts.count:
            raise SampleError(
                f"found {len(seen)} rows in {self.folder}/manifest, expected {facts.count}; import it again"
            )

    def path_of(self, row: Row) -> Path:
        """Return where the video of `row` lies.

        Raises SampleError when the path leads out of the folder it has to be in: such a manifest was not made by us.
        """
        facts = self.facts
        base = Path(facts.root) if facts.place == "in-place" else self.folder
        return self.resolve(row, base, facts.place)

    @staticmethod
    def resolve(row: Row, base: Path, place: Place) -> Path:
        """Return the path of `row` below `base`; for many rows of one index, without reading its facts each time."""
        path = base / row.path
        inside = is_inner(row.path)
        if inside and place in ("copy", "hardlink"):
            # links that a user made on purpose are allowed where we place links; never where we placed files
            inside = path.resolve().is_relative_to(base.resolve())
        if not inside:
            raise SampleError(f"the manifest places {row.name} at {row.path}, outside of {base}; import the run again")
        return path

    def part_path(self, part: int) -> Path:
        """Return the file of the manifest's part number `part`."""
        return self.folder / "manifest" / f"{part:05d}.jsonl"

    @property
    def digest(self) -> str:
        """SHA-256 over (name, status, RGB hash) of all rows: equal for equal content, wherever it came from."""
        return digest_of([[row.name, row.status, row.rgb_sha256] for row in self.rows()])


@dataclass(frozen=True)
class RunFacts:
    """The content of run.json. What says whose samples these are comes first; an import of others is refused.

    origin: `import`, or how else the samples came here. source: the folder or program. data: the folder of the
    protocol's data. layout: how files were matched to items. conditions_digest: SHA-256 over conditions.json, empty
    when no condition images were named. allow_missing: the user said that failing samples may be absent, so results
    are incomplete. images: the folder of the condition images, empty when it was not named.
    """

    protocol_id: str
    protocol_version: int
    protocol_digest: str
    items_digest: str
    model: str
    expected: int
    origin: str
    source: str
    data: str
    layout: str
    conditions_digest: str
    allow_missing: bool
    images: str = ""


@dataclass(frozen=True)
class Run:
    """The samples of one model under one protocol."""

    folder: Path
    facts: RunFacts

    @classmethod
    def open(cls, path: Path) -> Run:
        """Return the run in the folder `path`. Raises InputError when there is none."""
        if not (path / "run.json").is_file():
            raise InputError(f"found no run in {path} (no run.json); give <runs>/<protocol>@<version>/<model>")
        return cls(path, _typed(RunFacts, path / "run.json", _load_json(path / "run.json", RUN_SCHEMA)))

    @property
    def index(self) -> Index:
        """The manifest and files of the run."""
        return Index(self.folder)

    def rows(self) -> Iterator[Row]:
        """Yield one row per sample, in the order of the items. Raises SampleError for an unfinished import."""
        return self.index.rows()

    def path_of(self, row: Row) -> Path:
        """Return where the video of `row` lies. Raises SampleError when that is outside of the run."""
        return self.index.path_of(row)

    def model_facts(self) -> dict[str, Any] | None:
        """Return the content of model.json: card, options, type of numbers; None for imported samples.

        Raises InputError when it is damaged.
        """
        path = self.folder / "model.json"
        return _load_json(path, MODEL_SCHEMA) if path.is_file() else None

    def protocol(self) -> Protocol:
        """Return the protocol that the run was made under, as stored in the run.

        Raises InputError when this version of the program understands it differently than the one that stored it.
        """
        from pydantic import ValidationError

        from univg_bench.protocol import Protocol

        path = self.folder / "protocol.json"
        try:
            protocol = Protocol.model_validate_json(path.read_bytes(), strict=True)
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} is not a protocol that this version can read; import the run again") from error
        if protocol.digest != self.facts.protocol_digest:
            raise InputError(
                f"{path} has the digest {protocol.digest[:12]}, run.json says {self.facts.protocol_digest[:12]}: it was"
                " edited, or another version of univg-bench made it; import the run again into a new --dest"
            )
        return protocol


def sample_name(item_id: str, k: int) -> str:
    """Return the name of sample `k` of an item, which is also its file's: `video7010.c03-s0`."""
    return f"{item_id}-s{k}"


def stored_path(name: str, suffix: str) -> str:
    """Return where the file of a sample lies below its index."""
    # 256 folders: none of them holds many files, also with 59,800 samples
    return f"samples/{hashlib.sha256(name.encode()).hexdigest()[:2]}/{name}{suffix}"


def is_inner(path: str) -> bool:
    """Return whether a relative path with / stays below its folder, by its text alone."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and ":" not in path


def read_part(path: Path) -> list[Row]:
    """Return the rows of one part of a manifest. Raises SampleError when it is missing or not readable."""
    try:
        rows = [_typed(Row, path, json.loads(line)) for line in path.read_bytes().splitlines()]
        for row in rows:
            if row.status not in get_args(Status) or len(bytes.fromhex(row.rgb_sha256)) != (32 if row.ok else 0):
                raise ValueError(row.name)
            Fraction(row.seconds)
    except (OSError, ValueError, ZeroDivisionError, InputError) as error:
        raise SampleError(f"{path} cannot be read as a part of a manifest; run the same import again") from error
    return rows


def part_bytes(rows: list[Row]) -> bytes:
    """Return the bytes of a part: one line of canonical JSON per row, without the fields a failed row has not."""
    return b"".join(canonical_json({k: v for k, v in asdict(row).items() if v}) + b"\n" for row in rows)


def json_bytes(schema: str, facts: IndexFacts | RunFacts) -> bytes:
    """Return the bytes of index.json or run.json: for people too, so with line breaks."""
    return (json.dumps({"schema": schema, **asdict(facts)}, indent=2, ensure_ascii=False) + "\n").encode()


def _typed(form: type[Form], path: Path, data: dict[str, Any]) -> Form:
    """Return `data` as the dataclass `form`; what a person edited may have other fields, or values of other types."""
    kinds = {"int": int, "bool": bool}  # all other fields are text
    try:
        made = form(**data)
    except TypeError as error:
        raise InputError(f"{path} lacks fields or has others than this version writes: import again") from error
    for field in fields(made):
        kind, value = kinds.get(str(field.type), str), getattr(made, field.name)
        if type(value) is not kind:
            raise InputError(f"{path}: found {field.name} = {value!r}, expected {kind.__name__}: import again")
    return made


def _load_json(path: Path, schema: str) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"found no {path}; give the folder of a run or of an index") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON; it was edited or damaged: make the run again in a new --dest") from error
    if not isinstance(data, dict) or data.pop("schema", None) != schema:
        raise InputError(f"{path} is not of the form {schema}; it was made by another version: make the run again")
    return data
