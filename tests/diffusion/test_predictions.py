"""eps, x0 and v follow from each other wherever they say enough, and where they do not, nobody pretends."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_models.diffusion import parameterization as p
from reference_models.diffusion import schedule
from reference_models.diffusion.schedule import noised

ZERO_SNR = schedule.zero_terminal_snr(schedule.scaled_linear())
CONVERSIONS = {
    ("eps", "x0"): p.x0_from_eps,
    ("v", "x0"): p.x0_from_v,
    ("x0", "eps"): p.eps_from_x0,
    ("v", "eps"): p.eps_from_v,
    ("eps", "v"): p.v_from_eps,
    ("x0", "v"): p.v_from_x0,
}


def truth(angle: float, seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor, float, float]:
    """Return what eps, x0 and v are at some x_t, that x_t, alpha and sigma, in float64."""
    x0, eps = torch.randn(2, 2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).unbind(
        0
    )
    alpha, sigma = float(torch.cos(torch.tensor(angle).double())), float(torch.sin(torch.tensor(angle).double()))
    return {"x0": x0, "eps": eps, "v": alpha * eps - sigma * x0}, alpha * x0 + sigma * eps, alpha, sigma


@settings(max_examples=40, deadline=None)
@given(angle=st.floats(0.01, 1.56), seed=st.integers(0, 5))
def test_each_kind_follows_from_each_other(angle: float, seed: int) -> None:
    values, x_t, alpha, sigma = truth(angle, seed)
    for (given_kind, wanted), convert in CONVERSIONS.items():
        found = convert(values[given_kind], x_t, alpha=alpha, sigma=sigma)
        torch.testing.assert_close(found, values[wanted], rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(angle=st.floats(0.05, 1.52), seed=st.integers(0, 5))
def test_there_and_back_is_where_one_began_for_any_values_at_all(angle: float, seed: int) -> None:
    """Also for predictions that fit no x0 and eps: the conversions are inverse maps at a given x_t."""
    _, x_t, alpha, sigma = truth(angle, seed)
    anything = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(seed + 77), dtype=torch.float64)
    for one, other in itertools.permutations(["eps", "x0", "v"], 2):
        there = CONVERSIONS[one, other](anything, x_t, alpha=alpha, sigma=sigma)
        back = CONVERSIONS[other, one](there, x_t, alpha=alpha, sigma=sigma)
        torch.testing.assert_close(back, anything, rtol=1e-10, atol=1e-10)


def test_v_says_everything_where_there_is_no_signal_and_where_there_is_no_noise() -> None:
    values, eps_only, _, _ = truth(0.0)
    x0, eps = values["x0"], values["eps"]
    assert torch.equal(p.x0_from_v(-x0, eps, alpha=0.0, sigma=1.0), x0)
    assert torch.equal(p.eps_from_v(-x0, eps, alpha=0.0, sigma=1.0), eps)
    assert torch.equal(p.x0_from_v(eps, x0, alpha=1.0, sigma=0.0), x0)
    assert torch.equal(p.eps_from_v(eps, x0, alpha=1.0, sigma=0.0), eps)
    assert torch.equal(eps_only, x0)


@pytest.mark.parametrize("alpha", [0.0, torch.tensor([0.5, 0.0]).view(2, 1)])
def test_eps_without_signal_says_nothing_and_is_refused(alpha: p.Coefficient) -> None:
    for convert in (p.x0_from_eps, p.v_from_eps):
        with pytest.raises(ValueError, match="alpha = 0"):
            convert(torch.zeros(2, 3), torch.zeros(2, 3), alpha=alpha, sigma=1.0)


def test_x0_without_noise_says_nothing_and_is_refused() -> None:
    for convert in (p.eps_from_x0, p.v_from_x0):
        with pytest.raises(ValueError, match="sigma = 0"):
            convert(torch.zeros(2, 3), torch.zeros(2, 3), alpha=1.0, sigma=0.0)


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
@pytest.mark.parametrize("t", [0, 400, 998])
def test_a_network_that_hits_the_training_target_denoises_exactly(kind: p.Kind, t: int) -> None:
    values, _, _, _ = truth(0.3)
    x0, eps = values["x0"], values["eps"]
    target = p.training_target(kind, ZERO_SNR, x0, eps, t)
    x_t = noised(ZERO_SNR, x0, eps, t)
    found = p.denoiser(lambda x, t: target, ZERO_SNR, predicts=kind)(x_t, t)
    torch.testing.assert_close(found.x0, x0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.eps, eps, rtol=1e-9, atol=1e-9)


def test_targets_of_a_batch_are_those_of_its_samples() -> None:
    values, _, _, _ = truth(0.3)
    x0, eps = values["x0"].float(), values["eps"].float()
    together = p.training_target("v", ZERO_SNR, x0, eps, torch.tensor([10, 999]))
    torch.testing.assert_close(together[:1], p.training_target("v", ZERO_SNR, x0[:1], eps[:1], 10))
    torch.testing.assert_close(together[1], -x0[1])


def test_a_network_of_a_shrunken_signal_is_seen_through_its_scale() -> None:
    """DynamiCrafter: v is that of scale x0, the state is alpha scale x0 + sigma eps."""
    scale = schedule.videocrafter_scale()
    shrunk = schedule.scaled(ZERO_SNR, scale)
    values, _, _, _ = truth(0.3)
    x0, eps, t = values["x0"], values["eps"], 250
    v = p.training_target("v", ZERO_SNR, scale[t] * x0, eps, t)
    found = p.unscaled(p.denoiser(lambda x, t: v, ZERO_SNR, predicts="v"), scale)(noised(shrunk, x0, eps, t), t)
    torch.testing.assert_close(found.x0, x0, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.eps, eps, rtol=1e-12, atol=1e-12)


def test_v_on_a_shrunken_schedule_and_unknown_kinds_are_refused() -> None:
    shrunk = schedule.scaled(ZERO_SNR, schedule.videocrafter_scale())
    with pytest.raises(ValueError, match="v-prediction on a schedule"):
        p.denoiser(lambda x, t: x, shrunk, predicts="v")
    with pytest.raises(ValueError, match="'epsilon', expected one of eps, x0, v"):
        p.denoiser(lambda x, t: x, ZERO_SNR, predicts="epsilon")  # type: ignore[arg-type]


def test_a_prediction_of_another_shape_is_refused() -> None:
    """A network that also predicts a variance has twice the channels; broadcasting would not notice every case."""
    denoise = p.denoiser(lambda x, t: x[:, :, :1], ZERO_SNR, predicts="eps")
    with pytest.raises(ValueError, match="expected equal shapes"):
        denoise(torch.zeros(1, 2, 4, 3, 3), 5)
