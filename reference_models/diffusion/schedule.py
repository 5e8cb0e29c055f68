"""Noise schedules: x_t = alpha_t x0 + sigma_t eps as two float64 tables over timesteps 0 … num_timesteps - 1.

The tables, not betas, are the schedule. Then the variance-preserving schedules, VideoCrafter's shrinking signal and
Biased Gaussian Noise (`bgn.py`) are one thing, and a solver needs no other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# alpha^2 + sigma^2 of a variance-preserving table differs from 1 by rounding only.
VP_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Schedule:
    """Two float64 tables (num_timesteps,) on the CPU: what is left of the signal, and how much noise there is.

    Data sits before timestep 0, at alpha = 1, sigma = 0; it has no index. alpha may be 0 (zero terminal SNR).

    Raises ValueError unless the tables are float64, finite, not negative, and the signal-to-noise ratio never rises.
    """

    alpha: Tensor
    sigma: Tensor

    def __post_init__(self) -> None:
        a, s = self.alpha, self.sigma
        if a.ndim != 1 or a.shape != s.shape or len(a) == 0:
            raise ValueError(
                f"found tables of shapes {tuple(a.shape)} and {tuple(s.shape)}, expected two of equal length"
            )
        if a.dtype != torch.float64 or s.dtype != torch.float64:
            raise ValueError(f"found tables of {a.dtype} and {s.dtype}, expected float64: float32 loses 1e-6 of a beta")
        if not (a.isfinite().all() and s.isfinite().all() and (a >= 0).all() and (s > 0).all()):
            raise ValueError(
                "found a table with a negative or infinite entry, or sigma 0, expected alpha >= 0, sigma > 0"
            )
        if (a[1:] * s[:-1] > a[:-1] * s[1:] * (1 + 1e-12)).any():
            raise ValueError("found a signal-to-noise ratio that rises with t, expected one that falls")

    @property
    def num_timesteps(self) -> int:
        return len(self.alpha)

    @property
    def is_variance_preserving(self) -> bool:
        return bool(((self.alpha**2 + self.sigma**2 - 1).abs() < VP_TOLERANCE).all())

    def at(self, t: int | Tensor, x: Tensor) -> tuple[float | Tensor, float | Tensor]:
        """Return alpha_t and sigma_t, ready to be multiplied with x (see `look_up`)."""
        return look_up(self.alpha, t, x), look_up(self.sigma, t, x)


def look_up(table: Tensor, t: int | Tensor, x: Tensor) -> float | Tensor:
    """Return table[t], ready to be multiplied with x (B, …): a float for one t, (B, 1, …) for one t per sample.

    The tensor is on x's device and float32 at least: in bfloat16 alpha would have three digits.

    Raises ValueError for a t outside the table or of another shape.
    """
    if isinstance(t, int):
        if not 0 <= t < len(table):
            raise ValueError(f"found timestep {t}, expected 0 to {len(table) - 1}")
        return float(table[t])
    if t.shape != x.shape[:1] or t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
        raise ValueError(f"found timesteps {tuple(t.shape)} of {t.dtype}, expected {len(x)} integers, one per sample")
    if t.numel() and (int(t.min()) < 0 or int(t.max()) >= len(table)):
        raise ValueError(f"found timesteps {int(t.min())} to {int(t.max())}, expected 0 to {len(table) - 1}")
    values = table[t.cpu()].to(device=x.device, dtype=torch.promote_types(x.dtype, torch.float32))
    return values.view(-1, *[1] * (x.ndim - 1))


def noised(schedule: Schedule, x0: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
    """Return x_t = alpha_t x0 + sigma_t eps, of x0's shape and dtype. Source: UniVG 3.1; Ho et al. 2020, eq. 4."""
    check_same_shape(x0=x0, eps=eps)
    alpha, sigma = schedule.at(t, x0)
    return (alpha * x0 + sigma * eps).to(x0.dtype)


def check_same_shape(**tensors: Tensor) -> None:
    """Raise ValueError when the tensors differ in shape: broadcasting would mix samples without a word."""
    if len({x.shape for x in tensors.values()}) > 1:
        found = ", ".join(f"{name} {tuple(x.shape)}" for name, x in tensors.items())
        raise ValueError(f"found {found}, expected equal shapes")


def variance_preserving(alpha_bar: Tensor) -> Schedule:
    """Return the schedule with alpha = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar)."""
    return Schedule(alpha_bar.sqrt(), (1 - alpha_bar).sqrt())


def from_betas(betas: Tensor) -> Schedule:
    """Return the variance-preserving schedule of a float64 table of betas: alpha_bar is the product of 1 - beta."""
    return variance_preserving(torch.cumprod(1 - betas, dim=0))


def scaled_linear(num_timesteps: int = 1000, *, beta_start: float = 0.00085, beta_end: float = 0.012) -> Schedule:
    """Return the schedule of latent diffusion: the roots of beta are evenly spaced.

    It is "linear" in the words of latent diffusion and VideoCrafter, "linear_sd" in VGen's, "scaled_linear" in
    diffusers'; "linear" in diffusers' words is another one.

    Source: CompVis/latent-diffusion `make_beta_schedule`; 0.00085 and 0.012 from its configurations, also in
    VideoCrafter, DynamiCrafter and Stable Diffusion. UniVG names no schedule.
    """
    return from_betas(torch.linspace(beta_start**0.5, beta_end**0.5, num_timesteps, dtype=torch.float64) ** 2)


def cosine(num_timesteps: int = 1000, *, offset: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """Return the cosine schedule, betas cut at max_beta. Source: Nichol & Dhariwal 2021, eq. 17; VGen "cosine"."""
    t = torch.arange(num_timesteps + 1, dtype=torch.float64) / num_timesteps
    alpha_bar = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return from_betas((1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta))


def logsnr_cosine_interp(
    num_timesteps: int = 1000,
    *,
    logsnr_min: float = -15.0,
    logsnr_max: float = 15.0,
    scale_min: float = 2.0,
    scale_max: float = 4.0,
) -> Schedule:
    """Return the cosine schedule in log SNR, shifted for high resolution: by scale_min at the clean end, by scale_max
    at the noisy one.

    Source: Hoogeboom et al. 2023 (simple diffusion), shift and interpolation; the defaults are those of VGen's
    super-resolution model (VGen@4014d1f `schedules.py`, `sr600_infer.yaml`).
    """
    t = torch.linspace(0, 1, num_timesteps, dtype=torch.float64)
    first, last = math.atan(math.exp(-0.5 * logsnr_max)), math.atan(math.exp(-0.5 * logsnr_min))
    base = -2 * torch.log(torch.tan(first + t * (last - first)))
    logsnr = base - 2 * (math.log(scale_min) * (1 - t) + math.log(scale_max) * t)
    return Schedule(torch.sigmoid(logsnr).sqrt(), torch.sigmoid(-logsnr).sqrt())


def zero_terminal_snr(schedule: Schedule) -> Schedule:
    """Return the schedule with alpha moved and stretched so that its last entry is exactly 0, its first unchanged.

    Source: Lin et al. 2024 (arXiv 2305.08891), algorithm 1. Raises ValueError for a schedule that is not
    variance-preserving.
    """
    if not schedule.is_variance_preserving:
        raise ValueError("found a schedule with alpha^2 + sigma^2 other than 1; rescale before the signal is scaled")
    first, last = schedule.alpha[0], schedule.alpha[-1]
    alpha = (schedule.alpha - last) * (first / (first - last))
    return Schedule(alpha, (1 - alpha**2).sqrt())


def scaled(schedule: Schedule, scale: Tensor) -> Schedule:
    """Return the schedule whose signal is shrunk: x_t = alpha_t scale_t x0 + sigma_t eps."""
    return Schedule(schedule.alpha * scale, schedule.sigma)


def videocrafter_scale(num_timesteps: int = 1000, *, last: float = 0.7, mid_step: int = 400) -> Tensor:
    """Return VideoCrafter's factor on the signal (num_timesteps,): from 1 to `last` over mid_step entries, then `last`.

    Source: VideoCrafter@11bcd76 `scale_arr` in `lvdm/models/ddpm3d.py` (last 0.7 in its configurations). DynamiCrafter
    has the same table as "dynamic rescale", with last = 0.7 (512) or 0.3 (1024).
    """
    ramp = torch.linspace(1.0, last, mid_step, dtype=torch.float64)
    return torch.cat([ramp, torch.full((num_timesteps,), last, dtype=torch.float64)])[:num_timesteps]
