"""What a run says of itself: a line of JSON and points for TensorBoard every few steps."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from univg_bench.atomic import machine_faults, write_bytes

QUARTERS = 4  # of the timesteps, over which losses differ most


@dataclass(eq=False)
class Figures:
    """Sums over the clips that one process saw since the last line, by kind and by quarter of the timesteps."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    norms: list[float] = field(default_factory=list)

    def add(self, kind: str, t: Tensor, each: Tensor, num_timesteps: int) -> None:
        """Take the losses (B,) of clips of one kind at timesteps t (B,)."""
        for timestep, loss in zip(t.tolist(), each.tolist(), strict=True):
            quarter = timestep * QUARTERS // num_timesteps + 1
            for name in ("loss", f"loss {kind}", f"loss t{quarter}"):
                self.sums[name] += loss
                self.counts[name] += 1

    def plain(self) -> dict[str, tuple[float, int]]:
        """Return name -> (sum, count), which can go to another process."""
        return {name: (self.sums[name], self.counts[name]) for name in self.sums}


def means(found: Iterable[Mapping[str, tuple[float, int]]]) -> tuple[dict[str, float], int]:
    """Return the means over all processes by name, and how many clips they are of."""
    sums: dict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for one in found:
        for name, (total, count) in one.items():
            sums[name] += total
            counts[name] += count
    return {name: sums[name] / counts[name] for name in sorted(sums)}, counts["loss"]


class Log:
    """`log.jsonl` and TensorBoard's files in a work folder; lines of steps after `after` belong to a cut run."""

    def __init__(self, work: Path, *, after: int) -> None:
        self._path = work / "log.jsonl"
        if self._path.exists():
            kept = [line for line in self._path.read_text().splitlines() if _step_of(line) <= after]
            write_bytes(self._path, "".join(f"{line}\n" for line in kept).encode())
        with machine_faults(f"write {work}"):
            self._board = SummaryWriter(work / "tensorboard", purge_step=after + 1)
        self._since = time.monotonic()

    def write(
        self, step: int, losses: Mapping[str, float], *, clips: int, rate: float, grad_norm: float, cpu_s: float,
        broken: Mapping[str, int],
    ) -> None:  # fmt: skip
        """Write a line about the steps since the last one. cpu_s: of all processes, from the beginning."""
        now = time.monotonic()
        line: dict[str, Any] = {
            "step": step,
            **{name: round(loss, 6) for name, loss in losses.items()},
            "grad_norm": round(grad_norm, 6),
            "rate": rate,
            "cpu_s": round(cpu_s, 2),
            "clips_per_s": round(clips / (now - self._since), 2),
            **({"broken": dict(broken)} if broken else {}),
        }
        with machine_faults(f"write {self._path}"), self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in line.items():
            if isinstance(value, float):
                self._board.add_scalar(name.replace(" ", "/"), value, step)
        self._since = now

    def close(self) -> None:
        """Write what TensorBoard has not written yet."""
        self._board.close()


def _step_of(line: str) -> int:
    """Return the step of a line, or a large number for one that was cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 2**62
