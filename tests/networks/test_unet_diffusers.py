"""The UNet against diffusers' UNet3DConditionModel and I2VGenXLUNet on the same random weights."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

from reference_models.convert.unet import convert_unet
from reference_models.nn.attention import Condition
from reference_models.nn.unet3d import UNet3D
from tests.networks.unet_examples import CONTEXT, ORACLE, relative

PEER = {
    "block_out_channels": (32, 64, 64, 64),
    "layers_per_block": 1,
    "cross_attention_dim": CONTEXT,
    "attention_head_dim": 16,
    "sample_size": 16,
}


def filled(network: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        elif not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.fixture(scope="module")
def diffusers() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies, at import
        return pytest.importorskip("diffusers", reason="needs diffusers: pip install -e .[dev]")


@torch.no_grad()
@pytest.mark.parametrize(("frames", "size"), [(3, (18, 14)), (1, (16, 8)), (2, (45, 20))])
def test_unet3d_of_diffusers_is_this_network(diffusers: object, frames: int, size: tuple[int, int]) -> None:
    peer = filled(diffusers.UNet3DConditionModel(**PEER))  # type: ignore[attr-defined]
    unet = UNet3D(replace(ORACLE, conditions=("text",), fps_embedding=False)).eval()
    unet.load_state_dict(convert_unet(peer.state_dict(), "diffusers"))
    x, t, tokens = torch.randn(2, frames, 4, *size), torch.tensor([7, 901]), torch.randn(2, 9, CONTEXT)
    expected = peer(x.movedim(1, 2), t, tokens).sample.movedim(2, 1)
    assert relative(unet(x, t, [Condition("text", tokens)]), expected) < 5e-6


@torch.no_grad()
def test_i2vgenxl_of_diffusers_lacks_the_factor_two_of_the_original(diffusers: object) -> None:
    frames, size = 4, (16, 8)
    peer = filled(diffusers.I2VGenXLUNet(**PEER))  # type: ignore[attr-defined]
    unet = UNet3D(replace(ORACLE, conditions=("text",), in_channels=8, image_encoders=True)).eval()
    unet.load_state_dict(convert_unet(peer.state_dict(), "diffusers"))
    x, t, fps = torch.randn(2, frames, 4, *size), torch.tensor([7, 901]), torch.tensor([16, 8])
    latent, pooled, tokens = torch.randn(2, 4, *size), torch.randn(2, CONTEXT), torch.randn(2, 9, CONTEXT)
    concat, more = unet.image_encoders(latent, pooled, frames)
    conditions = [Condition("text", torch.cat([tokens, more], 1))]
    y = unet(torch.cat([x, concat], 2), t, conditions, fps)

    ramp = (torch.arange(1, frames) / (frames - 1))[None, None, :, None, None].expand(2, 4, -1, *size)
    latents = torch.cat([latent[:, :, None], ramp], 2)

    def of_peer() -> torch.Tensor:
        out: torch.Tensor = peer(x.movedim(1, 2), t, fps, latents, pooled, tokens).sample.movedim(2, 1)
        return out

    assert relative(of_peer(), y) > 0.01
    peer.conv_in.weight[:, 4:] *= 2
    assert relative(of_peer(), y) < 5e-6
