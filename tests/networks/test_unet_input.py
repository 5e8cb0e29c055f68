"""What does not fit the UNet is refused with one sentence that says what was found and what was expected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from reference_models.nn.attention import Condition
from reference_models.nn.growth import add_condition, drop_condition, grow_input
from reference_models.nn.unet3d import UNet3D, UNetConfig
from reference_models.presets import load_preset
from tests.networks.unet_examples import CONTEXT, SMALL, image, inputs, noisy_unet, text


@pytest.fixture(scope="module")
def unet() -> UNet3D:
    return noisy_unet(SMALL)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x": torch.zeros(2, 5, 8, 9, 7)}, r"x is \(2, 5, 8, 9, 7\); expected \(B, F, C, H, W\) with C = 4"),
        ({"x": torch.zeros(2, 4, 9, 7)}, r"x is \(2, 4, 9, 7\); expected"),
        ({"x": torch.zeros(2, 0, 4, 9, 7)}, r"nothing empty"),
        ({"t": torch.tensor(5)}, r"t is \(\); expected \(B,\) = \(2,\), one per clip"),
        ({"t": torch.tensor([1, 2, 3])}, r"t is \(3,\)"),
        ({"fps": torch.tensor([8])}, r"fps is \(1,\)"),
        ({"fps": None}, r"found no fps, but this network needs it"),
        ({"conditions": []}, r"no condition 'text' among \[\]"),
        ({"conditions": [image()]}, r"no condition 'text' among \['image'\]"),
        ({"conditions": [text(), text()]}, r"condition 'text' is given 2 times"),
        ({"conditions": [text(), Condition("depth", torch.zeros(2, 3, CONTEXT))]},
         r"unknown condition 'depth'; this network has text, image"),
        ({"conditions": [text(), Condition("image", torch.zeros(2, 3, 9))]},
         r"tokens of 'image' are \(2, 3, 9\); expected \(B, L, 24\) or \(B, F, L, 24\)"),
        ({"conditions": [text(0)]}, r"tokens of 'text' are \(2, 0, 24\); expected .*, L >= 1"),
        ({"conditions": [Condition("text", torch.zeros(3, 7, CONTEXT))]}, r"tokens of 'text' are for 3 clips; x has 2"),
        ({"conditions": [text(), image(4, 3)]}, r"tokens of 'image' are for 4 frames; x has 5"),
    ],
)  # fmt: skip
def test_wrong_input_is_named(unet: UNet3D, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        unet(**{**inputs(), "conditions": [text()], **change})


def test_fps_is_refused_where_it_would_be_ignored() -> None:
    with pytest.raises(ValueError, match=r"found fps, but this network has no fps embedding"):
        noisy_unet(replace(SMALL, fps_embedding=False))(**inputs(), conditions=[text()])


def test_the_cache_of_a_wider_network_is_refused(unet: UNet3D) -> None:
    wider = UNet3D(replace(SMALL, model_channels=64))
    with pytest.raises(ValueError, match=r"first layer is 64 wide, this network's 32; it was made by another network"):
        unet(**inputs(), conditions=wider.cache([text()]))


@pytest.mark.parametrize(
    "change",
    [{"channel_mult": ()}, {"channel_mult": (1, 0)}, {"in_channels": 0}, {"head_dim": 0}, {"num_res_blocks": 0},
     {"extra_rows": -1}],
)  # fmt: skip
def test_a_network_of_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is below 1"):
        replace(SMALL, **{"attention_levels": (), **change})


@pytest.mark.parametrize("name", ["ip", "a.b", ""])
def test_a_condition_that_would_share_or_break_a_layers_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a layer's name"):
        replace(SMALL, conditions=("text", "image", name))


def test_the_cache_of_another_network_is_refused(unet: UNet3D) -> None:
    cache = unet.cache([text()])
    with pytest.raises(ValueError, match=r"the cache has \d+ layers, .* made by another network"):
        unet(**inputs(), conditions=replace(cache, layers=cache.layers[1:]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"conditions": ("image", "text")}, "expected different names, 'text' first"),
        ({"conditions": ("text", "text")}, "expected different names"),
        ({"model_channels": 48}, r"48 channels \(channel_mult 1\) are no multiple of 32"),
        ({"attention_levels": (0, 2)}, r"attention_levels are \(0, 2\); .* has levels 0 to 1"),
        ({"conditions": ("text",), "learnable_image_scale": True}, "learnable_image_scale needs the condition 'image'"),
    ],
)
def test_impossible_networks_are_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **change)


def test_impossible_growth_is_refused(unet: UNet3D) -> None:
    with pytest.raises(ValueError, match="cannot grow 4 input channels to 4; expected more than 4"):
        grow_input(unet, 4)
    with pytest.raises(ValueError, match="has a condition 'image'"):
        add_condition(unet, "image")
    for name in ("text", "depth"):
        with pytest.raises(ValueError, match=f"cannot drop the condition '{name}'"):
            drop_condition(unet, name)


def test_image_encoders_say_what_they_take() -> None:
    config: UNetConfig = replace(SMALL, conditions=("text",), image_encoders=True, in_channels=8)
    encoders = noisy_unet(config).image_encoders
    with pytest.raises(ValueError, match=r"image_latent is \(1, 3, 8, 8\); expected \(B, 4, H, W\)"):
        encoders(torch.zeros(1, 3, 8, 8), torch.zeros(1, CONTEXT), 4)
    with pytest.raises(ValueError, match=r"image_embedding is \(1, 9\); expected \(B, D\) = \(1, 24\)"):
        encoders(torch.zeros(1, 4, 8, 8), torch.zeros(1, 9), 4)


def test_unknown_presets_are_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"no preset 'univg'; there are univg-fb, univg-fa"):
        load_preset("univg")
