"""DDIM, DPM-Solver and DPM-Solver++ on any schedule x_t = a_t x0 + sigma_t eps, a^2 + sigma^2 = 1 or not.

All are one step with a correction. From a point (x0, eps) at t, the step that holds both fixed is

    x_s = a_s x0 + sigma_s eps                                                (DDIM; first order of both families)

and the second order adds half of what x0 (DPM-Solver++) or eps (DPM-Solver) will change over the step,

    x_s += gain / 2 * change * h / h'
    gain = a_s - sigma_s a_t / sigma_t   for x0,       sigma_s - a_s sigma_t / a_t   for eps

where `change` was seen over an interval h' that ends or begins at t, and intervals are measured in l = log(a / sigma),
h = l_s - l_t. The gains are the papers' -a_s (e^-h - 1) and -sigma_s (e^h - 1) without the exponential, so they are
finite where h is not. Where l is infinite (no signal, or the data) there is no slope, and the step is of first order.

Sources: DDIM, Song et al. 2021 (arXiv 2010.02502), eq. 12 and 16; DPM-Solver, Lu et al. 2022 (arXiv 2206.00927, UniVG's
[56]), algorithm 1; DPM-Solver++, Lu et al. 2022 (arXiv 2211.01095), algorithms 1 and 2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reference_models.diffusion.noise import draw_noise
from reference_models.diffusion.parameterization import Denoiser, Estimate
from reference_models.diffusion.schedule import Schedule


@dataclass(frozen=True)
class Solver:
    """How a step is made. memory: the slope comes from the step before (multistep) or from within a pair of steps."""

    order: Literal[1, 2]
    variable: Literal["x0", "eps"] = "x0"
    memory: Literal["multistep", "singlestep"] = "multistep"


SOLVERS = {
    "ddim": Solver(1),
    "dpm1": Solver(1, "eps"),  # equal to ddim with eta 0
    "dpm2m": Solver(2, "eps"),
    "dpm2s": Solver(2, "eps", "singlestep"),
    "dpm++1": Solver(1),  # equal to ddim with eta 0
    "dpm++2m": Solver(2),
    "dpm++2s": Solver(2, "x0", "singlestep"),
}


@dataclass(frozen=True, eq=False)
class Step:
    """One step done: the index of the step, the timestep t where the network was asked, the state after it, x0 at t."""

    index: int
    t: int
    x: Tensor
    x0: Tensor


@dataclass(frozen=True)
class Point:
    """A place on the schedule: x = a x0 + sigma eps."""

    a: float
    sigma: float

    @property
    def l(self) -> float:  # noqa: E743 (the papers' lambda; lam is the ramp of BGN here)
        """Half the log of the signal-to-noise ratio; -inf without signal, +inf without noise."""
        if self.a == 0 or self.sigma == 0:
            return -math.inf if self.a == 0 else math.inf
        return math.log(self.a / self.sigma)


DATA = Point(1.0, 0.0)

# With fewer steps the last one is of first order, wherever it ends: extrapolating over so long a step does harm.
# Source: `lower_order_final` of diffusers' DPMSolverMultistepScheduler (the authors' own code says 10).
FEW_STEPS = 15


def sample(
    denoise: Denoiser,
    schedule: Schedule,
    timesteps: Sequence[int],
    x: Tensor,
    *,
    solver: str,
    end: int | None = None,
    eta: float = 0.0,
    eta_schedule: Schedule | None = None,
    generators: Sequence[torch.Generator] | None = None,
) -> Tensor:
    """Return the sample (B, …) that the solver reaches from x at timesteps[0], of x's shape, dtype and device.

    Parameters and errors as in `steps`.
    """
    state = x
    for step in steps(
        denoise,
        schedule,
        timesteps,
        x,
        solver=solver,
        end=end,
        eta=eta,
        eta_schedule=eta_schedule,
        generators=generators,
    ):
        state = step.x
    return state.to(x.dtype)


def steps(
    denoise: Denoiser,
    schedule: Schedule,
    timesteps: Sequence[int],
    x: Tensor,
    *,
    solver: str,
    end: int | None = None,
    eta: float = 0.0,
    eta_schedule: Schedule | None = None,
    generators: Sequence[torch.Generator] | None = None,
) -> Iterator[Step]:
    """Yield a Step after each call of the network; the last one's x is the sample.

    denoise: (x_t, t) -> Estimate under `schedule`; it sees x in float32 (float64 if x is), in which all is computed.
    timesteps: falling indices (grid.py); x (B, …) belongs to the first.
    solver: a name in SOLVERS.
    end: where the last step goes; None is the data, and then the last x is the last x0 exactly. 0 is the first entry
        of the table, where VideoCrafter, DynamiCrafter and the authors' DPM-Solver stop.
    eta: how much of the noise is fresh at each step, 0 to 1 (ddim only; 1 is ancestral sampling). Needs generators,
        one per sample.
    eta_schedule: whose signal-to-noise ratio says how much noise that is; `schedule` if None. VideoCrafter takes the
        one without its factor on the signal.

    Raises ValueError, before the network is called, for an unknown solver, timesteps that do not fall or leave the
    table, x that is not finite, eta without ddim or without generators; later for a prediction that is not finite.
    """
    method = checked_solver(solver, eta, generators, x)
    points = checked_points(schedule, timesteps, end)
    fresh = noise_shares(eta_schedule or schedule, timesteps, end, eta)
    if not (x.is_floating_point() and x.isfinite().all()):
        raise ValueError(
            f"found a start of {x.dtype} with NaN or infinity, or no floats, expected finite noise or latents"
        )
    return run(denoise, method, list(timesteps), points, fresh, x, generators)


def run(
    denoise: Denoiser,
    method: Solver,
    timesteps: list[int],
    points: list[Point],
    fresh: list[float],
    start: Tensor,
    generators: Sequence[torch.Generator] | None,
) -> Iterator[Step]:
    """Yield the steps; apart from `steps`, so that what is wrong is said when that is called, not at the first step."""
    x = start.to(torch.promote_types(start.dtype, torch.float32))
    past: tuple[Estimate, Point] | None = None  # what the step before found, and where
    for i, t in enumerate(timesteps):
        here, there = points[i], points[i + 1]
        found = denoise(x, t)
        if not (found.x0.isfinite().all() and found.eps.isfinite().all()):
            raise ValueError(f"found NaN or infinity in the prediction at t = {t}, step {i + 1} of {len(timesteps)}")
        may_correct = method.order == 2 and (method.memory == "multistep" or i % 2 == 1)
        may_correct &= i + 1 < len(timesteps) or len(timesteps) >= FEW_STEPS
        if may_correct and past is not None and have_slope(past[1], here, there):
            x = second_order(method, *past, found, here, there)
        else:
            noise = (
                draw_noise(generators, x.shape[1:], device=x.device, dtype=x.dtype) if generators and fresh[i] else None
            )
            x = first_order(found, there, share=fresh[i], noise=noise)
        past = (found, here)
        yield Step(i, t, x, found.x0)


def first_order(found: Estimate, there: Point, *, share: float = 0.0, noise: Tensor | None = None) -> Tensor:
    """Return a_s x0 + sigma_s eps, where `share` of eps (in standard deviations) is exchanged for fresh noise."""
    if noise is None:
        return there.a * found.x0 + there.sigma * found.eps
    eps = math.sqrt(1 - share**2) * found.eps + share * noise
    return there.a * found.x0 + there.sigma * eps


def second_order(method: Solver, then: Estimate, before: Point, found: Estimate, here: Point, there: Point) -> Tensor:
    """Return the state at `there`: the first-order step, plus half of what x0 or eps will change on the way.

    Multistep steps from here, with the slope over the interval before. Singlestep steps from before, over two
    intervals at once, and the estimate found between them gives the slope.
    """
    base, start = (found, here) if method.memory == "multistep" else (then, before)
    ratio = (there.l - start.l) / (here.l - before.l)
    if method.variable == "x0":
        gain, change = there.a - there.sigma * start.a / start.sigma, found.x0 - then.x0
    else:
        gain, change = there.sigma - there.a * start.sigma / start.a, found.eps - then.eps
    return first_order(base, there) + (0.5 * gain * ratio) * change


def have_slope(before: Point, here: Point, there: Point) -> bool:
    """Say whether a slope over before … here means something on the way to there: all l finite, and apart."""
    return -math.inf < before.l < here.l < there.l < math.inf


def noise_shares(schedule: Schedule, timesteps: Sequence[int], end: int | None, eta: float) -> list[float]:
    """Return, per step, which share of sigma_s is fresh noise: eta sqrt(1 - (SNR_t / SNR_s)), SNR = a^2 / sigma^2.

    At eta = 1 it is the spread of q(x_s | x_t, x0), whatever the schedule. Source: Song et al. 2021, eq. 16.
    """
    points = checked_points(schedule, timesteps, end)
    ratios = [math.exp(here.l - there.l) if here.a > 0 else 0.0 for here, there in itertools.pairwise(points)]
    return [eta * math.sqrt(max(0.0, 1 - ratio**2)) for ratio in ratios]


def checked_points(schedule: Schedule, timesteps: Sequence[int], end: int | None) -> list[Point]:
    """Return the places of the timesteps and of the end. Raises ValueError unless they fall and lie in the table."""
    indices = [*timesteps, *([] if end is None else [end])]
    if not timesteps or any(t <= s for t, s in itertools.pairwise(indices)):
        raise ValueError(
            f"found timesteps {list(timesteps)} to {'the data' if end is None else end}, expected falling ones"
        )
    if indices[0] >= schedule.num_timesteps or indices[-1] < 0:
        raise ValueError(f"found timesteps {indices[0]} to {indices[-1]}, expected 0 to {schedule.num_timesteps - 1}")
    points = [Point(float(schedule.alpha[t]), float(schedule.sigma[t])) for t in indices]
    return [*points, DATA] if end is None else points


def checked_solver(solver: str, eta: float, generators: Sequence[torch.Generator] | None, x: Tensor) -> Solver:
    """Return the Solver of that name. Raises ValueError for an unknown one, or eta that it cannot use."""
    if solver not in SOLVERS:
        raise ValueError(f"found solver {solver!r}, expected one of {', '.join(SOLVERS)}")
    if not 0 <= eta <= 1 or (eta > 0 and solver != "ddim"):
        raise ValueError(f"found eta {eta} with {solver}, expected 0, or up to 1 with ddim")
    if eta > 0 and (generators is None or len(generators) != len(x)):
        count = "no" if generators is None else len(generators)
        raise ValueError(
            f"found {count} generators for {len(x)} samples, expected one each, because eta {eta} draws noise"
        )
    return SOLVERS[solver]
