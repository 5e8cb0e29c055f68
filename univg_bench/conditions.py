"""The condition images of a run's samples, for metrics that hold videos against them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path

from univg_bench.datasets.images import with_images
from univg_bench.datasets.items import ItemSet, name_some
from univg_bench.errors import InputError, SampleError
from univg_bench.features.plan import ScoredVideo
from univg_bench.features.reading import Counterpart
from univg_bench.protocol import DataImages, GivenImages, Protocol, ReferenceFrame
from univg_bench.protocol_metrics import traits_of
from univg_bench.samples import Run


def condition_images(
    run: Run, protocol: Protocol, items: ItemSet, references: Mapping[str, ScoredVideo], folder: Path | None, data: Path
) -> dict[str, Counterpart]:
    """Return the condition image of each item, by item id; nothing when no metric of the protocol asks for one.

    folder: where the images lie that the protocol wants named at run time; None: where they lay at import. Items whose
    real video is not scored have none.

    Raises InputError when nobody said where the images lie, SampleError for images that are missing, are not those of
    the import, or a real video without the frame that the protocol takes.
    """
    asking = [metric.id for metric in protocol.metrics if traits_of(metric).compares == "image"]
    source = protocol.conditions.image
    if not asking or source is None:
        return {}
    if isinstance(source, ReferenceFrame):
        return _frames(items, references, source.frame)
    if isinstance(source, GivenImages):
        folder = folder or (Path(run.facts.images) if run.facts.images else None)
        if folder is None:
            raise InputError(
                f"metric {asking[0]} compares with the condition images, but the run was imported without them; import"
                f" again with --images FOLDER, which holds {source.pattern}"
            )
        items = with_images(items, protocol, data, folder)
    else:
        assert isinstance(source, DataImages)
        if not all(item.image for item in items.items):
            items = with_images(items, protocol, data, None)
    return _files(items, _recorded(run))


def _frames(items: ItemSet, references: Mapping[str, ScoredVideo], frame: int) -> dict[str, Counterpart]:
    found, short = {}, {}
    for item in items.items:
        video = references.get(item.reference_id or "")
        if video is None:
            continue
        if frame >= video.num_frames:
            short[video.name] = f"has {video.num_frames} frames, the condition is frame {frame}"
        found[item.item_id] = Counterpart(video.name, video.path, video.file_sha256, (frame,))
    if short:
        raise SampleError(
            f"found no frame {frame} in {len(short)} real videos ({name_some(short)}), which the protocol takes as"
            " condition image; choose an earlier `conditions.image.frame`",
            short,
        )
    return found


def _files(items: ItemSet, recorded: Mapping[str, str]) -> dict[str, Counterpart]:
    found, changed = {}, {}
    for item in items.items:
        assert item.image is not None
        with item.image.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if recorded.get(item.item_id, digest) != digest:
            changed[item.item_id] = f"{item.image} is not the image of the import"
        found[item.item_id] = Counterpart(item.item_id, item.image, digest, None)
    if changed:
        raise SampleError(
            f"found {len(changed)} condition images that are not those of the import ({name_some(changed)}); put the"
            " old ones back, or import again with the new ones",
            changed,
        )
    return found


def _recorded(run: Run) -> Mapping[str, str]:
    path = run.folder / "conditions.json"
    if not path.is_file():
        return {}
    try:
        recorded: dict[str, str] = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is not JSON; it was edited or damaged: import again") from error
    return recorded
