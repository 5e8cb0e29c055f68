"""Our grids, schedules and solvers against diffusers' schedulers, run side by side in float64.

diffusers keeps its coefficients in float32, so 1e-5 of the largest value is agreement.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_models.diffusion import bgn, grid, parameterization, schedule, solvers
from reference_models.diffusion.parameterization import Kind
from reference_models.diffusion.schedule import Schedule

pytest.importorskip("diffusers", reason="diffusers is not installed; `pip install .[dev]` enables this")

VP = schedule.scaled_linear()
ZERO_SNR = schedule.zero_terminal_snr(VP)
# their conversion of a tensor to NumPy, inside set_timesteps
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES: dict[Kind, str] = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def toy(x: Tensor, t: int) -> Tensor:
    return 0.8 * torch.sin(1.3 * x + 0.002 * t) + 0.15 * x


def start() -> Tensor:
    return torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def theirs(scheduler: Any, num_steps: int, x: Tensor) -> tuple[list[int], list[Tensor]]:
    """Return the timesteps and every state of a diffusers scheduler on the toy network."""
    scheduler.set_timesteps(num_steps)
    states = []
    for t in scheduler.timesteps:
        x = scheduler.step(toy(x, int(t)), t, x).prev_sample
        states.append(x)
    return [int(t) for t in scheduler.timesteps], states


def assert_equal_states(ours: list[solvers.Step], expected: list[Tensor], tolerance: float = 1e-5) -> None:
    assert len(ours) == len(expected)
    for step, state in zip(ours, expected, strict=True):
        apart = float((step.x - state).abs().max() / state.abs().max())
        assert apart < tolerance, (step.index, apart)


def ours(s: Schedule, kind: Kind, steps: list[int], solver: str, end: int | None = None) -> list[solvers.Step]:
    denoise = parameterization.denoiser(toy, s, predicts=kind)
    return list(solvers.steps(denoise, s, steps, start(), solver=solver, end=end))


@pytest.mark.parametrize("num_steps", [1, 3, 7, 11, 50, 73])
@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_ddim_to_the_data(kind: Kind, num_steps: int) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(
        **BETAS, prediction_type=NAMES[kind], timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True
    )
    steps, expected = theirs(scheduler, num_steps, start())
    assert grid.trailing(num_steps) == steps
    # trailing DDIM of diffusers goes on to t - 1000 // num_steps, not to its own next timestep; equal where it divides
    if 1000 % num_steps == 0:
        assert_equal_states(ours(VP, kind, steps, "ddim"), expected)


@pytest.mark.parametrize("num_steps", [1, 5, 20, 50])
def test_ddim_from_no_signal_at_all(num_steps: int) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(
        **BETAS, prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False,
        set_alpha_to_one=False, rescale_betas_zero_snr=True,
    )  # fmt: skip
    steps, expected = theirs(scheduler, num_steps, start())
    assert steps[0] == 999
    assert_equal_states(ours(ZERO_SNR, "v", steps, "ddim", end=0), expected)


@pytest.mark.parametrize("spacing", ["trailing", "linspace"])
@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
@pytest.mark.parametrize("num_steps", [1, 2, 7, 14, 15, 40])
@pytest.mark.parametrize("solver", ["dpm++1", "dpm++2m", "dpm1", "dpm2m"])
def test_multistep_dpm_solver(solver: str, num_steps: int, kind: Kind, spacing: str) -> None:
    from diffusers import DPMSolverMultistepScheduler

    plus = "++" in solver
    with pytest.warns(FutureWarning) if not plus else nullcontext():
        scheduler = DPMSolverMultistepScheduler(
            **BETAS, prediction_type=NAMES[kind], timestep_spacing=spacing, solver_order=2 if "2" in solver else 1,
            algorithm_type="dpmsolver++" if plus else "dpmsolver", final_sigmas_type="zero" if plus else "sigma_min",
        )  # fmt: skip
    steps, expected = theirs(scheduler, num_steps, start())
    assert {"trailing": grid.trailing, "linspace": grid.linspace}[spacing](num_steps) == steps
    # x0 seen as eps is divided by sigma, 0.03 at the end, and float32 with it
    assert_equal_states(ours(VP, kind, steps, solver, None if plus else 0), expected, 1e-4 if kind == "x0" else 3e-5)


@pytest.mark.parametrize("kind", ["eps", "v"])
@pytest.mark.parametrize("num_steps", [3, 7, 21])
def test_singlestep_dpm_solver(num_steps: int, kind: Kind) -> None:
    """Odd numbers of steps: pairs, then one step of first order to the data."""
    from diffusers import DPMSolverSinglestepScheduler

    scheduler = DPMSolverSinglestepScheduler(
        **BETAS, prediction_type=NAMES[kind], solver_order=2, algorithm_type="dpmsolver++",
        final_sigmas_type="zero", lower_order_final=True,
    )  # fmt: skip
    steps, expected = theirs(scheduler, num_steps, start())
    assert grid.linspace(num_steps) == steps
    assert_equal_states(ours(VP, kind, steps, "dpm++2s"), expected, 3e-5)


def test_trailing_and_leading_grids_for_every_number_of_steps() -> None:
    from diffusers import DDIMScheduler

    for spacing, ours_of in (("trailing", grid.trailing), ("leading", grid.leading)):
        scheduler = DDIMScheduler(timestep_spacing=spacing, steps_offset=1)
        for num_steps in range(1, 500):
            scheduler.set_timesteps(num_steps)
            # for some numbers, 61 among them, theirs have one step more, at timestep -1
            assert ours_of(num_steps) == scheduler.timesteps.tolist()[:num_steps], (spacing, num_steps)


@pytest.mark.parametrize("interval", [bgn.SUPER_RESOLUTION_INTERVAL, (600, 900)])
@pytest.mark.parametrize("order", [1, 2])
def test_consistent_sampling_is_their_dpm_solver_on_another_schedule(interval: tuple[int, int], order: int) -> None:
    """Their scheduler, told alpha_bar = a^2 / (a^2 + sigma^2), samples BGN from just below t_n, where a > 0."""
    from diffusers import DPMSolverMultistepScheduler

    process = bgn.BiasedNoise(VP, *interval)
    effective = process.effective_schedule
    norm = (effective.alpha**2 + effective.sigma**2).sqrt()
    steps = grid.uniform(interval[1], 20)[1:]
    x_cond = start().roll(1, dims=0)
    on_y = bgn.consistent(parameterization.denoiser(toy, VP, predicts="v"), process, x_cond)

    scheduler = DPMSolverMultistepScheduler(
        prediction_type="sample", solver_order=order, algorithm_type="dpmsolver++", final_sigmas_type="zero"
    )
    scheduler.alphas_cumprod = (effective.alpha / norm) ** 2
    scheduler.set_timesteps(20)
    sigmas = [float(effective.sigma[t] / effective.alpha[t]) for t in steps]
    scheduler.timesteps, scheduler.num_inference_steps = torch.tensor(steps), len(steps)
    scheduler.sigmas = torch.tensor([*sigmas, 0.0], dtype=torch.float64)
    z = start()
    for t in steps:
        z = scheduler.step(on_y(norm[t] * z, t).x0, torch.tensor(t), z).prev_sample
    y = norm[steps[0]] * start()
    found = solvers.sample(on_y, effective, steps, y, solver="dpm++1" if order == 1 else "dpm++2m")
    assert float((found - z).abs().max() / z.abs().max()) < 1e-5
