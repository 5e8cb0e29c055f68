"""Images out of LAION-style tar shards, as clips of one frame."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from reference_models.data.cutting import Cut, framed
from reference_models.data.shard_index import COLUMNS, check_whole, indexed
from reference_models.data.source import BrokenClip, Clip
from reference_models.data.videos import check_caption
from univg_bench.atomic import machine_faults
from univg_bench.errors import InputError

# larger ones are damaged headers or attempts on memory; Pillow itself warns from 89 million on
_MAX_PIXELS = 1 << 26
_FORMATS = ("JPEG", "PNG", "WEBP")


class ShardImages:
    """A source of images with captions (`.txt`, or `caption` in `.json`). Sizes of the shards count, their place not.

    index: a folder for what is learned of the shards once (`shard_index.py`). skip_cut_off: read what is there of
    shards that are cut off; `cut_off` says which. Images are turned as their EXIF data says and laid on white where
    they are transparent, as a viewer shows them.

    Raises InputError without images, SampleError naming shards that are cut off, unless those are skipped.
    """

    def __init__(self, shards: Sequence[Path], cut: Cut, *, index: Path, skip_cut_off: bool = False) -> None:
        found = [indexed(shard, index) for shard in shards]
        if not skip_cut_off:
            check_whole(found)
        self.cut, self.index, self.shards = cut, index, tuple(shards)
        self.cut_off = tuple(one.cut_off for one in found if one.cut_off)
        self._ends = np.cumsum([len(one.entries) for one in found])
        if not len(self._ends) or not self._ends[-1]:
            raise InputError(f"found no images in {len(shards)} shards, expected members .jpg, .png or .webp")
        self._facts = [(one.shard.name, one.size, len(one.entries)) for one in found]

    @cached_property
    def identity(self) -> str:
        """See `Source`."""
        facts = json.dumps([self._facts, self.cut.height, self.cut.width])
        return hashlib.sha256(facts.encode()).hexdigest()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        """Return an image as one frame. See `Source`."""
        if num_frames != 1:
            raise InputError(f"found a wish for {num_frames} frames of an image, expected 1")
        which = int(np.searchsorted(self._ends, index, side="right"))
        shard = self.shards[which]
        place = index - int(self._ends[which - 1] if which else 0)
        row = dict(zip(COLUMNS, indexed(shard, self.index).entries[place].tolist(), strict=True))
        with machine_faults(f"read {shard}"), shard.open("rb") as file:
            name = f"{shard.name}/{_name(file.fileno(), row['header'])}"
            image = os.pread(file.fileno(), row["image_size"], row["image"])
            text = os.pread(file.fileno(), max(row["caption_size"], 0), max(row["caption"], 0))
        caption = _caption(text, name, is_json=bool(row["json"] == 1))
        check_caption(caption, name)
        return Clip(framed(_pixels(image, name)[None], self.cut), caption, name)


def _name(file: int, header: int) -> str:
    # long names stand in members of their own before the header; tarfile knows the ways
    head = os.pread(file, 1 << 14, header)
    with tarfile.open(fileobj=io.BytesIO(head), mode="r:", ignore_zeros=True) as tar:
        member = tar.next()
    assert member is not None, "an index points at headers"
    return member.name


def _caption(content: bytes, name: str, *, is_json: bool) -> str:
    text = content.decode("utf-8-sig", "surrogateescape")
    if not is_json:
        return text.strip()
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenClip("no caption", f"the .json beside {name} is not JSON ({error.msg})") from error
    caption = fields.get("caption") if isinstance(fields, dict) else None
    return caption.strip() if isinstance(caption, str) else ""


def _pixels(content: bytes, name: str) -> NDArray[np.uint8]:
    """Return (3, h, w) of the bytes of an image file."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise BrokenClip("unreadable", f"{name} claims {image.width}x{image.height}, more than {_MAX_PIXELS}"
                                 " pixels")  # fmt: skip
            image.load()
            shown = ImageOps.exif_transpose(image)
            if shown.has_transparency_data:
                white = Image.new("RGBA", shown.size, "white")
                shown = Image.alpha_composite(white, shown.convert("RGBA"))
            return np.asarray(shown.convert("RGB")).transpose(2, 0, 1)
    except UnidentifiedImageError as error:
        raise BrokenClip("unreadable", f"{name} is no JPEG, PNG or WebP image ({len(content)} bytes)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # what Pillow raises of damaged files: OSError, and for PNG SyntaxError
        raise BrokenClip("corrupt", f"{name} cannot be decoded: {error}") from error
