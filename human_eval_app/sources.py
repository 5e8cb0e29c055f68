"""Which file of a sample run, or of somebody's folder, is the video of an item, and where its condition image lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from human_eval_app.study import Study
from univg_bench.datasets.items import Item as BenchItem
from univg_bench.errors import InputError
from univg_bench.layouts import Layout, match_files
from univg_bench.samples import Run, sample_name

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Folder:
    """Where the videos of one method come from: a run of this project, or a plain folder with a way to read it."""

    path: Path
    layout: Layout | None = None
    pattern: str | None = None
    table: Path | None = None


@dataclass(frozen=True)
class Found:
    """The files of one method, by item. problems: item -> why there is no file. images: condition images of a run."""

    paths: Mapping[str, Path]
    problems: Mapping[str, str]
    images: Mapping[str, Path] = field(default_factory=dict)


def find_videos(study: Study, folder: Folder, *, want_images: bool) -> Found:
    """Return the first sample of every item of the study that the folder holds.

    Raises InputError for a folder that does not fit: no video of any item, two files for one, a way out of it.
    """
    if (folder.path / "run.json").is_file():
        return _of_run(study, Run.open(folder.path), want_images)
    items = [BenchItem(item_id=item.id, prompt=item.prompt or "", cluster=item.id) for item in study.items]
    if folder.layout == "vbench":
        # its names are prompts; items without one cannot be found there
        items = [item for item in items if item.prompt]
    matched = match_files(items, 1, folder.path, pattern=folder.pattern, table=folder.table, layout=folder.layout)
    return Found({item_id: path for (item_id, _), path in matched.paths.items()}, {})


def find_image(folder: Path, item_id: str) -> Path | None:
    """Return the condition image of an item in a folder of images named by item id. Raises InputError for two."""
    found = [folder / f"{item_id}{suffix}" for suffix in IMAGE_SUFFIXES if (folder / f"{item_id}{suffix}").is_file()]
    if len(found) > 1:
        raise InputError(f"found {len(found)} images of {item_id} in {folder}; leave one")
    if found and not found[0].resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{found[0]} leads out of {folder}; copy the image into it")
    return found[0] if found else None


def _of_run(study: Study, run: Run, want_images: bool) -> Found:
    wanted = {sample_name(item.id, 0): item.id for item in study.items}
    paths, problems = {}, {}
    for row in run.rows():
        item_id = wanted.get(row.name)
        if item_id is None:
            continue
        if row.ok:
            paths[item_id] = run.path_of(row)
        elif row.status != "missing":
            problems[item_id] = row.error
    if not paths and not problems:
        raise InputError(
            f"{run.folder} ({run.facts.protocol_id}) holds none of the {len(study.items)} items of {study.slug}; take"
            " the study's items from the same protocol: `univg-bench human init --items-from RUN`"
        )
    return Found(paths, problems, _images_of_run(run) if want_images else {})


def items_of_run(run: Run) -> tuple[BenchItem, ...]:
    """Return the items of the protocol of a run, with their condition images where these are files.

    Raises InputError where the data of the protocol are not where they were.
    """
    from univg_bench.datasets import load_items

    named = Path(run.facts.images) if run.facts.images else None
    return load_items(run.protocol(), Path(run.facts.data), references=False, images=named).items


def _images_of_run(run: Run) -> dict[str, Path]:
    return {item.item_id: item.image for item in items_of_run(run) if item.image is not None}
