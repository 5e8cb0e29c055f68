"""Small UNets with weights that leave nothing at zero, their inputs, and the oracle files beside the checkout."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reference_models.nn.attention import Condition
from reference_models.nn.unet3d import UNet3D, UNetConfig

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles"
needs_oracles = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)

CONTEXT = 24
SMALL = UNetConfig(
    model_channels=32,
    channel_mult=(1, 2),
    num_res_blocks=1,
    attention_levels=(0, 1),
    head_dim=16,
    init_heads=2,
    context_dim=CONTEXT,
)
# The networks of the oracle files: configs.json there
ORACLE = UNetConfig(model_channels=32, channel_mult=(1, 2, 2, 2), num_res_blocks=1, head_dim=16, context_dim=CONTEXT)


def noisy_unet(config: UNetConfig, seed: int = 0) -> UNet3D:
    """Return a UNet in evaluation mode whose zero-initialised layers are filled too."""
    torch.manual_seed(seed)
    unet = UNet3D(config).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return unet


def inputs(frames: int = 5, size: tuple[int, int] = (9, 7), channels: int = 4) -> dict[str, Tensor]:
    """Return x, t and fps for two clips."""
    generator = torch.Generator().manual_seed(1)
    return {
        "x": torch.randn(2, frames, channels, *size, generator=generator),
        "t": torch.tensor([3, 700]),
        "fps": torch.tensor([8, 24]),
    }


def text(length: int = 7) -> Condition:
    """Return tokens of a prompt for two clips."""
    return Condition("text", torch.randn(2, length, CONTEXT, generator=torch.Generator().manual_seed(2)))


def image(*axes: int, scale: float = 1.0) -> Condition:
    """Return image tokens for two clips, (2, *axes, D)."""
    generator = torch.Generator().manual_seed(3)
    return Condition("image", torch.randn(2, *(axes or (5,)), CONTEXT, generator=generator), scale)


def oracle_weights(name: str, *, salt: str | None = None) -> dict[str, Tensor]:
    """Return the weights of an oracle, regenerated from the names and shapes of its keys."""
    param = runpy.run_path(str(ORACLES / "recipe.py"))["param"]
    shapes: dict[str, list[int]] = json.loads((ORACLES / f"{name}.keys.json").read_text())
    return {key: param(key, shape, salt=salt or name) for key, shape in shapes.items()}


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the greatest difference as a share of the greatest value expected."""
    return float((found - expected).abs().max() / expected.abs().max())
