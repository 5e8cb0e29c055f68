"""What tiny-i3d learns: to name the seven attributes of a clip from 16 of its 24 frames.

The shape covers a few per cent of the picture, and the network averages over all of it, so the attributes alone teach
it slowly. Two linear probes, used in training only, read the same attributes from the features at the place where
the world says that the shape is. They are there to make the early layers see the shape, and are thrown away.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from univg_bench.datasets.moving_shapes import Scene
from univg_bench.datasets.moving_shapes.motion import HEIGHT, WIDTH, path
from univg_bench.features.tiny.architectures import TINY_I3D
from univg_bench.features.tiny.clips import Clips, labels
from univg_bench.features.tiny.networks import build, clips_to_i3d, save
from univg_bench.features.tiny.training import LossAt, Schedule, train
from univg_bench.frames import FramePolicy

SCHEDULE = Schedule(steps=5000, batch=16, learning_rate=1.5e-3, weight_decay=0.02, warmup=100)
SMALL_CLIPS, LARGE_CLIPS = 24_000, 3_000  # at 32x56 and at 72x128
LARGE_SHARE = 1 / 8  # of each batch
PROBED = ("Mixed_3c", "Mixed_4f")
# The outline of a shape of a dozen pixels is learned last, by a wide margin: once the rest is there, it counts more.
EMPHASIS_FROM, EMPHASIS = 2500, {"shape": 3.0}
POLICY = FramePolicy(sampling="random_sorted", frames=TINY_I3D.num_frames)  # as the metric chooses


class Probed(nn.Module):
    """tiny-i3d with its probes: clips and the places of the shape in, logits of the network and of each probe out."""

    def __init__(self) -> None:
        super().__init__()
        self.network = build("tiny-i3d").to(memory_format=torch.channels_last_3d)
        self._features: dict[str, Tensor] = {}
        for name in PROBED:
            self.network.get_submodule(name).register_forward_hook(self._keep(name))
        with torch.no_grad():  # one forward pass tells how many channels there are
            self.network.eval()(torch.zeros(1, 3, TINY_I3D.num_frames, TINY_I3D.size, TINY_I3D.size))
        self.probes = nn.ModuleDict(
            {name: nn.Linear(self._features[name].shape[1], TINY_I3D.class_count) for name in PROBED}
        )

    def _keep(self, name: str):  # type: ignore[no-untyped-def]
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._features[name] = output

        return hook

    def forward(self, clips: Tensor, places: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, 37) and per probe (B, T', 37).

        clips: (B, 3, T, 64, 64). places: (B, T, 2), x and y of the shape's middle as shares of the frame.
        """
        logits = self.network(clips)
        probed = []
        for name in PROBED:
            features = self._features.pop(name)  # (B, C, T', H', W')
            B, _, T, H, W = features.shape
            stride = places.shape[1] // T
            near = places[:, stride // 2 :: stride][:, :T]  # (B, T', 2)
            column = (near[..., 0] * W).long().clamp(0, W - 1)
            row = (near[..., 1] * H).long().clamp(0, H - 1)
            clip, time = torch.arange(B)[:, None], torch.arange(T)[None]
            probed.append(self.probes[name](features[clip, :, time, row, column]))  # (B, T', 37)
        return logits, probed


def draw(
    small: Clips, large: Clips, schedule: Schedule, step: int
) -> tuple[list[NDArray[np.uint8]], list[Scene], Tensor]:
    """Return the clips (16, 3, H, W), their scenes and the shapes' places of a step; (seed, step) decides them."""
    random = np.random.default_rng([schedule.seed, step])
    large_count = round(schedule.batch * LARGE_SHARE)
    clips, scenes, places = [], [], []
    for number in range(schedule.batch):
        source = large if number < large_count else small
        index = int(random.integers(len(source)))
        chosen = POLICY.indices(num_frames=len(source[index]), video_id=f"{schedule.seed}/{step}/{number}")
        frames = list(chosen or ())
        clips.append(source[index][frames])
        scenes.append(source.scene(index))
        track = path(scenes[-1])
        places.append(np.stack([track.x[frames] / WIDTH, track.y[frames] / HEIGHT], axis=1))
    return clips, scenes, torch.from_numpy(np.stack(places))


def loss_of(small: Clips, large: Clips, schedule: Schedule) -> LossAt:
    """Return the loss of a step: the sum over attributes of the cross-entropy, of the logits and of the probes.

    From step EMPHASIS_FROM on, the sum is weighted by EMPHASIS.
    """

    def loss_at(network: nn.Module, step: int) -> tuple[Tensor, dict[str, float]]:
        clips, scenes, places = draw(small, large, schedule, step)
        logits, probed = network(clips_to_i3d(clips), places)
        total, own, figures = logits.new_zeros(()), 0.0, {}
        for name, target in labels(scenes).items():
            wanted = torch.from_numpy(target)
            part = slice(*TINY_I3D.attribute_slices[name])
            weight = EMPHASIS.get(name, 1.0) if step >= EMPHASIS_FROM else 1.0
            loss = cross_entropy(logits[:, part], wanted)
            total, own = total + weight * loss, own + loss.item()
            for probe in probed:
                repeated = wanted[:, None].expand(probe.shape[:2])
                loss = cross_entropy(probe[..., part].flatten(0, 1), repeated.flatten())
                total = total + weight * loss / len(probed)
            figures[f"probed {name}"] = (probed[0][..., part].argmax(2) == wanted[:, None]).float().mean().item()
            figures[name] = (logits[:, part].argmax(1) == wanted).float().mean().item()
        return total, {"own": own, **figures}

    return loss_at


def train_i3d(*, work: Path, cache: Path, dest: Path, schedule: Schedule = SCHEDULE, quiet: bool = False) -> float:
    """Train tiny-i3d and write its weights to `dest`; return the CPU seconds spent."""
    small = Clips("train", SMALL_CLIPS, height=32, width=56, cache=cache)
    large = Clips("train", LARGE_CLIPS, height=72, width=128, cache=cache)
    torch.manual_seed(schedule.seed)
    network = Probed()
    seconds = train(network, loss_of(small, large, schedule), schedule, work=work, quiet=quiet)
    save(network.network, dest)
    return seconds
