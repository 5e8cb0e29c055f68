"""Checkpoints like the published ones, at reduced width: our own networks under the places and wrappers of others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import open_clip
import torch
from torch import Tensor, nn

from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.resampler import Resampler, ResamplerConfig
from reference_models.nn.unet3d import UNet3D, UNetConfig

M = TypeVar("M", bound=nn.Module)

UNET = UNetConfig(
    model_channels=32,
    channel_mult=(1, 2),
    num_res_blocks=1,
    attention_levels=(0,),
    head_dim=16,
    context_dim=32,
)
VAE = AutoencoderConfig(channels=32, channel_mult=(1, 2), num_res_blocks=1)
RESAMPLER = ResamplerConfig(dim=16, depth=1, heads=1, head_dim=64, num_queries=4, in_dim=64, out_dim=32)
CLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "layers": 2, "width": 64, "head_width": 64},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 64, "heads": 1, "layers": 2},
}


@dataclass
class Networks:
    """The parts of one model, filled with numbers (nowhere zero, so that nothing can be mixed up unseen)."""

    unet: UNet3D
    vae: Autoencoder
    clip: Any
    resampler: Resampler


def fill(net: M, seed: int) -> M:
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * 0.1)
    return net.eval().requires_grad_(False)


def networks(unet: UNetConfig = UNET, resampler: ResamplerConfig = RESAMPLER) -> Networks:
    return Networks(
        fill(UNet3D(unet), 0), fill(Autoencoder(VAE), 1), fill(open_clip.CLIP(**CLIP), 2), fill(Resampler(resampler), 3)
    )


def video_checkpoint(nets: Networks) -> dict[str, Tensor]:
    """Return the keys of a VideoCrafter or DynamiCrafter `model.ckpt`: all networks, tables, remains of towers."""
    clip = nets.clip.state_dict()
    text = {key: value for key, value in clip.items() if not key.startswith("visual.")}
    image = {key: value for key, value in clip.items() if not key.startswith("transformer.")}
    places = {
        "model.diffusion_model.": nets.unet.state_dict(),
        "first_stage_model.": nets.vae.state_dict(),
        "cond_stage_model.model.": {**text, "attn_mask": torch.zeros(8, 8)},
        "embedder.model.": image,
        "image_proj_model.": nets.resampler.state_dict(),
    }
    tables = {name: torch.linspace(0, 1, 10) for name in ("betas", "sqrt_alphas_cumprod", "scale_arr")}
    return tables | {prefix + key: value for prefix, part in places.items() for key, value in part.items()}


def written(tmp_path: Path, content: Any, name: str = "model.ckpt") -> Path:
    """Return the path of `content`, written as trainers do."""
    path = tmp_path / name
    torch.save(content, path)
    return path
