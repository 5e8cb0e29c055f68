"""The image autoencoder: what its chunks, shapes and errors promise, and its parity with two published ones."""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reference_models.nn.autoencoder import TINY_AUTOENCODER, Autoencoder, AutoencoderConfig

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles"
SMALL = AutoencoderConfig(channels=32, channel_mult=(1, 2, 2, 2), num_res_blocks=1)

needs_oracles = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)


@pytest.fixture(scope="module")
def net() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(TINY_AUTOENCODER).eval().requires_grad_(False)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


@needs_oracles
@pytest.mark.parametrize(("dtype", "suffix", "tolerance"), [(torch.float32, "", 5e-6), (torch.float64, "_fp64", 1e-12)])
def test_moments_and_pictures_are_those_of_latent_diffusion(dtype: torch.dtype, suffix: str, tolerance: float) -> None:
    recipe = runpy.run_path(str(ORACLES / "recipe.py"))
    keys = json.loads((ORACLES / "ldm_vae_small.keys.json").read_text())
    oracle = load_file(ORACLES / "ldm_vae_small.safetensors")
    net = Autoencoder(SMALL)
    net.load_state_dict({key: recipe["param"](key, shape, "ldm_vae") for key, shape in keys.items()})
    net.to(dtype).requires_grad_(False)
    mean, logvar = oracle[f"moments{suffix}"].chunk(2, dim=1)
    got_mean, got_logvar = net.moments(oracle["x"].to(dtype))
    assert (got_mean - mean).abs().max() <= tolerance * mean.abs().max()
    assert (got_logvar - logvar.clamp(-30, 20)).abs().max() <= tolerance * logvar.abs().max()
    decoded = oracle[f"decoded{suffix}"]
    got = net.decode(oracle["z"].to(dtype) * SMALL.scale_factor)
    assert (got - decoded).abs().max() <= tolerance * decoded.abs().max()


def test_the_size_of_stable_diffusions_is_that_of_its_checkpoint() -> None:
    with torch.device("meta"):
        net = Autoencoder(AutoencoderConfig())
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert count == {"encoder": 34_163_592, "decoder": 49_490_179, "quant_conv": 72, "post_quant_conv": 20}
    assert net.encode(torch.empty(1, 3, 320, 576, device="meta")).shape == (1, 4, 40, 72)
    assert net.decode(torch.empty(1, 4, 40, 72, device="meta")).shape == (1, 3, 320, 576)


def test_the_latent_is_the_scaled_mean_and_decoding_undoes_the_scale(net: Autoencoder) -> None:
    images = noise(2, 3, 16, 24)
    assert torch.equal(net.encode(images), net.moments(images)[0] * net.config.scale_factor)
    scaled = Autoencoder(dataclasses.replace(TINY_AUTOENCODER, scale_factor=0.25))  # a power of two: exact
    scaled.load_state_dict(net.state_dict())
    scaled.requires_grad_(False)
    assert torch.equal(scaled.encode(images), net.encode(images) * 0.25)
    assert torch.equal(scaled.decode(net.encode(images) * 0.25), net.decode(net.encode(images)))


def test_a_video_is_its_frames(net: Autoencoder) -> None:
    video = noise(2, 3, 3, 16, 24)
    latents = net.encode(video)
    assert latents.shape == (2, 3, 8, 4, 6)
    assert torch.equal(latents[1, 2], net.encode(video[1, 2:3])[0])
    pictures = net.decode(latents)
    assert pictures.shape == video.shape
    assert torch.equal(pictures[1, 2], net.decode(latents[1, 2:3])[0])


@pytest.mark.parametrize("chunk", [1, 2, 4, 100])
def test_the_size_of_chunks_changes_nothing_but_rounding(net: Autoencoder, chunk: int) -> None:
    double = Autoencoder(TINY_AUTOENCODER)
    double.load_state_dict(net.state_dict())
    double.double().requires_grad_(False)
    video = noise(1, 5, 3, 16, 24, dtype=torch.float64)
    latents = double.encode(video, chunk=chunk)
    assert torch.allclose(latents, double.encode(video), rtol=0, atol=1e-13)
    assert torch.allclose(double.decode(latents, chunk=chunk), double.decode(latents), rtol=0, atol=1e-13)


def test_a_frame_does_not_depend_on_its_neighbours(net: Autoencoder) -> None:
    video, other = noise(1, 3, 3, 16, 24), noise(1, 3, 3, 16, 24, seed=1)
    other[:, 1] = video[:, 1]
    assert torch.equal(net.encode(video)[:, 1], net.encode(other)[:, 1])


def test_encoding_twice_gives_equal_bits(net: Autoencoder) -> None:
    images = noise(1, 3, 16, 24)
    assert torch.equal(net.encode(images), net.encode(images))


def test_gradients_reach_every_weight() -> None:
    net = Autoencoder(TINY_AUTOENCODER)
    images = noise(2, 3, 8, 8)
    mean, logvar = net.moments(images, chunk=2)
    (net.decode(mean).square().mean() + logvar.mean()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(1, 3, 18, 24), "found images of 18x24, expected a height and width that 4 divides"),
        (torch.zeros(1, 4, 16, 24), r"found images of shape \(1, 4, 16, 24\), expected \(B, 3, H, W\)"),
        (torch.zeros(3, 16, 24), "found images of shape"),
        (torch.zeros(0, 3, 16, 24), "found images of shape"),
        (torch.zeros(1, 3, 16, 24, dtype=torch.uint8), "expected floating point; uint8 frames are x / 127.5 - 1"),
    ],
)
def test_what_cannot_be_encoded_is_refused(net: Autoencoder, images: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        net.encode(images)


def test_other_latents_and_chunks_of_nothing_are_refused(net: Autoencoder) -> None:
    with pytest.raises(ValueError, match="found latents of shape"):
        net.decode(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="found chunk 0, expected 1"):
        net.decode(torch.zeros(1, 8, 4, 4), chunk=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": 30}, "in 32 groups"),
        ({"channel_mult": ()}, "channel_mult"),
        ({"scale_factor": 0.0}, "positive"),
        ({"scale_factor": float("inf")}, "positive"),
        ({"num_res_blocks": 0}, "expected 1 or more channels, blocks and groups"),
        ({"groups": 0}, "expected 1 or more channels, blocks and groups"),
    ],
)
def test_a_shape_that_cannot_be_built_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(AutoencoderConfig(), **change)  # type: ignore[arg-type]
