"""The training loop of the three stages: seeded, logged, and after an interruption the same to the bit.

Step s draws its data and noise from (seed, s) alone (`plan.py`), and a checkpoint holds all state there is
(`state.py`). So a run that was killed and started again ends with the bits of one that was not, on the same kind of
machine with the same number of threads and processes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from reference_models.stages.networks import Networks
from reference_models.training import state as states
from reference_models.training.average import Average
from reference_models.training.distributed import ALONE, World
from reference_models.training.examples import Examples
from reference_models.training.log import Figures, Log
from reference_models.training.objective import Objective, draws, losses, objective_of
from reference_models.training.plan import planned
from reference_models.training.recipe import Recipe
from univg_bench.errors import InputError

# called with the number of steps done and the averaged weights
AtMilestone = Callable[[int, Mapping[str, Tensor], float], None]


@dataclass(frozen=True)
class Done:
    """How a run ended. interrupted: by a signal, with a checkpoint, so that the same command goes on."""

    steps: int
    cpu_s: float
    interrupted: bool


@dataclass(frozen=True, eq=False)
class Run:
    """What is trained, on what, where. facts: what a checkpoint must agree with, beside the recipe."""

    recipe: Recipe
    networks: Networks
    examples: Examples
    work: Path
    world: World = ALONE
    facts: Mapping[str, str] = field(default_factory=dict)
    at_milestone: AtMilestone | None = None
    log_every: int = 25
    quiet: bool = False

    @property
    def identity(self) -> dict[str, str]:
        return {"recipe": self.recipe.digest, **self.facts}


def train(run: Run, *, stop_after: int | None = None) -> Done:
    """Train the UNet of `run.networks` in place, from its last checkpoint if there is one; return how it ended.

    stop_after: end, with a checkpoint, before this step (a test's interruption).

    Raises InputError for a checkpoint of another run, and when a loss is not finite: nothing is overwritten then.
    """
    recipe, unet, world = run.recipe, run.networks.unet, run.world
    torch.set_num_threads(recipe.compute.threads)
    unet.train().requires_grad_(True)
    unet.gradient_checkpointing = recipe.compute.gradient_checkpointing
    optimiser = torch.optim.AdamW(
        unet.parameters(), lr=0.0, betas=recipe.optimiser.betas, weight_decay=recipe.optimiser.weight_decay, fused=True
    )
    average = Average(unet)
    first, cpu_before = _resume(run, optimiser, average)
    network = torch.compile(unet, dynamic=True) if recipe.compute.compile else unet
    objective = objective_of(recipe)
    end = recipe.steps if stop_after is None else min(stop_after, recipe.steps)
    began, done = time.process_time(), first
    bar = tqdm(
        range(first, end), initial=first, total=recipe.steps, unit="step", file=sys.stderr, dynamic_ncols=True,
        disable=True if run.quiet or not world.is_first else None,
    )  # fmt: skip
    log = Log(run.work, after=first) if world.is_first else None
    kept = set(recipe.checkpoints.milestones)
    saved = first
    with _signals() as asked, bar:
        for step in bar:
            rate = recipe.optimiser.rate(step, recipe.steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            figures = _step(run, network, optimiser, objective, step)
            average.update(unet.named_parameters(), recipe.ema.kept(step))
            done = step + 1
            cpu = cpu_before + time.process_time() - began
            if log is not None:
                log.add(figures)
                if done % run.log_every == 0 or done == end:
                    line = log.write(done, rate=rate, cpu_s=cpu, broken=run.examples.broken)
                    bar.set_postfix(loss=f"{line['loss']:.3f}")
            if run.at_milestone is not None and done in kept:
                run.at_milestone(done, average.tensors, cpu)
            if done % recipe.checkpoints.every == 0 or done == end or asked:
                _save(run, optimiser, average, done, cpu_before + time.process_time() - began)
                saved = done
            if asked:
                break
    assert saved == done, "the last step is always kept"
    if log is not None:
        log.close()
    return Done(done, cpu_before + time.process_time() - began, interrupted=bool(asked))


def _step(run: Run, network: Any, optimiser: torch.optim.Optimizer, objective: Objective, step: int) -> Figures:
    """Do one step of the optimiser; return what is to be said of it. Raises InputError where a loss is not finite."""
    recipe, world, emits = run.recipe, run.world, run.networks.preset.emits
    optimiser.zero_grad()
    figures = Figures()
    for whole in planned(recipe, step):
        part = whole.part(world.rank, world.size)
        batch = run.examples.batch(part)
        drawn = draws(objective, part.seeds, batch.x_target.shape[1:])
        with torch.autocast(world.device.type, torch.bfloat16, enabled=recipe.compute.precision == "bf16"):
            each = losses(network, batch, drawn, objective, emits)
        if not each.isfinite().all():
            raise InputError(
                f"found a loss of {each.detach().mean().item()} in step {step + 1}, on a batch of {whole.kind}; the"
                f" last checkpoint in {run.work} is from before it: lower the learning rate, or look at the clips"
            )
        (each.mean() / recipe.compute.accumulation).backward()  # type: ignore[no-untyped-call]
        figures.add(whole.kind, drawn.t, each.detach().cpu(), objective.process.schedule.num_timesteps)
    norm = nn.utils.clip_grad_norm_(run.networks.unet.parameters(), recipe.optimiser.clip)
    if not norm.isfinite():
        raise InputError(
            f"found a gradient that is not finite in step {step + 1}; the last checkpoint in {run.work} is from before"
            " it: lower the learning rate, or look at the clips"
        )
    figures.grad_norm = norm.item()
    optimiser.step()
    return figures


def _resume(run: Run, optimiser: torch.optim.Optimizer, average: Average) -> tuple[int, float]:
    """Load the newest checkpoint where there is one; return (the next step, CPU seconds so far)."""
    found = states.checkpoints(run.work)
    if not found:
        return 0, 0.0
    state = states.load(found[-1])
    states.check_same_run(found[-1], state.facts, run.identity)
    run.networks.unet.load_state_dict(state.model)
    for name, value in state.average.items():
        average.tensors[name].copy_(value)
    optimiser.load_state_dict(dict(state.optimiser))
    run.examples.broken.update(state.broken)
    return state.step, state.cpu_s


def _save(run: Run, optimiser: torch.optim.Optimizer, average: Average, step: int, cpu_s: float) -> None:
    if run.world.is_first:
        state = states.State(
            step=step,
            model=run.networks.unet.state_dict(),
            average=average.tensors,
            optimiser=optimiser.state_dict(),
            cpu_s=cpu_s,
            broken=dict(run.examples.broken),
            facts={**run.identity, "settings": run.recipe.plain()},
        )
        states.save(run.work, state, keep=run.recipe.checkpoints.keep)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Give a list that is filled when somebody asks the process to end (Ctrl-C, SIGTERM); the step is done first."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
