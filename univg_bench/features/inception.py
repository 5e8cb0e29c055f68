"""Inception, the network of the Fréchet inception distance: from a frame to the 2,048 numbers before its classes.

Its blocks are pytorch-fid's, put together here because the constructor there downloads weights. Three resizes are in
use and give three FIDs; each is written out below and belongs to the recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_fid import inception as blocks
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate
from torchvision.models import inception_v3

from univg_bench.canonical import digest_of
from univg_bench.errors import InputError
from univg_bench.features.i3d_input import check_frames
from univg_bench.features.inception_layout import CLASSES, load_inception_tensors
from univg_bench.features.tensors import exact_float32
from univg_bench.features.weights import Weights
from univg_bench.recipes_frames import FidRecipe

VERSION = 1  # of this code path: raise it with every change that can move a feature by a bit
DIM = 2048
BATCH = 16  # frames at once, always counted from a video's first: the last bits may depend on it


def inception_network() -> Any:
    """Return FID's Inception with random weights, in evaluation mode; its keys are pytorch-fid's.

    It differs from torchvision's by pools that leave their padding out of the mean, and by a maximum in the last block.
    Source: mseitzer/pytorch-fid 0.3.0, pytorch_fid/inception.py.
    """
    net = inception_v3(weights=None, init_weights=False, aux_logits=False, num_classes=CLASSES, transform_input=False)
    net.Mixed_5b = blocks.FIDInceptionA(192, pool_features=32)
    net.Mixed_5c = blocks.FIDInceptionA(256, pool_features=64)
    net.Mixed_5d = blocks.FIDInceptionA(288, pool_features=64)
    net.Mixed_6b = blocks.FIDInceptionC(768, channels_7x7=128)
    net.Mixed_6c = blocks.FIDInceptionC(768, channels_7x7=160)
    net.Mixed_6d = blocks.FIDInceptionC(768, channels_7x7=160)
    net.Mixed_6e = blocks.FIDInceptionC(768, channels_7x7=192)
    net.Mixed_7b = blocks.FIDInceptionE_1(1280)
    net.Mixed_7c = blocks.FIDInceptionE_2(2048)
    return net.eval().requires_grad_(False)


def pool3(net: Any, x: Tensor) -> Tensor:
    """Return the features (N, 2048) of images x (N, 3, 299, 299) in [-1, 1]."""
    for name, layer in net.named_children():
        if name == "avgpool":
            break
        x = layer(x)
    return adaptive_avg_pool2d(x, 1)[:, :, 0, 0]


def half_pixel_input(frames: np.ndarray, size: int) -> Tensor:
    """Bilinear with half-pixel centres, no antialiasing, of frames divided by 255, as pytorch-fid 0.3.0 does."""
    x = torch.from_numpy(np.ascontiguousarray(frames)).float() / 255
    return 2 * interpolate(x, (size, size), mode="bilinear", align_corners=False) - 1


def corner_input(frames: np.ndarray, size: int) -> Tensor:
    """Bilinear as TensorFlow 1: pixel i lies at i, not at i + 1/2, and the last one is repeated; no antialiasing.

    Source: tensorflow/core/kernels/resize_bilinear_op.cc of TensorFlow 1, without align_corners; the scale is that of
    the graph inside.
    """
    x = torch.from_numpy(np.ascontiguousarray(frames)).float()
    for axis in (3, 2):
        length = x.shape[axis]
        place = torch.arange(size, dtype=torch.float32) * torch.tensor(length / size, dtype=torch.float32)
        low = place.long()
        share = (place - low).reshape((-1, 1) if axis == 2 else (-1,))
        first, second = (x.index_select(axis, i) for i in (low, (low + 1).clamp(max=length - 1)))
        x = first + (second - first) * share
    return (x - 128) / 128


def pil_input(frames: np.ndarray, size: int) -> Tensor:
    """PIL's bicubic, antialiased, each colour in float32; what the kernel overshoots is cut off, nothing is rounded.

    Source: clean-fid 0.1.35, mode `clean`, cleanfid/resize.py; the scale is that of its inception_torchscript.py.
    """
    out = np.empty((*frames.shape[:2], size, size), dtype=np.float32)
    for dest, channel in zip(out.reshape(-1, size, size), frames.reshape(-1, *frames.shape[2:]), strict=True):
        image = Image.fromarray(channel.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
        dest[...] = np.asarray(image).clip(0, 255)
    return (torch.from_numpy(out) - 128) / 128


# kernel, centres, antialias, scale -> frames uint8 (N, 3, H, W) to network input
INPUTS: dict[tuple[str, str, bool, str], Callable[[np.ndarray, int], Tensor]] = {
    ("bilinear", "half", False, "x/255*2-1"): half_pixel_input,
    ("bilinear", "corner", False, "(x-128)/128"): corner_input,
    ("bicubic", "half", True, "(x-128)/128"): pil_input,
}


def inception_input(frames: np.ndarray, recipe: FidRecipe) -> Tensor:
    """Return float32 (N, 3, size, size) in [-1, 1] of frames uint8 (N, 3, H, W), as the recipe says."""
    return INPUTS[recipe.kernel, recipe.centres, recipe.antialias, recipe.scale](frames, recipe.size)


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Features of single frames under one recipe with one set of weights.

    dim: length of a feature. digest: SHA-256 over all that decides its bits on a given kind of machine: recipe,
    weights, the version of this code, the kind of device.
    """

    name: str
    dim: int
    digest: str
    recipe: FidRecipe
    net: Any = field(repr=False)
    device: torch.device

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Return the features, float32 (F, 2048), of frames uint8 (F, 3, H, W).

        Raises InputError for another type or other axes, and for features that are not finite.
        """
        check_frames(frames, name="frames")
        parts = []
        with torch.inference_mode(), exact_float32(self.device):
            for first in range(0, len(frames), BATCH):
                x = inception_input(frames[first : first + BATCH], self.recipe).to(self.device)
                parts.append(pool3(self.net, x).cpu().numpy())
        features: np.ndarray = np.concatenate(parts)
        if not np.isfinite(features).all():
            raise InputError(f"found NaN or infinite features from {self.name}; its weights are damaged")
        return features


def load_frame_features(recipe: FidRecipe, weights: Weights, device: str = "cpu") -> FrameFeatures:
    """Return the extractor of `recipe` with `weights`, in evaluation mode on `device`.

    Raises InputError when the weights are not those of FID's Inception, with the reason.
    """
    net = inception_network()
    net.load_state_dict(load_inception_tensors(weights, net), strict=False)  # checked; only counters are left out
    net.to(device)
    kind = torch.device(device).type
    digest = digest_of(
        {
            "extractor": "inception",
            "version": VERSION,
            "recipe": recipe.digest,
            "weights": weights.digest,
            "device": kind,
        }
    )
    return FrameFeatures(f"{recipe.network} {recipe.name}", DIM, digest, recipe, net, torch.device(device))
