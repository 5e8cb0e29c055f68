"""Published numbers that real weights must give again: what a checksum cannot say about reader and network together.

An anchor is an input that anybody can make, and the value that somebody else's code printed for it. Weights that are
what they claim, in the wrong order or under a wrong batch norm, miss it by far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from univg_bench.errors import InputError
from univg_bench.features.i3d import FULL_SIZE, I3D
from univg_bench.features.i3d_folded import FoldedI3D
from univg_bench.features.i3d_layouts import load_i3d_tensors
from univg_bench.features.weights import Weights
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.recipes import CLIPSIM_RECIPES
from univg_bench.statistics import moments_of

Watch = Callable[[Iterator[Tensor], int], Iterator[Tensor]]  # (clips, how many) -> the same, with progress

BN_EPS = 1e-3  # of the TensorFlow graph that printed the numbers, or was copied by the code that did (findings.md 2)


@dataclass(frozen=True)
class Anchor:
    """Two sets of clips and the FVD between them that was published.

    clips: number of a set (0 or 1) -> its clips, float32 (3, T, 224, 224) in the network's own range. num_clips: of
    each set. slow: takes minutes.
    """

    name: str
    clips: Callable[[int], Iterator[Tensor]]
    num_clips: int
    expected: float
    tolerance: float
    source: str
    slow: bool = False


@dataclass(frozen=True)
class Check:
    """A value that was measured, beside the one that it should be."""

    name: str
    measured: float
    expected: float
    tolerance: float
    source: str

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return abs(self.measured - self.expected) <= self.tolerance


def _constant(frames: int) -> Callable[[int], Iterator[Tensor]]:
    def clips(which: int) -> Iterator[Tensor]:
        yield torch.full((3, frames, FULL_SIZE, FULL_SIZE), (-1.0, 1.0)[which])

    return clips


def _noise(which: int) -> Iterator[Tensor]:
    # one long draw of (128, 16, 224, 224, 3), clip by clip: the generator fills it in this order
    numbers = np.random.RandomState(which + 1)  # the generator of the published number
    for _ in range(128):
        clip = numbers.rand(16, FULL_SIZE, FULL_SIZE, 3).astype(np.float32)
        yield torch.from_numpy(clip).permute(3, 0, 1, 2).contiguous()


FVD_ANCHORS: tuple[Anchor, ...] = (
    Anchor(
        "FVD of black against white, 15 frames", _constant(15), 1, 131.0, 1.0,
        "google-research/frechet_video_distance, example.py: about 131",
    ),
    Anchor(
        "FVD of black against white, 30 frames", _constant(30), 1, 151.392, 0.2,
        "JunyaoHu/common_metrics_on_video_quality, README: 151.392 by TensorFlow, 151.26 by PyTorch",
    ),
    Anchor(
        "FVD of two sets of 128 clips of noise", _noise, 128, 10.13808536529541, 1e-3,
        "universome/fvd-comparison, README: 10.13808536529541 by TensorFlow, 10.138084766713924 by StyleGAN-V",
        slow=True,
    ),
)  # fmt: skip

# DeepMind's sample clip: git blob of v_CricketShot_g04_c01_rgb.npy, and what their program printed for it. Its texts
# for rgb_scratch are copies of those for rgb_imagenet, so there is no such number for the FVD weights.
SAMPLE_CLIP = "d756c5020a6e0fb56a99b210e32f5865da712bba"
_SAMPLE_SOURCE = "google-deepmind/kinetics-i3d, out/imagenet_rgb.txt"
SAMPLE_NORM, SAMPLE_TOP, SAMPLE_TOLERANCE = 87.108871, 25.856646, 5e-3


def checks_of(weights: Weights, *, quick: bool, watch: Watch) -> Iterator[Check]:
    """Yield what can be checked of weights that were found: published numbers, or what must hold by definition.

    quick: leave out what takes minutes. Nothing is known of shipped weights, and of files that only their user knows.

    Raises InputError when the file cannot be read or does not fit its network.
    """
    if weights.architecture == "i3d":
        yield from check_fvd(network(weights), [a for a in FVD_ANCHORS if not (quick and a.slow)], watch)
    elif weights.architecture == "inception-fid":
        from univg_bench.features.inception import inception_network
        from univg_bench.features.inception_layout import load_inception_tensors

        load_inception_tensors(weights, inception_network())  # keys, shapes and finite values; no number is published
    elif weights.architecture is not None and weights.architecture.startswith("ViT-"):
        yield from check_clip(weights)


def network(weights: Weights) -> nn.Module:
    """Return the published network with `weights`, as evaluation computes with it.

    Raises InputError when they do not fit.
    """
    net = I3D(bn_eps=BN_EPS)
    net.load_state_dict(load_i3d_tensors(weights, net), strict=False)  # checked; only num_batches_tracked is left out
    return FoldedI3D(net.eval())


def check_fvd(net: nn.Module, anchors: Iterable[Anchor], watch: Watch) -> Iterator[Check]:
    """Yield how far `net` is from each anchor, one after the other."""
    for anchor in anchors:
        sets = [
            np.stack([_logits(net, clip) for clip in watch(anchor.clips(which), anchor.num_clips)]) for which in (0, 1)
        ]
        if anchor.num_clips == 1:  # no covariance: what is left is the distance of the two means
            measured = float(((sets[0][0] - sets[1][0]) ** 2).sum())
        else:
            one, other = (moments_of(features).gaussian(ddof=1) for features in sets)
            measured = frechet_distance(one, other)
        yield Check(anchor.name, measured, anchor.expected, anchor.tolerance, anchor.source)


def check_sample_clip(net: nn.Module, path: Path) -> Iterator[Check]:
    """Yield how far the logits of DeepMind's sample clip are from the printed ones; for `rgb_imagenet` only.

    Raises InputError for another file.
    """
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if blob != SAMPLE_CLIP:
        raise InputError(
            f"found {path} with git blob {blob}, expected DeepMind's v_CricketShot_g04_c01_rgb.npy ({SAMPLE_CLIP}) from"
            " the folder data of github.com/google-deepmind/kinetics-i3d"
        )
    clip = np.load(path, allow_pickle=False)[0]  # (T, H, W, 3) in [-1, 1]
    logits = _logits(net, torch.from_numpy(clip.astype(np.float32)).permute(3, 0, 1, 2).contiguous())
    norm, top = float(np.linalg.norm(logits)), float(logits.max())
    yield Check("norm of the logits of DeepMind's clip", norm, SAMPLE_NORM, SAMPLE_TOLERANCE, _SAMPLE_SOURCE)
    yield Check("largest logit of DeepMind's clip", top, SAMPLE_TOP, SAMPLE_TOLERANCE, _SAMPLE_SOURCE)


def check_clip(weights: Weights) -> Iterator[Check]:
    """Yield self-checks of a CLIP by OpenAI: no number of theirs can be made again without their pictures.

    Raises InputError when the weights do not fit their architecture.
    """
    from univg_bench.features.clip import load_image_text_features

    assert weights.architecture is not None, "only known files are checked"
    features = load_image_text_features(replace(CLIPSIM_RECIPES["vit-b32"], model=weights.architecture), weights)
    scale = float(features.net.logit_scale.exp())
    yield Check("scale of the logits", scale, 100.0, 0.01, "Radford et al. 2021, 2.5: clipped at 100 in training")
    frames = np.zeros((1, 3, 224, 224), np.uint8)
    for name, unit in (("picture", features.images(frames)[0]), ("caption", features.text("a photo of a cat"))):
        yield Check(f"length of the vector of a {name}", float(np.linalg.norm(unit)), 1.0, 1e-5, "its definition")


def _logits(net: nn.Module, clip: Tensor) -> np.ndarray:
    with torch.inference_mode():
        logits: np.ndarray = net(clip[None])[0].double().numpy()
    return logits
