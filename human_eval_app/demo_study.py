"""A study to try: Moving Shapes against damaged Moving Shapes, made on this machine in some seconds.

Six makers of videos under names that say nothing. m1 renders what the text says; m2 blurs a little; m3 shows every
second frame twice. m4 stands still, m5 shows another scene, m6 blurs much: these three are for practice and gold.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from human_eval_app.importing import import_videos
from human_eval_app.sources import Folder
from human_eval_app.study_folder import STUDY_FILE, StudyFolder, write_pepper
from univg_bench.atomic import atomic, write_bytes
from univg_bench.console import Console
from univg_bench.datasets.moving_shapes import render, scene
from univg_bench.datasets.rendered import FPS
from univg_bench.encode import write_lossless
from univg_bench.errors import InputError
from univg_bench.ladder import RUNGS

Frames = NDArray[np.uint8]  # (F, 3, H, W)

ID = "moving-shapes-demo"
STUDY = Path(__file__).with_suffix(".yaml")
HEIGHT, WIDTH = 72, 128
ENLARGED = 5  # 640x360: large enough to judge; every pixel becomes a square, so nothing is smoothed
DAMAGE = {rung.name: rung.damage for rung in RUNGS}

# scenes of the split `test`, as the study file lists them
SCENES = (0, 5, 7, 13, 14, 16, 19, 23)
WITH_PICTURE = (14, 16, 23)
ELSEWHERE = 3  # the scene that m5 shows, whatever the text says


@dataclass(frozen=True)
class _Maker:
    """make: scene number -> video, (F, 3, 72, 128). only: scenes that it makes; None stands for all."""

    make: Callable[[int], Frames]
    only: tuple[int, ...] | None = None


def make_demo_study(dest: Path, *, console: Console) -> StudyFolder:
    """Return the study in the folder `dest`, made there unless it is there already; ratings in it are kept.

    Raises InputError where `dest` holds another study.
    """
    if (dest / STUDY_FILE).is_file():
        found = StudyFolder.open(dest)
        if found.study.id != ID:
            raise InputError(f"found the study {found.slug} in {dest}, expected {ID} or an empty folder; name another")
    else:
        dest.mkdir(parents=True, exist_ok=True)
        write_bytes(dest / STUDY_FILE, STUDY.read_bytes())
    write_pepper(dest / "pepper")
    study = StudyFolder.open(dest)
    sources = _write_videos(dest / "videos", console)
    _write_pictures(dest / "pictures")
    import_videos(
        study, sources, images=dest / "pictures", now_ms=int(time.time() * 1000), console=Console(json=True, quiet=True)
    )
    return study


def _name(number: int) -> str:
    return f"test-{number:05d}"


def _rendered(number: int, rendering: int = 0) -> Frames:
    return render(scene("test", number, rendering), height=HEIGHT, width=WIDTH)


def _other(number: int) -> Frames:
    """Another clip of the same text, where no picture says how it begins."""
    return _rendered(number, 0 if number in WITH_PICTURE else 1)


def _damaged(name: str, frames: Frames) -> Frames:
    # these kinds of damage use no chance
    return DAMAGE[name](frames, np.random.default_rng(0))


def _stuttering(frames: Frames) -> Frames:
    return np.repeat(frames[::2], 2, axis=0)[: len(frames)]


MAKERS = {
    "m1": _Maker(_rendered),
    "m2": _Maker(lambda number: _damaged("blur-1", _other(number))),
    "m3": _Maker(lambda number: _stuttering(_other(number))),
    "m4": _Maker(lambda number: _damaged("frozen", _rendered(number)), (SCENES[1], SCENES[3])),
    "m5": _Maker(lambda _: _rendered(ELSEWHERE), (SCENES[2],)),
    "m6": _Maker(lambda number: _damaged("blur-2", _rendered(number)), (SCENES[0],)),
}


def enlarged(frames: Frames) -> Frames:
    """Return the video with every pixel as a square of `ENLARGED` pixels."""
    return frames.repeat(ENLARGED, axis=-1).repeat(ENLARGED, axis=-2)


def _write_videos(folder: Path, console: Console) -> dict[str, Folder]:
    """Write what is not there yet; a file is there in full or not at all."""
    todo = [
        (folder / method / f"{_name(number)}.mp4", maker, number)
        for method, maker in MAKERS.items()
        for number in maker.only or SCENES
    ]
    missing = [job for job in todo if not job[0].is_file()]
    for path, maker, number in console.progress(missing, total=len(missing), title="rendering", unit="video"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lossless(path, enlarged(maker.make(number)), FPS)
    return {method: Folder(folder / method) for method in MAKERS}


def _write_pictures(folder: Path) -> None:
    """Write the first frames that the pictures of the items are."""
    folder.mkdir(exist_ok=True)
    for number in WITH_PICTURE:
        path = folder / f"{_name(number)}.png"
        if not path.is_file():
            with atomic(path) as temporary:
                frame = enlarged(_rendered(number)[:1])[0]
                Image.fromarray(np.moveaxis(frame, 0, -1)).save(temporary, format="png")
