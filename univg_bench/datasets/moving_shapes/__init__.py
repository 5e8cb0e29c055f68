"""Moving Shapes: a procedural world of captioned 24-frame videos, bit-identical on every IEEE machine.

`scene(split, index)` names what happens, `caption(scene)` says it, `render(scene, height=32, width=56)` shows it.
What the numbers mean and how the bits are kept: docs/moving_shapes.md.
"""

from univg_bench.datasets.moving_shapes.captions import VOCABULARY, caption
from univg_bench.datasets.moving_shapes.drawing import SIZES, render
from univg_bench.datasets.moving_shapes.motion import FRAMES
from univg_bench.datasets.moving_shapes.world import ATTRIBUTES, SPLITS, Scene, scene, split_size

__all__ = [
    "ATTRIBUTES",
    "FRAMES",
    "SIZES",
    "SPLITS",
    "VOCABULARY",
    "Scene",
    "caption",
    "render",
    "scene",
    "split_size",
]
