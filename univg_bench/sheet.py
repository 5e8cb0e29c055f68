"""Contact sheets: a row of frames per video, so that a person sees what a number is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from univg_bench.atomic import atomic
from univg_bench.errors import InputError
from univg_bench.frames import FramePolicy
from univg_bench.video import probe, read_chosen

PAPER, INK = (255, 255, 255), (30, 30, 30)
LABEL_WIDTH, GAP, TEXT_SIZE = 150, 4, 15  # pixels


def write_sheet(rows: Sequence[tuple[str, Path]], dest: Path, *, columns: int = 6, width: int = 168) -> None:
    """Write a PNG with one row per (label, video): `columns` frames, evenly spaced, each `width` pixels wide.

    Small videos are enlarged without smoothing, so that pixels stay what they are.

    Raises InputError for no rows, UnreadableVideo for a damaged video.
    """
    if not rows:
        raise InputError("found no videos for a contact sheet, expected at least one")
    policy = FramePolicy(sampling="uniform", frames=columns, short="loop")
    strips = [(label, _strip(path, policy, width)) for label, path in rows]
    height = sum(strip.shape[0] + GAP for _, strip in strips) + GAP
    sheet = Image.new("RGB", (LABEL_WIDTH + columns * (width + GAP), height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_SIZE)
    top = GAP
    for label, strip in strips:
        sheet.paste(Image.fromarray(strip), (LABEL_WIDTH, top))
        draw.text((GAP, top + strip.shape[0] // 2), label, fill=INK, font=font, anchor="lm")
        top += strip.shape[0] + GAP
    with atomic(dest) as temporary:
        sheet.save(temporary, format="PNG")


def _strip(path: Path, policy: FramePolicy, width: int) -> NDArray[np.uint8]:
    frames = read_chosen(path, policy, video_id=path.stem, num_frames=probe(path).frames)
    assert frames is not None, "a looping policy drops nothing"
    height = round(frames.shape[2] * width / frames.shape[3])
    gap = np.full((height, GAP, 3), PAPER, dtype=np.uint8)
    smooth = Image.Resampling.NEAREST if frames.shape[3] < width else Image.Resampling.BOX
    parts = []
    for frame in frames:
        image = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))).resize((width, height), smooth)
        parts += [np.asarray(image), gap]
    return np.concatenate(parts[:-1], axis=1)
