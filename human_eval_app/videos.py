"""Which file a token stands for, and how long and fast the two videos of a pair run; everything else stays here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select

from human_eval_app.refusals import RefusedError
from human_eval_app.storage import Store
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, PAIR, VIDEO
from univg_bench.errors import SampleError
from univg_bench.samples import is_inner

TOKEN = re.compile(r"[A-Za-z0-9_-]{16}")


@dataclass(frozen=True)
class VideoFile:
    """A presentation copy on the disk. path is for opening only: neither it nor its name may reach a browser."""

    path: Path
    bytes: int


@dataclass(frozen=True)
class Timeline:
    """What both players of a pair share: the finer of the two frame rates, and the longer of the two lengths."""

    fps: float
    seconds: float


def video_of(store: Store, folder: StudyFolder, token: str, *, annotator_id: int) -> VideoFile:
    """Return the file of a token, for the annotator to whom it was given.

    Raises RefusedError (`unknown_token`) for anything else that is asked for, SampleError where the file is gone from
    the disk, or is not as long as the import wrote it.
    """
    row = _given(store, token, annotator_id)
    method = row.method if (row.side == "left") == (row.token_left == token) else row.other
    here = and_(VIDEO.c.study_id == store.study_id, VIDEO.c.item == row.item, VIDEO.c.method == method)
    with store.database.read() as connection:
        video = connection.execute(select(VIDEO).where(here)).one_or_none()
    if video is None or video.status != "ok":
        raise RefusedError("unknown_token", "there is no such video")
    path = inside(folder.presentation, video.path)
    if not path.is_file() or path.stat().st_size != video.bytes:
        raise SampleError(
            f"found no whole file for {method} of {row.item} in {folder.presentation}; restore the folder, or run the"
            " same import again"
        )
    return VideoFile(path, video.bytes)


def image_of(store: Store, folder: StudyFolder, token: str, *, annotator_id: int) -> Path:
    """Return the condition image of the pair whose left video has this token.

    Raises RefusedError (`unknown_token`), also for an item without an image; SampleError where the file is gone.
    """
    row = _given(store, token, annotator_id)
    image = next(item.image for item in store.study.items if item.id == row.item)
    if image is None or row.token_left != token:
        raise RefusedError("unknown_token", "there is no such image")
    path = inside(folder.path, image)
    if not path.is_file():
        raise SampleError(f"found no condition image {path} of {row.item}; restore it, or run the same import again")
    return path


def timeline_of(store: Store, pair_id: int) -> Timeline:
    """Return the common timeline of the two videos of a pair. Raises SampleError where one was never imported."""
    both = VIDEO.c.method.in_((PAIR.c.method, PAIR.c.other))
    with store.database.read() as connection:
        rows = connection.execute(
            select(VIDEO.c.fps, VIDEO.c.seconds)
            .join(PAIR, and_(PAIR.c.study_id == VIDEO.c.study_id, PAIR.c.item == VIDEO.c.item, both))
            .where(PAIR.c.id == pair_id, VIDEO.c.study_id == store.study_id, VIDEO.c.status == "ok")
        ).all()
    if len(rows) != 2:
        raise SampleError(f"pair {pair_id} has {len(rows)} of 2 videos; import them first")
    return Timeline(max(row.fps for row in rows), max(row.seconds for row in rows))


def inside(folder: Path, name: str) -> Path:
    """Return folder / name. Raises SampleError for a name that leads out of it, by its text or through a link."""
    path = folder / name
    if not is_inner(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise SampleError(f"found the path {name!r}, which leads out of {folder}; restore the study from a backup")
    return path


def _given(store: Store, token: str, annotator_id: int) -> Any:
    if not TOKEN.fullmatch(token):
        raise RefusedError("unknown_token", "there is no such video")
    here = (ASSIGNMENT.c.token_left == token) | (ASSIGNMENT.c.token_right == token)
    with store.database.read() as connection:
        row = connection.execute(
            select(ASSIGNMENT.c.token_left, ASSIGNMENT.c.side, PAIR.c.item, PAIR.c.method, PAIR.c.other)
            .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
            .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
            .where(here, PAIR.c.study_id == store.study_id, ANNOTATOR.c.id == annotator_id)
            .where(ANNOTATOR.c.status != "withdrawn")
        ).one_or_none()
    if row is None:
        # somebody else's token is as unknown as none at all
        raise RefusedError("unknown_token", "there is no such video")
    return row
