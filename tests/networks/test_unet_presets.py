"""Presets build the networks they promise; full size is counted without memory for it."""

from __future__ import annotations

import pytest
import torch

from reference_models.nn.unet3d import UNet3D
from reference_models.presets import PRESETS, Preset


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_parameters_are_those_of_the_published_network(preset: Preset) -> None:
    with torch.device("meta"):
        unet = UNet3D(preset.network)
    assert sum(parameter.numel() for parameter in unet.parameters()) == preset.parameters


def test_f_a_is_f_b_and_the_weights_of_the_new_channels() -> None:
    assert PRESETS["univg-fa"].parameters - PRESETS["univg-fb"].parameters == 320 * 4 * 9
    assert PRESETS["univg-fa"].parameters == PRESETS["dynamicrafter-512"].parameters
    assert PRESETS["univg-fb"].parameters == PRESETS["videocrafter1-i2v-512"].parameters
    assert PRESETS["univg-fsr"].parameters == PRESETS["videocrafter2"].parameters


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset_agrees_with_its_network(preset: Preset) -> None:
    assert PRESETS[preset.name] is preset
    assert (preset.fps is not None) == preset.network.fps_embedding
    assert ("image" in preset.network.conditions) == (preset.image_tokens not in ("none", "latent"))
    assert preset.network.image_encoders == (preset.image_tokens == "latent")
    latents = 8 if preset.name.startswith("tiny") else 4  # of its autoencoder
    assert preset.network.in_channels == latents * (1 if preset.concat == "none" else 2)
