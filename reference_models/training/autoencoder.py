"""What the tiny autoencoder learns: frames of Moving Shapes, small and large, through a sixth of their numbers.

Stages are trained on its latents and never on it, so it comes first and then stays as it is. The shape covers a few per
cent of the picture, and bricks and grass would take all the latents; so errors where the world says that the shape is
count more.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference_models.nn.autoencoder import TINY_AUTOENCODER, Autoencoder
from univg_bench.datasets.moving_shapes import FRAMES, Scene
from univg_bench.datasets.moving_shapes.motion import HEIGHT, WIDTH, path
from univg_bench.features.tiny.clips import Clips
from univg_bench.features.tiny.training import LossAt, Schedule, train

SCHEDULE = Schedule(steps=2000, batch=24, learning_rate=2e-3, weight_decay=0.01, warmup=100)
SMALL_CLIPS, LARGE_CLIPS = 8_000, 1_500  # at 32x56 and at 72x128
LARGE_FRAMES = 2  # of a step, about three tenths of its pixels
# Squared errors before absolute ones: these, and those of neighbours' differences still more, leave the few pixels of
# the shape in a wrong colour (docs/training.md). A little of them keeps edges sharp.
ABSOLUTE = 0.05
EMPHASIS = 10.0  # on the shape's square, with a quarter of its radius around it
# Rombach et al. 2022, appendix G, penalise the latents a little. This much leaves a noise of a few per cent on them
KL = 1e-5
SCALE_FRAMES = 512


def reconstruction_loss(made: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of squared errors and a little of the absolute ones.

    made, wanted: (B, 3, H, W) in [-1, 1]; weights: (B, 1, H, W).
    """
    error = made - wanted
    return (weights * (error.square() + ABSOLUTE * error.abs())).mean()


def loss_of(small: Clips, large: Clips, schedule: Schedule) -> LossAt:
    """Return the loss of a step: reconstruction from a sample of the posterior, and its divergence from N(0, 1)."""

    def loss_at(network: nn.Module, step: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Autoencoder)
        random = np.random.default_rng([schedule.seed, step])
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        total, figures = torch.zeros(()), {}
        for name, clips, count in (("small", small, schedule.batch), ("large", large, LARGE_FRAMES)):
            frames, weights = draw(clips, count, random)
            frames = frames.contiguous(memory_format=torch.channels_last)
            mean, logvar = network.moments(frames, chunk=count)
            noise = torch.randn(mean.shape, generator=generator)
            made = network.decode((mean + noise * (0.5 * logvar).exp()) * network.config.scale_factor, chunk=count)
            divergence = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
            share = count * frames[0].numel() / (schedule.batch * 3 * small.height * small.width)
            total = total + share * (reconstruction_loss(made, frames, weights) + KL * divergence)
            figures[f"psnr {name}"] = psnr(made, frames)
            figures[f"kl {name}"] = divergence.item()
        return total, figures

    return loss_at


def draw(clips: Clips, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return random frames of random clips in [-1, 1], float32 (count, 3, H, W), and their weights (count, 1, H, W)."""
    frames: list[NDArray[np.uint8]] = []
    weights = []
    for _ in range(count):
        index, frame = int(random.integers(len(clips))), int(random.integers(FRAMES))
        frames.append(clips[index][frame])
        weights.append(weights_of(clips.scene(index), frame, clips.height, clips.width))
    return torch.from_numpy(np.stack(frames)).float() / 127.5 - 1, torch.from_numpy(np.stack(weights))[:, None]


def weights_of(scene: Scene, frame: int, height: int, width: int) -> NDArray[np.float32]:
    """Return what an error in each pixel of a frame counts, (height, width): EMPHASIS around the shape, 1 elsewhere."""
    track = path(scene)
    near = 1.25 * track.radius[frame]
    y = np.abs((np.arange(height) + 0.5) * HEIGHT / height - track.y[frame]) <= near
    x = np.abs((np.arange(width) + 0.5) * WIDTH / width - track.x[frame]) <= near
    weights: NDArray[np.float32] = np.where(y[:, None] & x, EMPHASIS, 1.0).astype(np.float32)
    return weights


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Return the peak signal-to-noise ratio in dB of images in [-1, 1]."""
    error = (made.detach().clamp(-1, 1) - wanted).square().mean().item()
    return float(10 * np.log10(4 / error))


def train_autoencoder(
    *, work: Path, cache: Path, schedule: Schedule = SCHEDULE, quiet: bool = False
) -> tuple[Autoencoder, float]:
    """Train the tiny autoencoder; return it, scaled to latents of unit variance, and the CPU seconds spent."""
    small = Clips("train", SMALL_CLIPS, height=32, width=56, cache=cache)
    large = Clips("train", LARGE_CLIPS, height=72, width=128, cache=cache)
    torch.manual_seed(schedule.seed)
    network = Autoencoder(TINY_AUTOENCODER).to(memory_format=torch.channels_last)
    seconds = train(network, loss_of(small, large, schedule), schedule, work=work, quiet=quiet)
    return scaled(network.eval(), small), seconds


@torch.no_grad()
def scaled(network: Autoencoder, clips: Clips) -> Autoencoder:
    """Return the network with the scale that gives its latents of training frames a standard deviation of 1."""
    frames, _ = draw(clips, SCALE_FRAMES, np.random.default_rng(0))
    deviation = network.moments(frames, chunk=64)[0].std().item()
    made = Autoencoder(replace(network.config, scale_factor=round(1 / deviation, 4)))
    made.load_state_dict(network.state_dict())
    return made.eval()
