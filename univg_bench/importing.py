"""Take somebody's videos into a run: match them with the items, index them, and say what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.canonical import canonical_json, digest_of
from univg_bench.console import Console
from univg_bench.datasets import ItemSet
from univg_bench.datasets.images import image_digests
from univg_bench.datasets.items import name_some
from univg_bench.errors import InputError, SampleError
from univg_bench.index import Source, Tally, index_videos
from univg_bench.layouts import Matched
from univg_bench.problems import FAILING, Needs, Problem, find_problems
from univg_bench.protocol import Protocol
from univg_bench.samples import RUN_SCHEMA, Place, Run, RunFacts, json_bytes, sample_name

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# what a run is: other values belong into another folder. The name of the field -> how to say it
_IDENTITY = {
    "protocol_id": "protocol",
    "protocol_version": "protocol version",
    "protocol_digest": "protocol digest",
    "items_digest": "digest of the items (the prompts of the data set)",
    "model": "model",
    "origin": "origin",
}


@dataclass(frozen=True)
class Imported:
    """What an import did. problems: all of them, failing and suspicious, in the order of the manifest."""

    run: Run
    tally: Tally
    problems: Sequence[Problem]

    @property
    def failing(self) -> dict[str, str]:
        """Name of a sample that cannot be scored -> why."""
        return {p.name: f"{p.kind}: {p.reason}" for p in self.problems if p.kind in FAILING}


def run_folder(runs: Path, protocol: Protocol, model: str) -> Path:
    """Return where the run of `model` under `protocol` lies. Raises InputError for a name no folder can have."""
    if not _MODEL.fullmatch(model):
        raise InputError(
            f"found the model name {model!r}, expected letters, digits, '.', '_' and '-', starting with a letter or"
            " digit, at most 100: it becomes the name of a folder"
        )
    return runs / protocol.name / model


def import_samples(
    protocol: Protocol,
    items: ItemSet,
    matched: Matched,
    *,
    model: str,
    source: Path,
    data: Path,
    runs: Path,
    images: Path | None = None,
    place: Place = "copy",
    workers: int = 1,
    allow_missing: bool = False,
    console: Console | None = None,
) -> Imported:
    """Bring the run of `model` under `protocol` up to date with the matched files, which lie in the folder `source`.

    data: the folder that the items came from; the run notes it, so that its evaluation finds the real videos too.
    Items that have a condition image have its SHA-256 recorded: other images are other conditions. images: the folder
    they were named by, noted likewise.

    The run then holds exactly these files: a sample that an earlier import had, and this one has not, is missing.
    A video that fails is named and not stored; allow_missing marks the run, so that it can be evaluated as incomplete.

    Raises InputError when the folder holds a run of something else; what `index_videos` raises.
    """
    folder = run_folder(runs, protocol, model)
    names = {
        (item.item_id, k): sample_name(item.item_id, k)
        for item in items.items
        for k in range(protocol.generation.samples_per_item)
    }
    conditions = image_digests(items)
    facts = RunFacts(
        protocol_id=protocol.id,
        protocol_version=protocol.version,
        protocol_digest=protocol.digest,
        items_digest=items.digest,
        model=model,
        expected=len(names),
        origin="import",
        source=str(source.absolute()),
        data=str(data.absolute()),
        layout=matched.layout,
        conditions_digest=digest_of(conditions) if conditions else "",
        allow_missing=allow_missing,
        images=str(images.absolute()) if images else "",
    )
    refuse_another_run(folder, facts)
    if conditions:
        write_bytes(folder / "conditions.json", canonical_json(conditions) + b"\n")
    if not (folder / "run.json").is_file():
        save_run(folder, protocol, replace(facts, allow_missing=False))
    tally = index_videos(
        [Source(name, matched.paths.get(key)) for key, name in names.items()],
        folder,
        root=source,
        place=place,
        workers=workers,
        console=console,
        title="import",
    )
    # the mark of an incomplete run comes last, when it is known what it stands for
    run = Run(folder, facts)
    found = tuple(find_problems(run.rows(), Needs.of_samples(protocol)))
    run = Run(folder, replace(facts, allow_missing=allow_missing and any(p.kind in FAILING for p in found)))
    save_run(folder, protocol, run.facts)
    return Imported(run, tally, found)


def refuse_failing(imported: Imported) -> None:
    """Raise SampleError (exit 3) that names the failing samples, unless there are none or the run allows them."""
    failing = imported.failing
    if not failing or imported.run.facts.allow_missing:
        return
    expected = imported.run.facts.expected
    raise SampleError(
        f"found {expected - len(failing)} of {expected} samples in {imported.run.facts.source}; these cannot be scored:"
        f" {name_some(f'{name} ({reason})' for name, reason in failing.items())}. Repair them and run the same command"
        " again; nothing that is good already is read again. --allow-missing goes on without them and marks the run",
        failing,
    )


def save_run(folder: Path, protocol: Protocol, facts: RunFacts) -> None:
    """Write protocol.json and run.json, unless they hold just this."""
    for name, content in (
        ("protocol.json", (protocol.model_dump_json(by_alias=True, indent=2) + "\n").encode()),
        ("run.json", json_bytes(RUN_SCHEMA, facts)),
    ):
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)


def refuse_another_run(folder: Path, facts: RunFacts) -> None:
    """Raise InputError when the folder holds the samples of another protocol, model or origin."""
    if not (folder / "run.json").is_file():
        return
    stored = Run.open(folder).facts
    differing = [
        f"{words} {_short(getattr(stored, field))} there, {_short(getattr(facts, field))} now"
        for field, words in _IDENTITY.items()
        if getattr(stored, field) != getattr(facts, field)
    ]
    if differing:
        raise InputError(
            f"{folder} holds another run: {'; '.join(differing)}. Give another --dest, or remove that folder; if the"
            " protocol was edited, raise its version"
        )


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if re.fullmatch(r"[0-9a-f]{64}", text) else text
