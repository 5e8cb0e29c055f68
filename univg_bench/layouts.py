"""Which file of somebody's folder is which sample: patterns, maps, and the layouts of VBench and EvalCrafter.

The outcome is one path, or none, per sample of the protocol. Nothing is guessed: two files for one sample, one file
for two, a prompt that stands for two items, or a path that leads out of the folder is refused; files that match nothing
are reported. A prompt is only ever compared with the names of files that exist, and never becomes a name.
"""

from __future__ import annotations

import csv
import os
import re
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from univg_bench.containers import VIDEO_SUFFIXES
from univg_bench.datasets.items import Item, name_some
from univg_bench.errors import InputError
from univg_bench.samples import is_inner, sample_name

Layout = Literal["vbench", "evalcrafter"]
Key = tuple[str, int]  # item_id, k

# ext4, APFS and NTFS end a name after 255 bytes, so long prompts lose their end in VBench's `{prompt}-{k}.mp4`
_MAX_NAME_BYTES = 255
# people cut at 100 to 250 characters; a shorter name is some other video, not a prompt that was too long
_SHORTEST_BEGINNING = 100
_FIELDS = ("item_id", "k", "video_id", "prompt")


@dataclass(frozen=True)
class Matched:
    """The file of every sample that has one, the video files that are nobody's, and how it was done, in words."""

    paths: Mapping[Key, Path]
    unmatched: tuple[str, ...]
    layout: str


def match_files(
    items: Sequence[Item],
    samples_per_item: int,
    folder: Path,
    *,
    pattern: str | None = None,
    table: Path | None = None,
    layout: Layout | None = None,
) -> Matched:
    """Return which file below `folder` is which sample; at most one of pattern, table and layout is given.

    Without any of them, `{item_id}` with any suffix of a video. pattern: a path with {item_id}, {video_id} or {prompt},
    and {k} when there are several samples per item; `{k:02d}` pads. table: a CSV with columns item_id, path and
    perhaps k.

    Raises InputError, naming the file or line, for anything ambiguous or outside of the folder, and when no file at all
    matches.
    """
    if sum(choice is not None for choice in (pattern, table, layout)) > 1:
        raise InputError("found more than one of --pattern, --map and --layout; give the one that fits the folder")
    if not folder.is_dir():
        raise InputError(f"found no folder {folder}; give the folder that holds the videos")
    files = _listing(folder)
    if table is not None:
        found, described = _from_table(items, samples_per_item, folder, table), f"map {table.name}"
    elif layout == "vbench":
        found, described = _from_vbench(items, samples_per_item, files), "layout vbench"
    elif layout == "evalcrafter":
        found, described = _from_evalcrafter(items, samples_per_item, files), "layout evalcrafter"
    else:
        found = _from_pattern(items, samples_per_item, files, pattern)
        described = f"pattern {pattern or '{item_id}'}"
    paths = {key: _inside(folder, name) for key, name in _one_to_one(found).items()}
    used = {found[key][0] for key in paths}
    unmatched = tuple(name for name in files if name not in used and Path(name).suffix.lower() in VIDEO_SUFFIXES)
    if not paths:
        example = f"; there are, for example, {name_some(unmatched[:3])}" if unmatched else ", nor any other video"
        raise InputError(
            f"found no file in {folder} for any of the {len(items)} items by {described}{example}; see docs/samples.md"
            " for the layouts"
        )
    return Matched(paths, unmatched, described)


def _listing(folder: Path) -> list[str]:
    """Return the files below `folder` as relative paths with /, sorted; linked folders are not entered."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inner = Path(place).relative_to(folder)
        # hidden files are leftovers of operating systems and interrupted copies, never samples
        found += [(inner / name).as_posix() for name in names if not name.startswith(".")]
    return sorted(found)


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not is_inner(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{path} leads out of {folder}; copy the videos into it, or give --from the folder that holds both"
        )
    return path


def _one_to_one(found: Mapping[Key, list[str]]) -> dict[Key, str]:
    owner: dict[str, Key] = {}
    for key, names in found.items():
        if len(names) > 1:
            raise InputError(
                f"found {len(names)} files for {sample_name(*key)}: {name_some(names)}; leave one, or name it in --map"
            )
        for name in names:
            if name in owner:
                raise InputError(
                    f"{name} stands for {sample_name(*owner[name])} and {sample_name(*key)}; every sample needs a file"
                    " of its own"
                )
            owner[name] = key
    return {key: names[0] for key, names in found.items() if names}


def _keys(items: Sequence[Item], samples_per_item: int) -> Iterable[tuple[Item, int]]:
    return ((item, k) for item in items for k in range(samples_per_item))


# --------------------------------------------------------------------------------------------------------- patterns


def _from_pattern(
    items: Sequence[Item], samples_per_item: int, files: list[str], pattern: str | None
) -> dict[Key, list[str]]:
    parts = _parse_pattern(pattern or "{item_id}", samples_per_item)
    # without a pattern any suffix of a video will do; with one, the name has to be as it says
    by_name: dict[str, list[str]] = {}
    for name in files:
        path = PurePosixPath(name)
        if pattern is not None:
            by_name.setdefault(_same(name), []).append(name)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            by_name.setdefault(_same(str(path.with_suffix(""))), []).append(name)
    return {
        (item.item_id, k): by_name.get(_same(_fill(parts, item, k)), []) for item, k in _keys(items, samples_per_item)
    }


def _parse_pattern(pattern: str, samples_per_item: int) -> list[tuple[str, str | None, str]]:
    """Return (text, field or None, format) in order; a field is one of ours and is never looked into."""
    try:
        parsed = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise InputError(f"--pattern '{pattern}' has braces that do not pair") from error
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if name not in _FIELDS or conversion or not re.fullmatch(r"(0\dd?)?" if name == "k" else "", spec or ""):
            raise InputError(
                f"--pattern '{pattern}' has the field {{{name}{':' + spec if spec else ''}}}, expected"
                f" {', '.join('{' + field + '}' for field in _FIELDS)} or {{k:02d}}"
            )
    names = {name for _, name, _, _ in parsed}
    if not names & {"item_id", "video_id", "prompt"}:
        raise InputError(f"--pattern '{pattern}' names no item; it needs {{item_id}}, {{video_id}} or {{prompt}}")
    if samples_per_item > 1 and "k" not in names:
        raise InputError(
            f"the protocol has {samples_per_item} samples per item, but the pattern '{pattern}' has no {{k}} to tell"
            ' them apart; give for example --pattern "{item_id}-{k}.mp4" (k counts from 0)'
        )
    if pattern.startswith("/") or ".." in pattern.split("/") or "\\" in pattern:
        raise InputError(f"--pattern '{pattern}' leads out of the folder; it is relative to --from, without '..'")
    return [(text, name, spec or "") for text, name, spec, _ in parsed]


def _fill(parts: list[tuple[str, str | None, str]], item: Item, k: int) -> str:
    values = {"item_id": item.item_id, "video_id": item.cluster, "prompt": item.prompt}
    return "".join(
        text + ("" if name is None else format(k, spec) if name == "k" else values[name]) for text, name, spec in parts
    )


def _same(name: str) -> str:
    # macOS stores an accent as a character of its own, Linux as it was given: both are one name to a person
    return unicodedata.normalize("NFC", name)


# ------------------------------------------------------------------------------------------------------------- maps


def _from_table(items: Sequence[Item], samples_per_item: int, folder: Path, table: Path) -> dict[Key, list[str]]:
    known = {item.item_id for item in items}
    found: dict[Key, list[str]] = {(item.item_id, k): [] for item, k in _keys(items, samples_per_item)}
    lines: dict[Key, int] = {}
    for line, row in _table_rows(table):
        place = f"{table}:{line}"
        item_id, text, number = row["item_id"], row["path"], row.get("k", "0") or "0"
        if item_id not in known:
            raise InputError(f"{place}: found the item {item_id!r}, which the protocol has not")
        if not number.isdecimal() or int(number) >= samples_per_item:
            raise InputError(f"{place}: found k = {number!r}, expected 0 .. {samples_per_item - 1}")
        key = (item_id, int(number))
        if key in lines:
            raise InputError(f"{place}: found {sample_name(*key)} a second time, first in line {lines[key]}")
        lines[key] = line
        name = _relative(text, folder, place)
        found[key] = [name] if os.path.lexists(folder / name) else []
    return found


def _relative(text: str, folder: Path, place: str) -> str:
    """Return the path of a map's row relative to `folder`; an absolute one is fine as long as it lies there."""
    if Path(text).is_absolute() and Path(text).is_relative_to(folder.absolute()):
        text = Path(text).relative_to(folder.absolute()).as_posix()
    if not is_inner(text):
        raise InputError(f"{place}: the path {text!r} leads out of {folder}; paths are relative to --from")
    return text


def _table_rows(table: Path) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            if not {"item_id", "path"} <= set(columns) or len(set(columns)) != len(columns):
                raise InputError(
                    f"{table}:1: found the columns {', '.join(columns)}; expected item_id, path, perhaps k"
                )
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(f"{table}:{reader.line_num}: expected {len(columns)} fields, as in line 1")
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except FileNotFoundError as error:
        raise InputError(f"found no map {table}; give a CSV file with the columns item_id and path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is not a CSV table in UTF-8 ({error})") from error


# ---------------------------------------------------------------------------------------------------------- layouts


def _from_vbench(items: Sequence[Item], samples_per_item: int, files: list[str]) -> dict[Key, list[str]]:
    """Match `{prompt}-{k}.mp4`; a prompt too long for a file name also by its beginning, when only one item has it."""
    by_prompt: dict[str, str] = {}
    for item in items:
        other = by_prompt.setdefault(_same(item.prompt), item.item_id)
        if other != item.item_id:
            raise InputError(
                f"{other} and {item.item_id} have the same prompt, so names by prompt cannot tell them apart; use --map"
            )
    too_long = {prompt: i for prompt, i in by_prompt.items() if len(f"{prompt}-0.mp4".encode()) > _MAX_NAME_BYTES}
    found: dict[Key, list[str]] = {(item.item_id, k): [] for item, k in _keys(items, samples_per_item)}
    for name in files:
        # the prompt may hold a dot or a dash itself, so take both apart from the end
        parsed = re.fullmatch(r"(?:.*/)?(.*)-(\d+)(\.\w+)", _same(name), re.DOTALL)
        if parsed is None or parsed[3].lower() not in VIDEO_SUFFIXES:
            continue
        item_id = by_prompt.get(parsed[1]) or _by_beginning(parsed[1], too_long, name)
        if item_id is not None and int(parsed[2]) < samples_per_item:
            found[item_id, int(parsed[2])].append(name)
    return found


def _by_beginning(beginning: str, too_long: Mapping[str, str], name: str) -> str | None:
    """Return the item whose prompt is too long for a name and begins like this. Raises InputError when two do."""
    if len(beginning) < _SHORTEST_BEGINNING:
        return None
    matches = [item_id for prompt, item_id in too_long.items() if prompt.startswith(beginning)]
    if len(matches) > 1:
        raise InputError(
            f"the prompt in {name!r} was cut off and begins like those of {name_some(matches)}; use --map to say which"
        )
    return matches[0] if matches else None


def _from_evalcrafter(items: Sequence[Item], samples_per_item: int, files: list[str]) -> dict[Key, list[str]]:
    """Match `0000.mp4`, `0001.mp4` ... with the items in their order, from 0."""
    if samples_per_item != 1:
        raise InputError(
            f"layout evalcrafter has one video per item, the protocol asks for {samples_per_item}; use --map"
        )
    found: dict[Key, list[str]] = {(item.item_id, 0): [] for item in items}
    for name in files:
        parsed = re.fullmatch(r"(?:.*/)?(\d{4,})(\.\w+)", name)
        if parsed and parsed[2].lower() in VIDEO_SUFFIXES and int(parsed[1]) < len(items):
            found[items[int(parsed[1])].item_id, 0].append(name)
    return found
