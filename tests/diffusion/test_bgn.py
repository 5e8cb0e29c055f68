"""Biased Gaussian Noise: its ends are the target and the condition, and minus the condition it is plain diffusion."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_models.diffusion import bgn, grid, parameterization, schedule, solvers
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.diffusion.parameterization import Denoiser, Estimate
from reference_models.diffusion.schedule import Schedule, noised

VP = schedule.scaled_linear()
ZERO_SNR = schedule.zero_terminal_snr(VP)
F_SR = BiasedNoise(VP, *bgn.SUPER_RESOLUTION_INTERVAL)
F_A = BiasedNoise(VP, *bgn.ANIMATION_INTERVAL)
F_A_ZERO_SNR = BiasedNoise(ZERO_SNR, *bgn.ANIMATION_INTERVAL)
STAGES = [F_SR, F_A, F_A_ZERO_SNR]
stages = pytest.mark.parametrize("process", STAGES, ids=["F_SR", "F_A", "F_A zero SNR"])
timesteps_of = {700: grid.uniform(700, 7), 990: grid.uniform(990, 50)}

TARGET, COND, EPS = torch.randn(
    3, 2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
).unbind(0)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def toy(x: Tensor, t: int) -> Tensor:
    """A network without meaning that depends on x and t, and on neighbours in the frame."""
    return 0.8 * torch.sin(1.3 * x + 0.002 * t) + 0.15 * x.roll(1, dims=-1)


def toy_denoiser(process: BiasedNoise) -> Denoiser:
    return parameterization.denoiser(toy, process.schedule, predicts="v")


# The process of the paper (section 3.4)


@stages
def test_ramp_is_the_paper_s_and_stays_within_its_ends(process: BiasedNoise) -> None:
    lam = process.lam
    assert (lam[: process.t_m + 1] == 0).all()
    assert (lam[process.t_n :] == 1).all()
    for t in (process.t_m, process.t_m + 1, (process.t_m + process.t_n) // 2, process.t_n - 1):
        assert float(lam[t]) == (t - process.t_m) / (process.t_n - process.t_m)


@stages
def test_the_three_parts_of_the_process_meet(process: BiasedNoise) -> None:
    """q(v_t | v^T) at t_m, q(v_t | v^C) at t_n: the two conditions from which the paper derives eps'."""
    at_t_m = bgn.noised_towards(process, TARGET, COND, EPS, process.t_m)
    assert torch.equal(at_t_m, noised(process.schedule, TARGET, EPS, process.t_m))
    for t in (process.t_n, 999):
        assert torch.equal(bgn.noised_towards(process, TARGET, COND, EPS, t), noised(process.schedule, COND, EPS, t))
        assert torch.equal(bgn.start(process, COND, EPS, t), noised(process.schedule, COND, EPS, t))


@stages
def test_at_t_m_and_t_n_eps_prime_is_the_paper_s(process: BiasedNoise) -> None:
    assert torch.equal(bgn.biased_noise(process, TARGET, COND, EPS, process.t_m), EPS)
    alpha_bar = float(process.schedule.alpha[process.t_n]) ** 2
    bias = math.sqrt(alpha_bar) / math.sqrt(1 - alpha_bar) * (COND - TARGET)
    close(bgn.biased_noise(process, TARGET, COND, EPS, process.t_n), EPS + bias)


@stages
@settings(max_examples=40, deadline=None)
@given(t=st.integers(0, 999))
def test_the_two_forms_of_x_t_are_one(process: BiasedNoise, t: int) -> None:
    """alpha x_target + sigma eps' (the paper's) and alpha times the mixture + sigma eps."""
    eps_prime = bgn.biased_noise(process, TARGET, COND, EPS, t)
    close(bgn.noised_towards(process, TARGET, COND, EPS, t), noised(process.schedule, TARGET, eps_prime, t))


@stages
@settings(max_examples=40, deadline=None)
@given(t=st.integers(0, 999))
def test_minus_the_condition_it_is_a_diffusion_of_the_target(process: BiasedNoise, t: int) -> None:
    """y = x - alpha lam x_cond = a x_target + sigma eps: the identity that the consistent sampler rests on."""
    y = bgn.noised_towards(process, TARGET, COND, EPS, t) - float(process.shift[t]) * COND
    close(y, noised(process.effective_schedule, TARGET, EPS, t))


def test_condition_equal_to_the_target_is_no_bias_at_all() -> None:
    for t in (0, 300, 699, 999):
        assert torch.equal(bgn.biased_noise(F_SR, TARGET, TARGET, EPS, t), EPS)
        close(bgn.noised_towards(F_SR, TARGET, TARGET, EPS, t), noised(VP, TARGET, EPS, t))


def test_bias_is_bounded_by_the_known_figures() -> None:
    assert float(F_SR.kappa.max()) == pytest.approx(0.52, abs=0.005)
    assert int(F_SR.kappa.argmax()) == pytest.approx(280, abs=5)
    assert float((F_SR.kappa * VP.alpha).max()) == pytest.approx(0.434, abs=0.0005)
    assert float(F_A.kappa.max()) == pytest.approx(0.10, abs=0.005)
    assert float(F_A_ZERO_SNR.kappa.max()) == pytest.approx(0.07, abs=0.005)


@stages
@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
@pytest.mark.parametrize("t", [0, 350, 650, 700, 990])
def test_a_network_that_hits_its_target_knows_the_video_and_the_noise(
    process: BiasedNoise, kind: parameterization.Kind, t: int
) -> None:
    """There and back: x_target from eps', from v' and from itself; and eps, not eps', on the consistent side."""
    target = bgn.training_target(kind, process, TARGET, COND, EPS, t)
    x_t = bgn.noised_towards(process, TARGET, COND, EPS, t)
    denoise = parameterization.denoiser(lambda x, t: target, process.schedule, predicts=kind)
    found = denoise(x_t, t)
    close(found.x0, TARGET, 1e-10)
    close(found.eps, bgn.biased_noise(process, TARGET, COND, EPS, t), 1e-10)
    y_t = x_t - float(process.shift[t]) * COND
    seen_from_y = bgn.consistent(denoise, process, COND)(y_t, t)
    close(seen_from_y.x0, TARGET, 1e-10)
    close(seen_from_y.eps, EPS, 1e-10)


@settings(max_examples=40, deadline=None)
@given(t=st.integers(0, 999))
def test_v_prime_is_v_and_a_bounded_bias(t: int) -> None:
    alpha, sigma, lam = (float(f[t]) for f in (VP.alpha, VP.sigma, F_SR.lam))
    v_prime = bgn.training_target("v", F_SR, TARGET, COND, EPS, t)
    close(v_prime, (alpha * EPS - sigma * TARGET) + alpha**2 / sigma * lam * (COND - TARGET))


def test_target_does_not_jump_at_t_n() -> None:
    """Decision 20: beyond t_n lam stays 1, and eps' goes on towards x_target."""
    for kind in ("eps", "v"):
        before, at, after = (bgn.training_target(kind, F_SR, TARGET, COND, EPS, t) for t in (699, 700, 701))  # type: ignore[arg-type]
        change = (at - before).abs().max()
        assert change < 0.02
        assert (after - at).abs().max() < 2 * change


def test_a_batch_with_its_own_timesteps_is_its_samples() -> None:
    t = torch.tensor([699, 12])
    for i in range(2):
        alone = [x[i : i + 1] for x in (TARGET, COND, EPS)]
        close(bgn.noised_towards(F_SR, TARGET, COND, EPS, t)[i : i + 1], bgn.noised_towards(F_SR, *alone, int(t[i])))
        close(
            bgn.training_target("v", F_SR, TARGET, COND, EPS, t)[i : i + 1],
            bgn.training_target("v", F_SR, *alone, int(t[i])),
        )


@pytest.mark.parametrize("t", [400, torch.tensor([400, 3])])
def test_functions_keep_the_dtype_of_the_latents(t: int | Tensor) -> None:
    latents = [x.bfloat16() for x in (TARGET, COND, EPS)]
    assert bgn.noised_towards(F_SR, *latents, t).dtype == torch.bfloat16
    for kind in ("eps", "x0", "v"):
        assert bgn.training_target(kind, F_SR, *latents, t).dtype == torch.bfloat16  # type: ignore[arg-type]


# Sampling


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


# Bad input


@pytest.mark.parametrize(("t_m", "t_n"), [(700, 700), (700, 0), (-1, 700), (0, 1000)])
def test_an_empty_or_reversed_interval_is_refused(t_m: int, t_n: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= t_m < t_n <= 999"):
        BiasedNoise(VP, t_m, t_n)


def test_a_schedule_that_is_not_variance_preserving_is_refused() -> None:
    with pytest.raises(ValueError, match="variance-preserving"):
        BiasedNoise(F_SR.effective_schedule, 0, 700)


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
