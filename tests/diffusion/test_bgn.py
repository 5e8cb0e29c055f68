"""Biased Gaussian Noise: its ends are the target and the condition, and minus the condition it is plain diffusion."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_models.diffusion import bgn, parameterization
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.diffusion.schedule import noised
from tests.diffusion.bgn_examples import COND, EPS, F_A, F_A_ZERO_SNR, F_SR, TARGET, VP, close, stages


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


# Bad input
@pytest.mark.parametrize(("t_m", "t_n"), [(700, 700), (700, 0), (-1, 700), (0, 1000)])
def test_an_empty_or_reversed_interval_is_refused(t_m: int, t_n: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= t_m < t_n <= 999"):
        BiasedNoise(VP, t_m, t_n)


def test_a_schedule_that_is_not_variance_preserving_is_refused() -> None:
    with pytest.raises(ValueError, match="variance-preserving"):
        BiasedNoise(F_SR.effective_schedule, 0, 700)
