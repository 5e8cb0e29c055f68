"""Feature vectors on disk, one small file per video, named by what decides them.

The key covers the pixels (RGB hash), the frames taken, the recipe, the weights and the version of our code path. So a
cached vector is right or absent: a renamed file is found again, an edited one is not. A file appears in one step, so a
killed process leaves nothing half-written, and doing the same work twice is harmless.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from univg_bench.atomic import write_bytes
from univg_bench.canonical import digest_of


@dataclass(frozen=True)
class FeatureCache:
    """A folder of feature files; safe to share between processes and runs."""

    root: Path

    def has(self, key: str) -> bool:
        """Return whether the features named `key` are there."""
        return self._path(key).is_file()

    def load(self, key: str) -> NDArray[np.floating]:
        """Return the features named `key`: (D,) of a video or caption, (F, D) of single frames."""
        array: NDArray[np.floating] = np.load(self._path(key), allow_pickle=False)
        return array

    def save(self, key: str, features: NDArray[np.floating]) -> None:
        """Store `features` under `key`, atomically."""
        buffer = io.BytesIO()
        np.save(buffer, features, allow_pickle=False)
        write_bytes(self._path(key), buffer.getvalue())

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.npy"


def video_key(*, extractor: str, rgb_sha256: str, choice: Sequence[object]) -> str:
    """Return the key of the features that `extractor` (a digest) makes of a choice of frames of these pixels."""
    return digest_of({"extractor": extractor, "rgb": rgb_sha256, "frames": list(choice)})


def pair_key(*, extractor: str, rgb_sha256: str, choice: Sequence[object], other_sha256: str, other: object) -> str:
    """Return the key of what `extractor` makes of a choice of frames and their counterpart: frames of a file, or it."""
    mine = {"rgb": rgb_sha256, "frames": list(choice)}
    return digest_of({"extractor": extractor, **mine, "other": {"file": other_sha256, "frames": other}})


def image_key(*, extractor: str, file_sha256: str, frames: object) -> str:
    """Return the key of the features that `extractor` (a digest) makes of an image file, or of frames of a video."""
    return digest_of({"extractor": extractor, "file": file_sha256, "frames": frames})


def text_key(*, extractor: str, caption: str) -> str:
    """Return the key of the embedding that `extractor` (a digest) makes of a caption."""
    return digest_of({"extractor": extractor, "caption": caption})
