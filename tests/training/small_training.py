"""A training that takes seconds: networks of a few thousand weights, clips that a formula draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reference_models.data.order import Order
from reference_models.data.reading import Reading
from reference_models.data.source import BrokenClip, Clip
from reference_models.degradation import Degradation
from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.encoders import Encoders
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import load_preset
from reference_models.stages.loading import encoder_config, tokenizer_of
from reference_models.stages.networks import Networks
from reference_models.training.distributed import ALONE, World
from reference_models.training.examples import Examples, Reader
from reference_models.training.loop import Run
from reference_models.training.recipe import Batches, Dropout, Ema, Keeping, Optimiser, Phase, Recipe
from univg_bench.features.tiny.networks import build

SIDE = 8  # pixels; 4 latents
FRAMES, VIDEOS = Batches("frames", clips=4), Batches("videos", clips=2, num_frames=(3, 5))


@dataclass(frozen=True)
class Drifting:
    """Clips of a patch that drifts; the one of number `broken` cannot be read."""

    count: int = 6
    broken: int | None = None

    @property
    def identity(self) -> str:
        return f"drifting-{self.count}"

    def __len__(self) -> int:
        return self.count

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        if index == self.broken:
            raise BrokenClip("corrupt", f"found damage in clip {index}")
        first = int(rng.integers(4))
        pixels = np.full((num_frames, 3, SIDE, SIDE), 40 * index, dtype=np.uint8)
        for frame in range(num_frames):
            pixels[frame, :, (first + frame) % SIDE] = 250
        return Clip(pixels, ("a red circle", "a blue cross")[index % 2], f"drifting-{index}")


def small_recipe(preset: str = "tiny-fb", **changes: Any) -> Recipe:
    """Return a recipe of six steps, both kinds of batches, every chance switched on."""
    usual: dict[str, Any] = {
        "name": "small",
        "preset": preset,
        "phases": (Phase(6, (FRAMES, VIDEOS)),),
        "optimiser": Optimiser(1e-3, warmup=2, decay="cosine"),
        "ema": Ema(0.9),
        "dropout": Dropout(text=0.3, image=0.0 if preset.startswith("tiny-fsr") else 0.3),
        "checkpoints": Keeping(every=2, keep=2),
    }
    return Recipe(**{**usual, **changes})


def small_networks(preset_name: str = "tiny-fb", *, seed: int = 0, dropout: float = 0.0) -> Networks:
    """Return networks of a tiny preset at a fraction of its width, randomly filled."""
    preset = load_preset(preset_name)
    config = replace(
        preset.network, model_channels=32, channel_mult=(1,), attention_levels=(0,), init_heads=1, dropout=dropout
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet3D(config)
        vae = Autoencoder(
            AutoencoderConfig(3, config.out_channels, channels=4, channel_mult=(1, 1), num_res_blocks=1, groups=2)
        )
        clip = build("tiny-clip").eval().requires_grad_(False)
        for parameter in unet.parameters():  # what begins at zero would hide what is behind it
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    vae = vae.eval().requires_grad_(False)
    return Networks(preset, unet, vae, Encoders(clip, tokenizer_of(clip), encoder_config(preset)))


def small_run(
    work: Path,
    recipe: Recipe | None = None,
    *,
    source: Drifting = Drifting(),
    world: World = ALONE,
    skip_broken: bool = False,
    dropout: float = 0.0,
    **more: Any,
) -> Run:
    """Return a run of a small recipe on drifting patches."""
    recipe = recipe or small_recipe()
    networks = small_networks(recipe.preset, dropout=dropout)
    kinds = {batches.kind for phase in recipe.phases for batches in phase.batches}
    readings = {
        kind: Reading(
            (source,), Order((len(source),), (1,), seed=recipe.seed, name=kind), "skip" if skip_broken else "error"
        )
        for kind in kinds
    }
    damage = Degradation(4, 4) if networks.preset.stage == "super_resolution" else None
    return Run(recipe, networks, Examples(networks, Reader(readings, damage)), work, world=world, quiet=True, **more)
