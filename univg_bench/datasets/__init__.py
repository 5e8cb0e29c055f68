"""From the `data` section of a protocol to its items: what is asked, and the real videos to compare with."""

from __future__ import annotations

from pathlib import Path

from univg_bench.datasets.images import with_images
from univg_bench.datasets.items import Item, ItemSet
from univg_bench.errors import InputError
from univg_bench.protocol import FolderData, MsrvttData, Protocol

__all__ = ["Item", "ItemSet", "load_items"]


def load_items(
    protocol: Protocol, root: Path, *, references: bool = True, images: Path | None = None, allow_missing: bool = False
) -> ItemSet:
    """Return the items of `protocol` from the data in the folder `root`, in their one order.

    references: look for the real videos; without them, `Item.reference` is None (enough to import or to generate).
    images: the folder of condition images, for protocols with `conditions.image: {source: folder}`; when it is given,
    or the protocol's images lie in the data, every item gets its image.
    allow_missing: real videos that are not there become notes instead of an error.

    Raises InputError when annotations are missing, malformed, or not what `expect` says; SampleError that names the
    videos or images that are missing.
    """
    data = protocol.data
    if not root.is_dir():
        raise InputError(f"found no folder {root}; give the folder that holds the data of {protocol.id}")
    if isinstance(data, MsrvttData):
        from univg_bench.datasets.msrvtt import load_msrvtt

        where = protocol.where("data.expect.videos")
        items = load_msrvtt(data, root, references=references, allow_missing=allow_missing, where=where)
    elif isinstance(data, FolderData):
        from univg_bench.datasets.folder import load_folder

        items = load_folder(data, root, references=references, allow_missing=allow_missing, where=protocol.where)
    else:
        from univg_bench.datasets.rendered import load_rendered

        items = load_rendered(data, root, protocol=protocol, references=references, allow_missing=allow_missing)
    return with_images(items, protocol, root, images)
