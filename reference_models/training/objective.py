"""What is minimised: how far the network is from eps, v, or their biased kin, at a random timestep of every clip.

Source: UniVG 3.1 (eps), 4.1 (v for F_SR, offset noise, dropout of conditions), 3.4 (Biased Gaussian Noise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from reference_models.diffusion import bgn as biased
from reference_models.diffusion import parameterization
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.diffusion.noise import draw_noise, sample_generators, with_offset
from reference_models.diffusion.schedule import look_up, noised
from reference_models.nn.attention import Condition
from reference_models.presets import Emits
from reference_models.stages.process import Process, process_of
from reference_models.training.recipe import Dropout, Recipe


class Network(Protocol):
    """A UNet, bare or wrapped: what it emits for x (B, F, C', h, w), t (B,), conditions and, if told, fps (B,)."""

    def __call__(self, x: Tensor, t: Tensor, conditions: Sequence[Condition], fps: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips as the network learns from them.

    x_target: latents (B, F, C, h, w), float32. text, null_text: tokens (B, L, D) of captions, (1, L, D) of no text.
    image: tokens (B, L, D), None where the network takes none. x_cond: latents of x_target's shape that BGN moves to;
    concat: latents beside the noised ones. fps: (B,). Source of the names: `stages.guided`.
    """

    x_target: Tensor
    text: Tensor
    null_text: Tensor
    image: Tensor | None = None
    null_image: Tensor | None = None
    x_cond: Tensor | None = None
    concat: Tensor | None = None
    fps: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Draws:
    """The chance of a batch: timesteps (B,), noise of x_target's shape, which clips lose their text, their image."""

    t: Tensor
    eps: Tensor
    no_text: Tensor
    no_image: Tensor


@dataclass(frozen=True, eq=False)
class Objective:
    """Process, interval of BGN if there is one, and how errors are weighed; see `recipe.Diffusion`."""

    process: Process
    bgn: BiasedNoise | None
    gamma: float | None
    timesteps: tuple[int, int]
    offset_noise: float
    dropout: Dropout


def objective_of(recipe: Recipe) -> Objective:
    """Return what a recipe minimises."""
    wanted, process = recipe.diffusion, process_of(recipe.trained)
    bgn = None if wanted.bgn is None else BiasedNoise(process.schedule, wanted.bgn.t_m, wanted.bgn.t_n)
    gamma = wanted.gamma if wanted.weighting == "min-snr" else None
    return Objective(process, bgn, gamma, wanted.timesteps, wanted.offset_noise, recipe.dropout)


def draws(objective: Objective, seeds: Sequence[int], shape: Sequence[int]) -> Draws:
    """Return the chance of clips with these seeds and latents of `shape` (F, C, h, w), each drawn by itself.

    All is drawn for every clip, in one order: a rate of dropout does not change which noise a clip gets.
    """
    generators = sample_generators(seeds)
    first, last = objective.timesteps
    t = torch.cat([torch.randint(first, last + 1, (1,), generator=g) for g in generators])
    chance = torch.stack([torch.rand(3, generator=g) for g in generators])
    eps = draw_noise(generators, shape)
    if objective.offset_noise:
        eps = with_offset(eps, generators, strength=objective.offset_noise)
    both = chance[:, 2] < objective.dropout.both
    return Draws(
        t, eps, (chance[:, 0] < objective.dropout.text) | both, (chance[:, 1] < objective.dropout.image) | both
    )


def losses(network: Network, batch: Batch, drawn: Draws, objective: Objective, emits: Emits) -> Tensor:
    """Return the loss of every clip, float32 (B,): its mean squared error, weighed."""
    device = batch.x_target.device
    drawn = replace(
        drawn, eps=drawn.eps.to(device), no_text=drawn.no_text.to(device), no_image=drawn.no_image.to(device)
    )
    x_t, target = noised_and_target(batch, drawn, objective, emits)
    x = x_t if batch.concat is None else torch.cat([x_t, batch.concat], dim=2)
    predicted = network(x, drawn.t.to(device), conditions(batch, drawn), batch.fps)
    errors = (predicted.float() - target).square().flatten(1).mean(1)
    return errors if objective.gamma is None else errors * weights(objective, drawn.t, errors, emits)


def noised_and_target(batch: Batch, drawn: Draws, objective: Objective, emits: Emits) -> tuple[Tensor, Tensor]:
    """Return x_t and what the network shall emit there. Raises ValueError where BGN lacks its condition."""
    t, eps, x_target = drawn.t, drawn.eps, batch.x_target
    if objective.bgn is None:
        schedule = objective.process.schedule
        if objective.process.scale is None or emits == "eps":
            return noised(schedule, x_target, eps, t), parameterization.training_target(
                emits, schedule, x_target, eps, t
            )
        raise ValueError(
            "found v on a schedule whose signal is scaled, expected eps: such weights were trained by others' rules"
        )
    if batch.x_cond is None:
        raise ValueError("found no x_cond, expected latents of the condition: Biased Gaussian Noise moves towards them")
    bgn, x_cond = objective.bgn, batch.x_cond
    x_t = biased.noised_towards(bgn, x_target, x_cond, eps, t)
    return x_t, biased.training_target(emits, bgn, x_target, x_cond, eps, t)


def conditions(batch: Batch, drawn: Draws) -> list[Condition]:
    """Return the tokens that the network sees: the null text and the null image where a clip has lost its own."""
    text = torch.where(drawn.no_text[:, None, None], batch.null_text, batch.text)
    if batch.image is None:
        return [Condition("text", text)]
    null = torch.zeros_like(batch.image[:1]) if batch.null_image is None else batch.null_image
    lost = drawn.no_image.view(-1, *[1] * (batch.image.ndim - 1))
    return [Condition("text", text), Condition("image", torch.where(lost, null, batch.image))]


def weights(objective: Objective, t: Tensor, like: Tensor, emits: Emits) -> Tensor:
    """Return the weights (B,) that make a clip's error one in x0 times min(SNR, gamma).

    An error of eps is one of x0 times SNR, an error of v one of x0 times SNR + 1. Source: Hang et al. 2023, 3.4.
    """
    assert objective.gamma is not None
    schedule = objective.process.unscaled_schedule
    snr = schedule.alpha**2 / schedule.sigma**2
    clamped = snr.clamp(max=objective.gamma)
    table = clamped / (snr + 1) if emits == "v" else torch.where(snr > 0, clamped / snr.clamp(min=1e-30), 1.0)
    found = look_up(table, t, like)
    assert isinstance(found, Tensor)
    return found.flatten()
