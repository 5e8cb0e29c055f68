"""At which timesteps a solver asks the network: descending lists of indices 0 … num_timesteps - 1.

After the last entry a solver goes on to the data (or to another end, see `solvers.sample`); the data is no entry.
Where several spacings of one name are in use, the docstring says whose it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from reference_models.diffusion.schedule import Schedule


def uniform(start: int, num_steps: int) -> list[int]:
    """Return start, …, start / num_steps: even steps from start towards 0, which is left out.

    `uniform(700, 7)` is UniVG's super-resolution: 700, 600, …, 100, the lower part of a grid of ten (decision 3).
    """
    return checked([round(start * (num_steps - i) / num_steps) for i in range(num_steps)], start, num_steps)


def quadratic(start: int, num_steps: int) -> list[int]:
    """Return start (1 - i/num_steps)^2: shorter steps towards the data. Not in the paper (docs/bgn.md)."""
    return checked([round(start * (1 - i / num_steps) ** 2) for i in range(num_steps)], start, num_steps)


def trailing(num_steps: int, *, num_timesteps: int = 1000) -> list[int]:
    """Return 999, 979, …, 19 (50 steps): even steps that begin at the noisiest timestep.

    Source: Lin et al. 2024, table 2; the same as DynamiCrafter's "uniform_trailing".
    """
    # NumPy's arange as there: its rounding decides the ties, of 48 steps for instance
    points = np.arange(num_timesteps, 0, -num_timesteps / max(num_steps, 1))[: max(num_steps, 0)]
    steps = [int(t) - 1 for t in points.round()]
    return checked(steps, num_timesteps, num_steps)


def leading(num_steps: int, *, num_timesteps: int = 1000, offset: int = 1) -> list[int]:
    """Return 981, 961, …, 1 (50 steps): whole steps of num_timesteps // num_steps, counted from the clean end.

    Source: Song et al. 2021 (DDIM) as in diffusers' DDIMScheduler, steps_offset 1. diffusers' DPM-Solver has another
    "leading" with num_steps + 1 in the quotient.
    """
    ratio = num_timesteps // max(num_steps, 1)
    return checked([i * ratio + offset for i in reversed(range(num_steps))], num_timesteps, num_steps)


def videocrafter_uniform(num_steps: int, *, num_timesteps: int = 1000) -> list[int]:
    """Return 981, 961, …, 1 (50 steps); more steps than asked for where num_steps is no divisor, as in the original.

    Source: VideoCrafter@11bcd76 `make_ddim_timesteps("uniform")`.
    """
    ratio = num_timesteps // max(num_steps, 1)
    steps = [t + 1 for t in reversed(range(0, num_timesteps, max(ratio, 1)))]
    return checked(steps, num_timesteps, num_steps)


def linspace(num_steps: int, *, num_timesteps: int = 1000) -> list[int]:
    """Return 999, 979, …, 20 (50 steps): num_steps + 1 even points from the last timestep to 0, without the 0.

    Source: diffusers' DPMSolverMultistepScheduler; its DDIMScheduler divides by num_steps - 1 and keeps the 0.
    """
    last = num_timesteps - 1
    return checked([round(last * (num_steps - i) / num_steps) for i in range(num_steps)], num_timesteps, num_steps)


def partial(timesteps: Sequence[int], *, strength: float) -> list[int]:
    """Return the last int(len * strength) timesteps: where editing enters a grid, after SDEdit (Meng et al. 2022).

    Raises ValueError when strength is outside 0 … 1 or leaves no step.
    """
    kept = int(len(timesteps) * strength + 1e-9)  # 10 * 0.7 is 7, also where the product is 6.999…
    if not 0 < kept <= len(timesteps):
        raise ValueError(f"found strength {strength}, expected 1/{len(timesteps)} to 1 for {len(timesteps)} steps")
    return list(timesteps[len(timesteps) - kept :])


def with_signal(timesteps: Sequence[int], schedule: Schedule) -> list[int]:
    """Return the timesteps where alpha > 0: where a network that predicts eps may begin (decision 15)."""
    return [t for t in timesteps if schedule.alpha[t] > 0]


def checked(timesteps: list[int], highest: int, num_steps: int) -> list[int]:
    """Return the timesteps as they are. Raises ValueError unless they fall, one by one, and none is negative."""
    falling = all(a > b for a, b in itertools.pairwise(timesteps))
    if num_steps < 1 or not falling or timesteps[-1] < 0:
        raise ValueError(
            f"found {num_steps} steps from {highest}, expected 1 to {highest}, so that no timestep repeats"
        )
    return timesteps
