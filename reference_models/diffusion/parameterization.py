"""What a network predicts: eps, x0 or v, and how one follows from another.

For x_t = alpha x0 + sigma eps with alpha^2 + sigma^2 = 1, v = alpha eps - sigma x0 (Salimans & Ho 2022), and
(x_t, v) is (x0, eps) turned by an angle. So from v both follow without a division, at alpha = 0 and at sigma = 0 too.
From eps x0 follows only where alpha > 0, from x0 eps only where sigma > 0; elsewhere the question has no answer, and
asking it is an error (decision 15 in docs/decisions.md), never a large number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from reference_models.diffusion.schedule import Schedule, check_same_shape, look_up

Kind = Literal["eps", "x0", "v"]
Coefficient = float | Tensor  # a number, or (B, 1, …) from Schedule.at

# A network with its conditions and guidance bound: (x_t, t) -> prediction of x_t's shape.
Network = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a prediction says about x_t = alpha x0 + sigma eps: its clean part and its noise, both of x_t's shape."""

    x0: Tensor
    eps: Tensor


# What a solver asks at each step: (x_t, t) -> Estimate under the solver's schedule.
Denoiser = Callable[[Tensor, int], Estimate]


def x0_from_eps(eps: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Tensor:
    """Return x0 = (x_t - sigma eps) / alpha. Raises ValueError where alpha is 0: eps = x_t says nothing of x0."""
    if has_zero(alpha):
        raise ValueError(
            "found alpha = 0, where eps says nothing of x0; start at a timestep with alpha > 0 or predict v"
        )
    return (x_t - sigma * eps) / alpha


def eps_from_x0(x0: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Tensor:
    """Return eps = (x_t - alpha x0) / sigma. Raises ValueError where sigma is 0: x0 = x_t says nothing of eps."""
    if has_zero(sigma):
        raise ValueError("found sigma = 0, where x0 says nothing of eps; expected sigma > 0")
    return (x_t - alpha * x0) / sigma


def x0_from_v(v: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Tensor:
    """Return x0 = alpha x_t - sigma v (alpha^2 + sigma^2 = 1), also at alpha = 0: x0 = -v."""
    return alpha * x_t - sigma * v


def eps_from_v(v: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Tensor:
    """Return eps = sigma x_t + alpha v (alpha^2 + sigma^2 = 1), also at sigma = 0: eps = v."""
    return sigma * x_t + alpha * v


def v_from_eps(eps: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Tensor:
    """Return v = (eps - sigma x_t) / alpha (alpha^2 + sigma^2 = 1). Raises ValueError where alpha is 0."""
    if has_zero(alpha):
        raise ValueError("found alpha = 0, where eps says nothing of x0 and so of v; expected alpha > 0")
    return (eps - sigma * x_t) / alpha


def v_from_x0(x0: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Tensor:
    """Return v = (alpha x_t - x0) / sigma (alpha^2 + sigma^2 = 1). Raises ValueError where sigma is 0."""
    if has_zero(sigma):
        raise ValueError("found sigma = 0, where x0 says nothing of eps and so of v; expected sigma > 0")
    return (alpha * x_t - x0) / sigma


def has_zero(coefficient: Coefficient) -> bool:
    return bool((coefficient == 0).any()) if isinstance(coefficient, Tensor) else coefficient == 0


def training_target(kind: Kind, schedule: Schedule, x0: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
    """Return what a network of this kind shall predict at x_t = noised(schedule, x0, eps, t), of x0's shape and dtype.

    Source: UniVG 3.1; v: Salimans & Ho 2022. For Biased Gaussian Noise see `bgn.training_target`.
    """
    check_same_shape(x0=x0, eps=eps)
    check_kind(kind, schedule)
    alpha, sigma = schedule.at(t, x0)
    return {"eps": lambda: eps, "x0": lambda: x0, "v": lambda: alpha * eps - sigma * x0}[kind]().to(x0.dtype)


def estimate(kind: Kind, prediction: Tensor, x_t: Tensor, *, alpha: Coefficient, sigma: Coefficient) -> Estimate:
    """Return x0 and eps from a prediction of one kind. Raises ValueError where one of them cannot be had."""
    if kind == "eps":
        return Estimate(x0_from_eps(prediction, x_t, alpha=alpha, sigma=sigma), prediction)
    if kind == "x0":
        return Estimate(prediction, eps_from_x0(prediction, x_t, alpha=alpha, sigma=sigma))
    x0 = x0_from_v(prediction, x_t, alpha=alpha, sigma=sigma)
    return Estimate(x0, eps_from_v(prediction, x_t, alpha=alpha, sigma=sigma))


def denoiser(network: Network, schedule: Schedule, *, predicts: Kind) -> Denoiser:
    """Return the Denoiser of a network that was trained on `schedule` and predicts `predicts`.

    The network gets x_t in float32 (or float64): it casts for itself, or runs under autocast. Its output is taken to
    x_t's dtype.

    Raises ValueError for an unknown kind, and for v on a schedule that is not variance-preserving, where x0 and eps
    would not follow from it.
    """
    check_kind(predicts, schedule)

    def denoise(x_t: Tensor, t: int) -> Estimate:
        prediction = network(x_t, t).to(x_t.dtype)
        check_same_shape(x_t=x_t, prediction=prediction)
        alpha, sigma = schedule.at(t, x_t)
        return estimate(predicts, prediction, x_t, alpha=alpha, sigma=sigma)

    return denoise


def unscaled(denoise: Denoiser, scale: Tensor) -> Denoiser:
    """Return the Denoiser of x0 from one of scale_t x0: for networks whose v was trained on a shrunken x0.

    With x_t = alpha scale x0 + sigma eps a network may take scale x0 for the data (DynamiCrafter's v does): its
    Denoiser is made on the variance-preserving schedule, this one fits `schedule.scaled(schedule, scale)`. A network
    that predicts eps (VideoCrafter) needs no such care.
    """

    def denoise_unscaled(x_t: Tensor, t: int) -> Estimate:
        found = denoise(x_t, t)
        return Estimate(found.x0 / look_up(scale, t, x_t), found.eps)

    return denoise_unscaled


def check_kind(kind: str, schedule: Schedule) -> None:
    """Raise ValueError for an unknown kind, or v where alpha^2 + sigma^2 is not 1."""
    if kind not in get_args(Kind):
        raise ValueError(f"found prediction kind {kind!r}, expected one of {', '.join(get_args(Kind))}")
    if kind == "v" and not schedule.is_variance_preserving:
        raise ValueError(
            "found v-prediction on a schedule with alpha^2 + sigma^2 other than 1, expected eps or x0 there"
        )
