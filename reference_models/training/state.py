"""Everything a training is between two steps, on disk: weights, their average, the optimiser, the step. No RNG.

Data and noise come from the seed and the step, so this is all there is; a run that goes on from it ends with the bits
of one that was never interrupted, on the same kind of machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from univg_bench.atomic import atomic
from univg_bench.errors import InputError

FORMAT = "univg-training-1"
_NAME = re.compile(r"step-(\d{8})\.pt")


@dataclass(frozen=True, eq=False)
class State:
    """step: how many are done. facts: what the run is (recipe, sources, weights it began with), to know it again."""

    step: int
    model: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    cpu_s: float
    broken: Mapping[str, int]
    facts: Mapping[str, Any]


def checkpoints(work: Path) -> list[Path]:
    """Return the checkpoints of a work folder, the oldest first."""
    return sorted(path for path in (work / "checkpoints").glob("step-*.pt") if _NAME.fullmatch(path.name))


def save(work: Path, state: State, *, keep: int) -> Path:
    """Write a checkpoint, atomically, and remove all but the last `keep`.

    Raises InfrastructureError when the disk is full; the checkpoints that were there are as before.
    """
    dest = work / "checkpoints" / f"step-{state.step:08d}.pt"
    with atomic(dest) as temporary:
        torch.save({"format": FORMAT, **vars(state)}, temporary)
    for old in checkpoints(work)[:-keep]:
        old.unlink()
    return dest


def load(path: Path) -> State:
    """Return the state in a checkpoint, on the CPU. Raises InputError for a file that is damaged or none of ours."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:  # whatever a damaged archive makes torch raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"cannot read the checkpoint {path}: {reason}; remove it to go on from an older one"
        ) from error
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise InputError(f"found no checkpoint of this program in {path}, expected format {FORMAT}")
    return State(**found)


def check_same_run(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise InputError that names what differs when a checkpoint belongs to another run."""
    differ = [key for key in wanted if found.get(key) != wanted[key]]
    if differ:
        was, now = ({key: facts.get(key) for key in differ} for facts in (found, wanted))
        raise InputError(
            f"found a checkpoint of another run in {path}: its {', '.join(differ)} was {_short(was)}, now it is"
            f" {_short(now)}; give what it began with, or another --work folder"
        )


def _short(facts: Mapping[str, Any]) -> str:
    return ", ".join(str(value)[:16] for value in facts.values())
