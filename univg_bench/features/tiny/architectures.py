"""The two networks as data, and where their weights lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from univg_bench.datasets.moving_shapes import ATTRIBUTES
from univg_bench.features.tiny.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE

Name = Literal["tiny-i3d", "tiny-clip"]


@dataclass(frozen=True)
class TinyI3D:
    """I3D at reduced width; its logits are those of the seven attributes, one after the other.

    size: frames are squashed to size x size, bilinear, align_corners=False, no antialias. num_frames: in training,
    16 random ones of 24 in order of time. attribute_slices: name -> (first, end) of its logits.
    """

    size: int
    width: float
    num_frames: int
    bn_eps: float
    attribute_slices: Mapping[str, tuple[int, int]]

    @property
    def class_count(self) -> int:
        """How many logits there are."""
        return max(end for _, end in self.attribute_slices.values())


def _slices() -> dict[str, tuple[int, int]]:
    slices, first = {}, 0
    for name, choices in ATTRIBUTES.items():
        slices[name] = (first, first + len(choices))
        first += len(choices)
    return slices


TINY_I3D = TinyI3D(size=64, width=0.25, num_frames=16, bn_eps=1e-3, attribute_slices=_slices())

# arguments of open_clip.CLIP; images are squashed to 64x64 by PIL (bicubic) and normalised with mean 0.5 and std 0.5
TINY_CLIP: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "patch_size": 8, "layers": 4, "width": 96, "head_width": 32},
    "text_cfg": {
        "context_length": CONTEXT_LENGTH,
        "vocab_size": VOCABULARY_SIZE,
        "width": 96,
        "heads": 3,
        "layers": 2,
    },
}


def weights_path(name: Name) -> Path:
    """Return where the shipped weights of `tiny-i3d` or `tiny-clip` lie: a safetensors file in float16."""
    return Path(__file__).with_name(f"{name.replace('-', '_')}.safetensors")
