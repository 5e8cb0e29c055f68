"""DeepMind's I3D checkpoints as 230 checksums each: enough to know them in any file, and to read them without an index.

The table was read from the `.index` files of google-deepmind/kinetics-i3d (docs/findings.md 4).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError
from univg_bench.features.tensor_bundle import Entry, index_path, read_bundle, read_tensors

TABLE = Path(__file__).with_name("i3d_crc32c.json")


@dataclass(frozen=True)
class Checkpoint:
    """A published training. scope: what its variables' names begin with. tensors: name without scope -> where it lies.

    Offsets are those of a data file that holds these tensors and nothing else.
    """

    name: str
    scope: str
    tensors: dict[str, Entry]

    @property
    def size(self) -> int:
        """Bytes of such a data file."""
        return sum(entry.size for entry in self.tensors.values())


@lru_cache(maxsize=1)
def checkpoints() -> tuple[Checkpoint, ...]:
    """Return the checkpoints whose checksums are known: rgb_scratch (the FVD weights) first."""
    table = json.loads(TABLE.read_text())["checkpoints"]
    return tuple(_checkpoint(name, fields["scope"], fields["tensors"]) for name, fields in table.items())


def _checkpoint(name: str, scope: str, tensors: dict[str, tuple[list[int], int]]) -> Checkpoint:
    sizes = [4 * prod(shape) for shape, _ in tensors.values()]
    offsets = accumulate(sizes, initial=0)
    entries = {
        variable: Entry("<f4", tuple(shape), offset, size, crc)
        for (variable, (shape, crc)), offset, size in zip(tensors.items(), offsets, sizes, strict=False)
    }
    return Checkpoint(name, scope, entries)


def read_checkpoint(data: Path) -> dict[str, NDArray[np.generic]]:
    """Return the tensors of a TensorFlow data file by name; a known one needs no index beside it.

    Raises InputError for a file that is neither known nor has an index, and for one that is cut short or changed.
    """
    if not index_path(data).is_file():
        size = data.stat().st_size
        for known in checkpoints():
            first, entry = next(iter(known.tensors.items()))
            if size != known.size or not _holds(data, first, entry):
                continue
            return {known.scope + name: value for name, value in read_tensors(data, known.tensors).items()}
    return read_bundle(data)


def _holds(data: Path, name: str, entry: Entry) -> bool:
    try:
        return bool(read_tensors(data, {name: entry}))
    except InputError:
        return False
