"""Condition images of items: found, named when missing, and known by their content."""

from __future__ import annotations

from dataclasses import replace
from hashlib import file_digest
from pathlib import Path

from univg_bench.datasets.items import ItemSet, name_some
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol import DataImages, FolderData, GivenImages, Protocol


def with_images(items: ItemSet, protocol: Protocol, root: Path, images: Path | None) -> ItemSet:
    """Return `items` with the image of each, where the protocol says that images are files.

    root: the folder of the data. images: the folder named at run time, or None to do without those images.

    Raises InputError for a folder the protocol has no use for, SampleError naming the items without an image.
    """
    source = protocol.conditions.image
    if isinstance(source, GivenImages):
        if images is None:
            return items
        if not images.is_dir():
            raise InputError(f"found no folder {images}; it should hold {source.pattern}, made by {source.made_by}")
        folder, pattern = images, source.pattern
    elif images is not None:
        raise InputError(f"found a folder of images ({images}), but protocol {protocol.id} asks for none; leave it out")
    elif isinstance(source, DataImages):
        assert isinstance(protocol.data, FolderData)
        assert protocol.data.images is not None
        folder, pattern = root, protocol.data.images
    else:
        return items
    found = tuple(replace(item, image=folder / pattern.format(item_id=item.item_id)) for item in items.items)
    missing = {item.item_id: f"no {item.image}" for item in found if not (item.image and item.image.is_file())}
    if missing:
        raise SampleError(
            f"found {len(found) - len(missing)} of {len(found)} condition images as {folder}/{pattern}; missing those"
            f" of {name_some(missing)}",
            missing,
        )
    return replace(items, items=found, facts={**items.facts, "images": len(found)})


def image_digests(items: ItemSet) -> dict[str, str]:
    """Return item_id -> SHA-256 of the image file, for the record: another image is another condition."""
    digests = {}
    for item in items.items:
        if item.image is not None:
            with item.image.open("rb") as file:
                digests[item.item_id] = file_digest(file, "sha256").hexdigest()
    return digests
