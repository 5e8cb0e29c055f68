"""What a run says of itself: a line of JSON and points for TensorBoard every few steps."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

QUARTERS = 4  # of the timesteps, over which losses differ most


@dataclass(eq=False)
class Figures:
    """Sums over clips of one step, by kind and by quarter of the timesteps."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    grad_norm: float = 0.0

    def add(self, kind: str, t: Tensor, each: Tensor, num_timesteps: int) -> None:
        """Take the losses (B,) of clips of one kind at timesteps t (B,)."""
        for timestep, loss in zip(t.tolist(), each.tolist(), strict=True):
            quarter = timestep * QUARTERS // num_timesteps + 1
            for name in ("loss", f"loss {kind}", f"loss t{quarter}"):
                self.sums[name] += loss
                self.counts[name] += 1


class Log:
    """`log.jsonl` and TensorBoard's files in a work folder; lines of steps after `after` belong to a cut run."""

    def __init__(self, work: Path, *, after: int) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._path = work / "log.jsonl"
        if self._path.exists():
            kept = [line for line in self._path.read_text().splitlines() if _step_of(line) <= after]
            self._path.write_text("".join(f"{line}\n" for line in kept))
        self._board = SummaryWriter(work / "tensorboard", purge_step=after + 1)
        self._clear()

    def _clear(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._norms: list[float] = []
        self._since = time.monotonic()

    def add(self, figures: Figures) -> None:
        """Take the figures of a step into the next line."""
        for name, value in figures.sums.items():
            self._sums[name] += value
            self._counts[name] += figures.counts[name]
        self._norms.append(figures.grad_norm)

    def write(self, step: int, *, rate: float, cpu_s: float, broken: Mapping[str, int]) -> dict[str, Any]:
        """Write a line of the means since the last one, and return it."""
        seconds = time.monotonic() - self._since
        line: dict[str, Any] = {
            "step": step,
            **{name: round(self._sums[name] / self._counts[name], 6) for name in sorted(self._sums)},
            "grad_norm": round(sum(self._norms) / len(self._norms), 6),
            "rate": rate,
            "cpu_s": round(cpu_s, 2),
            "clips_per_s": round(self._counts["loss"] / seconds, 2),
        }
        if broken:
            line["broken"] = dict(broken)
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in line.items():
            if isinstance(value, float):
                self._board.add_scalar(name.replace(" ", "/"), value, step)
        self._clear()
        return line

    def close(self) -> None:
        self._board.close()


def _step_of(line: str) -> int:
    """Return the step of a line, or a large number for one that was cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 2**62
