"""Small networks for every stage, and conditions for them."""

from __future__ import annotations

import dataclasses
from typing import Any

import open_clip
import torch
from torch import Tensor

from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.encoders import Encoders
from reference_models.nn.resampler import Resampler, ResamplerConfig
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import PRESETS, Preset
from reference_models.stages.animation import AnimationStage
from reference_models.stages.base import BaseStage
from reference_models.stages.loading import encoder_config
from reference_models.stages.networks import Conditions, Networks, Shape
from reference_models.stages.settings import Sampling, default_settings
from reference_models.stages.super_resolution import SuperResolutionStage

WIDTH = 32  # of tokens
VAE = AutoencoderConfig(channels=8, channel_mult=(1, 2), num_res_blocks=1, groups=4)
CLIP: dict[str, Any] = {
    "embed_dim": WIDTH,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "layers": 2, "width": 64, "head_width": 32},
    "text_cfg": {"context_length": 6, "vocab_size": 30, "width": WIDTH, "heads": 1, "layers": 2},
}
LOW = Shape(8, 12, 14, 8.0)  # latents of 6x7: odd below the first level
HIGH = Shape(8, 26, 30, 8.0)  # latents of 13x15
STAGES = {"base": BaseStage, "animation": AnimationStage, "super_resolution": SuperResolutionStage}


def words(prompt: str) -> tuple[list[int], int]:
    """Return one token per letter, between a start and an end."""
    row = [1, *(2 + ord(letter) % 26 for letter in prompt[:4]), 29]
    return row + [0] * (6 - len(row)), len(prompt) + 2


def reduced(preset: Preset) -> Preset:
    """Return the preset with a narrow network of the same kind."""
    network = dataclasses.replace(
        preset.network, model_channels=32, channel_mult=(1, 2), num_res_blocks=1, attention_levels=(0, 1), head_dim=16,
        init_heads=1, context_dim=WIDTH,
    )  # fmt: skip
    return dataclasses.replace(preset, network=network)


def networks(name: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> Networks:
    """Return filled networks of a preset at reduced width."""
    preset = reduced(PRESETS[name])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = Autoencoder(dataclasses.replace(VAE, latent_channels=preset.network.out_channels))
        unet, clip = UNet3D(preset.network), open_clip.CLIP(**CLIP).eval()
        resampler = None
        if preset.image_tokens.startswith("resampler"):
            per_frame = 8 if preset.image_tokens.endswith("frame") else None
            config = ResamplerConfig(
                dim=16, depth=1, heads=1, head_dim=16, num_queries=2, num_frames=per_frame, in_dim=64, out_dim=WIDTH
            )
            resampler = Resampler(config).eval()
        for parameter in unet.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.05)
    encoders = Encoders(clip, words, encoder_config(preset), resampler)
    return Networks(preset, unet.to(dtype).eval(), vae.to(dtype).eval(), encoders, {"unet": f"seed-{seed}"})


def stage(name: str, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    """Return the stage of a preset with its own settings, `changes` excepted."""
    nets = networks(name, dtype)
    settings: Sampling = dataclasses.replace(default_settings(nets.preset), **changes)
    return STAGES[nets.preset.stage](nets, settings)


def pixels(*axes: int, seed: int = 0) -> Tensor:
    """Return uint8 noise (*axes) that is smooth enough to encode."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, axes, generator=generator, dtype=torch.uint8)


def conditions_of(kind: str, batch: int = 1, seed: int = 0) -> Conditions:
    """Return what a stage takes, for `batch` clips."""
    prompts = tuple(f"cl{seed + i}" for i in range(batch))
    if kind == "base":
        return Conditions(prompts)
    if kind == "animation":
        return Conditions(prompts, tuple(pixels(3, 12, 14, seed=seed + i) for i in range(batch)))
    return Conditions(prompts, None, torch.stack([pixels(8, 3, 11, 13, seed=seed + i) for i in range(batch)]))


def shape_of(kind: str) -> Shape:
    return HIGH if kind == "super_resolution" else LOW
