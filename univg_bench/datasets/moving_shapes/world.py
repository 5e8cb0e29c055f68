"""What can happen in Moving Shapes, and which of it happens in scene `index` of a split.

Every combination of attributes belongs to exactly one split, so a test caption is never a training caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from univg_bench.errors import InputError

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": ("circle", "square", "triangle", "star", "cross", "heart"),
    "colour": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white"),
    "texture": ("plain", "striped", "dotted"),
    "motion": ("slides left", "slides right", "rises", "falls", "orbits", "bounces", "spins", "grows"),
    "background": ("grass", "water", "sand", "bricks", "tiles", "snow"),
    "camera": ("stays still", "pans left", "pans right", "zooms in"),
    "size": ("small", "large"),
}

# split -> residues of _residue(); 6,912 combinations each
SPLITS: dict[str, tuple[int, ...]] = {"train": (0, 1, 2, 3, 4, 5), "validation": (6,), "test": (7,)}
TEMPLATE_COUNT = 4
UNIT = 1 << 16  # nuisance numbers are integers in [0, UNIT): exact in any arithmetic

_WORLD = "moving-shapes/1"  # part of every seed: another world is another name


@dataclass(frozen=True)
class Scene:
    """One clip of the world: its attributes, and the numbers that no caption mentions.

    Attributes and `template` depend on (split, index) alone; the nuisance numbers, integers in [0, UNIT), also on
    `rendering`: another rendering is another video of the same caption.
    """

    split: str
    index: int
    rendering: int
    shape: str
    colour: str
    texture: str
    motion: str
    background: str
    camera: str
    size: str
    template: int  # which wording the caption has
    start_x: int  # where the path begins, as a share of the room the path leaves
    start_y: int
    speed: int
    phase: int  # of the orbit and of the spin
    tilt: int  # of a shape that does not spin
    radius: int
    texture_x: int
    texture_y: int
    background_x: int
    background_y: int


def scene(split: str, index: int, rendering: int = 0) -> Scene:
    """Return scene `index` of `split`, in its rendering number `rendering`.

    The first `split_size(split)` scenes have different attributes; then the combinations come again in the same
    order, with other nuisance numbers.

    Raises InputError for an unknown split and for negative numbers.
    """
    if split not in SPLITS:
        raise InputError(f"found Moving Shapes split {split!r}, expected one of {', '.join(SPLITS)}")
    if index < 0 or rendering < 0:
        raise InputError(f"found index {index} and rendering {rendering} of Moving Shapes, expected numbers from 0 up")
    order = _order(split)
    values = _attributes_of(order[index % len(order)])
    words = _words(f"{split}|{index}|{rendering}")
    nuisances = {name: words[i] for i, name in enumerate(_NUISANCES)}
    template = _words(f"{split}|{index}|caption")[0] % TEMPLATE_COUNT
    return Scene(split=split, index=index, rendering=rendering, template=template, **values, **nuisances)  # type: ignore[arg-type]


def split_size(split: str) -> int:
    """Return how many scenes of `split` have different attributes."""
    return len(_order(split))


_NUISANCES = (
    "start_x", "start_y", "speed", "phase", "tilt", "radius", "texture_x", "texture_y", "background_x", "background_y",
)  # fmt: skip


def _words(key: str) -> list[int]:
    """Return sixteen random integers in [0, UNIT), straight from a digest."""
    digest = sha256(f"{_WORLD}|{key}".encode()).digest()
    return [int.from_bytes(digest[i : i + 2], "big") for i in range(0, 32, 2)]


def _attributes_of(combination: int) -> dict[str, str]:
    """Return the attributes of a combination, read as a number whose digits are the attributes."""
    values = {}
    for name, choices in ATTRIBUTES.items():
        combination, digit = divmod(combination, len(choices))
        values[name] = choices[digit]
    return values


def _residue(combination: int) -> int:
    """Return the class in 0 ... 7 that decides the split of a combination.

    In each class every attribute, and every pair of attributes, is exactly uniform: with one or two of them fixed,
    colour, motion or 2·camera + size is still free and takes all 8 values equally often.
    """
    total = 0
    for name, choices in ATTRIBUTES.items():
        combination, digit = divmod(combination, len(choices))
        total += 2 * digit if name == "camera" else digit
    return total % 8


@cache
def _order(split: str) -> tuple[int, ...]:
    """Return the combinations of `split` in an order that looks random: by the digest of their number."""
    count = 1
    for choices in ATTRIBUTES.values():
        count *= len(choices)
    mine = [c for c in range(count) if _residue(c) in SPLITS[split]]
    return tuple(sorted(mine, key=lambda c: sha256(f"{_WORLD}|order|{c}".encode()).digest()))
