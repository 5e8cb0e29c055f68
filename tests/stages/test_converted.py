"""Published-like checkpoints through the whole way: convert, load, sample."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import open_clip
import pytest
import torch

from reference_models.nn.attention import Condition
from reference_models.nn.autoencoder import Autoencoder
from reference_models.nn.resampler import Resampler
from reference_models.nn.unet3d import UNet3D, UNetConfig
from reference_models.stages.loading import load_networks
from tests.convert.published_like import CLIP, RESAMPLER, UNET, VAE, Networks, fill, video_checkpoint
from univg_bench.cli import run
from univg_bench.encode import write_lossless
from univg_bench.errors import InputError
from univg_bench.video import probe

WIDTH = 64  # of the text tower, which published UNets attend to without projection
TOWERS = {**CLIP, "text_cfg": {**CLIP["text_cfg"], "vocab_size": 49408}}
COMMON = ["--prompt", "a boat", "--frames", "8"]


def published(unet: UNetConfig, *, per_frame: bool = False) -> Networks:
    resampler = dataclasses.replace(RESAMPLER, out_dim=WIDTH, num_frames=16 if per_frame else None)
    return Networks(
        fill(UNet3D(dataclasses.replace(unet, context_dim=WIDTH)), 0),
        fill(Autoencoder(VAE), 1),
        fill(open_clip.CLIP(**TOWERS), 2),
        fill(Resampler(resampler), 3),
    )


def test_videocrafter_from_its_checkpoint_to_a_video(tmp_path: Path) -> None:
    nets = published(UNET)
    source, dest = tmp_path / "model.ckpt", tmp_path / "base"
    torch.save({"state_dict": video_checkpoint(nets)}, source)
    assert run(["-q", "convert", str(source), "--dest", str(dest)]) == 0
    loaded = load_networks(dest, stage="base", device="cpu", dtype=torch.float32)
    x, t, fps = torch.randn(1, 2, 4, 6, 8), torch.tensor([7]), torch.tensor([8])
    seen = [Condition("text", torch.randn(1, 3, WIDTH)), Condition("image", torch.randn(1, 2, WIDTH))]
    with torch.no_grad():
        assert torch.allclose(loaded.unet(x, t, seen, fps), nets.unet(x, t, seen, fps), rtol=1e-4, atol=1e-4)
    out = tmp_path / "boat.mp4"
    sample = ["sample", "--model", "univg-base", "--weights", str(dest), *COMMON, "--size", "12x16"]
    assert run(["-q", *sample, "--set", "steps=2", "--set", "grid=trailing", "--out", str(out)]) == 0
    record = json.loads(out.with_suffix(".json").read_text())["made_with"]
    assert record["model"] == "videocrafter1-i2v-512"  # by its own name, not UniVG's
    assert record["stages"][0]["weights"] == dict(loaded.weights)
    assert set(loaded.weights) == {"unet", "vae", "text", "image", "resampler"}
    assert record["stages"][0]["settings"]["fps_embedding"] == 8
    assert (probe(out).frames, probe(out).height, probe(out).width) == (8, 12, 16)
    with pytest.raises(InputError, match="is made for the stage base, expected weights for animation"):
        load_networks(dest, stage="animation", device="cpu", dtype=torch.float32)


def test_dynamicrafter_and_vgen_make_a_pipeline(tmp_path: Path) -> None:
    animation, large = tmp_path / "animation", tmp_path / "super-resolution"
    torch.save(
        video_checkpoint(published(dataclasses.replace(UNET, in_channels=8), per_frame=True)), tmp_path / "d.ckpt"
    )
    convert = ["-q", "convert", str(tmp_path / "d.ckpt"), "--family", "dynamicrafter-512", "--dest", str(animation)]
    assert run(convert) == 0
    sr = published(dataclasses.replace(UNET, conditions=("text",), fps_embedding=False))
    theirs = {
        key.replace("init_attn.0.", "input_blocks.0.1.").replace("input_blocks.2.0.op.", "input_blocks.2.op."): value
        for key, value in sr.unet.state_dict().items()
    }
    for name, content, more in (
        ("sr.pth", {"state_dict": theirs}, ["--family", "vgen-sr600"]),
        ("vae.ckpt", sr.vae.state_dict(), ["--part", "vae"]),
        ("clip.bin", sr.clip.state_dict(), ["--part", "text"]),
    ):
        torch.save(content, tmp_path / name)
        assert run(["-q", "convert", str(tmp_path / name), *more, "--dest", str(large)]) == 0

    low = tmp_path / "low.mp4"
    write_lossless(low, (torch.rand(16, 3, 12, 16) * 255).byte().numpy(), 8)
    out = tmp_path / "large.mp4"
    sample = ["-q", "sample", "--model", "univg-super-resolution", "--weights", str(large), "--video", str(low)]
    assert run([*sample, "--prompt", "a", "--size", "20x26", "--set", "steps=3", "--out", str(out)]) == 0
    record = json.loads(out.with_suffix(".json").read_text())["made_with"]
    assert record["model"] == "vgen-sr600"
    assert record["stages"][0]["unet"]["skip_filter"] == [[1.1, 0.6], [1.2, 0.4]]

    from PIL import Image

    Image.new("RGB", (30, 20), (200, 30, 90)).save(tmp_path / "first.png")
    moved = tmp_path / "moved.mp4"
    sample = ["-q", "sample", "--model", "univg-animation", "--weights", str(animation), "--prompt", "a boat"]
    sample += ["--image", str(tmp_path / "first.png"), "--size", "12x16", "--set", "steps=2", "--out", str(moved)]
    assert run([*sample, "--set", "grid=trailing"]) == 0
    assert probe(moved).frames == 16
    assert json.loads(moved.with_suffix(".json").read_text())["made_with"]["stages"][0]["settings"]["start"] == "noise"
    # too few frames for a resampler with queries of 16, said in one sentence
    assert run([*sample, "--frames", "8"]) == 2


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    source, dest = tmp_path / "model.ckpt", tmp_path / "base"
    torch.save(video_checkpoint(published(UNET)), source)
    assert run(["-q", "convert", str(source), "--dest", str(dest)]) == 0
    path = dest / "vae.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"the tensors of .*vae\.safetensors are not those that its header names"):
        load_networks(dest, stage="base", device="cpu", dtype=torch.float32)
