"""Every preset has a stage: at full size without memory for it, at reduced width for one video; others do not."""

from __future__ import annotations

import dataclasses
from typing import Any

import open_clip
import pytest
import torch

from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.encoders import Encoders, clip_tokenizer
from reference_models.nn.resampler import DYNAMICRAFTER_RESAMPLER, VIDEOCRAFTER_RESAMPLER, Resampler
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import PRESETS
from reference_models.stages.loading import encoder_config
from reference_models.stages.networks import Conditions, Networks, Shape
from reference_models.stages.pipelines import Pipeline
from reference_models.stages.settings import Joint, Sampling, Separate, default_settings, timesteps
from tests.stages.stage_examples import HIGH, LOW, STAGES, conditions_of, networks, pixels, reduced, shape_of, stage

RUNNABLE = [name for name in PRESETS if name != "i2vgen-xl"]
FULL = [name for name in RUNNABLE if not name.startswith("tiny")]
H14: dict[str, Any] = {
    "embed_dim": 1024,
    "vision_cfg": {"image_size": 224, "patch_size": 14, "layers": 32, "width": 1280, "head_width": 80},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 1024, "heads": 16, "layers": 24},
}


@pytest.mark.parametrize("name", FULL)
def test_a_preset_fits_its_stage_at_full_size(name: str) -> None:
    preset = PRESETS[name]
    with torch.device("meta"):
        unet, vae, clip = UNet3D(preset.network), Autoencoder(AutoencoderConfig()), open_clip.CLIP(**H14)
        kinds = {"resampler": VIDEOCRAFTER_RESAMPLER, "resampler-per-frame": DYNAMICRAFTER_RESAMPLER}
        resampler = Resampler(kinds[preset.image_tokens]) if preset.image_tokens in kinds else None
    encoders = Encoders(clip.eval(), clip_tokenizer(), encoder_config(preset), resampler)
    nets = Networks(preset, unet, vae, encoders)
    model = STAGES[preset.stage](nets, default_settings(preset))
    shape = Shape(preset.num_frames, preset.height, preset.width, 8.0)
    prompts, image = ("a",), torch.zeros(3, 8, 8, dtype=torch.uint8)
    low = torch.zeros(1, preset.num_frames, 3, 9, 16, dtype=torch.uint8)
    given = {
        "base": Conditions(prompts),
        "animation": Conditions(prompts, (image,)),
        "super_resolution": Conditions(prompts, None, low),
    }[preset.stage]
    model.check(given, shape)
    assert len(model.describe(given, shape)["timesteps"]) == model.settings.steps


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_preset_makes_one_video_at_reduced_width(name: str) -> None:
    short = {"steps": 2} if default_settings(PRESETS[name]).start != "noise" else {"steps": 4}
    model = stage(name, **short)
    kind = PRESETS[name].stage
    videos = model.sample(conditions_of(kind), [1], shape_of(kind))
    assert (videos.shape, videos.dtype) == ((1, 8, 3, shape_of(kind).height, shape_of(kind).width), torch.uint8)
    assert videos.float().std() > 1


def test_videocrafter_takes_an_image_beside_its_text() -> None:
    model = stage("videocrafter1-i2v-512", steps=4)
    text = model.sample(Conditions(("a",)), [1], LOW)
    both = model.sample(Conditions(("a",), (pixels(3, 12, 14),)), [1], LOW)
    assert not torch.equal(text, both)


def test_zero_tokens_of_an_image_are_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    model = stage("univg-fb", steps=2, guidance=Joint(1.0))
    without = model.sample(Conditions(("a",)), [1], LOW)
    images = (pixels(3, 12, 14),)
    assert not torch.equal(model.sample(Conditions(("a",), images), [1], LOW), without)
    monkeypatch.setattr(Encoders, "images", lambda self, x: torch.zeros(len(x), 5, 32))
    assert torch.equal(model.sample(Conditions(("a",), images), [1], LOW), without)


def test_dynamicrafter_keeps_to_the_frames_of_its_resampler() -> None:
    with pytest.raises(ValueError, match="found 9 frames, expected 8 of dynamicrafter-512"):
        stage("dynamicrafter-512").sample(conditions_of("animation"), [1], dataclasses.replace(LOW, num_frames=9))


def test_i2vgen_xl_is_refused_with_the_reason() -> None:
    preset = reduced(PRESETS["i2vgen-xl"])
    fb = networks("modelscope-t2v")
    with pytest.raises(ValueError, match="by encoders of its own, which no stage runs yet"):
        Networks(preset, fb.unet, fb.vae, fb.encoders)


# ---------------------------------------------------------------------------------------------------------- pipelines


@pytest.mark.parametrize(("first", "kind"), [("univg-fb", "base"), ("univg-fa", "animation")])
def test_a_pipeline_gives_the_bits_of_its_stages_one_after_another(first: str, kind: str) -> None:
    start, end = stage(first, steps=2), stage("univg-fsr", steps=2)
    small = dataclasses.replace(start.networks.preset, height=LOW.height, width=LOW.width)
    start = dataclasses.replace(start, networks=dataclasses.replace(start.networks, preset=small))
    pipeline = Pipeline("both", (start, end))
    seen: list[tuple[str, int, int]] = []
    conditions = conditions_of(kind)
    together = pipeline.sample(conditions, [7], HIGH, watch=lambda *step: seen.append(step))
    low = start.sample(conditions, [7], LOW)
    assert torch.equal(together, end.sample(Conditions(conditions.prompts, None, low), [7], HIGH))
    assert seen == [(kind, 1, 2), (kind, 2, 2), ("super_resolution", 1, 2), ("super_resolution", 2, 2)]
    record = pipeline.describe(conditions, HIGH)
    assert [part["shape"]["height"] for part in record["stages"]] == [12, 26]
    assert set(record["versions"]) == {"univg-bench", "torch", "open_clip_torch"}


def test_pipelines_in_another_order_are_refused() -> None:
    f_b, f_sr = stage("univg-fb"), stage("univg-fsr")
    for stages in ((), (f_sr, f_b), (f_b, f_b), (f_sr, f_sr)):
        with pytest.raises(ValueError, match="expected F_B or F_A and then F_SR, or one alone"):
            Pipeline("wrong", stages)


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "given", "shape", "sentence"),
    [
        ("univg-fb", Conditions(), LOW, "found neither prompt nor image"),
        ("univg-fb", conditions_of("super_resolution"), LOW, "enlarging is F_SR's work"),
        ("videocrafter2", conditions_of("animation"), LOW, "found an image for videocrafter2, which knows text only"),
        ("univg-fa", Conditions(("a",)), LOW, "found no image, expected the first frame for F_A"),
        ("univg-fsr", Conditions(("a",)), HIGH, "found no video, expected the low-resolution one"),
        ("univg-fsr", conditions_of("super_resolution"), Shape(9, 26, 30, 8.0), "a video of 8 frames for one of 9"),
        ("univg-fsr", conditions_of("super_resolution"), Shape(8, 8, 30, 8.0), "of 11x13 to be enlarged to 8x30"),
        ("univg-fsr", conditions_of("super_resolution"), Shape(8, 26, 40, 8.0), "within 3%: as 26x30"),
        ("univg-fb", Conditions(("a",)), Shape(7, 12, 14, 8.0), "found 7 frames, expected 8 to 24 of univg-fb"),
        ("univg-fb", Conditions(("a",)), Shape(25, 12, 14, 8.0), "found 25 frames, expected 8 to 24 of univg-fb"),
        ("univg-fb", Conditions(("a",)), Shape(8, 13, 14, 8.0), "13x14, expected a height and width that 2 divides"),
        ("univg-fb", Conditions(("a",)), Shape(8, 12, 14, 0), "found 0 frames per second"),
        ("univg-fb", Conditions(("a", "b")), LOW, "found 2 prompts and 1 seeds, expected one per clip"),
    ],
)
def test_what_a_stage_cannot_do_is_said(name: str, given: Conditions, shape: Shape, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        stage(name).sample(given, [1], shape)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"solver": "euler"}, "found solver 'euler', expected one of ddim"),
        ({"grid": "random"}, "found grid 'random'"),
        ({"start": "middle"}, "found start 'middle'"),
        ({"sampler": "best"}, "found sampler 'best'"),
        ({"steps": 0}, "found 0 steps"),
        ({"eta": 0.5}, "found eta 0.5 with dpm"),
        ({"guidance_rescale": 2.0}, "found guidance_rescale 2.0, expected 0 to 1"),
        ({"sampler": "consistent"}, "expected start 'biased'"),
        ({"grid": "uniform"}, "found grid 'uniform' with a start from noise"),
        ({"start": "noised", "grid": "uniform"}, "found no t_n"),
        ({"start": "biased", "grid": "uniform", "t_n": 700}, "found no t_m"),
        ({"t_m": 3}, "found t_m with a start from noise"),
        ({"t_n": 3}, "found t_n with a start from noise"),
    ],
)
def test_settings_that_contradict_each_other_are_said(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sampling(**changes)


def test_timesteps_outside_the_table_are_refused() -> None:
    with pytest.raises(ValueError, match="found t_n = 1000, expected 1 to 999"):
        stage("univg-fsr", t_n=1000)
    with pytest.raises(ValueError, match="found t_m = 700, t_n = 700"):
        stage("univg-fsr", t_m=700)
    with pytest.raises(ValueError, match="so that no timestep repeats"):
        timesteps(Sampling(steps=2000), _schedule(), emits="v")


def test_stages_refuse_the_networks_of_others() -> None:
    with pytest.raises(ValueError, match="which is made for the stage animation, expected weights of the stage base"):
        STAGES["base"](networks("univg-fa"), Sampling())
    with pytest.raises(ValueError, match="found a start from noised, expected 'noise': F_B has no condition"):
        stage("univg-fb", start="noised", grid="uniform", t_n=700)
    with pytest.raises(ValueError, match=r"whose signal is scaled to 0\.7.*know no Biased Gaussian Noise"):
        stage("dynamicrafter-512", solver="ddim", eta=0, end=None, start="biased", grid="uniform", t_m=600, t_n=990)


def test_networks_that_do_not_belong_together_are_refused() -> None:
    fb, fa = networks("univg-fb"), networks("univg-fa")
    with pytest.raises(ValueError, match="found a UNet of 8 channels in and 4 out, expected 4 and 4"):
        Networks(fb.preset, fa.unet, fb.vae, fb.encoders)
    blind = networks("univg-fsr").encoders
    with pytest.raises(ValueError, match="found no image tower for univg-fb"):
        Networks(fb.preset, fb.unet, fb.vae, blind)
    wide = UNet3D(dataclasses.replace(fb.unet.config, context_dim=48))
    with pytest.raises(ValueError, match="found tokens of 32 numbers for a UNet of 48"):
        Networks(fb.preset, wide, fb.vae, fb.encoders)


def test_weights_with_nan_end_with_a_sentence() -> None:
    model = stage("univg-fb", steps=2)
    with torch.no_grad():
        next(model.networks.unet.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match=r"found NaN or infinity in the prediction at t = \d+, step 1 of 2"):
        model.sample(Conditions(("a",)), [1], LOW)


@pytest.mark.parametrize(
    "bad", [{"images": (torch.zeros(3, 4, 4),)}, {"videos": torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)}]
)
def test_conditions_are_uint8_with_their_axes(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        Conditions(("a",), **bad)


def test_the_papers_weights_are_the_defaults() -> None:
    assert default_settings(PRESETS["univg-fb"]).guidance == Separate(9.5, 5.5)


def _schedule() -> Any:
    from reference_models.stages.process import process_of

    return process_of(PRESETS["univg-fb"]).schedule
