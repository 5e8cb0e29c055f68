"""What clips come from, as the command line says it: `--source KIND=WHERE`, once for each source.

    moving-shapes:8000            clips of Moving Shapes (tiny presets only)
    folder:/data/videos           videos with captions beside them or in a table (`data.video_lists.video_folder`)
    webvid:/data/list.csv:/data   a CSV with videoid, page_dir and name, and where the files are
    shards:/data/laion            a folder of webdataset shards (.tar) of images

Several sources of one kind take turns evenly. Single frames come from the sources of videos where none are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from reference_models.data.cutting import Cut
from reference_models.data.images import ShardImages
from reference_models.data.order import Order
from reference_models.data.readers import Reader
from reference_models.data.reading import Reading
from reference_models.data.source import Source
from reference_models.data.video_lists import video_folder, webvid
from reference_models.data.videos import Videos
from reference_models.presets import Preset
from reference_models.training.moving_shapes import MovingShapes
from reference_models.training.recipe import Kind, Recipe
from univg_bench.errors import InputError

FORMS = ("moving-shapes", "folder", "webvid", "shards")


def sources_of(
    given: Sequence[str], preset: Preset, *, cache: Path, reader: Reader = "decord", skip_cut_off: bool = False
) -> dict[Kind, list[Source]]:
    """Return the sources of each kind; reader: of videos; skip_cut_off: read what is there of a shard that is cut off.

    Raises InputError for what is none of the forms above, or cannot be read; SampleError naming cut-off shards.
    """
    found: dict[Kind, list[Source]] = {}
    for text in given:
        kind, equals, where = text.partition("=")
        form, colon, rest = where.partition(":")
        if kind not in get_args(Kind) or not (equals and colon and rest) or form not in FORMS:
            raise InputError(
                f"found --source {text!r}, expected KIND=FORM:WHERE with a kind of {', '.join(get_args(Kind))} and a"
                f" form of {', '.join(FORMS)}, as videos=folder:/data/videos"
            )
        found.setdefault(kind, []).append(_source(form, rest, preset, cache, reader, skip_cut_off))  # type: ignore[arg-type]
    if "videos" in found:
        found.setdefault("frames", found["videos"])
    return found


def readings(sources: dict[Kind, list[Source]], recipe: Recipe, *, skip_broken: bool) -> dict[Kind, Reading]:
    """Return what reads each kind that the recipe learns from. Raises InputError where a source is missing or empty."""
    made: dict[Kind, Reading] = {}
    for kind in dict.fromkeys(batches.kind for phase in recipe.phases for batches in phase.batches):
        if kind not in sources:
            raise InputError(f"found no source of {kind}, which {recipe.name} learns from; add --source {kind}=...")
        sizes = tuple(len(source) for source in sources[kind])
        # the name keeps single frames and clips of the same videos from coming in one order
        order = Order(sizes, (1,) * len(sizes), seed=recipe.seed, name=kind)
        made[kind] = Reading(tuple(sources[kind]), order, "skip" if skip_broken else "error")
    return made


def _source(form: str, rest: str, preset: Preset, cache: Path, reader: Reader, skip_cut_off: bool) -> Source:
    # fps None: presets without an fps embedding say nothing of it, UniVG's videos have 8 (section 1)
    cut = Cut(preset.height, preset.width, fps=preset.fps or 8)
    if form == "moving-shapes":
        if not preset.name.startswith("tiny") or not rest.isdigit() or int(rest) < 1:
            raise InputError(
                f"found moving-shapes:{rest} for {preset.name}, expected a number of clips, and a tiny preset: that"
                " world is drawn at two sizes only"
            )
        return MovingShapes(int(rest), height=preset.height, width=preset.width, cache=cache / "clips")
    if form == "folder":
        return Videos(video_folder(Path(rest)), cut, reader)
    if form == "webvid":
        table, colon, root = rest.partition(":")
        if not (colon and root):
            raise InputError(f"found webvid:{rest}, expected webvid:TABLE.csv:FOLDER")
        return Videos(webvid(Path(table), Path(root)), cut, reader)
    shards = sorted(Path(rest).glob("*.tar"))
    if not shards:
        raise InputError(f"found no shards in {rest}, expected files that end in .tar")
    return ShardImages(shards, cut, index=cache / "shards", skip_cut_off=skip_cut_off)
