"""Biased Gaussian Noise: a diffusion from the target to the condition and back. Source: UniVG 3.4.

The paper's v^T is x_target, its v^C x_cond: latents of the video to make and of what it must stay close to (the first
frame, repeated, for F_A; the low-resolution video for F_SR). As t rises from t_m to t_n, x_t turns from a noised
x_target into a noised x_cond, so sampling may start at t_n from the condition:

    lam_t  = (t - t_m) / (t_n - t_m), 0 below t_m, 1 from t_n on
    eps'_t = eps + (alpha_t / sigma_t) lam_t (x_cond - x_target)                         the noise that is predicted
    x_t    = alpha_t x_target + sigma_t eps'_t                                           UniVG's form
           = alpha_t [(1 - lam_t) x_target + lam_t x_cond] + sigma_t eps                 the same, eps' put in

The paper samples with DPM-Solver as if eps' were eps ("plain" here). But eps' depends on lam_t, so what is held fixed
over a step is not what moves x: a step from t to s misses sigma_s (kappa_s - kappa_t) (x_cond - x_target), with
kappa = alpha lam / sigma, and shorter steps miss as much in sum. The remedy is to subtract what is known:

    y_t = x_t - alpha_t lam_t x_cond = a_t x_target + sigma_t eps,      a_t = alpha_t (1 - lam_t)

is an ordinary diffusion of x_target on the schedule (a, sigma), clean at the data and without signal from t_n on. Any
solver of `solvers.py` on that schedule is consistent with BGN, second order included ("consistent" here).
docs/bgn.md derives this and measures what it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from reference_models.diffusion import parameterization, solvers
from reference_models.diffusion.parameterization import Denoiser, Estimate, Kind
from reference_models.diffusion.schedule import Schedule, check_same_shape, look_up, noised, scaled

# plain: the paper's DPM-Solver on x, blind to lam. consistent: the same solver on y.
Sampler = Literal["plain", "consistent"]

# (t_m, t_n) of the two stages. Source: UniVG 4.1, read as in decision 2.
ANIMATION_INTERVAL = (600, 990)
SUPER_RESOLUTION_INTERVAL = (0, 700)


@dataclass(frozen=True, eq=False)
class BiasedNoise:
    """A variance-preserving schedule and the interval of timesteps in which the target turns into the condition.

    Raises ValueError unless 0 <= t_m < t_n < num_timesteps and alpha^2 + sigma^2 = 1.
    """

    schedule: Schedule
    t_m: int
    t_n: int

    def __post_init__(self) -> None:
        last = self.schedule.num_timesteps - 1
        if not 0 <= self.t_m < self.t_n <= last:
            raise ValueError(f"found t_m = {self.t_m}, t_n = {self.t_n}, expected 0 <= t_m < t_n <= {last}")
        if not self.schedule.is_variance_preserving:
            raise ValueError("found a schedule with alpha^2 + sigma^2 other than 1, expected a variance-preserving one")

    @property
    def lam(self) -> Tensor:
        """The weight of the condition, float64 (num_timesteps,): a ramp, and 1 beyond t_n (decision 20)."""
        t = torch.arange(self.schedule.num_timesteps, dtype=torch.float64)
        return ((t - self.t_m) / (self.t_n - self.t_m)).clamp(0, 1)

    @property
    def shift(self) -> Tensor:
        """alpha lam, float64 (num_timesteps,): how much x_cond there is in x_t."""
        return self.schedule.alpha * self.lam

    @property
    def kappa(self) -> Tensor:
        """alpha lam / sigma, float64 (num_timesteps,): the bias of eps' per unit of x_cond - x_target."""
        return self.shift / self.schedule.sigma

    @property
    def effective_schedule(self) -> Schedule:
        """The schedule (a, sigma) on which y_t = x_t - alpha_t lam_t x_cond diffuses. Not variance-preserving."""
        return scaled(self.schedule, 1 - self.lam)


def biased_noise(bgn: BiasedNoise, x_target: Tensor, x_cond: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
    """Return eps'_t, of eps's shape (B, F, C, H, W) and dtype. Source: UniVG 3.4, last equation."""
    check_same_shape(x_target=x_target, x_cond=x_cond, eps=eps)
    return (eps + look_up(bgn.kappa, t, eps) * (x_cond - x_target)).to(eps.dtype)


def noised_towards(bgn: BiasedNoise, x_target: Tensor, x_cond: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
    """Return x_t, of x_target's shape (B, F, C, H, W) and dtype; t is one timestep, or (B,).

    Written with the mixture, not with eps': where lam is 0 or 1 it is plain noising bit for bit.
    Source: UniVG 3.4, q(v_t | v^C, v^T, t).
    """
    check_same_shape(x_target=x_target, x_cond=x_cond, eps=eps)
    lam = look_up(bgn.lam, t, x_target)
    mixture = (1 - lam) * x_target + lam * x_cond
    return noised(bgn.schedule, mixture, eps.to(mixture.dtype), t).to(x_target.dtype)


def training_target(
    kind: Kind, bgn: BiasedNoise, x_target: Tensor, x_cond: Tensor, eps: Tensor, t: int | Tensor
) -> Tensor:
    """Return what a network of this kind shall predict at x_t: eps', x_target, or v' = alpha eps' - sigma x_target.

    eps' takes the place of eps in the formulas of `parameterization`. So a network's output means the same with BGN as
    without, and x_target follows from it as x0 does. v' is v + (alpha^2 / sigma) lam (x_cond - x_target), bounded at
    every t. Beyond t_n the target does not jump (decision 20).

    Source: UniVG 4.1: eps for F_A, v for F_SR; the paper does not write v' down.
    """
    eps_prime = biased_noise(bgn, x_target, x_cond, eps, t)
    return parameterization.training_target(kind, bgn.schedule, x_target, eps_prime, t)


def start(bgn: BiasedNoise, x_cond: Tensor, eps: Tensor, t: int) -> Tensor:
    """Return x_t = alpha_t x_cond + sigma_t eps, exact for t >= t_n: there x_t does not depend on x_target.

    Raises ValueError for t < t_n, where it would be the start of image editing, not of BGN.
    """
    if t < bgn.t_n:
        raise ValueError(f"found a start at t = {t}, expected t_n = {bgn.t_n} or above, where x_t holds no target")
    return noised(bgn.schedule, x_cond, eps, t)


def consistent(denoise: Denoiser, bgn: BiasedNoise, x_cond: Tensor) -> Denoiser:
    """Return the Denoiser of y, for solvers on `bgn.effective_schedule`, from the one of x on `bgn.schedule`.

    x_target is the same seen from both. What is noise to y is eps, not eps': eps = eps' - kappa (x_cond - x_target).
    """
    shift, kappa = bgn.shift, bgn.kappa

    def denoise_y(y: Tensor, t: int) -> Estimate:
        condition = x_cond.to(y.dtype)
        found = denoise(y + look_up(shift, t, y) * condition, t)
        return Estimate(found.x0, found.eps - look_up(kappa, t, y) * (condition - found.x0))

    return denoise_y


def sample(
    denoise: Denoiser,
    bgn: BiasedNoise,
    x_cond: Tensor,
    eps: Tensor,
    timesteps: Sequence[int],
    *,
    sampler: Sampler,
    solver: str,
) -> Tensor:
    """Return the target (B, F, C, H, W) that the solver reaches from x_cond, of eps's dtype and device.

    Parameters and errors as in `posed` and `solvers.sample`.
    """
    return solvers.sample(*posed(denoise, bgn, x_cond, eps, timesteps, sampler=sampler), solver=solver)


def posed(
    denoise: Denoiser, bgn: BiasedNoise, x_cond: Tensor, eps: Tensor, timesteps: Sequence[int], *, sampler: Sampler
) -> tuple[Denoiser, Schedule, Sequence[int], Tensor]:
    """Return what `solvers.sample` and `solvers.steps` take first: a denoiser, its schedule, timesteps, the start.

    denoise is the network's on `bgn.schedule` (`parameterization.denoiser`), the same for both samplers. timesteps
    begin at t_n (above it, steps are spent where nothing is to be learnt); x_cond is noised by eps to the first.
    The states of `solvers.steps` are x_t if plain, y_t if consistent; its x0 are estimates of x_target for both.

    Raises ValueError for an unknown sampler, a start below t_n, other shapes, an x_cond that is not finite.
    """
    if sampler not in get_args(Sampler):
        raise ValueError(f"found sampler {sampler!r}, expected one of {', '.join(get_args(Sampler))}")
    if not timesteps:
        raise ValueError("found no timesteps, expected falling ones from t_n")
    if not x_cond.isfinite().all():
        raise ValueError("found NaN or infinity in x_cond, expected finite latents")
    x = start(bgn, x_cond.to(eps.dtype), eps, timesteps[0])
    if sampler == "plain":
        return denoise, bgn.schedule, timesteps, x
    y = float(bgn.schedule.sigma[timesteps[0]]) * eps  # x - alpha x_cond, without the rounding of the difference
    return consistent(denoise, bgn, x_cond), bgn.effective_schedule, timesteps, y
