"""Moving Shapes as a data set: captions from the world, real videos rendered once into lossless files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.datasets.items import Item, ItemSet, with_references
from univg_bench.datasets.moving_shapes import SPLITS, caption, render, scene
from univg_bench.errors import InputError
from univg_bench.protocol import MovingShapesData, Protocol
from univg_bench.protocol_files import shipped_ids

FPS = 8  # of every Moving Shapes video, as UniVG's (paper, section 1)


def load_rendered(
    data: MovingShapesData, root: Path, *, protocol: Protocol, references: bool, allow_missing: bool
) -> ItemSet:
    """Return one item per scene, 0 .. count-1 of the split, with the file of its reference rendering below `root`.

    Raises InputError for an unknown split, or files that another version of the world rendered; SampleError naming
    the videos that are not rendered yet.
    """
    if data.split not in SPLITS:
        where = protocol.where("data.split")
        raise InputError(f"{where}found the Moving Shapes split '{data.split}', expected one of {', '.join(SPLITS)}")
    items = tuple(
        Item(item_id, caption(scene(data.split, index)), cluster=item_id, reference_id=item_id)
        for index, item_id in _scenes(data)
    )
    result = ItemSet(items, facts={"items": len(items)})
    if not references:
        return result
    folder = rendering_folder(data, root, rendering=data.rendering)
    _check_world(data, folder)

    def find(item: Item) -> Path | str:
        path = folder / f"{item.item_id}.mp4"
        return path if path.is_file() else f"no {path}"

    name = protocol.id if protocol.id in shipped_ids() else "<the protocol's file>"
    hint = f"run `univg-bench prepare moving-shapes {name} --dest {root}` to render them"
    return with_references(result, find, hint=hint, allow_missing=allow_missing)


def rendering_folder(data: MovingShapesData, root: Path, *, rendering: int) -> Path:
    """Return the folder below `root` of one rendering of a split: its files are `{item_id}.mp4`."""
    return root / f"{data.split}-{data.height}x{data.width}" / f"rendering-{rendering}"


def render_videos(
    data: MovingShapesData,
    root: Path,
    *,
    rendering: int,
    progress: Callable[[Iterable[tuple[int, str]], int], Iterator[tuple[int, str]]],
) -> tuple[Path, int]:
    """Render what is not there yet; return the folder and how many videos were rendered.

    A file is there in full or not at all, so an interrupted call goes on where it was. progress: wraps the work to do,
    with its length.
    """
    from univg_bench.encode import write_lossless

    if data.split not in SPLITS:
        raise InputError(f"found the Moving Shapes split '{data.split}', expected one of {', '.join(SPLITS)}")
    folder = rendering_folder(data, root, rendering=rendering)
    _check_world(data, folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(_mark(folder), json.dumps({"world": _world(data)}).encode())
    todo = [(index, item_id) for index, item_id in _scenes(data) if not (folder / f"{item_id}.mp4").is_file()]
    for index, item_id in progress(todo, len(todo)):
        video = render(scene(data.split, index, rendering), height=data.height, width=data.width)
        write_lossless(folder / f"{item_id}.mp4", video, FPS)
    return folder, len(todo)


def _scenes(data: MovingShapesData) -> Iterator[tuple[int, str]]:
    return ((index, f"{data.split}-{index:05d}") for index in range(data.count))


def _mark(folder: Path) -> Path:
    return folder.with_suffix(".json")  # beside the folder, which holds videos and nothing else


def _world(data: MovingShapesData) -> str:
    # one rendered scene stands for the world: a change of the renderer shows in its pixels
    return sha256(render(scene(data.split, 0), height=data.height, width=data.width).tobytes()).hexdigest()


def _check_world(data: MovingShapesData, folder: Path) -> None:
    mark = _mark(folder)
    if mark.is_file() and json.loads(mark.read_bytes()).get("world") != _world(data):
        raise InputError(f"the videos in {folder} were rendered by another version of Moving Shapes; remove {folder}"
                         f" and {mark}, and prepare them again")  # fmt: skip
