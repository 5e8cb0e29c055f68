"""Schedules are float64 tables whose signal only ever falls, and the rescaled one ends at exactly no signal."""

import dataclasses
import math

import pytest
import torch

from reference_models.diffusion import schedule
from reference_models.diffusion.schedule import Schedule, look_up, noised

VARIANCE_PRESERVING = {
    "scaled linear": schedule.scaled_linear(),
    "zero terminal SNR": schedule.zero_terminal_snr(schedule.scaled_linear()),
    "cosine": schedule.cosine(),
    "cosine, zero terminal SNR": schedule.zero_terminal_snr(schedule.cosine()),
    "log SNR cosine": schedule.logsnr_cosine_interp(),
}


def table(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("name", VARIANCE_PRESERVING)
def test_power_of_signal_and_noise_is_one_at_every_timestep(name: str) -> None:
    found = VARIANCE_PRESERVING[name]
    assert found.num_timesteps == 1000
    assert (found.alpha**2 + found.sigma**2 - 1).abs().max() < 1e-15
    assert found.is_variance_preserving


def test_first_and_last_beta_are_those_of_latent_diffusion() -> None:
    alpha_bar = schedule.scaled_linear().alpha ** 2
    assert float(1 - alpha_bar[0]) == pytest.approx(0.00085, rel=1e-12)
    assert float(1 - alpha_bar[-1] / alpha_bar[-2]) == pytest.approx(0.012, rel=1e-12)


def test_known_values_of_the_rescaled_signal() -> None:
    """The figures that the start rules rest on (docs/bgn.md): F_A begins at 990, F_B at 979."""
    alpha = VARIANCE_PRESERVING["zero terminal SNR"].alpha
    assert alpha[999] == 0
    assert float(alpha[998]) == pytest.approx(0.00044, abs=5e-6)
    assert float(alpha[990]) == pytest.approx(0.0041, abs=5e-5)
    assert float(alpha[979]) == pytest.approx(0.0093, abs=5e-5)
    assert float(schedule.scaled_linear().alpha[999]) == pytest.approx(0.0683, abs=5e-5)


def test_rescaling_keeps_the_first_entry_and_rescaling_again_changes_nothing() -> None:
    plain = schedule.scaled_linear()
    once = schedule.zero_terminal_snr(plain)
    assert once.alpha[0] == pytest.approx(float(plain.alpha[0]), rel=1e-15)
    torch.testing.assert_close(schedule.zero_terminal_snr(once).alpha, once.alpha, rtol=0, atol=0)


def test_videocrafter_scale_falls_to_its_last_value_and_stays() -> None:
    scale = schedule.videocrafter_scale()
    assert scale.shape == (1000,)
    assert float(scale[0]) == 1.0
    assert (scale[399:] == 0.7).all()
    shrunk = schedule.scaled(schedule.scaled_linear(), scale)
    assert not shrunk.is_variance_preserving
    torch.testing.assert_close(shrunk.alpha, schedule.scaled_linear().alpha * scale)


def test_one_timestep_per_sample_is_the_same_as_one_timestep_for_each() -> None:
    vp = VARIANCE_PRESERVING["zero terminal SNR"]
    x0, eps = torch.randn(2, 3, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
    t = torch.tensor([0, 500, 999])
    together = noised(vp, x0, eps, t)
    for i in range(3):
        alone = noised(vp, x0[i : i + 1], eps[i : i + 1], int(t[i]))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-6, atol=1e-7)
    assert torch.equal(together[2], eps[2])  # no signal left


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("t", [17, torch.tensor([17, 900])])
def test_noising_keeps_the_dtype(dtype: torch.dtype, t: int | torch.Tensor) -> None:
    x0 = torch.ones(2, 1, 2, 2, 2, dtype=dtype)
    assert noised(VARIANCE_PRESERVING["cosine"], x0, x0, t).dtype == dtype


def test_half_precision_is_rounded_once_at_the_end() -> None:
    vp = VARIANCE_PRESERVING["scaled linear"]
    x0, eps = torch.randn(2, 4, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).bfloat16().unbind(0)
    t = torch.tensor([3, 300, 600, 990])
    assert torch.equal(noised(vp, x0, eps, t), noised(vp, x0.double(), eps.double(), t).bfloat16())


@pytest.mark.parametrize("t", [-1, 1000, torch.tensor([0, 1000]), torch.tensor([-1, 3])])
def test_a_timestep_outside_the_table_is_refused(t: int | torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected 0 to 999"):
        look_up(schedule.cosine().alpha, t, torch.zeros(2, 3))


@pytest.mark.parametrize("t", [torch.tensor(3), torch.tensor([1, 2, 3]), torch.tensor([1.0, 2.0])])
def test_timesteps_that_are_not_one_integer_per_sample_are_refused(t: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected 2 integers, one per sample"):
        look_up(schedule.cosine().alpha, t, torch.zeros(2, 3))


def test_noise_of_another_shape_is_refused_and_not_broadcast() -> None:
    with pytest.raises(ValueError, match="expected equal shapes"):
        noised(schedule.cosine(), torch.zeros(2, 3), torch.zeros(1, 3), 5)


@pytest.mark.parametrize(
    ("alpha", "sigma", "message"),
    [
        (table(1.0, 0.5), table(0.1), "two of equal length"),
        (table(1.0, 0.5).float(), table(0.1, 0.5).float(), "expected float64"),
        (table(1.0, -0.5), table(0.1, 0.5), "negative"),
        (table(1.0, float("nan")), table(0.1, 0.5), "infinite"),
        (table(1.0, 0.5), table(0.0, 0.5), "sigma 0"),
        (table(0.5, 0.9), table(0.5, 0.1), "rises with t"),
    ],
)
def test_tables_that_are_no_schedule_are_refused(alpha: torch.Tensor, sigma: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(alpha, sigma)


def test_what_is_not_variance_preserving_cannot_be_rescaled() -> None:
    shrunk = schedule.scaled(schedule.cosine(), schedule.videocrafter_scale())
    with pytest.raises(ValueError, match="rescale before"):
        schedule.zero_terminal_snr(shrunk)


def test_a_schedule_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.cosine().alpha = table(1.0)  # type: ignore[misc]


def test_the_interpolated_schedule_is_shifted_by_another_scale_at_either_end() -> None:
    """log SNR 15 - 2 log 2 at the clean end, -15 - 2 log 4 at the noisy one: VGen's defaults, by hand."""
    found_table = schedule.logsnr_cosine_interp()
    ends = torch.tensor([0, -1])
    found = 2 * (found_table.alpha[ends] / found_table.sigma[ends]).log()
    expected = torch.tensor([15 - 2 * math.log(2), -15 - 2 * math.log(4)], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
