"""What a run learns from, as a file: sources with their weights, how clips are cut, what becomes of broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reference_models.data.cutting import Cut
from reference_models.data.images import ShardImages
from reference_models.data.order import Order
from reference_models.data.readers import Reader
from reference_models.data.reading import OnBroken, Reading
from reference_models.data.source import Source
from reference_models.data.video_lists import video_folder, webvid
from reference_models.data.videos import Videos
from reference_models.training.recipe_files import read
from univg_bench.errors import InputError
from univg_bench.strict_yaml import load_yaml

# images: of shards. frames: single frames of the videos. videos: clips of them
Kind = Literal["images", "frames", "videos"]


@dataclass(frozen=True)
class FolderOfVideos:
    """A folder of videos with captions; weight: how often it comes against the other sources of its kind."""

    folder: str
    weight: int = 1


@dataclass(frozen=True)
class WebVidTable:
    """A CSV as WebVid's, and the folder that its `page_dir` folders lie in."""

    webvid: str
    root: str
    weight: int = 1


@dataclass(frozen=True)
class Shards:
    """Tar shards by a pattern such as `laion/*.tar`."""

    shards: str
    weight: int = 1


@dataclass(frozen=True)
class DataFile:
    """The file. Paths count from where it lies. shard_index: a folder for what is learned of the shards once."""

    videos: tuple[FolderOfVideos, ...] = ()
    webvid: tuple[WebVidTable, ...] = ()
    images: tuple[Shards, ...] = ()
    fps: float | None = 8
    stride: int | None = None
    reader: Reader = "decord"
    on_broken: OnBroken = "error"
    shard_index: str = "shard-index"


def load_data(path: Path, *, height: int, width: int, seed: int) -> dict[Kind, Reading]:
    """Return what to read for each kind of batches that the file has sources for; clips are height x width.

    Raises InputError with `file:line:column` for a fault in the file, and with a sentence for data that is not as it
    says; SampleError naming shards that are cut off, unless what is broken is to be skipped.
    """
    data, base = read(DataFile, load_yaml(path)), path.parent
    try:
        cut = Cut(height, width, fps=data.fps, stride=data.stride)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    videos: list[tuple[Source, int]] = [
        (Videos(video_folder(base / part.folder), cut, data.reader), part.weight) for part in data.videos
    ]
    for table in data.webvid:
        videos.append((Videos(webvid(base / table.webvid, base / table.root), cut, data.reader), table.weight))
    images: list[tuple[Source, int]] = [(_images(part, data, base, cut), part.weight) for part in data.images]
    made: dict[Kind, Reading] = {}
    sources: list[tuple[Kind, list[tuple[Source, int]]]] = [("images", images), ("frames", videos), ("videos", videos)]
    for kind, weighted in sources:
        if weighted:
            made[kind] = _reading(kind, weighted, data.on_broken, seed=seed, path=path)
    if not made:
        raise InputError(f"{path}: found no videos, webvid or images, expected one of them to learn from")
    return made


def _reading(
    kind: Kind, weighted: Sequence[tuple[Source, int]], on_broken: OnBroken, *, seed: int, path: Path
) -> Reading:
    sources, weights = tuple(source for source, _ in weighted), tuple(weight for _, weight in weighted)
    try:
        # the kind's name keeps single frames and clips of the same videos from coming in the same order
        order = Order(tuple(len(source) for source in sources), weights, seed=seed, name=kind)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return Reading(sources, order, on_broken)


def _images(part: Shards, data: DataFile, base: Path, cut: Cut) -> ShardImages:
    shards = sorted(base.glob(part.shards))
    if not shards:
        raise InputError(f"found no shards {base / part.shards}")
    return ShardImages(shards, cut, index=base / data.shard_index, skip_cut_off=data.on_broken == "skip")
