"""The processes of the two stages and three latents, for tests of Biased Gaussian Noise."""

import pytest
import torch
from torch import Tensor

from reference_models.diffusion import bgn, grid, parameterization, schedule
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.diffusion.parameterization import Denoiser

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
