"""The training loop of the three stages: seeded, logged, and after an interruption the same to the bit.

Step s draws its data and noise from (seed, s) alone (`plan.py`), and a checkpoint holds all state there is
(`state.py`). So a run that was killed and started again ends with the bits of one that was not, on the same kind of
machine with the same number of threads and processes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
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
from reference_models.training.distributed import ALONE, World, everywhere, gathered, like, only_adding, spread, whole
from reference_models.training.examples import Examples
from reference_models.training.log import Figures, Log, means
from reference_models.training.objective import Batch, Draws, Objective, draws, losses, objective_of
from reference_models.training.plan import Planned, planned
from reference_models.training.recipe import Recipe
from univg_bench.errors import InputError

# called in the first process with the steps done, the averaged weights (whole, on the CPU) and the CPU seconds
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
        """What makes this run this run."""
        return {"recipe": self.recipe.digest, **self.facts}


@dataclass(frozen=True, eq=False)
class _Machine:
    """What moves: the network as it is called, its optimiser, its average."""

    network: Any
    optimiser: torch.optim.Optimizer
    average: Average
    objective: Objective


def train(run: Run, *, stop_after: int | None = None) -> Done:
    """Train the UNet of `run.networks` in place, from its last checkpoint if there is one; return how it ended.

    stop_after: end, with a checkpoint, before this step (a test's interruption).

    Raises InputError for a checkpoint of another run, clips that the processes cannot share evenly, and a loss that is
    not finite: nothing is overwritten then.
    """
    recipe, world = run.recipe, run.world
    _check_shares(recipe, world)
    torch.set_num_threads(recipe.compute.threads)
    machine, first, cpu_before = _begun(run)
    end = recipe.steps if stop_after is None else min(stop_after, recipe.steps)
    began, done, saved = time.process_time(), first, first
    bar = tqdm(
        total=recipe.steps, initial=first, unit="step", file=sys.stderr, dynamic_ncols=True,
        disable=True if run.quiet or not world.is_first else None,
    )  # fmt: skip
    log = Log(run.work, after=first) if world.is_first else None
    parts = (whole.part(world.rank, world.size) for step in range(first, end) for whole in planned(recipe, step))
    batches = _with_plan(run.examples, parts)
    figures, norms = Figures(), list[float]()

    def cpu_s() -> float:
        return cpu_before + float(sum(gathered(time.process_time() - began, world)))

    with _signals() as asked, bar:
        while done < end:
            norms.append(_step(run, machine, batches, figures, done))
            done += 1
            stop = everywhere(bool(asked), world)
            if done % run.log_every == 0 or done == end or stop:
                found, clips = means(gathered(figures.plain(), world))
                spent, norm = cpu_s(), sum(norms) / len(norms)
                broken = sum(gathered(run.examples.broken, world), Counter[str]())
                if log is not None:
                    rate = recipe.optimiser.rate(done - 1, recipe.steps)
                    log.write(done, found, clips=clips, rate=rate, grad_norm=norm, cpu_s=spent, broken=broken)
                bar.set_postfix(loss=f"{found['loss']:.3f}", refresh=False)
                figures, norms = Figures(), []
            if done in recipe.checkpoints.milestones and run.at_milestone is not None:
                average, spent = _average(machine), cpu_s()
                if world.is_first:
                    run.at_milestone(done, average, spent)
            if done % recipe.checkpoints.every == 0 or done == end or stop:
                _save(run, machine, done, cpu_s())
                saved = done
            bar.update()
            if stop:
                break
    assert saved == done, "the last step is always kept"
    if log is not None:
        log.close()
    return Done(done, cpu_s(), interrupted=done < end)


def _check_shares(recipe: Recipe, world: World) -> None:
    for phase in recipe.phases:
        for batches in phase.batches:
            if batches.clips % world.size:
                raise InputError(
                    f"found batches of {batches.clips} {batches.kind} for {world.size} processes, expected a"
                    " number that they can share evenly; change the recipe or the number of processes"
                )


def _with_plan(examples: Examples, parts: Iterator[Planned]) -> Iterator[tuple[Planned, Batch]]:
    """Yield every planned part with its batch; parts may be planned ahead of those that are read."""
    waiting: list[Planned] = []

    def noted() -> Iterator[Planned]:
        for part in parts:
            waiting.append(part)
            yield part

    for batch in examples.batches(noted()):
        yield waiting.pop(0), batch


def _begun(run: Run) -> tuple[_Machine, int, float]:
    """Return what moves, as it is at the beginning or in the last checkpoint; the next step; CPU seconds so far."""
    recipe, unet = run.recipe, run.networks.unet
    found = states.checkpoints(run.work)
    state = states.load(found[-1]) if found else None
    if state is not None:
        states.check_same_run(found[-1], state.facts, run.identity)
        unet.load_state_dict(state.model)
    unet.train().requires_grad_(True)
    unet.gradient_checkpointing = recipe.compute.gradient_checkpointing
    # without its temporal layers a network has parameters that get no gradient
    idle = any(not phase.temporal for phase in recipe.phases)
    network: Any = spread(unet, run.world, idle=idle)
    if recipe.compute.compile:
        network = torch.compile(network, dynamic=True)
    wanted = recipe.optimiser
    optimiser = torch.optim.AdamW(
        unet.parameters(), lr=0.0, betas=wanted.betas, weight_decay=wanted.weight_decay, fused=True
    )
    machine = _Machine(network, optimiser, Average(unet), objective_of(recipe))
    if state is None:
        return machine, 0, 0.0
    parameters = list(unet.parameters())
    for name, value in state.average.items():
        machine.average.tensors[name].copy_(like(value, machine.average.tensors[name]))
    moments = {
        number: {
            key: like(value, parameters[number]) if value.ndim == parameters[number].ndim and value.ndim else value
            for key, value in values.items()
        }
        for number, values in state.optimiser["state"].items()
    }
    optimiser.load_state_dict({**state.optimiser, "state": moments})
    if run.world.is_first:
        run.examples.broken.update(state.broken)
    return machine, state.step, state.cpu_s


def _step(run: Run, machine: _Machine, batches: Iterator[tuple[Planned, Batch]], figures: Figures, step: int) -> float:
    """Do one step of the optimiser, add to the figures, and return the norm of the gradient.

    Raises InputError for a loss or a gradient that is not finite, before any weight has changed.
    """
    recipe, world, objective = run.recipe, run.world, machine.objective
    phase, _ = recipe.phase(step)
    run.networks.unet.leave_out_time(not phase.temporal)
    for group in machine.optimiser.param_groups:
        group["lr"] = recipe.optimiser.rate(step, recipe.steps)
    machine.optimiser.zero_grad()
    for i in range(recipe.compute.accumulation):
        part, batch = next(batches)
        drawn = draws(objective, part.seeds, batch.x_target.shape[1:])
        with only_adding(machine.network, last=i == recipe.compute.accumulation - 1):
            each = _losses(run, machine, batch, drawn, seed=part.seeds[0])
            if everywhere(not bool(each.isfinite().all()), world):
                raise InputError(
                    f"found a loss of {each.detach().mean().item()} in step {step + 1}, on a batch of {part.kind}; the"
                    f" last checkpoint in {run.work} is from before it: lower the learning rate, or look at the clips"
                )
            (each.mean() / recipe.compute.accumulation).backward()  # type: ignore[no-untyped-call]
        figures.add(part.kind, drawn.t, each.detach(), objective.process.schedule.num_timesteps)
    norm: float = whole(nn.utils.clip_grad_norm_(run.networks.unet.parameters(), recipe.optimiser.clip)).item()
    if norm != norm or norm == float("inf"):  # the same in all processes
        raise InputError(
            f"found a gradient of norm {norm} in step {step + 1}; the last checkpoint in {run.work} is from before it:"
            " lower the learning rate, or look at the clips"
        )
    machine.optimiser.step()
    machine.average.update(run.networks.unet, recipe.ema.kept(step))
    return norm


def _losses(run: Run, machine: _Machine, batch: Batch, drawn: Draws, *, seed: int) -> Tensor:
    """Return the losses (B,) of a batch; the network's own dropout, if it has any, is drawn from `seed`."""
    device, half = run.world.device, run.recipe.compute.precision == "bf16"
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.autocast(device.type, torch.bfloat16, enabled=half):
        torch.manual_seed(seed)
        found: Tensor = losses(machine.network, batch, drawn, machine.objective, run.networks.preset.emits)
    return found


def _average(machine: _Machine) -> dict[str, Tensor]:
    return {name: whole(value) for name, value in machine.average.tensors.items()}


def _save(run: Run, machine: _Machine, step: int, cpu_s: float) -> None:
    """Write a checkpoint of whole tensors; all processes have to take part, the first one writes."""
    moments = machine.optimiser.state_dict()
    moments["state"] = {
        number: {key: whole(value) for key, value in values.items()} for number, values in moments["state"].items()
    }
    state = states.State(
        step=step,
        model={name: whole(value) for name, value in run.networks.unet.named_parameters()},
        average=_average(machine),
        optimiser=moments,
        cpu_s=cpu_s,
        broken=dict(sum(gathered(run.examples.broken, run.world), Counter[str]())),
        facts={**run.identity, "settings": run.recipe.plain()},
    )
    if run.world.is_first:
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
