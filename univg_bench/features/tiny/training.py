"""One training loop for both extractors: seeded, logged, and after an interruption the same to the bit.

Step s draws its data from (seed, s) alone, and a checkpoint holds all state there is. So a run that was killed and
started again ends with the bits of one that was not, on the same kind of machine with the same number of threads.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from univg_bench.atomic import atomic
from univg_bench.errors import InputError

# step -> (loss, figures for the log); draws its own data
LossAt = Callable[[nn.Module, int], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: AdamW, a linear warm-up over the first `warmup` steps, then half a cosine down to zero."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup: int
    seed: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of `step`, 0-based."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def train(
    network: nn.Module,
    loss_at: LossAt,
    schedule: Schedule,
    *,
    work: Path,
    checkpoint_every: int = 250,
    log_every: int = 25,
    stop_after: int | None = None,
    quiet: bool = False,
) -> float:
    """Train `network` in place; return the CPU seconds of all runs together.

    work: a folder for `checkpoint.pt` and `log.jsonl`; where it holds a checkpoint, training goes on from there.
    stop_after: end, with a checkpoint, before this step (a test's interruption).

    Raises InputError when the checkpoint belongs to another schedule.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=schedule.weight_decay)
    first, cpu_before = _resume(network, optimizer, schedule, work / "checkpoint.pt")
    began = time.process_time()
    work.mkdir(parents=True, exist_ok=True)
    network.train()
    end = schedule.steps if stop_after is None else min(stop_after, schedule.steps)
    bar = tqdm(range(first, end), initial=first, total=schedule.steps, unit="step", disable=True if quiet else None)
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        loss, figures = loss_at(network, step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        cpu = cpu_before + time.process_time() - began
        if (step + 1) % log_every == 0:
            line = {"step": step + 1, "loss": loss.item(), "cpu_s": round(cpu, 1), **figures}
            with (work / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            bar.set_postfix(loss=f"{loss.item():.3f}")
        if (step + 1) % checkpoint_every == 0 or step + 1 == end:
            with atomic(work / "checkpoint.pt") as temporary:
                torch.save(
                    {
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "step": step + 1,
                        "cpu_s": cpu,
                        "schedule": asdict(schedule),
                    },
                    temporary,
                )
    return cpu_before + time.process_time() - began


def _resume(network: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule, path: Path) -> tuple[int, float]:
    """Load the checkpoint where there is one; return (the next step, CPU seconds so far)."""
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    if state["schedule"] != asdict(schedule):
        raise InputError(
            f"found a checkpoint of another schedule in {path}: {state['schedule']}, expected {asdict(schedule)};"
            " give the same options as before, or another --work folder"
        )
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["cpu_s"])
