"""Checkpoints that are not what they should be: each refused with what was found, and nothing written."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reference_models.checkpoints import load_weights, read_model
from reference_models.convert.bundle import save_bundle, take_apart
from reference_models.convert.files import Source, read_source
from tests.convert.published_like import UNET, networks, written
from univg_bench.errors import InputError


def test_missing_foreign_and_misshapen_tensors_are_named_and_nothing_is_written(
    tmp_path: Path, keys: dict[str, Tensor]
) -> None:
    damaged = dict(keys)
    del damaged["first_stage_model.decoder.mid.attn_1.q.weight"]
    damaged["cond_stage_model.model.ln_final.bias"] = torch.zeros(3)
    damaged["model.diffusion_model.extra.weight"] = torch.zeros(3)
    damaged["discriminator.weight"] = torch.zeros(3)
    source = read_source(written(tmp_path, damaged))
    bundle = take_apart(source)
    assert bundle.parts["vae"].report.missing == ("decoder.mid.attn_1.q.weight",)
    assert bundle.parts["text"].report.misfits == ("ln_final.bias: found (3,), expected (64,)",)
    assert bundle.parts["unet"].report.unused == ("model.diffusion_model.extra.weight",)
    assert bundle.unknown == ("discriminator.weight",)
    with pytest.raises(InputError, match=r"does not fit: unet: .*extra\.weight.*1 keys of no known network: discrimin"):
        save_bundle(bundle, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shape", [(), (0,), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize(
    "key",
    [
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.init_attn.0.proj_in.weight",
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
        "first_stage_model.encoder.conv_in.weight",
        "cond_stage_model.model.token_embedding.weight",
        "cond_stage_model.model.text_projection",
        "embedder.model.visual.conv1.weight",
        "image_proj_model.latents",
    ],
)
def test_a_tensor_of_any_other_shape_is_the_files_error(
    tmp_path: Path, keys: dict[str, Tensor], key: str, shape: tuple[int, ...]
) -> None:
    source = Source(tmp_path / "x", (), {**keys, key: torch.zeros(shape)})
    with contextlib.suppress(InputError):
        assert take_apart(source).problem()


@pytest.mark.parametrize("number", ["999999999", "x", "-1"])
@pytest.mark.parametrize(
    "key", ["cond_stage_model.model.transformer.resblocks.{}.ln_1.bias", "image_proj_model.layers.{}.0.norm1.bias"]
)
def test_a_layer_of_any_number_is_no_reason_to_build_as_many(keys: dict[str, Tensor], key: str, number: str) -> None:
    bundle = take_apart(Source(Path("x"), (), {**keys, key.format(number): torch.zeros(3)}))
    assert key.format(number) in bundle.problem()


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.float8_e4m3fn])
def test_other_types_of_numbers_are_refused_by_a_rehearsal_too(keys: dict[str, Tensor], dtype: torch.dtype) -> None:
    name = "model.diffusion_model.out.2.bias"
    tensors = {key: value.to("meta", dtype if key == name else value.dtype) for key, value in keys.items()}
    with pytest.raises(InputError, match=rf"found {name} of type {dtype} in x, expected one of float32"):
        take_apart(Source(Path("x"), (), tensors))


def test_parts_of_diffusers_layers_that_belong_together_are_missed_together() -> None:
    keys = {"down_blocks.0.resnets.x.norm1.weight", "down_blocks.0.temp_convs.0.conv1.0.weight"}
    with pytest.raises(InputError, match=r"found a unet in x whose keys or shapes no network of ours has"):
        take_apart(Source(Path("x"), (), {key: torch.zeros(3) for key in keys}))


def test_weights_that_are_no_numbers_are_named_as_in_the_file(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    name = "model.diffusion_model.out.2.bias"
    source = read_source(written(tmp_path, {**keys, name: torch.tensor([0, float("nan"), 1, 2])}))
    with pytest.raises(InputError, match=rf"found 1 NaN or infinite numbers of 4 in {name} of .*model\.ckpt"):
        save_bundle(take_apart(source), source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_numbers_that_half_precision_cannot_hold_are_refused(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    name = "model.diffusion_model.out.2.bias"
    source = read_source(written(tmp_path, {**keys, name: torch.full((4,), 1e5)}))
    with pytest.raises(InputError, match=r"numbers in out\.2\.bias of the unet that torch\.float16 cannot hold"):
        save_bundle(take_apart(source), source, tmp_path / "out", dtype=torch.float16)
    last = {**keys, "image_proj_model.latents": torch.full((1, 4, 16), 1e5)}
    source = read_source(written(tmp_path, last, "last.ckpt"))
    with pytest.raises(InputError, match=r"latents of the resampler that .*nothing was written"):
        save_bundle(take_apart(source), source, tmp_path / "out", dtype=torch.float16)
    assert not (tmp_path / "out").exists()
    save_bundle(take_apart(source), source, tmp_path / "out", dtype=torch.bfloat16)
    assert load_weights(tmp_path / "out" / "unet.safetensors")[0]["out.2.bias"].dtype == torch.bfloat16


def test_another_model_does_not_go_into_the_same_folder(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    source = read_source(written(tmp_path, keys))
    save_bundle(take_apart(source), source, tmp_path / "out")
    changed = {**keys, "first_stage_model.quant_conv.bias": torch.ones(8)}
    other = read_source(written(tmp_path, changed, "other.ckpt"))
    with pytest.raises(InputError, match=r"found other weights in .*vae\.safetensors"):
        save_bundle(take_apart(other), other, tmp_path / "out")
    assert take_apart(source, only="vae").preset == "autoencoder"
    save_bundle(take_apart(source, only="vae"), source, tmp_path / "out")  # the same, by itself
    assert read_model(tmp_path / "out").preset == "videocrafter1-i2v-512"


def test_equal_weights_under_another_preset_are_another_model(tmp_path: Path) -> None:
    unet = networks(dataclasses.replace(UNET, in_channels=8)).unet.state_dict()
    source = read_source(written(tmp_path, unet))
    save_bundle(take_apart(source, asked="dynamicrafter-512"), source, tmp_path / "out")
    with pytest.raises(
        InputError, match=r"found the model dynamicrafter-512 in .*, expected an empty folder for dynam"
    ):
        save_bundle(take_apart(source, asked="dynamicrafter-1024"), source, tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (["down_blocks.0.resnets.0.spatial_res_block.norm1.weight", "time_embedding.linear_1.weight"], "Stable Video"),
        (["down_blocks.0.motion_modules.0.temporal_transformer.norm.weight"], "motion modules of AnimateDiff"),
        (["model.diffusion_model.input_blocks.1.0.in_layers.0.weight"], "a UNet for images, without temporal layers"),
        (["down_blocks.0.resnets.0.norm1.weight", "mid_block.resnets.0.norm1.weight"], "a UNet for images"),
        (["text_model.encoder.layers.0.self_attn.q_proj.weight"], "a CLIP in Hugging Face's names"),
        (["unet.down_blocks.0.lora_down.weight"], "an adapter"),
        (["transformer_blocks.0.attn1.to_q.weight"], "none of 1 keys is of a video UNet that we can read"),
        (["encoder.conv_in.weight", "decoder.time_conv_out.weight"], "Stable Video Diffusion's decoder"),
    ],
)
def test_other_networks_are_recognised_and_refused(tmp_path: Path, keys: list[str], sentence: str) -> None:
    source = read_source(written(tmp_path, {key: torch.zeros(2) for key in keys}))
    with pytest.raises(InputError, match=sentence):
        take_apart(source)
