"""What every stage owes: a video depends on its own seed, on its conditions, and on nothing else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_models.diffusion import bgn
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.stages import base as base_module
from reference_models.stages.guided import branches
from reference_models.stages.networks import Conditions, Shape
from reference_models.stages.pixels import enlarged, fitted, to_uint8, to_unit
from reference_models.stages.process import process_of
from reference_models.stages.sampling import encoded, stage_seed, start_noise
from reference_models.stages.settings import Execution, Joint, Sampling, Separate, timesteps
from tests.stages.stage_examples import LOW, conditions_of, networks, pixels, shape_of, stage

PRESET = {"base": "univg-fb", "animation": "univg-fa", "super_resolution": "univg-fsr"}
FEW = {"base": {"steps": 3}, "animation": {"steps": 3}, "super_resolution": {"steps": 2}}
# rounding of one grey value on the way from latents that differ in their last bits
CLOSE = 2


def small(kind: str, **changes: Any) -> Any:
    return stage(PRESET[kind], **{**FEW[kind], **changes})


def calls(net: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return a list that fills with (batch, t) of every call of a UNet."""
    seen: list[tuple[int, int]] = []
    original = type(net).forward

    def forward(self: Any, x: Tensor, t: Tensor, *rest: Any) -> Tensor:
        seen.append((len(x), int(t[0])))
        return original(self, x, t, *rest)

    monkeypatch.setattr(type(net), "forward", forward)
    return seen


@pytest.mark.parametrize("kind", PRESET)
def test_a_video_depends_on_its_own_seed_and_conditions_only(kind: str) -> None:
    model, shape = small(kind), shape_of(kind)
    both = model.sample(conditions_of(kind, 2), [5, 6], shape)
    alone = [model.sample(conditions_of(kind, 1, seed=i), [5 + i], shape) for i in (0, 1)]
    for i in (0, 1):
        assert (both[i].int() - alone[i][0].int()).abs().max() <= CLOSE
    again = model.sample(conditions_of(kind, 1), [5], shape)
    assert torch.equal(again, alone[0])
    other = model.sample(conditions_of(kind, 1), [7], shape)
    assert (other.int() - alone[0].int()).abs().max() > 10 * CLOSE


@pytest.mark.parametrize("kind", PRESET)
def test_memory_savers_change_rounding_alone(kind: str) -> None:
    model, shape = small(kind), shape_of(kind)
    saved = dataclasses.replace(model, execution=Execution(vae_chunk=5, branches_at_once=True))
    found = model.sample(conditions_of(kind, 1), [5], shape).int()
    assert (found - saved.sample(conditions_of(kind, 1), [5], shape).int()).abs().max() <= CLOSE


@pytest.mark.parametrize("kind", PRESET)
def test_bfloat16_runs_and_is_near(kind: str) -> None:
    shape = shape_of(kind)
    rough = stage(PRESET[kind], torch.bfloat16, steps=2, guidance=Separate(1.0, 0.0))
    exact = stage(PRESET[kind], steps=2, guidance=Separate(1.0, 0.0))
    found = rough.sample(conditions_of(kind), [3], shape).float()
    assert rough.describe(conditions_of(kind), shape)["dtype"] == {
        "unet": "bfloat16", "vae": "bfloat16", "state": "float32",
    }  # fmt: skip
    assert (found - exact.sample(conditions_of(kind), [3], shape).float()).abs().mean() < 12


@pytest.mark.parametrize("frames", [8, 24])
def test_lengths_of_training_are_made(frames: int) -> None:
    model = stage("univg-fb", steps=1, guidance=Separate(1.0, 0.0))
    assert model.sample(Conditions(("a",)), [1], Shape(frames, 12, 14, 8.0)).shape == (1, frames, 3, 12, 14)


def test_steps_of_one_stage_do_not_begin_with_the_noise_of_another() -> None:
    assert len({stage_seed(3, kind) for kind in ("base", "animation", "super_resolution")}) == 3
    first = start_noise(networks("univg-fb"), [3], LOW).eps
    later = start_noise(networks("univg-fsr"), [3], LOW).eps
    assert not torch.equal(first, later)


# ---------------------------------------------------------------------------------------------------------- guidance


def test_branches_that_vanish_are_not_run() -> None:
    weights = Sampling(guidance=Separate(9.5, 5.5))
    assert [b.weight for b in branches(weights, text=True, image=True)] == [9.5, 5.5, -14.0]
    assert [(b.text, b.image, b.weight) for b in branches(weights, text=True, image=False)] == [
        (True, False, 9.5), (False, False, -8.5),
    ]  # fmt: skip
    assert [b.weight for b in branches(Sampling(guidance=Separate(1, 0)), text=True, image=True)] == [1]
    assert [b.weight for b in branches(Sampling(guidance=Separate(0, 0)), text=True, image=True)] == [1]
    assert [b.weight for b in branches(Sampling(guidance=Separate(0.25, 0.75)), text=True, image=True)] == [0.25, 0.75]
    assert [(b.text, b.image, b.weight) for b in branches(Sampling(guidance=Joint(2)), text=True, image=True)] == [
        (True, True, 2), (False, False, -1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "guidance", "per_step"),
    [("base", Separate(), 2), ("animation", Separate(), 3), ("super_resolution", Separate(), 2), ("base", Joint(1), 1)],
)
def test_the_network_is_called_once_per_step_and_branch(
    kind: str, guidance: Any, per_step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small(kind, guidance=guidance)
    seen = calls(model.networks.unet, monkeypatch)
    model.sample(conditions_of(kind), [1], shape_of(kind))
    assert len(seen) == model.settings.steps * per_step


def test_steps_and_timesteps_are_the_papers() -> None:
    process = {kind: process_of(networks(name).preset) for kind, name in PRESET.items()}
    points = {kind: timesteps(stage(PRESET[kind]).settings, p.schedule, emits=p.emits) for kind, p in process.items()}
    assert points["super_resolution"] == [700, 600, 500, 400, 300, 200, 100]
    assert (len(points["base"]), len(points["animation"]), points["animation"][0]) == (50, 50, 990)
    # eps says nothing at 999, where alpha is 0: one point more, and the first left out
    assert process["base"].schedule.alpha[999] == 0
    assert points["base"][0] == 979


def test_keys_and_values_are_computed_once_per_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small("base")
    counted: list[int] = []
    original = type(model.networks.unet).cache
    monkeypatch.setattr(
        type(model.networks.unet), "cache", lambda self, conditions: counted.append(1) or original(self, conditions)
    )
    model.sample(conditions_of("base"), [1], LOW)
    assert len(counted) == 2


def test_a_null_image_is_no_image() -> None:
    # equal to the bit: the branch F(I) is F(0), and zero tokens give exactly 0
    text = small("base", guidance=Separate(3.0, 0.0))
    with_image = text.sample(Conditions(("a",), (pixels(3, 12, 14),)), [1], LOW)
    assert torch.equal(with_image, text.sample(Conditions(("a",)), [1], LOW))


def test_a_weight_of_one_is_no_guidance_and_zero_no_condition() -> None:
    one = small("base", guidance=Separate(1.0, 0.0)).sample(Conditions(("a",)), [1], LOW)
    assert torch.equal(one, small("base", guidance=Joint(1.0)).sample(Conditions(("a",)), [1], LOW))
    zero = small("base", guidance=Joint(0.0)).sample(Conditions(("a",)), [1], LOW)
    assert torch.equal(zero, small("base", guidance=Joint(0.0)).sample(Conditions(("b",)), [1], LOW))
    empty = small("base", guidance=Joint(1.0)).sample(Conditions(("",)), [1], LOW)
    assert torch.equal(zero, empty)
    assert not torch.equal(one, zero)


def test_the_negative_prompt_stands_for_no_text() -> None:
    away = small("base", guidance=Joint(0.0), negative_prompt="b").sample(Conditions(("a",)), [1], LOW)
    towards = small("base", guidance=Joint(1.0)).sample(Conditions(("b",)), [1], LOW)
    assert torch.equal(away, towards)


def test_rescaled_guidance_needs_the_branch_whose_spread_it_takes() -> None:
    model = small("animation", guidance=Joint(5.0), guidance_rescale=0.7)
    plain = small("animation", guidance=Joint(5.0))
    conditions = conditions_of("animation")
    assert not torch.equal(model.sample(conditions, [1], LOW), plain.sample(conditions, [1], LOW))
    with pytest.raises(ValueError, match="with the two weights w_T and w_I, expected one weight w"):
        small("animation", guidance_rescale=0.7).sample(conditions, [1], LOW)


# --------------------------------------------------------------------------------------------------- starts, samplers


@pytest.mark.parametrize("kind", ["animation", "super_resolution"])
@pytest.mark.parametrize("how", [{"sampler": "plain"}, {"sampler": "consistent"}, {"start": "noised", "t_m": None}])
def test_sampling_starts_from_the_noised_condition(
    kind: str, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, shape = small(kind, guidance=Joint(1.0), **how), shape_of(kind)
    conditions, settings = conditions_of(kind), model.settings
    first: list[Tensor] = []
    original = type(model.networks.unet).forward

    def forward(self: Any, x: Tensor, *rest: Any) -> Tensor:
        first.append(x)
        return original(self, x, *rest)

    monkeypatch.setattr(type(model.networks.unet), "forward", forward)
    model.sample(conditions, [4], shape)
    with torch.no_grad():
        x_cond = model.condition(conditions, shape)
    process = BiasedNoise(process_of(model.networks.preset).schedule, 0, settings.t_n)  # at t_n t_m has no say
    eps = start_noise(model.networks, [4], shape).eps
    assert torch.allclose(first[0][:, :, :4], bgn.start(process, x_cond, eps, settings.t_n), atol=1e-6)
    if kind == "animation":  # the first frame's channels, in every frame
        assert torch.equal(first[0][:, :, 4:], x_cond)
        assert torch.equal(x_cond[:, 0], x_cond[:, -1])


def test_plain_and_consistent_differ_where_there_is_a_bias() -> None:
    conditions, shape = conditions_of("super_resolution"), shape_of("super_resolution")
    plain, consistent = (
        small("super_resolution", steps=3, sampler=s).sample(conditions, [1], shape) for s in ("plain", "consistent")
    )
    assert not torch.equal(plain, consistent)


def test_figure_7_without_bgn_starts_from_the_noised_video_anywhere() -> None:
    conditions, shape = conditions_of("super_resolution"), shape_of("super_resolution")
    videos = [
        small("super_resolution", start="noised", t_m=None, t_n=t).sample(conditions, [1], shape) for t in (700, 900)
    ]
    assert not torch.equal(*videos)


def perfect(model: Any, x0: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stage's network predict exactly what leads to x0, from any x_t."""
    process = process_of(model.networks.preset)

    def forward(self: Any, x: Tensor, t: Tensor, *rest: Any) -> Tensor:
        alpha, sigma = (float(table[int(t[0])]) for table in (process.schedule.alpha, process.schedule.sigma))
        x_t = x[:, :, :4].double()
        eps = (x_t - alpha * x0) / sigma
        return (eps if process.emits == "eps" else alpha * eps - sigma * x0).float()

    monkeypatch.setattr(type(model.networks.unet), "forward", forward)


@pytest.mark.parametrize("kind", PRESET)
@pytest.mark.parametrize("solver", ["ddim", "dpm++2m", "dpm2m", "dpm++2s"])
def test_a_perfect_network_returns_the_known_video(kind: str, solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # v, so that nothing is divided by alpha_990 = 0.004
    model, shape = small(kind, solver=solver, steps=4, guidance=Joint(1.0)), shape_of(kind)
    nets = dataclasses.replace(model.networks, preset=dataclasses.replace(model.networks.preset, emits="v"))
    model = dataclasses.replace(model, networks=nets)
    known = pixels(1, 8, 3, shape.height, shape.width, seed=9)
    with torch.no_grad():
        x0 = encoded(nets, to_unit(known), model.execution)
        expected = to_uint8(nets.vae.decode(x0))
    perfect(model, x0, monkeypatch)
    found = model.sample(conditions_of(kind), [1], shape)
    assert (found.int() - expected.int()).abs().max() <= 1


# ------------------------------------------------------------------------------------------------------------- pixels


def test_images_are_covered_and_their_middle_taken() -> None:
    image = pixels(3, 12, 14)
    assert torch.equal(fitted(image, height=12, width=14), to_unit(image))
    wide = torch.zeros(3, 10, 40, dtype=torch.uint8)
    wide[:, :, 10:30] = 255  # a square in the middle, two squares of the height on its sides
    assert torch.allclose(fitted(wide, height=20, width=20)[:, :, 3:-3], torch.ones(3, 20, 14), atol=0.05)


def test_videos_are_enlarged_whole() -> None:
    video = torch.full((1, 2, 3, 4, 7), 51, dtype=torch.uint8)
    assert torch.allclose(enlarged(video, height=9, width=16), torch.full((1, 2, 3, 9, 16), -0.6), atol=1e-5)
    same = pixels(1, 2, 3, 4, 6)
    assert torch.equal(enlarged(same, height=4, width=6), to_unit(same))


def test_pixels_come_back_and_nan_does_not_become_black() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_unit(values)), values)
    with pytest.raises(ValueError, match="found NaN or infinity in the decoded pixels"):
        to_uint8(torch.tensor([0.0, float("nan")]))


# ------------------------------------------------------------------------------------------------------------- record


@pytest.mark.parametrize("kind", PRESET)
def test_the_record_is_plain_data_and_holds_what_decides_the_pixels(kind: str) -> None:
    model, shape = small(kind), shape_of(kind)
    record = model.describe(conditions_of(kind), shape)
    assert json.loads(json.dumps(record)) == record
    assert record["weights"] == {"unet": "seed-0"}
    settings = {field.name for field in dataclasses.fields(Sampling)}
    assert set(record["settings"]) == settings
    for change in ({"steps": 2}, {"solver": "ddim"}, {"guidance": Joint(2.0)}, {"negative_prompt": "x"}):
        changed = dataclasses.replace(model, settings=dataclasses.replace(model.settings, **change))
        if change != {"steps": model.settings.steps}:
            assert changed.describe(conditions_of(kind), shape) != record


def test_gradients_are_off() -> None:
    assert base_module.BaseStage.sample.__wrapped__ is not None  # torch.inference_mode wraps it
    assert small("base").sample(Conditions(("a",)), [1], LOW).requires_grad is False
