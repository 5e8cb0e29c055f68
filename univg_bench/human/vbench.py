"""VBench's human preference labels, in and out.

One JSON list per dimension; each entry has `prompt_en`, `videos` (model -> address) and `human_anno`, where
`human_anno[a][b]` is 1 if a's video was judged better than b's, 0 if worse, 0.5 if equal. Annotators are not told apart
and no side is recorded: the annotator is called `vbench`, the side is none, and everything computed from such a file
holds for "these annotators" only.

Source: VBench (arXiv 2311.17982), repository Vchitect/VBench, sampled_videos/README.md, "Human Preference Labels".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from univg_bench.errors import InputError
from univg_bench.human.dimensions import Dimension, plain_dimension
from univg_bench.human.ratings import Ratings, validate

ANNOTATOR = "vbench"
CHOICE = {1.0: "G", 0.5: "S", 0.0: "B"}


def read_vbench(path: Path, *, dimension: Dimension | None = None) -> Ratings:
    """Return the ratings of one VBench label file; without `dimension` the file's name is its code.

    A pair that stands in both directions, as in VBench's own files, is taken once; directions that contradict each
    other are refused. The row numbers of messages count entries of the list from 1.
    """
    dimension = dimension or plain_dimension(path.stem)
    entries = _entries(path)
    items = _item_names([str(entry["prompt_en"]) for entry in entries])
    rows = []
    for number, (entry, item) in enumerate(zip(entries, items, strict=True), 1):
        for (a, b), value in sorted(_pairs(entry["human_anno"], path, number).items()):
            rows.append((item, ANNOTATOR, a, b, dimension.code, CHOICE[value], "none"))
    if not rows:
        raise InputError(f"{path} holds no judged pair; expected human_anno[model][model] in every entry")
    frame = pd.DataFrame(rows, columns=["item", "annotator", "method", "other", "dimension", "choice", "side"])
    return validate(frame, source=str(path), dimensions=(dimension,), first_row=1)


def vbench_entries(ratings: Ratings, dimension: str) -> list[dict[str, Any]]:
    """Return the list that VBench would store for `dimension`, pairs in both directions.

    Several annotators of one pair become one value: VBench's format has no place for more, so the share of votes is
    written where it is 0, 0.5 or 1 and anything between is refused, as rounding would invent a judgement.
    """
    if dimension not in {d.code for d in ratings.dimensions}:
        have = ", ".join(d.code for d in ratings.dimensions)
        raise InputError(f"{ratings.source} has no rating of dimension {dimension!r}; it has {have}")
    frame = ratings.main.frame
    frame = frame[frame["dimension"] == dimension].astype({"item": str, "method": str, "other": str})
    value = frame["choice"].astype(str).map({"G": 1.0, "S": 0.5, "B": 0.0})
    share = value.groupby([frame["item"], frame["method"], frame["other"]]).mean()
    mixed = share[~share.isin(list(CHOICE))]
    if len(mixed):
        item, a, b = mixed.reset_index().iloc[0].tolist()[:3]
        raise InputError(
            f"{len(mixed)} pairs have annotators who disagree (first: item {item!r}, {a} against {b}); VBench's format "
            "stores one value 0, 0.5 or 1 per pair. Reduce the ratings to one annotator first, or use CSV"
        )
    entries: dict[str, dict[str, Any]] = {}
    for item, a, b, won in share.reset_index().itertuples(index=False, name=None):
        entry = entries.setdefault(item, {"prompt_en": item, "videos": {}, "human_anno": {}})
        entry["videos"].update({a: "", b: ""})
        entry["human_anno"].setdefault(a, {})[b] = won
        entry["human_anno"].setdefault(b, {})[a] = 1.0 - won
    return list(entries.values())


def _entries(path: Path) -> list[Mapping[str, Any]]:
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not JSON that can be read: {error}") from error
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of entries as VBench stores it, found {type(entries).__name__}")
    for number, entry in enumerate(entries, 1):
        fields = entry if isinstance(entry, dict) else {}
        if not isinstance(fields.get("prompt_en"), str) or not isinstance(fields.get("human_anno"), dict):
            raise InputError(f"{path}, entry {number}: expected an object with prompt_en and human_anno")
    return entries


def _item_names(prompts: Sequence[str]) -> list[str]:
    """VBench has no item ids: the prompt is the id, and a prompt that comes again gets a number."""
    seen: dict[str, int] = {}
    names = []
    for prompt in prompts:
        seen[prompt] = seen.get(prompt, 0) + 1
        names.append(prompt if seen[prompt] == 1 else f"{prompt} #{seen[prompt]}")
    return names


def _pairs(annotation: Mapping[str, Any], path: Path, number: int) -> dict[tuple[str, str], float]:
    """Return {(a, b): value} with a < b, each pair once."""
    pairs: dict[tuple[str, str], float] = {}
    for a, row in annotation.items():
        if not isinstance(row, dict):
            raise InputError(f"{path}, entry {number}: human_anno[{a!r}] is {row!r}, expected an object by model")
        for b, value in row.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value not in CHOICE:
                raise InputError(f"{path}, entry {number}: human_anno[{a!r}][{b!r}] is {value!r}, expected 1, 0.5 or 0")
            if a == b:
                continue
            key, won = ((a, b), float(value)) if a < b else ((b, a), 1.0 - float(value))
            if pairs.setdefault(key, won) != won:
                raise InputError(f"{path}, entry {number}: human_anno of {a!r} and {b!r} contradict each other")
    return pairs
