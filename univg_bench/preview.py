"""What a person looks at: the videos of several runs and the real ones, side by side, with prompt and condition image.

Nothing here is measured. The lossless samples stay as they are; previews are other files, which browsers can play.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from univg_bench.console import Console
from univg_bench.datasets import Item, ItemSet, load_items
from univg_bench.encode import write_preview
from univg_bench.errors import InputError
from univg_bench.features.reading import read_image
from univg_bench.plan import ConditionImage
from univg_bench.protocol import Protocol, ReferenceFrame
from univg_bench.samples import Run, sample_name
from univg_bench.sheet import GAP, LINE, PAPER, TEXT_SIZE, draw_lines, resized, wrapped, write_sheet
from univg_bench.video import decode, read_frames

REAL = "real video"
SECONDS = 4  # of a video are shown; a preview is no archive
FPS = 12  # at most, of previews side by side
PANEL_WIDTH = 256  # pixels


@dataclass(frozen=True)
class Clip:
    """The beginning of a video. frames: uint8 (F, 3, H, W). times: of each frame, in seconds from the first."""

    frames: NDArray[np.uint8]
    times: tuple[float, ...]
    end: float

    @property
    def fps(self) -> float:
        """Frames per second over the whole clip."""
        return len(self.frames) / self.end

    def at(self, time: float) -> NDArray[np.uint8]:
        """Return the frame that is on the screen at `time`; the last one after the end."""
        frame: NDArray[np.uint8] = self.frames[max(0, bisect_right(self.times, time + 1e-9) - 1)]
        return frame


@dataclass(frozen=True)
class Shown:
    """One item as it is looked at. image: the condition. videos: (whose, file), a real one first, if there is any."""

    item: Item
    prompt_given: bool
    image: ConditionImage | None
    videos: tuple[tuple[str, Path], ...]

    def pixels(self) -> NDArray[np.uint8] | None:
        """Return the condition image, uint8 (3, H, W); None where the model gets none."""
        if self.image is None:
            return None
        if self.image.frame is not None:
            frame: NDArray[np.uint8] = read_frames(self.image.path, [self.image.frame])[0]
            return frame
        pixels: NDArray[np.uint8] = read_image(self.image.path)[0]
        return pixels


def by_protocol(paths: Sequence[Path]) -> list[list[Run]]:
    """Return the runs in `paths`, those of one protocol digest together, in order of appearance."""
    groups: dict[str, list[Run]] = {}
    for path in paths:
        run = Run.open(path)
        groups.setdefault(run.facts.protocol_digest, []).append(run)
    return list(groups.values())


def shown_items(runs: Sequence[Run], *, count: int) -> list[Shown]:
    """Return the first `count` items of runs under one protocol, each with the first sample of every run.

    A sample or real video that is not there is left out. Raises InputError when the data of the runs are gone.
    """
    protocol = runs[0].protocol()
    items = _items(runs[0], protocol)
    stored = [{row.name: run.path_of(row) for row in run.rows() if row.ok} for run in runs]
    shown = []
    for item in items.items[:count]:
        videos = [(REAL, item.reference)] if item.reference else []
        for run, paths in zip(runs, stored, strict=True):
            path = paths.get(sample_name(item.item_id, 0))
            if path is not None:
                videos.append((run.facts.model, path))
        shown.append(Shown(item, protocol.conditions.text, _image(protocol, item), tuple(videos)))
    return shown


def read_clip(path: Path, *, seconds: float = SECONDS, longest: int | None = None) -> Clip:
    """Return the first `seconds` of a video, at least one frame. Raises UnreadableVideo for a damaged one.

    longest: side that larger frames are shrunk to, one by one, so that a large video needs no memory of its size.
    """
    frames, times, end = [], [], Fraction(0)
    start: Fraction | None = None
    for frame in decode(path):
        start = frame.time if start is None else start
        if frame.time - start >= seconds:
            break
        frames.append(frame.rgb if longest is None else _shrunk(frame.rgb, longest))
        times.append(float(frame.time - start))
        end = frame.time - start + frame.duration
    return Clip(np.stack(frames), tuple(times), float(end) or 1.0)


def _shrunk(frame: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    height, width = frame.shape[1:]
    share = longest / max(height, width)
    if share >= 1:
        return frame
    smaller = resized(frame, max(1, round(width * share)), max(1, round(height * share)))
    return np.ascontiguousarray(np.asarray(smaller).transpose(2, 0, 1))


def write_previews(paths: Sequence[Path], dest: Path, *, items: int, console: Console) -> list[Path]:
    """Write what a person looks at of the runs in `paths`; return the files.

    RUN/previews/<sample>.mp4: each sample for a browser. In `dest`/<protocol>@<version>: runs/<model>.png, a contact
    sheet; items/<item>.png and .mp4, all runs and the real video side by side. Equal videos give equal bytes.
    items: how many, from the first on.
    """
    written: list[Path] = []
    for runs in by_protocol(paths):
        shown = shown_items(runs, count=items)
        folder = dest / runs[0].protocol().name
        names = [run.facts.model for run in runs]
        if len(set(names)) < len(names):
            raise InputError(
                f"found runs of one name under {folder.name} ({', '.join(names)}); give one of them a --name"
            )
        for run in runs:
            own = [(one, path) for one in shown for whose, path in one.videos if whose == run.facts.model]
            if not own:
                raise InputError(f"found no sample of the first {items} items in {run.folder}; generate or import it")
            for _, path in own:
                clip = read_clip(path)
                written.append(run.folder / "previews" / f"{path.stem}.mp4")
                write_preview(written[-1], clip.frames, clip.fps)
            written.append(folder / "runs" / f"{run.facts.model}.png")
            write_sheet([(one.item.prompt, path) for one, path in own], written[-1], label_width=240)
        progress = console.progress(shown, total=len(shown), title="side by side", unit="item")
        for one in progress:
            name = folder / "items" / one.item.item_id
            written += [name.with_suffix(".png"), name.with_suffix(".mp4")]
            write_sheet(one.videos, written[-2], heading=_heading(one), image=one.pixels())
            _write_side_by_side(one, written[-1])
    return written


def _heading(one: Shown) -> str:
    return one.item.prompt if one.prompt_given else f"(not given to the model) {one.item.prompt}"


def _write_side_by_side(one: Shown, dest: Path) -> None:
    # twice as large as shown, so that a portrait video is not enlarged again
    clips = [(whose, read_clip(path, longest=2 * PANEL_WIDTH)) for whose, path in one.videos]
    fps = min(FPS, max(round(clip.fps, 3) for _, clip in clips))
    length = max(clip.end for _, clip in clips)
    font = ImageFont.load_default(TEXT_SIZE)
    image = one.pixels()
    still = [] if image is None else [("condition", Clip(image[None], (0.0,), length))]
    panels = [*still, *clips]
    heights = [round(clip.frames.shape[2] * PANEL_WIDTH / clip.frames.shape[3]) for _, clip in panels]
    height = max(heights)
    full = GAP + len(panels) * (PANEL_WIDTH + GAP)
    lines = wrapped(_heading(one), font, full - 2 * GAP, most=4)
    top = GAP + LINE * len(lines) + GAP
    base = Image.new("RGB", (full, top + height + GAP + LINE + GAP), PAPER)
    draw = ImageDraw.Draw(base)
    draw_lines(draw, lines, (GAP, GAP), font)
    for place, (whose, _) in enumerate(panels):
        name = wrapped(whose, font, PANEL_WIDTH, most=1)
        draw_lines(draw, name, (GAP + place * (PANEL_WIDTH + GAP), top + height + GAP), font)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for number in range(max(1, round(length * fps))):
            picture = base.copy()
            for place, (_, clip) in enumerate(panels):
                left = GAP + place * (PANEL_WIDTH + GAP)
                picture.paste(resized(clip.at(number / fps), PANEL_WIDTH, heights[place]), (left, top))
            yield np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))

    write_preview(dest, frames(), fps)


def _items(run: Run, protocol: Protocol) -> ItemSet:
    images = Path(run.facts.images) if run.facts.images else None
    return load_items(protocol, Path(run.facts.data), images=images, allow_missing=True)


def _image(protocol: Protocol, item: Item) -> ConditionImage | None:
    source = protocol.conditions.image
    if isinstance(source, ReferenceFrame):
        return None if item.reference is None else ConditionImage(item.reference, "", source.frame)
    return None if item.image is None else ConditionImage(item.image, "")
