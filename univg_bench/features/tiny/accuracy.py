"""What the tiny extractors can tell apart, measured on scenes whose attributes no training clip had together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from univg_bench.datasets.moving_shapes import ATTRIBUTES, Scene, caption, render, scene
from univg_bench.features.tiny.architectures import TINY_I3D
from univg_bench.features.tiny.clips import labels
from univg_bench.features.tiny.networks import captions_to_clip, clips_to_i3d, frames_to_clip, load
from univg_bench.frames import FramePolicy

Track = Callable[[Sequence[int]], Iterable[int]]  # wraps a loop with a progress bar
FRAMES_OF_CLIPSIM = 4  # frames per clip for the cosines below: enough for a mean, four times the images
BATCH = 16
# a frame shows these; motion and camera it does not
APPEARANCE = ("shape", "colour", "texture", "background", "size")


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers among `n`, beside the share that guessing gets."""

    name: str
    value: float
    chance: float
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson, which stays honest near 0 and 1."""
        z, p, n = 1.96, self.value, self.n
        middle = p + z * z / (2 * n)
        reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - reach) / (1 + z * z / n), (middle + reach) / (1 + z * z / n)


def i3d_accuracies(
    *,
    count: int,
    height: int = 32,
    width: int = 56,
    split: str = "test",
    weights: Path | None = None,
    track: Track = iter,
) -> list[Accuracy]:
    """Return the accuracy of tiny-i3d for each attribute on the first `count` scenes of `split`."""
    network = load("tiny-i3d", weights).to(memory_format=torch.channels_last_3d)
    policy = FramePolicy(sampling="random_sorted", frames=TINY_I3D.num_frames)
    scenes = [scene(split, i) for i in range(count)]
    logits = []
    for start in track(range(0, count, BATCH)):
        clips = []
        for index in range(start, min(start + BATCH, count)):
            chosen = policy.indices(num_frames=24, video_id=f"{split}{index:05d}")
            clips.append(render(scenes[index], height=height, width=width)[list(chosen or ())])
        with torch.inference_mode():
            logits.append(network(clips_to_i3d(clips)).numpy())
    return attribute_accuracies(np.concatenate(logits), scenes)


def attribute_accuracies(logits: NDArray[np.floating], scenes: Sequence[Scene]) -> list[Accuracy]:
    """Return how often tiny-i3d's logits (N, 37) of clips say what the scenes do, for each attribute.

    Of generated clips: how often they show what their captions ask for, as far as the network can see it.
    """
    found = []
    for name, wanted in labels(list(scenes)).items():
        first, end = TINY_I3D.attribute_slices[name]
        right = logits[:, first:end].argmax(1) == wanted
        found.append(Accuracy(name, float(right.mean()), 1 / (end - first), len(scenes)))
    return found


@dataclass(frozen=True)
class ClipScores:
    """How tiny-clip matches frames and captions.

    matched, mismatched: mean cosine of a clip's frames with its own caption, and with another scene's.
    choices: accuracy of picking one attribute's word, the rest of the caption right. recall_at_1, recall_at_10: of the
    own caption among all, by the mean cosine over frames. appearance_recall_at_1: a caption with the same shape,
    colour, texture, background and size counts as right.
    """

    matched: float
    mismatched: float
    recall_at_1: Accuracy
    recall_at_10: Accuracy
    appearance_recall_at_1: Accuracy
    choices: list[Accuracy]


def clip_scores(
    *,
    count: int,
    height: int = 32,
    width: int = 56,
    split: str = "test",
    weights: Path | None = None,
    track: Track = iter,
) -> ClipScores:
    """Return the scores of tiny-clip on the first `count` scenes of `split`, `FRAMES_OF_CLIPSIM` frames each."""
    network = load("tiny-clip", weights)
    policy = FramePolicy(sampling="uniform", frames=FRAMES_OF_CLIPSIM)
    frames = list(policy.indices(num_frames=24, video_id="any") or ())
    scenes = [scene(split, i) for i in range(count)]

    def text(sentences: list[str]) -> NDArray[np.float32]:
        with torch.inference_mode():
            encoded = network.encode_text(captions_to_clip(sentences), normalize=True)  # type: ignore[operator]
        return np.asarray(encoded.numpy())

    images = []
    for index in track(range(count)):
        clip = render(scenes[index], height=height, width=width)[frames]
        with torch.inference_mode():
            images.append(network.encode_image(frames_to_clip(list(clip)), normalize=True).numpy())  # type: ignore[operator]
    # the mean over frames of the cosines is their product with the mean of the unit vectors
    image = np.stack(images).mean(axis=1)  # (N, D)
    cosines = image @ text([caption(s) for s in scenes]).T  # (N, N): clip, caption
    own = np.diag(cosines)
    better = (cosines > own[:, None]).sum(1)
    best = cosines.argmax(1)
    looks = [tuple(getattr(s, name) for name in APPEARANCE) for s in scenes]
    alike = np.array([[a == b for b in looks] for a in looks])
    return ClipScores(
        matched=float(own.mean()),
        mismatched=float((cosines.sum() - own.sum()) / (count * (count - 1))),
        recall_at_1=Accuracy("R@1", float((better == 0).mean()), 1 / count, count),
        recall_at_10=Accuracy("R@10", float((better < 10).mean()), 10 / count, count),
        appearance_recall_at_1=Accuracy(
            "R@1, appearance", float(alike[np.arange(count), best].mean()), float(alike.mean()), count
        ),
        choices=[_choice(scenes, image, text, name) for name in ATTRIBUTES],
    )


def _choice(
    scenes: list[Scene], image: NDArray[np.float32], text: Callable[[list[str]], NDArray[np.float32]], name: str
) -> Accuracy:
    """Return how often the right value of attribute `name` gives the best caption among its values."""
    values = ATTRIBUTES[name]
    candidates = text([caption(replace(s, **{name: value})) for s in scenes for value in values])  # type: ignore[arg-type]
    cosines = np.einsum("nd,nvd->nv", image, candidates.reshape(len(scenes), len(values), -1))
    right = cosines.argmax(1) == labels(scenes)[name]
    return Accuracy(name, float(right.mean()), 1 / len(values), len(scenes))
