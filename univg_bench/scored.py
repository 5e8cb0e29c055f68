"""The videos of a run that are scored, and the real ones they are compared with: found, checked, indexed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from univg_bench.console import Console
from univg_bench.datasets import ItemSet, load_items
from univg_bench.datasets.items import name_some
from univg_bench.errors import InputError, SampleError
from univg_bench.features.plan import ScoredVideo
from univg_bench.index import Source, indexed_rows
from univg_bench.measure import Sample
from univg_bench.problems import FAILING, Needs, failing, problems
from univg_bench.protocol import Protocol
from univg_bench.samples import Index, Row, Run, sample_name

Excluded = dict[str, list[str]]  # class of problem -> names


@dataclass(frozen=True)
class ScoredSets:
    """What an evaluation is over.

    rows: of all samples, fit or not. found: problems of samples by class, suspicious ones too. references: the real
    videos that can be scored, by id; reference_rows describes them, excluded_references names the others by class.
    """

    items: ItemSet
    rows: dict[str, Row]
    found: dict[str, list[str]]
    samples: list[Sample]
    references: dict[str, ScoredVideo]
    reference_rows: list[Row]
    excluded_references: Excluded


def scored_sets(
    run: Run, protocol: Protocol, *, data: Path, workers: int, allow_missing: bool, console: Console
) -> ScoredSets:
    """Return the samples of `run` and the real videos of its protocol that are fit to be scored.

    data: the folder of the protocol's data. Real videos that were never looked at are decoded, and what is known of
    them is kept beside the run.

    Raises InputError for missing or other data, SampleError for samples or references that are missing or cannot be
    scored, unless allow_missing.
    """
    items = _load_items(run, protocol, data, allow_missing)
    rows = {row.name: row for row in run.rows()}
    _check_names(run, protocol, rows, items)
    found = problems(rows.values(), Needs.of_samples(protocol))
    _refuse_incomplete(f"samples of {run.facts.model}", len(rows), failing(found), allow_missing)
    references, reference_rows, excluded = _references(items, protocol, run.folder, data, workers, console)
    _refuse_incomplete("reference videos", len(items.references), excluded, allow_missing)
    samples = _samples(run, rows, failing(found), items)
    return ScoredSets(items, rows, found, samples, references, reference_rows, excluded)


def _check_names(run: Run, protocol: Protocol, rows: Mapping[str, Row], items: ItemSet) -> None:
    """Refuse a manifest whose samples are not those of the protocol's items: somebody edited it."""
    expected = {sample_name(i.item_id, k) for i in items.items for k in range(protocol.generation.samples_per_item)}
    if set(rows) != expected:
        odd = name_some(sorted(set(rows) ^ expected))
        raise SampleError(f"the manifest of {run.folder} does not hold the protocol's samples ({odd}); import again")


def _load_items(run: Run, protocol: Protocol, data: Path, allow_missing: bool) -> ItemSet:
    items = load_items(protocol, data, allow_missing=allow_missing)
    if items.digest != run.facts.items_digest:
        raise InputError(
            f"the prompts in {data} (digest {items.digest[:12]}) are not those the samples were imported for (digest"
            f" {run.facts.items_digest[:12]}); give the same --data, or import again into another --dest"
        )
    return items


def _refuse_incomplete(what: str, expected: int, excluded: Excluded, allow_missing: bool) -> None:
    names = {name: kind for kind, found in excluded.items() for name in found}
    if not names or allow_missing:
        return
    classes = "; ".join(
        f"{len(found)} {kind} ({FAILING[kind]}): {name_some(found)}" for kind, found in excluded.items()
    )
    raise SampleError(
        f"found {expected - len(names)} of {expected} {what} fit to be scored; {classes}. Put them right and import"
        " again, or allow it with --allow-missing, and the record will say incomplete",
        names,
    )


def _references(
    items: ItemSet, protocol: Protocol, path: Path, data: Path, workers: int, console: Console
) -> tuple[dict[str, ScoredVideo], list[Row], Excluded]:
    """Return the real videos that can be scored, by id and as rows, and the others by class of problem.

    They stay where they are; what is known of them is kept beside the runs of the protocol, so that the next model's
    evaluation need not decode them again. Nothing is written into the data folder.
    """
    sources = [Source(name, file) for name, file in items.references.items()]
    home = path.parent / ".references"
    rows = indexed_rows(sources, home, root=data, workers=workers, console=console, title="references")
    excluded = failing(problems(rows, Needs.of_references(protocol)))
    skipped = {name for names in excluded.values() for name in names}
    fit = [row for row in rows if row.name not in skipped]
    clusters = {item.reference_id: item.cluster for item in items.items if item.reference_id}
    base = data.absolute()
    videos = {row.name: _scored(row, clusters[row.name], Index.resolve(row, base, "in-place")) for row in fit}
    return videos, fit, excluded


def _samples(run: Run, rows: Mapping[str, Row], excluded: Excluded, items: ItemSet) -> list[Sample]:
    """Return the samples that are scored, in the order of the items."""
    skipped = {name for names in excluded.values() for name in names}
    by_id = {item.item_id: item for item in items.items}
    facts, samples = run.index.facts, []
    base = Path(facts.root) if facts.place == "in-place" else run.folder
    for name, row in rows.items():
        if name not in skipped:
            item = by_id[name.rpartition("-s")[0]]
            samples.append(Sample(_scored(row, item.cluster, Index.resolve(row, base, facts.place)), item))
    return samples


def _scored(row: Row, cluster: str, path: Path) -> ScoredVideo:
    # features may come from the cache, and then nobody opens the file: that it is still there is seen here
    if not path.is_file() or path.stat().st_size != row.bytes:
        state = "has another size than" if path.is_file() else "is not there any more, as"
        raise SampleError(f"{path} {state} when it was imported; import again", {row.name: "changed"})
    return ScoredVideo(
        name=row.name,
        cluster=cluster,
        path=path,
        file_sha256=row.file_sha256,
        rgb_sha256=row.rgb_sha256,
        num_frames=row.frames,
        seconds=row.duration,
        size=(row.height, row.width),
    )
