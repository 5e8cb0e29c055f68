"""Whole checkpoints taken apart: every key accounted for, every network the same afterwards."""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from reference_models.checkpoints import PARTS, config_of, load_into, load_weights, read_model
from reference_models.convert.bundle import save_bundle, take_apart
from reference_models.convert.encoders import load_clip
from reference_models.convert.files import Source, read_source
from reference_models.nn.attention import Condition
from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.encoders import TEXT_TO_VIDEO_ENCODERS, Encoders, image_tokens, text_tokens
from reference_models.nn.resampler import Resampler, ResamplerConfig
from reference_models.nn.unet3d import UNet3D, UNetConfig
from reference_models.presets import PRESETS
from tests.convert.published_like import RESAMPLER, UNET, Networks, networks, video_checkpoint, written
from univg_bench.errors import InputError

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles"


needs_oracles = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)


def test_a_video_checkpoint_gives_all_its_networks_and_leaves_nothing(
    tmp_path: Path, nets: Networks, keys: dict[str, Tensor]
) -> None:
    path = written(tmp_path, {"state_dict": keys, "epoch": 3})
    bundle = take_apart(read_source(path))
    assert (bundle.preset, bundle.problem(), bundle.unknown) == ("videocrafter1-i2v-512", "", ())
    used = [key for c in bundle.parts.values() for key in c.report.used]
    assert sorted([*used, *bundle.dropped]) == sorted(keys)
    assert {key.split(".")[0] for key in bundle.dropped} == {
        "betas", "sqrt_alphas_cumprod", "scale_arr", "cond_stage_model", "embedder",
    }  # fmt: skip
    assert bundle.dropped["embedder.model.ln_final.weight"].startswith("what the image tower's copy keeps")


def test_converted_networks_compute_what_the_originals_did(
    tmp_path: Path, nets: Networks, keys: dict[str, Tensor]
) -> None:
    source = read_source(written(tmp_path, {"state_dict": keys}))
    dest = tmp_path / "vc1"
    save_bundle(take_apart(source), source, dest)
    model = read_model(dest)
    cards = {part: load_weights(model.weights(part))[1] for part in model.parts}
    unet = UNet3D(config_of(UNetConfig, cards["unet"].settings)).eval()
    vae = Autoencoder(config_of(AutoencoderConfig, cards["vae"].settings))
    resampler = Resampler(config_of(ResamplerConfig, cards["resampler"].settings))
    clip = load_clip(model)
    for part, net in (("unet", unet), ("vae", vae), ("resampler", resampler)):
        load_into(net, model.weights(part), part=part)  # type: ignore[arg-type]
    pixels = torch.randn(1, 3, 32, 32)
    rows = torch.tensor([[1, 5, 7, 49, 0, 0, 0, 0]])
    for ours, theirs in ((unet, nets.unet), (vae, nets.vae), (resampler, nets.resampler), (clip, nets.clip)):
        state = theirs.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in ours.state_dict().items())
    # equal weights at other addresses may take other kernels, so outputs agree to rounding
    call = (
        torch.randn(1, 2, 4, 8, 8),
        torch.tensor([7]),
        [Condition("text", torch.randn(1, 3, 32)), Condition("image", torch.randn(1, 2, 32))],
        torch.tensor([8]),
    )
    with torch.no_grad():
        image = image_tokens(clip, pixels, kind="raw")
        assert torch.allclose(image, image_tokens(nets.clip, pixels, kind="raw"), rtol=1e-5, atol=1e-6)
        assert torch.allclose(text_tokens(clip, rows), text_tokens(nets.clip, rows), rtol=1e-5, atol=1e-6)
        assert torch.allclose(resampler(image), nets.resampler(image), rtol=1e-5, atol=1e-6)
        assert torch.allclose(vae.encode(pixels), nets.vae.encode(pixels), rtol=1e-5, atol=1e-6)
        assert torch.allclose(unet(*call), nets.unet(*call), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", ["plain", "state_dict", "deepspeed", "dataparallel", "old"])
def test_wrappers_of_trainers_make_no_difference(tmp_path: Path, keys: dict[str, Tensor], how: str) -> None:
    content: dict[str, Any] = {
        "plain": keys,
        "state_dict": {"state_dict": keys, "global_step": 1},
        "deepspeed": {"module": {f"_forward_module.{key}": value for key, value in keys.items()}, "dp_world_size": 8},
        "dataparallel": {f"module.{key}": value for key, value in keys.items()},
        "old": {"state_dict": keys},
    }[how]
    path = tmp_path / "model.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=how != "old")
    bundle = take_apart(read_source(path))
    assert bundle.problem() == ""
    assert list(bundle.parts) == ["unet", "vae", "text", "image", "resampler"]


def test_shards_are_one_checkpoint(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    names = sorted(keys)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for name, part in shards.items():
        save_file({key: keys[key].clone() for key in part}, tmp_path / name)
    index = {"weight_map": {key: name for name, part in shards.items() for key in part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    whole = take_apart(read_source(written(tmp_path / "..", keys, "whole.ckpt")))
    bundle = take_apart(read_source(tmp_path))
    for part, conversion in bundle.parts.items():
        for key, tensor in conversion.tensors.items():
            assert torch.equal(tensor, whole.parts[part].tensors[key])


def test_a_rehearsal_on_shapes_says_the_same(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    path = written(tmp_path, keys)
    real, rehearsed = (take_apart(read_source(path, shapes_only=only)) for only in (False, True))
    assert {p: c.report for p, c in rehearsed.parts.items()} == {p: c.report for p, c in real.parts.items()}
    assert {p: c.settings for p, c in rehearsed.parts.items()} == {p: c.settings for p, c in real.parts.items()}


def test_queries_of_every_frame_are_known_by_their_model(tmp_path: Path) -> None:
    unet = dataclasses.replace(UNET, in_channels=8)
    per_frame = dataclasses.replace(RESAMPLER, num_frames=16, num_queries=2)
    path = written(tmp_path, video_checkpoint(networks(unet, per_frame)))
    bundle = take_apart(read_source(path), asked="dynamicrafter-512")
    assert bundle.problem() == ""
    assert config_of(ResamplerConfig, bundle.parts["resampler"].settings) == per_frame
    with pytest.raises(InputError, match=r"fit dynamicrafter-512 and dynamicrafter-1024.* say which it is with --fam"):
        take_apart(read_source(path))
    with pytest.raises(InputError, match=r"32 queries, which may be those of one frame or of 16"):
        take_apart(read_source(path), only="resampler")
    with pytest.raises(InputError, match=r"which is not videocrafter2; --family may be dynamicrafter-512 or dyn"):
        take_apart(read_source(path), asked="videocrafter2")


def test_the_smaller_dynamicrafter_is_known_by_its_learnt_scale(tmp_path: Path) -> None:
    unet = dataclasses.replace(UNET, in_channels=8, learnable_image_scale=True)
    keys = video_checkpoint(networks(unet, dataclasses.replace(RESAMPLER, num_frames=16)))
    bundle = take_apart(read_source(written(tmp_path, keys)))
    assert (bundle.preset, bundle.problem()) == ("dynamicrafter-256", "")


def test_what_no_key_shows_comes_from_the_preset(tmp_path: Path) -> None:
    # VGen's names: the transformer behind the first convolution and the downsampling stand elsewhere
    unet = dataclasses.replace(UNET, conditions=("text",), fps_embedding=False)
    theirs = {
        key.replace("init_attn.0.", "input_blocks.0.1.").replace("input_blocks.2.0.op.", "input_blocks.2.op."): value
        for key, value in networks(unet).unet.state_dict().items()
    }
    bundle = take_apart(read_source(written(tmp_path, {"state_dict": theirs})), asked="vgen-sr600")
    assert bundle.problem() == ""
    assert bundle.parts["unet"].settings["extra_rows"] == 1
    assert bundle.parts["unet"].settings["skip_filter"] == ((1.1, 0.6), (1.2, 0.4))
    assert take_apart(read_source(tmp_path / "model.ckpt"), asked="vgen-t2v").parts["unet"].settings["extra_rows"] == 0


def test_the_scale_of_latents_is_the_checkpoints(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    assert take_apart(read_source(written(tmp_path, keys))).parts["vae"].settings["scale_factor"] == 0.18215
    path = written(tmp_path, {**keys, "scale_factor": torch.tensor(0.25)})
    assert take_apart(read_source(path)).parts["vae"].settings["scale_factor"] == 0.25


def test_a_model_is_put_together_from_several_files(tmp_path: Path, nets: Networks) -> None:
    unet = dataclasses.replace(UNET, conditions=("text",))
    dest = tmp_path / "model"
    sources = {
        "unet.pth": networks(unet).unet.state_dict(),
        "clip.bin": nets.clip.state_dict(),
        "vae.ckpt": nets.vae.state_dict(),
    }
    for name, content in sources.items():
        source = read_source(written(tmp_path, content, name))
        facts = save_bundle(take_apart(source), source, dest)
    assert (facts["preset"], list(facts["parts"])) == ("videocrafter2", ["unet", "vae", "text", "image"])
    assert facts["parts"]["vae"]["source"].keys() == {"vae.ckpt"}
    before = (dest / "model.json").read_bytes()
    save_bundle(take_apart(source), source, dest)
    assert (dest / "model.json").read_bytes() == before


def test_a_text_tower_without_an_image_tower_is_enough_for_text(tmp_path: Path, nets: Networks) -> None:
    text = {key: value for key, value in nets.clip.state_dict().items() if not key.startswith("visual.")}
    source = read_source(written(tmp_path, text))
    save_bundle(take_apart(source), source, tmp_path / "out")
    clip = load_clip(read_model(tmp_path / "out"))
    rows = torch.tensor([[1, 5, 7, 49, 0, 0, 0, 0]])
    assert torch.allclose(text_tokens(clip, rows), text_tokens(nets.clip, rows), rtol=1e-5, atol=1e-6)
    encoders = Encoders(clip, lambda prompt: (rows[0].tolist(), 4), TEXT_TO_VIDEO_ENCODERS)
    assert encoders.text([""]).shape == (1, 8, 64)
    with pytest.raises(ValueError, match="found an image for a model that knows text only"):
        encoders.images(torch.zeros(1, 3, 8, 8))


def test_one_part_alone_can_be_taken(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    source = read_source(written(tmp_path, keys))
    for part in PARTS:
        bundle = take_apart(source, only=part)
        assert (list(bundle.parts), bundle.problem()) == ([part], "")
        assert bundle.left + len(bundle.parts[part].report.used) + len(bundle.dropped) == len(keys)
    path = written(tmp_path, networks().vae.state_dict(), "vae.pt")
    with pytest.raises(InputError, match=r"found no text in .*vae\.pt, which holds vae"):
        take_apart(read_source(path), only="text")


def test_of_an_image_models_checkpoint_the_autoencoder_can_be_taken(tmp_path: Path, keys: dict[str, Tensor]) -> None:
    image_model = {key: value for key, value in keys.items() if key.startswith("first_stage_model.")}
    image_model["model.diffusion_model.input_blocks.1.0.in_layers.0.weight"] = torch.zeros(2)
    source = read_source(written(tmp_path, image_model))
    with pytest.raises(InputError, match="`--part vae`"):
        take_apart(source)
    assert take_apart(source, only="vae").problem() == ""


@pytest.mark.parametrize(
    "preset", ["videocrafter1-i2v-512", "videocrafter2", "dynamicrafter-256", "dynamicrafter-512", "dynamicrafter-1024"]
)
def test_full_size_checkpoints_have_the_shape_of_their_preset(preset: str) -> None:
    with torch.device("meta"):
        state = UNet3D(PRESETS[preset].network).state_dict()
        vae = Autoencoder(AutoencoderConfig()).state_dict()
    tensors = {f"model.diffusion_model.{key}": value for key, value in state.items()}
    tensors |= {f"first_stage_model.{key}": value for key, value in vae.items()}
    bundle = take_apart(Source(Path("model.ckpt"), (), tensors), asked=preset)
    assert (bundle.preset, bundle.problem(), bundle.notes) == (preset, "", ())
    assert config_of(UNetConfig, bundle.parts["unet"].settings) == PRESETS[preset].network
    assert config_of(AutoencoderConfig, bundle.parts["vae"].settings) == AutoencoderConfig()


@needs_oracles
@pytest.mark.parametrize(
    ("name", "asked", "preset"),
    [
        ("vc_t2v_v2_small", None, "videocrafter2"),
        ("vc_i2v_v1_small", None, "videocrafter1-i2v-512"),
        ("vc_i2v_fulltopology", None, "videocrafter1-i2v-512"),
        ("dynamicrafter_512_small", "dynamicrafter-1024", "dynamicrafter-1024"),
        ("vgen_sr600_small", "vgen-sr600", "vgen-sr600"),
        ("vgen_i2vgenxl_small", None, "i2vgen-xl"),
        ("diffusers_unet3d_small", "zeroscope", "zeroscope"),
        ("diffusers_i2vgenxl_small", None, "i2vgen-xl"),
        ("ldm_vae_small", None, "autoencoder"),
    ],
)
def test_keys_of_every_published_family_find_their_place(
    tmp_path: Path, name: str, asked: str | None, preset: str
) -> None:
    shapes = json.loads((ORACLES / f"{name}.keys.json").read_text())
    param = runpy.run_path(str(ORACLES / "recipe.py"))["param"]
    source = read_source(written(tmp_path, {key: param(key, shape, name) for key, shape in shapes.items()}))
    bundle = take_apart(source, asked=asked)
    assert (bundle.preset, bundle.problem()) == (preset, "")
    (conversion,) = bundle.parts.values()
    assert len(conversion.report.used) == len(shapes)
    save_bundle(bundle, source, tmp_path / "out")
    assert read_model(tmp_path / "out").parts == (conversion.part,)


@needs_oracles
def test_the_first_text_to_video_model_of_videocrafter_is_refused_with_the_reason(tmp_path: Path) -> None:
    shapes = json.loads((ORACLES / "vc_t2v_v1_relpos_small.keys.json").read_text())
    source = read_source(written(tmp_path, {key: torch.zeros(shape) for key, shape in shapes.items()}))
    with pytest.raises(InputError, match="relative positions in its temporal attention"):
        take_apart(source)
