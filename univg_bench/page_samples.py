"""Samples of the page: short looping pictures and their stills, as data URIs, so that the page is one file.

An animated WebP cannot be paused by itself. Beside each stands a still of four moments, which the style sheet shows
instead where a person's system asks for less motion, or the person does by the box on the page.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from univg_bench.preview import REAL, Clip, Shown, read_clip
from univg_bench.sheet import PAPER, resized

LONGEST_SIDE = 256  # pixels: what a page shows; larger videos are shrunk
QUALITY = 82
MOMENTS, SEAM = 4, 4  # frames in a still, two by two; pixels between them


def samples_html(shown: Sequence[Shown], *, words: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    """Return one block per item: its caption, its condition image, and the videos beside one another.

    words: whose videos -> what to say of them, where there is something to say. kinds: whose -> their colour.
    """
    return "\n".join(_item(one, words, kinds) for one in shown)


def _item(one: Shown, words: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    image = one.pixels()
    cells = []
    if image is not None:
        picture = _img(_shrunk(image[None]), "the image that the model is given")
        cells.append(f'<figure class="condition">{picture}<figcaption><b>given image</b></figcaption></figure>')
    cells += [
        _video(whose, kinds.get(whose, "real"), read_clip(path, longest=LONGEST_SIDE), one, words.get(whose, ""))
        for whose, path in one.videos
    ]
    given = "" if one.prompt_given else " <small>(the models are not given this sentence)</small>"
    return (
        f'<article class="item"><h4>“{html.escape(one.item.prompt)}”{given}</h4>'
        f'<div class="row">{"".join(cells)}</div></article>'
    )


def _video(whose: str, kind: str, clip: Clip, one: Shown, words: str) -> str:
    frames = _shrunk(clip.frames)
    what = f"{whose}, {len(clip.frames)} frames: {one.item.prompt}"
    said = f" <small>{html.escape(words)}</small>" if words else ""
    moving = _img(frames, what, "moving", milliseconds=_durations(clip))
    still = _img([_moments(frames)], f"four moments of {what}", "still")
    place = "given" if whose == REAL else "other"
    return (
        f'<figure class="{place}">{moving}{still}<figcaption><b class="who {kind}">{html.escape(whose)}</b>{said}'
        "</figcaption></figure>"
    )


def _img(frames: Sequence[Image.Image], what: str, classes: str = "", *, milliseconds: Sequence[int] = ()) -> str:
    width, height = frames[0].size
    uri = f"data:image/webp;base64,{base64.b64encode(_saved(frames, milliseconds=milliseconds)).decode('ascii')}"
    return (
        f'<img class="{classes}" width="{width}" height="{height}" decoding="async" alt="{html.escape(what)}"'
        f' src="{uri}">'
    )


def _shrunk(frames: NDArray[np.uint8]) -> list[Image.Image]:
    height, width = frames.shape[2:]
    share = min(1.0, LONGEST_SIDE / max(height, width))
    return [resized(frame, round(width * share), round(height * share)) for frame in frames]


def _durations(clip: Clip) -> list[int]:
    """Return how many milliseconds each frame is shown, so that rounding never adds up."""
    ends = [round(1000 * time) for time in (*clip.times[1:], clip.end)]
    starts = [0, *ends[:-1]]
    return [max(1, end - start) for start, end in zip(starts, ends, strict=True)]


def _moments(frames: Sequence[Image.Image]) -> Image.Image:
    """Return four frames of a clip, in reading order, two by two in one picture."""
    share = min(1.0, LONGEST_SIDE / 2 / max(frames[0].size))
    width, height = (max(1, round(side * share)) for side in frames[0].size)
    picture = Image.new("RGB", (2 * width + SEAM, 2 * height + SEAM), PAPER)
    for place in range(MOMENTS):
        small = frames[place * (len(frames) - 1) // (MOMENTS - 1)].resize((width, height), Image.Resampling.BOX)
        picture.paste(small, (place % 2 * (width + SEAM), place // 2 * (height + SEAM)))
    return picture


def _saved(frames: Sequence[Image.Image], *, milliseconds: Sequence[int] = ()) -> bytes:
    """Return a WebP, animated where there are several frames; it loops for ever."""
    out = io.BytesIO()
    more = {"save_all": True, "append_images": list(frames[1:]), "duration": list(milliseconds), "loop": 0}
    frames[0].save(out, format="WEBP", quality=QUALITY, method=4, **(more if len(frames) > 1 else {}))
    return out.getvalue()
