"""A perfect network has no loss, whatever it emits; conditions are lost as often as the recipe says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor

from reference_models.diffusion.bgn import BiasedNoise, biased_noise
from reference_models.diffusion.noise import draw_noise, sample_generators
from reference_models.nn.attention import Condition
from reference_models.training.objective import Batch, Draws, Objective, draws, losses, objective_of, weights
from reference_models.training.recipe import Biased, Diffusion, Dropout
from tests.training.small_training import small_recipe

SHAPE = (3, 4, 4, 4)


def batch(count: int = 6, *, x_cond: bool = False, concat: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(1)
    x_target, cond = torch.randn(2, count, *SHAPE, generator=generator)
    text, image = torch.randn(2, count, 5, 8, generator=generator)
    return Batch(
        x_target, text, torch.full((1, 5, 8), 7.0), image, x_cond=cond if x_cond else None,
        concat=cond if concat else None,
    )  # fmt: skip


class Knows:
    """Emits what the mathematics says of the clips and the noise it was told."""

    def __init__(self, x_target: Tensor, eps: Tensor, objective: Objective, emits: str) -> None:
        self.x_target, self.eps, self.objective, self.emits = x_target, eps, objective, emits

    def __call__(self, x: Tensor, t: Tensor, conditions: Sequence[Condition], fps: Tensor | None = None) -> Tensor:
        alpha, sigma = (table[t].float().view(-1, 1, 1, 1, 1) for table in (self._schedule.alpha, self._schedule.sigma))
        if self.emits == "eps":  # solved from x_t: at alpha = 0 it is x_t itself
            return (x[:, :, :4] - alpha * self.x_target) / sigma
        return (alpha * x[:, :, :4] - self.x_target) / sigma

    @property
    def _schedule(self) -> object:
        return self.objective.process.schedule


@pytest.mark.parametrize("emits", ["eps", "v"])
@pytest.mark.parametrize("interval", [None, (600, 990), (0, 700)])
def test_a_perfect_network_has_no_loss(emits: Literal["eps", "v"], interval: tuple[int, int] | None) -> None:
    bgn = None if interval is None else Biased(*interval)
    objective = objective_of(small_recipe("tiny-fa", diffusion=Diffusion(bgn=bgn, offset_noise=0.1)))
    clips = batch(64, x_cond=True, concat=True)
    drawn = draws(objective, range(64), SHAPE)
    found = losses(Knows(clips.x_target, drawn.eps, objective, emits), clips, drawn, objective, emits)
    assert found.shape == (64,)
    assert found.max() < 1e-7


def test_biased_noise_is_what_a_network_that_emits_eps_is_held_to() -> None:
    objective = objective_of(small_recipe("tiny-fa", diffusion=Diffusion(timesteps=(800, 800), bgn=Biased(600, 990))))
    clips, drawn = batch(x_cond=True), draws(objective, range(6), SHAPE)
    assert clips.x_cond is not None
    bgn = BiasedNoise(objective.process.schedule, 600, 990)
    right = biased_noise(bgn, clips.x_target, clips.x_cond, drawn.eps, 800)
    assert losses(lambda *_: right, clips, drawn, objective, "eps").max() == 0
    assert losses(lambda *_: drawn.eps, clips, drawn, objective, "eps").min() > 0


def test_bgn_without_a_condition_is_refused() -> None:
    objective = objective_of(small_recipe("tiny-fa", diffusion=Diffusion(bgn=Biased(600, 990))))
    with pytest.raises(ValueError, match="found no x_cond"):
        losses(lambda *_: torch.zeros(()), batch(), draws(objective, range(6), SHAPE), objective, "v")


def test_what_a_clip_gets_by_chance_does_not_depend_on_its_neighbours_or_the_dropout() -> None:
    plain, dropping = (objective_of(small_recipe(dropout=d)) for d in (Dropout(), Dropout(0.5, 0.5, 0.1)))
    alone, together = draws(plain, [7], SHAPE), draws(dropping, [3, 7, 5], SHAPE)
    assert torch.equal(alone.eps[0], together.eps[1])
    assert alone.t[0] == together.t[1]


def test_timesteps_are_drawn_evenly_between_the_two_that_are_given() -> None:
    objective = objective_of(small_recipe(diffusion=Diffusion(timesteps=(100, 299))))
    t = draws(objective, range(4000), (1, 1, 1, 1)).t
    assert (int(t.min()), int(t.max())) == (100, 299)
    assert abs(float(t.float().mean()) - 199.5) < 4 * 57.7 / 4000**0.5


@pytest.mark.parametrize(
    ("wanted", "text", "image", "both"),
    [(Dropout(0.5, 0.1), 0.5, 0.1, 0.05), (Dropout(0.2, 0.4, 0.1), 0.28, 0.46, 0.172), (Dropout(), 0, 0, 0)],
)
def test_conditions_are_lost_as_often_as_asked(wanted: Dropout, text: float, image: float, both: float) -> None:
    drawn = draws(objective_of(small_recipe(dropout=wanted)), range(4000), (1, 1, 1, 1))
    for lost, rate in ((drawn.no_text, text), (drawn.no_image, image), (drawn.no_text & drawn.no_image, both)):
        assert abs(float(lost.float().mean()) - rate) <= 4 * (rate * (1 - rate) / 4000) ** 0.5


def test_a_lost_text_is_the_null_text_and_a_lost_image_is_zeros() -> None:
    objective, seen = objective_of(small_recipe()), dict[str, Tensor]()

    def network(x: Tensor, t: Tensor, conditions: Sequence[Condition], fps: Tensor | None = None) -> Tensor:
        seen.update({condition.name: condition.tokens for condition in conditions})
        return x

    clips = batch(2)
    drawn = draws(objective, range(2), SHAPE)
    first, second = torch.tensor([True, False]), torch.tensor([False, True])
    losses(network, clips, Draws(drawn.t, drawn.eps, no_text=first, no_image=second), objective, "v")
    assert clips.image is not None
    assert torch.equal(seen["text"], torch.stack([torch.full((5, 8), 7.0), clips.text[1]]))
    assert torch.equal(seen["image"], torch.stack([clips.image[0], torch.zeros(5, 8)]))


def test_offset_noise_moves_whole_frames_of_a_channel() -> None:
    plain, offset = (objective_of(small_recipe(diffusion=Diffusion(offset_noise=s))) for s in (0.0, 0.1))
    moved = draws(offset, [5], SHAPE).eps - draws(plain, [5], SHAPE).eps
    assert float(moved.std(dim=(-1, -2)).max()) < 1e-6
    generators = sample_generators([5])
    [torch.randint(0, 1000, (1,), generator=g) for g in generators]
    [torch.rand(3, generator=g) for g in generators]
    assert torch.equal(draw_noise(generators, SHAPE), draws(plain, [5], SHAPE).eps)


@pytest.mark.parametrize("emits", ["eps", "v"])
def test_min_snr_makes_any_emission_weigh_its_error_in_x0_alike(emits: Literal["eps", "v"]) -> None:
    objective = objective_of(small_recipe(diffusion=Diffusion(weighting="min-snr", gamma=5.0)))
    schedule, t = objective.process.schedule, torch.tensor([10, 400, 800, 998])
    alpha, sigma = schedule.alpha[t], schedule.sigma[t]
    snr = (alpha / sigma) ** 2
    # an error of 1 in x0 is one of alpha / sigma in eps, of 1 / sigma in v
    in_emission = snr if emits == "eps" else 1 / sigma**2
    found = weights(objective, t, torch.zeros(4), emits).double() * in_emission
    torch.testing.assert_close(found, snr.clamp(max=5.0), rtol=1e-5, atol=0)
