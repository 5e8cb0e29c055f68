"""Keys of published UNets: every one finds its place, or the file is refused with the reason."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from reference_models.convert.unet import convert_unet, detect_family, unet_report
from reference_models.nn.unet3d import UNet3D, UNetConfig
from tests.networks.unet_examples import ORACLE, ORACLES, SMALL, needs_oracles, noisy_unet
from univg_bench.errors import InputError

TEXT = replace(ORACLE, conditions=("text",))
I2VGEN = replace(TEXT, in_channels=8, image_encoders=True)


def keys_of(name: str) -> dict[str, Tensor]:
    shapes = json.loads((ORACLES / f"{name}.keys.json").read_text())
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def expected(config: UNetConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        return dict(UNet3D(config).state_dict())


@needs_oracles
@pytest.mark.parametrize(
    ("name", "family", "config"),
    [
        ("vc_t2v_v2_small", "videocrafter", TEXT),
        ("vc_i2v_v1_small", "videocrafter", ORACLE),
        ("vc_i2v_fulltopology", "videocrafter",
         replace(ORACLE, channel_mult=(1, 2, 4, 4), num_res_blocks=2, context_dim=32)),
        ("dynamicrafter_512_small", "videocrafter", replace(ORACLE, in_channels=8)),
        ("vgen_sr600_small", "vgen", replace(TEXT, fps_embedding=False, context_dim=1024, extra_rows=1)),
        ("vgen_i2vgenxl_small", "vgen", replace(I2VGEN, num_res_blocks=2, context_dim=1024)),
        ("diffusers_unet3d_small", "diffusers", replace(TEXT, fps_embedding=False)),
        ("diffusers_i2vgenxl_small", "diffusers", I2VGEN),
    ],
)  # fmt: skip
def test_every_key_of_a_published_family_has_its_place(name: str, family: str, config: UNetConfig) -> None:
    source = keys_of(name)
    found = detect_family(source)
    assert found == family
    report = unet_report(source, found, expected(config))
    assert report.complete, report.sentence()
    assert len(report.used) == len(source)


@needs_oracles
def test_relative_positions_are_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"relative positions .* use VideoCrafter2"):
        detect_family(keys_of("vc_t2v_v1_relpos_small"))


def test_names_of_no_video_unet_are_refused() -> None:
    with pytest.raises(InputError, match=r"none of 1 keys .*expected the names of one of: videocrafter, vgen, diffus"):
        detect_family(["conv1.weight"])


def test_a_checkpoint_gives_its_unet_and_leaves_the_rest() -> None:
    unet = noisy_unet(SMALL)
    prefix = "_forward_module.model.diffusion_model."
    whole = {prefix + key: tensor for key, tensor in unet.state_dict().items()}
    whole["_forward_module.first_stage_model.decoder.conv_in.weight"] = torch.zeros(1)
    assert detect_family(whole) == "videocrafter"
    converted = convert_unet(whole, "videocrafter")
    assert converted.keys() == unet.state_dict().keys()
    report = unet_report(whole, "videocrafter", unet.state_dict())
    assert report.unused == ("_forward_module.first_stage_model.decoder.conv_in.weight",)
    assert not report.missing
    assert not report.complete


def test_the_old_name_of_the_frame_stride_is_known() -> None:
    keys = {"init_attn.0.norm.weight": torch.zeros(1), "framestride_embed.0.bias": torch.zeros(1)}
    assert "fps_embedding.0.bias" in convert_unet(keys, "videocrafter")


def test_the_report_names_what_is_missing_unused_and_of_another_shape() -> None:
    with torch.device("meta"):
        state = dict(UNet3D(SMALL).state_dict())
    source = {key: tensor for key, tensor in state.items() if key != "out.2.bias"}
    source["out.0.bias"] = torch.zeros(3)
    source["extra"] = torch.zeros(2)
    report = unet_report(source, "videocrafter", state)
    assert report.missing == ("out.2.bias",)
    assert report.unused == ("extra",)
    assert report.misfits == ("out.0.bias: found (3,), expected (32,)",)
    assert "1 missing: out.2.bias" in report.sentence()
