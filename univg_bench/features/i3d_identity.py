"""Which training an I3D file really holds, told by its tensors, whatever packed and renamed them.

A file that somebody saved again has another checksum than the published one, but its tensors have not changed. Brought
back to TensorFlow's order of axes, each has the checksum that DeepMind's index lists, or is not that tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

from univg_bench.errors import InputError
from univg_bench.features.crc32c import crc32c, masked
from univg_bench.features.i3d_checkpoints import checkpoints
from univg_bench.features.i3d_layouts import AnotherNetworkError, keys, read_i3d_tensors, tensorflow_name, wrong_purpose
from univg_bench.features.weights import Weights, container

LARGEST_FILE = 256 << 20  # an I3D has 50 MB in float32, 103 MB with the optimiser's slots; larger files hold no I3D


@dataclass(frozen=True)
class Identity:
    """What the tensors of an I3D say. checkpoint: the known one that shares most of them, None if none shares any.

    matching: how many of its `total` tensors are here to the bit. scaled: batch norms whose scale is another than one,
    or missing; none of DeepMind's is. refused: why FVD is not computed with such a network, whoever trained it, as the
    end of a sentence.
    """

    checkpoint: str | None
    matching: int
    total: int
    scaled: int
    refused: str = ""

    @property
    def exact(self) -> bool:
        """Whether this is the checkpoint, whole and unchanged."""
        return self.checkpoint is not None and self.matching == self.total and self.scaled == 0

    def sentence(self) -> str:
        """Return what was found, as the end of a sentence about the file."""
        if self.checkpoint is None:
            return "holds an I3D none of whose tensors is DeepMind's: another training"
        if self.exact:
            return f"holds the tensors of DeepMind's {self.checkpoint}: all {self.total} checksums agree"
        return (
            f"holds {self.matching} of the {self.total} tensors of DeepMind's {self.checkpoint}"
            + (f", and {self.scaled} batch norms with a scale that is not one, or none" if self.scaled else "")
            + ": it was trained further, rounded or damaged"
        )


def identify(state: Mapping[str, Tensor]) -> Identity:
    """Return which checkpoint an I3D's tensors, float32 under our keys, are; keys of no I3D are not looked at."""
    found = {
        name: masked(crc32c(tensorflow_array(key, state[key])))
        for key in keys()
        if key in state and (name := tensorflow_name(key))
    }
    scales = [key for key in keys() if key.endswith(".bn.weight")]
    scaled = sum(key not in state or bool((state[key] != 1).any()) for key in scales)
    counts = {
        known.name: sum(found.get(name) == entry.crc for name, entry in known.tensors.items())
        for known in checkpoints()
    }
    best = max(checkpoints(), key=lambda known: counts[known.name])
    if not counts[best.name]:
        return Identity(None, 0, len(best.tensors), scaled)
    return Identity(best.name, counts[best.name], len(best.tensors), scaled)


def tensorflow_array(key: str, value: Tensor) -> np.ndarray:
    """Return a tensor as TensorFlow stores it: float32, convolutions as (T, H, W, in, out)."""
    tensor = value.permute(2, 3, 4, 1, 0) if key.endswith("conv3d.weight") and value.ndim == 5 else value
    return np.ascontiguousarray(tensor.float().numpy(), dtype="<f4")


@lru_cache(maxsize=64)
def identify_file(path: Path, size: int, mtime_ns: int) -> Identity | None:
    """Return which checkpoint a file holds, None if it holds no I3D; size and time of change are the cache's key."""
    if size > LARGEST_FILE:
        return None
    try:
        state = read_i3d_tensors(Weights(path.name, path, "", container(path), "", None))
    except AnotherNetworkError as error:
        return Identity(None, 0, 0, 0, error.reason)
    except InputError:
        return None
    return replace(identify(state), refused=wrong_purpose(state)) if state.keys() <= set(keys()) else None
