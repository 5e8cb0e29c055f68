"""The UNet against outputs of the published networks' own code, on regenerated weights (shared/data/oracles)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from reference_models.convert.unet import convert_unet
from reference_models.nn.attention import Condition
from reference_models.nn.unet3d import UNet3D, UNetConfig
from tests.networks.unet_examples import ORACLE, ORACLES, needs_oracles, oracle_weights, relative

pytestmark = needs_oracles
TEXT_TOKENS = 77


@pytest.mark.parametrize(
    ("name", "config"),
    [("vc_t2v_v2_small", replace(ORACLE, conditions=("text",))), ("vc_i2v_v1_small", ORACLE)],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-6)])
def test_videocrafter_is_this_network(name: str, config: UNetConfig, dtype: torch.dtype, tolerance: float) -> None:
    oracle = load_file(ORACLES / f"{name}.safetensors")
    unet = UNet3D(config).eval()
    unet.load_state_dict(oracle_weights(name))  # no renaming
    tokens = oracle["context"].to(dtype)
    conditions = [Condition("text", tokens[:, :TEXT_TOKENS])]
    if tokens.shape[1] > TEXT_TOKENS:
        conditions.append(Condition("image", tokens[:, TEXT_TOKENS:]))
    with torch.no_grad():
        y = unet.to(dtype)(oracle["x"].to(dtype).movedim(1, 2), oracle["t"], conditions, fps=oracle["fps"])
    expected = oracle["y_fp64" if dtype == torch.float64 else "y_fp32"]
    assert relative(y.movedim(2, 1), expected) < tolerance


@pytest.mark.parametrize("tokens", ["global", "perframe"])
def test_dynamicrafter_is_this_network_with_twice_the_channels(tokens: str) -> None:
    name = "dynamicrafter_512_small"
    oracle = load_file(ORACLES / f"{name}.safetensors")
    unet = UNet3D(replace(ORACLE, in_channels=8)).eval()
    unet.load_state_dict(oracle_weights(name))
    x = oracle["x"].movedim(1, 2)
    context = oracle[f"context_{tokens}"]
    pictures = context[:, TEXT_TOKENS:]
    if tokens == "perframe":
        pictures = pictures.unflatten(1, (x.shape[1], 16))
    with torch.no_grad():
        y = unet(
            x, oracle["t"], [Condition("text", context[:, :TEXT_TOKENS]), Condition("image", pictures)], oracle["fs"]
        )
    assert relative(y.movedim(2, 1), oracle[f"y_{tokens}"]) < 5e-6


def test_vgen_sr600_is_this_network_with_its_padding_and_filter() -> None:
    name = "vgen_sr600_small"
    oracle = load_file(ORACLES / f"{name}.safetensors")
    config = replace(
        ORACLE,
        conditions=("text",),
        fps_embedding=False,
        context_dim=1024,
        extra_rows=1,
        skip_filter=((1.1, 0.6), (1.2, 0.4)),
    )
    converted = convert_unet(oracle_weights(name), "vgen")
    outputs = {}
    for skip_filter in (config.skip_filter, ()):
        unet = UNet3D(replace(config, skip_filter=skip_filter)).eval()
        unet.load_state_dict(converted)
        with torch.no_grad():
            outputs[skip_filter] = unet(oracle["x"].movedim(1, 2), oracle["t"], [Condition("text", oracle["y"])])
    assert relative(outputs[config.skip_filter].movedim(2, 1), oracle["out_fp32"]) < 5e-6
    assert relative(outputs[()].movedim(2, 1), oracle["out_fp32"]) > 1e-2  # the filter matters: this test can fail
