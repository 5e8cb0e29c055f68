"""The tiny extractors: an I3D and a CLIP trained on Moving Shapes, with shipped weights; importing this needs no torch.

Numbers made with them are for tests and demos: they carry the names `tiny-i3d` and `tiny-clip` and compare with
nothing published. What they can tell apart is measured in docs/tiny_extractors.md.
"""

from univg_bench.features.tiny.architectures import (
    TINY_CLIP,
    TINY_I3D,
    TinyI3D,
    weights_path,
)
from univg_bench.features.tiny.tokenizer import CONTEXT_LENGTH, tokenize

__all__ = ["CONTEXT_LENGTH", "TINY_CLIP", "TINY_I3D", "TinyI3D", "tokenize", "weights_path"]
