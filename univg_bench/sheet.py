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
LINE = 19  # pixels from one line of text to the next

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def write_sheet(
    rows: Sequence[tuple[str, Path]],
    dest: Path,
    *,
    columns: int = 6,
    width: int = 168,
    label_width: int = LABEL_WIDTH,
    heading: str = "",
    image: NDArray[np.uint8] | None = None,
) -> None:
    """Write a PNG with one row per (label, video): `columns` frames, evenly spaced, each `width` pixels wide.

    Small videos are enlarged without smoothing, so that pixels stay what they are. Labels wrap. heading: above all
    rows, as the prompt. image: uint8 (3, H, W), the condition, beside the heading.

    Raises InputError for no rows, UnreadableVideo for a damaged video.
    """
    if not rows:
        raise InputError("found no videos for a contact sheet, expected at least one")
    policy = FramePolicy(sampling="uniform", frames=columns, short="loop")
    font = ImageFont.load_default(TEXT_SIZE)
    strips = [(label, _strip(path, policy, width)) for label, path in rows]
    full_width = label_width + columns * (width + GAP)
    head = _head(heading, image, full_width, width, font)
    height = head.height + sum(strip.shape[0] + GAP for _, strip in strips) + GAP
    sheet = Image.new("RGB", (full_width, height), PAPER)
    sheet.paste(head, (0, 0))
    draw, top = ImageDraw.Draw(sheet), head.height + GAP
    for label, strip in strips:
        sheet.paste(Image.fromarray(strip), (label_width, top))
        lines = wrapped(label, font, label_width - 2 * GAP, most=max(1, strip.shape[0] // LINE))
        draw_lines(draw, lines, (GAP, top + (strip.shape[0] - LINE * len(lines)) // 2), font)
        top += strip.shape[0] + GAP
    with atomic(dest) as temporary:
        sheet.save(temporary, format="PNG")


def wrapped(text: str, font: Font, width: int, *, most: int) -> list[str]:
    """Return `text` in lines of at most `width` pixels, at most `most` of them; what is left out becomes dots."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
    return lines


def draw_lines(draw: ImageDraw.ImageDraw, lines: Sequence[str], place: tuple[int, int], font: Font) -> None:
    """Draw lines of text below one another, from the upper left corner `place`."""
    for number, line in enumerate(lines):
        draw.text((place[0], place[1] + LINE * number), line, fill=INK, font=font)


def resized(frame: NDArray[np.uint8], width: int, height: int) -> Image.Image:
    """Return a frame, uint8 (3, H, W), as a picture of that size: enlarged without smoothing, shrunk by averaging."""
    picture = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
    return picture.resize((width, height), Image.Resampling.NEAREST if frame.shape[2] < width else Image.Resampling.BOX)


def _head(heading: str, image: NDArray[np.uint8] | None, full_width: int, width: int, font: Font) -> Image.Image:
    picture = None if image is None else resized(image, width, round(image.shape[1] * width / image.shape[2]))
    indent = GAP if picture is None else width + 3 * GAP
    lines = wrapped(heading, font, full_width - indent - GAP, most=6)
    if not lines and picture is None:
        return Image.new("RGB", (full_width, 0), PAPER)
    words = LINE * len(lines)
    head = Image.new("RGB", (full_width, 2 * GAP + max(words, picture.height if picture else 0)), PAPER)
    if picture is not None:
        head.paste(picture, (GAP, GAP))
    draw_lines(ImageDraw.Draw(head), lines, (indent, (head.height - words) // 2), font)
    return head


def _strip(path: Path, policy: FramePolicy, width: int) -> NDArray[np.uint8]:
    frames = read_chosen(path, policy, video_id=path.stem, num_frames=probe(path).frames)
    assert frames is not None, "a looping policy drops nothing"
    height = round(frames.shape[2] * width / frames.shape[3])
    gap = np.full((height, GAP, 3), PAPER, dtype=np.uint8)
    parts = []
    for frame in frames:
        parts += [np.asarray(resized(frame, width, height)), gap]
    return np.concatenate(parts[:-1], axis=1)
