"""A study folder with videos of a few frames, for the tests of the app."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from human_eval_app.importing import Imported, import_videos
from human_eval_app.sources import Folder
from human_eval_app.study_folder import StudyFolder, write_pepper
from tests.app.app_study import write_study
from univg_bench.encode import write_lossless

METHODS = ("ours", "theirs", "frozen")
NOW_MS = 1_800_000_000_000


def write_video(
    path: Path, *, shade: int = 0, frames: int = 6, fps: float = 8, size: tuple[int, int] = (32, 24)
) -> Path:
    """A video whose frame k is grey 20 k + shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = np.stack([np.full((3, size[1], size[0]), 20 * k + shade, np.uint8) for k in range(frames)])
    write_lossless(path, made, fps)
    return path


def make_folder(place: Path, *, items: int = 4, **facts: object) -> StudyFolder:
    """A study folder in `place`/study, without a database; facts: see `app_study.write_study`."""
    path = place / "study"
    path.mkdir(exist_ok=True)
    write_study(path, items=items, **facts)  # type: ignore[arg-type]
    write_pepper(path / "pepper")
    return StudyFolder.open(path)


def make_sources(place: Path, *, items: int = 4) -> dict[str, Folder]:
    """Videos of every item and method below `place`; each differs from every other."""
    for number, method in enumerate(METHODS):
        for k in range(items):
            write_video(place / method / f"i{k}.mp4", shade=1 + 10 * number + k)
    return {method: Folder(place / method) for method in METHODS}


def bring_in(folder: StudyFolder, sources: dict[str, Folder], **facts: object) -> Imported:
    return import_videos(folder, sources, now_ms=NOW_MS, **facts)  # type: ignore[arg-type]
