"""In which order clips come: every clip once before any comes again, shuffled anew each time, without a list in memory.

Clip k of a run is a function of k, the seed and the sizes, whatever the number of processes: k counts clips, not steps
of a process. The shuffle is a Feistel network over the numbers below a power of four, walked until it falls below n.

Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains" (generalised Feistel, cycle walking).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# as FF1 of NIST SP 800-38G; four, enough for large numbers, leave the permutations of seven visibly uneven
_ROUNDS = 10


def shuffled(position: int, size: int, *, key: Sequence[int | str]) -> int:
    """Return where a random permutation of 0 .. size - 1 sends `position`; each key is a permutation of its own.

    Raises ValueError for a position that is not below the size.
    """
    if not 0 <= position < size:
        raise ValueError(f"found the position {position}, expected one from 0 to below {size}")
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask, name = (1 << half) - 1, "|".join(map(str, key)).encode()
    number = position
    while True:
        left, right = number >> half, number & mask
        for turn in range(_ROUNDS):
            word = hashlib.blake2b(name + b"|%d|%d" % (turn, right), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(word, "big") & mask)
        number = (left << half) | right
        if number < size:
            return number


@dataclass(frozen=True)
class Order:
    """Which clip of which source the k-th clip is, exactly by weights: each cycle of sum(weights) has its shares.

    sizes: of the sources. weights: whole numbers, how often each comes in a cycle. name: tells orders of one seed apart
    (single frames and clips of the same videos, say).

    Raises ValueError for empty sources and weights below 1.
    """

    sizes: tuple[int, ...]
    weights: tuple[int, ...]
    seed: int
    name: str = ""

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.weights) or min(*self.sizes, *self.weights) < 1:
            raise ValueError(f"found sources of sizes {self.sizes} with weights {self.weights}, expected one or more"
                             " sources, none empty, and a weight of 1 or more for each")  # fmt: skip

    def at(self, k: int) -> tuple[int, int]:
        """Return (number of the source, index in it) of clip k, 0-based."""
        length = sum(self.weights)
        cycle, place = divmod(k, length)
        # the places of a cycle are dealt out anew in each
        turns = np.repeat(np.arange(len(self.weights)), self.weights)
        dealt = np.random.default_rng([self.seed, _salt(self.name), cycle]).permutation(turns)
        source = int(dealt[place])
        drawn = cycle * self.weights[source] + int((dealt[:place] == source).sum())
        epoch, position = divmod(drawn, self.sizes[source])
        key = ("order", self.seed, self.name, source, epoch)
        return source, shuffled(position, self.sizes[source], key=key)


def _salt(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")
