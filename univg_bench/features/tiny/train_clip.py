"""What tiny-clip learns: which caption goes with a frame.

Among 128 random captions colour, background, size and texture nearly always suffice, and then nothing teaches the
outline of a shape. So after some hundred steps most of a batch is groups of clips with the same colour and background,
in which only the shape, the texture and the size tell. A frame shows no motion, and motion words teach little.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from univg_bench.datasets.moving_shapes import FRAMES, caption
from univg_bench.features.tiny.clips import Clips
from univg_bench.features.tiny.networks import build, captions_to_clip, frames_to_clip, save
from univg_bench.features.tiny.train_i3d import LARGE_CLIPS, LARGE_SHARE, SMALL_CLIPS
from univg_bench.features.tiny.training import LossAt, Schedule, train

SCHEDULE = Schedule(steps=1800, batch=128, learning_rate=2e-3, weight_decay=0.05, warmup=100)
ALIKE_FROM, ALIKE_GROUPS, ALIKE_SIZE = 300, 3, 32  # from which step on; groups per batch; clips per group
MAX_LOGIT_SCALE = float(np.log(100.0))  # CLIP's own bound: Radford et al. 2021, section 2.5

Drawn = list[tuple[Clips, int, int]]


def groups_alike(clips: Clips) -> list[NDArray[np.int64]]:
    """Return the numbers of the clips that share a colour and a background, for each such pair that has enough."""
    found: dict[tuple[str, str], list[int]] = {}
    for index in range(len(clips)):
        s = clips.scene(index)
        found.setdefault((s.colour, s.background), []).append(index)
    return [np.array(group) for _, group in sorted(found.items()) if len(group) >= ALIKE_SIZE]


def draw(small: Clips, large: Clips, groups: list[NDArray[np.int64]], schedule: Schedule, step: int) -> Drawn:
    """Return (source, clip, frame) of each member of a batch; (seed, step) decides them.

    The first eighth is seen at 72x128. No clip comes twice: the same caption would be its own wrong answer.
    """
    random = np.random.default_rng([schedule.seed, step])
    alike: list[int] = []
    if step >= ALIKE_FROM and len(groups) >= ALIKE_GROUPS:
        for number in random.choice(len(groups), size=ALIKE_GROUPS, replace=False).tolist():
            alike += random.choice(groups[number], size=ALIKE_SIZE, replace=False).tolist()
    taken = set(alike)
    others = [index for index in random.permutation(len(small)).tolist() if index not in taken]
    at_large = [index for index in others if index < len(large)][: round(schedule.batch * LARGE_SHARE)]
    taken |= set(at_large)
    rest = [index for index in others if index not in taken][: schedule.batch - len(at_large) - len(alike)]
    chosen = [(large, index) for index in at_large] + [(small, index) for index in rest + alike]
    frames = random.integers(FRAMES, size=schedule.batch).tolist()
    return [(source, index, frame) for (source, index), frame in zip(chosen, frames, strict=True)]


def loss_of(small: Clips, large: Clips, schedule: Schedule) -> LossAt:
    """Return the loss of a step: CLIP's symmetric cross-entropy over a batch of (random frame, caption)."""
    groups = groups_alike(small)

    def loss_at(network: nn.Module, step: int) -> tuple[Tensor, dict[str, float]]:
        drawn = draw(small, large, groups, schedule, step)
        images = [source[index][frame] for source, index, frame in drawn]
        captions = [caption(source.scene(index)) for source, index, _ in drawn]
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
