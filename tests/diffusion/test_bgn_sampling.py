"""Sampling with Biased Gaussian Noise: the consistent sampler stays on the path that the plain one leaves."""

import itertools

import pytest
import torch
from torch import Tensor

from reference_models.diffusion import bgn, grid, parameterization, solvers
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.diffusion.parameterization import Estimate
from reference_models.diffusion.schedule import Schedule, noised
from tests.diffusion.bgn_examples import (
    COND,
    EPS,
    F_A,
    F_A_ZERO_SNR,
    F_SR,
    TARGET,
    VP,
    ZERO_SNR,
    close,
    stages,
    timesteps_of,
    toy,
    toy_denoiser,
)


@stages
@pytest.mark.parametrize("solver", solvers.SOLVERS)
@pytest.mark.parametrize("sampler", ["plain", "consistent"])
def test_a_perfect_predictor_is_returned_exactly_in_any_number_of_steps(
    process: BiasedNoise, solver: str, sampler: bgn.Sampler
) -> None:
    for num_steps in (1, 2, 7):
        steps = grid.uniform(process.t_n, num_steps)
        denoise = parameterization.denoiser(lambda x, t: TARGET, process.schedule, predicts="x0")
        assert torch.equal(bgn.sample(denoise, process, COND, EPS, steps, sampler=sampler, solver=solver), TARGET)


@pytest.mark.parametrize("late", [F_A, F_A_ZERO_SNR], ids=["F_A", "F_A zero SNR"])
def test_where_the_ramp_is_zero_plain_and_consistent_agree_bit_for_bit(late: BiasedNoise) -> None:
    below = grid.uniform(late.t_m, 12)
    for solver in solvers.SOLVERS:
        plain = solvers.sample(toy_denoiser(late), late.schedule, below, EPS, solver=solver)
        denoise_y = bgn.consistent(toy_denoiser(late), late, COND)
        assert torch.equal(plain, solvers.sample(denoise_y, late.effective_schedule, below, EPS, solver=solver))


@stages
def test_consistent_ddim_is_the_update_written_in_x(process: BiasedNoise) -> None:
    """x_s = alpha_s [(1 - lam_s) v + lam_s x_cond] + sigma_s eps, eps = eps' - kappa_t (x_cond - v): by hand."""
    steps = timesteps_of[process.t_n]
    alpha, sigma, lam, kappa = process.schedule.alpha, process.schedule.sigma, process.lam, process.kappa
    denoise = toy_denoiser(process)
    x = bgn.start(process, COND, EPS, steps[0])
    for t, s in zip(steps, [*steps[1:], None], strict=True):
        found = denoise(x, t)
        eps = found.eps - kappa[t] * (COND - found.x0)
        if s is None:
            x = found.x0
        else:
            x = alpha[s] * ((1 - lam[s]) * found.x0 + lam[s] * COND) + sigma[s] * eps
    close(bgn.sample(denoise, process, COND, EPS, steps, sampler="consistent", solver="ddim"), x, 1e-11)


@stages
def test_consistent_2m_is_the_published_formula_on_y(process: BiasedNoise) -> None:
    """Lu et al.'s 2M in terms of l, with a = alpha (1 - lam), written out; first order at the start and at the end."""
    steps = timesteps_of[process.t_n]
    a, sigma = process.schedule.alpha * (1 - process.lam), process.schedule.sigma
    denoise = toy_denoiser(process)
    half_log_snr = (a / sigma).log()
    y, previous = float(sigma[steps[0]]) * EPS, None
    for i, (t, s) in enumerate(itertools.pairwise(steps)):
        v = denoise(y + process.shift[t] * COND, t).x0
        mixed = v
        if i >= 2:
            assert previous is not None
            h, h_before = half_log_snr[s] - half_log_snr[t], half_log_snr[t] - half_log_snr[steps[i - 1]]
            r = h_before / h
            mixed = (1 + 1 / (2 * r)) * v - 1 / (2 * r) * previous
        y, previous = (sigma[s] / sigma[t]) * y + (a[s] - sigma[s] * a[t] / sigma[t]) * mixed, v
    last = denoise(y + process.shift[steps[-1]] * COND, steps[-1]).x0
    close(bgn.sample(denoise, process, COND, EPS, steps, sampler="consistent", solver="dpm++2m"), last, 1e-10)


@stages
@pytest.mark.parametrize("solver", solvers.SOLVERS)
def test_consistent_solver_on_y_is_the_standard_one_on_a_variance_preserving_z(
    process: BiasedNoise, solver: str
) -> None:
    """z = y / sqrt(a^2 + sigma^2) has alpha_bar = a^2 / (a^2 + sigma^2): an ordinary schedule, other floats."""
    steps = timesteps_of[process.t_n]
    effective = process.effective_schedule
    norm = (effective.alpha**2 + effective.sigma**2).sqrt()
    standard = Schedule(effective.alpha / norm, effective.sigma / norm)
    assert standard.is_variance_preserving
    on_y = bgn.consistent(toy_denoiser(process), process, COND)

    def on_z(z: Tensor, t: int) -> Estimate:
        found = on_y(norm[t] * z, t)
        return parameterization.estimate(
            "x0", found.x0, z, alpha=float(standard.alpha[t]), sigma=float(standard.sigma[t])
        )

    assert float(norm[process.t_n]) == pytest.approx(float(effective.sigma[process.t_n]))
    found = solvers.sample(on_z, standard, steps, EPS, solver=solver)
    expected = bgn.sample(toy_denoiser(process), process, COND, EPS, steps, sampler="consistent", solver=solver)
    # eps-form solvers multiply rounding by sigma / a, which near t_n is 1e5 under zero terminal SNR
    close(found, expected, 1e-12 if solvers.SOLVERS[solver].variable == "x0" else 1e-9)


@pytest.mark.parametrize(("t", "s"), [(700, 600), (500, 400), (200, 100)])
def test_a_plain_step_misses_what_the_page_says(t: int, s: int) -> None:
    """From a correct x_t with a perfect prediction: plain minus consistent is -sigma_s (kappa_s - kappa_t) (C - T)."""
    x_t = bgn.noised_towards(F_SR, TARGET, COND, EPS, t)
    eps_prime = bgn.biased_noise(F_SR, TARGET, COND, EPS, t)
    plain = solvers.first_order(Estimate(TARGET, eps_prime), solvers.Point(float(VP.alpha[s]), float(VP.sigma[s])))
    right = bgn.noised_towards(F_SR, TARGET, COND, EPS, s)
    gap = float(VP.sigma[s] * (F_SR.kappa[s] - F_SR.kappa[t])) * (COND - TARGET)
    close(plain, right - gap)
    close(x_t, noised(VP, TARGET, eps_prime, t))


@stages
@pytest.mark.parametrize("solver", ["ddim", "dpm++2m"])
def test_a_perfect_prediction_keeps_the_consistent_sampler_on_the_path_and_not_the_plain_one(
    process: BiasedNoise, solver: str
) -> None:
    """Every state of the consistent sampler is the x_t of training; the plain one's is off, at any step size."""
    denoise = parameterization.denoiser(lambda x, t: TARGET, process.schedule, predicts="x0")
    biases = []
    for num_steps in (10, 90):
        steps = grid.uniform(process.t_n, num_steps)
        y = float(process.schedule.sigma[process.t_n]) * EPS
        on_y = bgn.consistent(denoise, process, COND)
        for done in solvers.steps(on_y, process.effective_schedule, steps, y, solver=solver):
            if done.index + 1 < num_steps:
                s = steps[done.index + 1]
                close(done.x + process.shift[s] * COND, bgn.noised_towards(process, TARGET, COND, EPS, s), 1e-11)
        x, off = bgn.start(process, COND, EPS, steps[0]), 0.0
        for done in solvers.steps(denoise, process.schedule, steps[:-1], x, solver=solver, end=steps[-1]):
            s = steps[done.index + 1]
            off = max(off, float((done.x - bgn.noised_towards(process, TARGET, COND, EPS, s)).abs().max()))
        biases.append(off / float((COND - TARGET).abs().max()))
    assert biases[1] > 0.9 * biases[0] > 0.01


def test_state_bias_of_the_plain_sampler_is_the_known_figure() -> None:
    """A perfect predictor, all steps: a quarter of x_cond - x_target in noise deviations for F_SR, 0.07 for F_A."""
    for process, figure in ((F_SR, 0.25), (F_A, 0.07)):
        denoise = parameterization.denoiser(lambda x, t: TARGET, process.schedule, predicts="x0")
        steps = grid.uniform(process.t_n, process.t_n)
        x, off = bgn.start(process, COND, EPS, steps[0]), []
        for done in solvers.steps(denoise, process.schedule, steps[:-1], x, solver="ddim", end=steps[-1]):
            s = steps[done.index + 1]
            apart = (done.x - bgn.noised_towards(process, TARGET, COND, EPS, s)) / process.schedule.sigma[s]
            off.append(float((apart / (COND - TARGET)).abs().median()))
        assert max(off) == pytest.approx(figure, abs=0.02)


@pytest.mark.parametrize("solver", ["ddim", "dpm2m", "dpm++2m"])
def test_no_number_is_lost_where_alpha_is_almost_nothing(solver: str) -> None:
    """F_A under zero terminal SNR starts at alpha = 0.0041, and its y at a = 0 exactly: all stays finite in float32."""
    steps = grid.uniform(990, 50)
    for predicts in ("eps", "v"):
        denoise = parameterization.denoiser(toy, ZERO_SNR, predicts=predicts)  # type: ignore[arg-type]
        for sampler in ("plain", "consistent"):
            found = bgn.sample(
                denoise,
                F_A_ZERO_SNR,
                COND.float(),
                EPS.float(),
                steps,
                sampler=sampler,
                solver=solver,  # type: ignore[arg-type]
            )
            assert found.isfinite().all()


def test_single_and_half_precision_stay_near_double() -> None:
    exact = bgn.sample(
        toy_denoiser(F_SR), F_SR, COND, EPS, grid.uniform(700, 7), sampler="consistent", solver="dpm++2m"
    )
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 3e-2)):
        found = bgn.sample(
            toy_denoiser(F_SR), F_SR, COND.to(dtype), EPS.to(dtype), grid.uniform(700, 7),
            sampler="consistent", solver="dpm++2m",
        )  # fmt: skip
        assert found.dtype == dtype
        assert float((found.double() - exact).abs().max()) < tolerance * float(exact.abs().max())


@stages
@pytest.mark.parametrize("solver", ["ddim", "dpm++2m"])
def test_mean_of_a_gaussian_is_exact_at_any_number_of_consistent_steps(process: BiasedNoise, solver: str) -> None:
    """Exact E[x_target | x_t] of N(1, 0.25^2), start at the mean of the noise: the consistent path ends at the mean."""
    mean, std = 1.0, 0.25

    def expected_target(x: Tensor, t: int) -> Tensor:
        a, sigma = float(process.effective_schedule.alpha[t]), float(process.schedule.sigma[t])
        y = x - process.shift[t] * cond
        return mean + a * std**2 / (a**2 * std**2 + sigma**2) * (y - a * mean)

    cond, zero = torch.full((1, 1), 0.3, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    denoise = parameterization.denoiser(expected_target, process.schedule, predicts="x0")
    for num_steps in (1, 2, 7, 50):
        steps = grid.uniform(process.t_n, num_steps)
        found = bgn.sample(denoise, process, cond, zero, steps, sampler="consistent", solver=solver)
        assert float(found) == pytest.approx(mean, abs=1e-12)


@stages
def test_states_on_the_way_can_be_watched_with_either_sampler(process: BiasedNoise) -> None:
    steps = timesteps_of[process.t_n]
    samplers: list[bgn.Sampler] = ["plain", "consistent"]
    for sampler in samplers:
        args = toy_denoiser(process), process, COND, EPS, steps
        done = list(solvers.steps(*bgn.posed(*args, sampler=sampler), solver="dpm++2m"))
        assert [step.t for step in done] == steps
        assert torch.equal(done[-1].x, bgn.sample(*args, sampler=sampler, solver="dpm++2m"))


def test_sample_has_the_dtype_of_the_noise_whatever_the_condition_has() -> None:
    for sampler in ("plain", "consistent"):
        found = bgn.sample(
            toy_denoiser(F_SR),
            F_SR,
            COND.bfloat16(),
            EPS.float(),
            [700, 300],
            sampler=sampler,
            solver="ddim",  # type: ignore[arg-type]
        )
        assert found.dtype == torch.float32


def test_a_start_below_t_n_is_image_editing_and_refused() -> None:
    with pytest.raises(ValueError, match="expected t_n = 700 or above"):
        bgn.start(F_SR, COND, EPS, 699)
    with pytest.raises(ValueError, match="found a start at t = 600"):
        bgn.sample(toy_denoiser(F_SR), F_SR, COND, EPS, [600, 500], sampler="plain", solver="ddim")


def test_shapes_samplers_and_grids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected equal shapes"):
        bgn.noised_towards(F_SR, TARGET, COND[:, :1], EPS, 5)
    with pytest.raises(ValueError, match="expected equal shapes"):
        bgn.start(F_SR, COND[:1], EPS, 700)
    with pytest.raises(ValueError, match="found sampler 'exact', expected one of plain, consistent"):
        bgn.sample(toy_denoiser(F_SR), F_SR, COND, EPS, [700], sampler="exact", solver="ddim")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN or infinity in x_cond"):
        bgn.sample(toy_denoiser(F_SR), F_SR, COND / 0, EPS, [700], sampler="consistent", solver="ddim")
    with pytest.raises(ValueError, match="found no timesteps"):
        bgn.sample(toy_denoiser(F_SR), F_SR, COND, EPS, [], sampler="plain", solver="ddim")
