"""What tiny-clip learns: which caption goes with a frame. A frame shows no motion, so motion words teach it little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from univg_bench.datasets.moving_shapes import FRAMES, caption
from univg_bench.features.tiny.clips import Clips
from univg_bench.features.tiny.networks import build, captions_to_clip, frames_to_clip, save
from univg_bench.features.tiny.train_i3d import LARGE_CLIPS, LARGE_SHARE, SMALL_CLIPS
from univg_bench.features.tiny.training import LossAt, Schedule, train

SCHEDULE = Schedule(steps=1500, batch=128, learning_rate=2e-3, weight_decay=0.05, warmup=100)
MAX_LOGIT_SCALE = float(np.log(100.0))  # CLIP's own bound: Radford et al. 2021, section 2.5


def loss_of(small: Clips, large: Clips, schedule: Schedule) -> LossAt:
    """Return the loss of a step: CLIP's symmetric cross-entropy over a batch of (random frame, caption)."""
    large_count = round(schedule.batch * LARGE_SHARE)

    def loss_at(network: nn.Module, step: int) -> tuple[Tensor, dict[str, float]]:
        random = np.random.default_rng([schedule.seed, step])
        # without repetition: the same caption twice in a batch would be its own wrong answer (a large clip still meets
        # its small twin now and then)
        chosen = random.choice(len(small), size=schedule.batch, replace=False)
        frames = random.integers(FRAMES, size=schedule.batch)
        images, captions = [], []
        for place, (index, frame) in enumerate(zip(chosen.tolist(), frames.tolist(), strict=True)):
            source, index = (large, index % len(large)) if place < large_count else (small, index)
            images.append(source[index][frame])
            captions.append(caption(source.scene(index)))
        image = network.encode_image(frames_to_clip(images), normalize=True)  # type: ignore[operator]
        text = network.encode_text(captions_to_clip(captions), normalize=True)  # type: ignore[operator]
        scale = network.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()  # type: ignore[operator]
        logits = scale * image @ text.T
        target = torch.arange(schedule.batch)
        loss = 0.5 * (cross_entropy(logits, target) + cross_entropy(logits.T, target))
        right = (logits.argmax(1) == target).float().mean().item()
        return loss, {"recall_at_1": right, "scale": scale.item()}

    return loss_at


def train_clip(*, work: Path, cache: Path, dest: Path, schedule: Schedule = SCHEDULE, quiet: bool = False) -> float:
    """Train tiny-clip and write its weights to `dest`; return the CPU seconds spent."""
    small = Clips("train", SMALL_CLIPS, height=32, width=56, cache=cache)
    large = Clips("train", LARGE_CLIPS, height=72, width=128, cache=cache)
    torch.manual_seed(schedule.seed)
    network = build("tiny-clip")
    seconds = train(network, loss_of(small, large, schedule), schedule, work=work, quiet=quiet)
    save(network, dest)
    return seconds
