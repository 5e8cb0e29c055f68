"""Which videos there are and what is said of them: folders with sidecars or one table, and WebVid's CSV.

A row without a caption, or with one that is no UTF-8, stays in the list and is a broken clip, so that it is counted
and never passed over. What makes the whole list unusable (no such column, a path out of the folder) is an error.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from reference_models.data.texts import Texts
from univg_bench.containers import VIDEO_SUFFIXES
from univg_bench.errors import InputError

TABLES = ("captions.jsonl", "captions.csv")


@dataclass(frozen=True, eq=False)
class VideoList:
    """files: below `root`, with forward slashes. captions: in the same order, "" where there is none."""

    root: Path
    files: Texts
    captions: Texts

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and captions; where the folder lies does not count."""
        return hashlib.sha256(b"".join((*self.files.parts(), *self.captions.parts()))).hexdigest()


def video_folder(root: Path) -> VideoList:
    """Return the videos of a folder with their captions.

    With `captions.jsonl` (objects with `file` and `caption`) or `captions.csv` (those columns) the rows of the table
    decide, and a file may have several. Without a table, every video below `root` in the order of its path; its caption
    is the text of the `.txt`, or `caption` in the `.json`, of the same name beside it.

    Raises InputError for no folder, no videos, two tables, a table without these columns, or paths that leave `root`.
    """
    if not root.is_dir():
        raise InputError(f"found no folder {root}, expected videos with captions")
    tables = [root / name for name in TABLES if (root / name).is_file()]
    if len(tables) > 1:
        raise InputError(f"found {' and '.join(TABLES)} in {root}, expected one of them; remove the other")
    if tables:
        read = _jsonl_rows if tables[0].suffix == ".jsonl" else _csv_rows
        rows = [(row["file"], row["caption"]) for _, row in read(tables[0], ("file", "caption"))]
    else:
        paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith("."))
        rows = [(path.relative_to(root).as_posix(), _sidecar(path)) for path in paths]
    return _listed(root, rows, tables[0] if tables else root)


def webvid(table: Path, root: Path) -> VideoList:
    """Return the videos of a CSV with the columns `videoid`, `page_dir` and `name` (the caption), as WebVid's has.

    Files are `{page_dir}/{videoid}.mp4` below `root`; other columns (contentUrl, duration) are kept out.

    Raises InputError for a table without these columns, or paths that leave `root`.
    """
    rows = []
    for where, row in _csv_rows(table, ("videoid", "page_dir", "name")):
        if not row["videoid"]:
            raise InputError(f"{where}: found no videoid")
        rows.append((f"{row['page_dir']}/{row['videoid']}.mp4".lstrip("/"), row["name"]))
    return _listed(root, rows, table)


def _listed(root: Path, rows: list[tuple[str, str]], where: Path) -> VideoList:
    if not rows:
        raise InputError(f"found no videos in {where}, expected files that end in {', '.join(VIDEO_SUFFIXES)}")
    for file, _ in rows:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\\" in file or not path.parts:
            raise InputError(f"{where}: found the file {file!r}, expected a path below {root}")
    return VideoList(root, Texts(file for file, _ in rows), Texts(caption for _, caption in rows))


def _sidecar(video: Path) -> str:
    text, data = video.with_suffix(".txt"), video.with_suffix(".json")
    if text.is_file():
        return text.read_bytes().decode("utf-8-sig", "surrogateescape").strip()
    if data.is_file():
        try:
            found = json.loads(data.read_bytes().decode("utf-8-sig", "surrogateescape"))
        except json.JSONDecodeError as error:
            raise InputError(f"{data}:{error.lineno}: not JSON ({error.msg})") from error
        caption = found.get("caption") if isinstance(found, dict) else None
        return caption.strip() if isinstance(caption, str) else ""
    return ""


def _csv_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each row stands, and its fields of these columns."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        for name in columns:
            if header.count(name) != 1:
                how = "no" if name not in header else "more than one"
                raise InputError(f"{path}:1: found {how} column '{name}' among {', '.join(header) or 'none'}")
        places = {name: header.index(name) for name in columns}
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(f"{where}: found {len(row)} fields, expected {len(header)} as in the first line")
            yield where, {name: row[place].strip() for name, place in places.items()}
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV table ({error})") from error


def _jsonl_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: not JSON ({error.msg})") from error
        for name in columns:
            if not isinstance(fields, dict) or not isinstance(fields.get(name), str):
                raise InputError(f"{path}:{number}: found no text for '{name}'; every line is an object with that key")
        yield f"{path}:{number}", {name: fields[name].strip() for name in columns}


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        raise InputError(f"found no table {path}") from None
