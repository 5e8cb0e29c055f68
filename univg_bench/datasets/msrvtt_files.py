"""What a folder holds of MSR-VTT: annotations in each form in circulation, split lists, video files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from univg_bench.datasets.items import VIDEO_SUFFIXES
from univg_bench.errors import InputError

# The forms, best known first: 2016 is what the official split was published in; a form may be cut into several files.
# Sources: docs/findings.md 15; CLIP4Clip's README; m-bain/frozen-in-time, data_loader/MSRVTT_dataset.py (MSR_VTT.json).
FORMS: dict[str, tuple[str, ...]] = {
    "2016": ("test_videodatainfo.json", "train_val_videodatainfo.json"),
    "CLIP4Clip": ("MSRVTT_data.json",),
    "2017": ("videodatainfo_2017.json",),
    "Frozen in Time": ("MSR_VTT.json",),
}
SPLIT_LISTS = {"jsfusion-1k-a": "MSRVTT_JSFUSION_test.csv", "jsfusion-train-9k": "MSRVTT_train.9k.csv"}

_VIDEO_NAME = re.compile(r"video[0-9]+")
_NAMES = {name for names in FORMS.values() for name in names} | set(SPLIT_LISTS.values())


@dataclass(frozen=True)
class Survey:
    """The files of a folder that matter: annotation files by name, and videos by id."""

    root: Path
    annotations: Mapping[str, Path]
    videos: Mapping[str, tuple[Path, ...]]

    def video(self, video_id: str) -> Path | str:
        """Return the file of a video, or why there is none.

        Raises InputError when two different files carry its name: a number would depend on which is taken.
        """
        files = self.videos.get(video_id, ())
        filled = [path for path in files if path.stat().st_size > 0]
        if len(filled) > 1:
            raise InputError(f"found {filled[0]} and {filled[1]} for {video_id}; keep one of them below {self.root}")
        return filled[0] if filled else (f"{files[0]} is empty" if files else "no file")


@dataclass(frozen=True)
class Annotations:
    """Captions by video in the order of their sen_id, and the official split of each video where a form tells it."""

    form: str
    sources: Mapping[str, str]  # file name -> SHA-256
    split_of: Mapping[str, str]
    captions: Mapping[str, tuple[str, ...]]
    orphans: int  # captions of videos that the form does not list


def survey(root: Path) -> Survey:
    """Return what lies anywhere below `root`; links to folders are followed, a file reached twice counts once."""
    annotations: dict[str, Path] = {}
    videos: dict[str, dict[Path, Path]] = {}
    visited: set[Path] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        here = Path(folder)
        if here.resolve() in visited:
            subfolders.clear()
            continue
        visited.add(here.resolve())
        subfolders.sort()
        for name in sorted(files):
            path = here / name
            if name in _NAMES:
                known = annotations.setdefault(name, path)
                if known.read_bytes() != path.read_bytes():
                    raise InputError(f"found {known} and {path} with different contents; keep one of them")
            elif path.suffix.lower() in VIDEO_SUFFIXES and _VIDEO_NAME.fullmatch(path.stem) and path.is_file():
                videos.setdefault(path.stem, {}).setdefault(path.resolve(), path)
    return Survey(root, annotations, {video_id: tuple(paths.values()) for video_id, paths in videos.items()})


def read_form(found: Survey, form: str) -> Annotations | None:
    """Return the annotations of `form`, or None when none of its files is there.

    Raises InputError that names the file and the entry which is not as it should be.
    """
    sources: dict[str, str] = {}
    split_of: dict[str, str] = {}
    sentences: dict[str, list[tuple[int, int, str]]] = {}
    for name in FORMS[form]:
        if name not in found.annotations:
            continue
        path = found.annotations[name]
        content = path.read_bytes()
        sources[name] = hashlib.sha256(content).hexdigest()
        _read_json(path, content, split_of, sentences)
    if not sources:
        return None
    # the file may list captions in any order: sen_id decides, and the place in the file only between equal ones
    captions = {video_id: tuple(text for _, _, text in sorted(rows)) for video_id, rows in sentences.items()}
    orphans = sum(len(texts) for video_id, texts in captions.items() if split_of and video_id not in split_of)
    return Annotations(form, sources, split_of, captions, orphans)


def _read_json(
    path: Path, content: bytes, split_of: dict[str, str], sentences: dict[str, list[tuple[int, int, str]]]
) -> None:
    try:
        data = json.loads(content)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg}); the file may be cut") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: found no JSON object, expected the annotations of MSR-VTT")
    if "annotations" in data:  # Frozen in Time: the COCO form, which lists no split
        rows = _entries(path, data, "annotations", {"image_id": str, "caption": str})
        for number, row in enumerate(rows):
            place = row["id"] if isinstance(row.get("id"), int) else number
            sentences.setdefault(row["image_id"], []).append((place, number, row["caption"]))
        return
    if "sentences" not in data:
        raise InputError(f"{path}: found no 'sentences' (a list without captions); get the file that has them")
    for row in _entries(path, data, "videos", {"video_id": str, "split": str}):
        if split_of.setdefault(row["video_id"], row["split"]) != row["split"]:
            raise InputError(
                f"{path}: found {row['video_id']} in split '{split_of[row['video_id']]}' and in '{row['split']}'"
            )
    rows = _entries(path, data, "sentences", {"video_id": str, "sen_id": int, "caption": str})
    for number, row in enumerate(rows):
        sentences.setdefault(row["video_id"], []).append((row["sen_id"], number, row["caption"]))


def _entries(path: Path, data: dict[str, Any], section: str, fields: dict[str, type]) -> list[dict[str, Any]]:
    """Return the list `section`, each entry of which has the fields with their types."""
    entries = data.get(section)
    if not isinstance(entries, list):
        raise InputError(f"{path}: found no list '{section}', expected the annotations of MSR-VTT")
    for number, entry in enumerate(entries):
        for name, kind in fields.items():
            if not isinstance(entry, dict) or not isinstance(entry.get(name), kind):
                what = "number" if kind is int else "text"
                raise InputError(f"{path}: {section}[{number}] has no {what} '{name}'")
    return entries


def read_split_list(found: Survey, split: str) -> tuple[list[str], dict[str, str]]:
    """Return the video ids of a retrieval split and {file name: SHA-256} of the list they stand in.

    Raises InputError when the list is not there, has no column `video_id`, or names a video twice.
    """
    name = SPLIT_LISTS[split]
    if name not in found.annotations:
        raise InputError(f"found no {name} below {found.root}; split {split} is defined by that list (CLIP4Clip)")
    path = found.annotations[name]
    content = path.read_bytes()
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    if "video_id" not in (rows.fieldnames or []):
        raise InputError(f"{path}:1: found no column video_id")
    ids: list[str] = []
    seen: set[str] = set()
    for row in rows:
        video_id = row["video_id"] or ""
        if not _VIDEO_NAME.fullmatch(video_id) or video_id in seen:
            what = "a second time" if video_id in seen else "expected the id of a video"
            raise InputError(f"{path}:{rows.line_num}: found '{video_id}', {what}")
        seen.add(video_id)
        ids.append(video_id)
    return ids, {name: hashlib.sha256(content).hexdigest()}
