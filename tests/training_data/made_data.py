"""Folders of videos and tar shards, made on the spot: every frame and image carries its own number in its pixels."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from reference_models.data.source import Clip
from tests.videos import bar_code, make_video
from univg_bench.errors import InputError

# decord jumps to key frames, so there must be some in the middle
GROUPS = {"g": "10", "bf": "2", "sc_threshold": "0"}


def make_folder(root: Path, *, videos: int = 3, frames: int = 60, fps: int = 30) -> Path:
    """Write videos v0.mp4, ... with captions beside them."""
    for i in range(videos):
        make_video(root / f"v{i}.mp4", frames, fps=fps, options=GROUPS)
        (root / f"v{i}.txt").write_text(f"a bar code, video {i}\n")
    return root


def image_bytes(number: int, *, kind: str = "PNG", size: tuple[int, int] = (80, 48)) -> bytes:
    """Return an image file of a bar code."""
    out = io.BytesIO()
    Image.fromarray(bar_code(number, width=size[0], height=size[1])).save(out, kind)
    return out.getvalue()


def make_shard(path: Path, members: list[tuple[str, bytes]]) -> Path:
    """Write a tar file of (name, content), in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def members(numbers: range) -> list[tuple[str, bytes]]:
    """Return samples as img2dataset writes them: image, caption and facts, for each number."""
    made = []
    for number in numbers:
        key = f"{number:09d}"
        facts = {"caption": f"image {number}", "width": 80}
        made += [
            (f"{key}.png", image_bytes(number)),
            (f"{key}.txt", f"image {number}".encode()),
            (f"{key}.json", json.dumps(facts).encode()),
        ]
    return made


class Numbers:
    """A source whose clip i is i in every pixel; the frames say what the generator drew."""

    identity = "numbers"

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        if num_frames > 24:
            raise InputError(f"found a wish for {num_frames} frames, expected at most 24")
        pixels = np.full((num_frames, 3, 4, 4), index, np.uint8)
        pixels[:, 0] = rng.integers(256)
        return Clip(pixels, f"number {index}", str(index))
