"""The extractor of FVD: a video through the recipe's geometry and I3D to one feature vector."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from univg_bench.canonical import digest_of
from univg_bench.errors import InputError
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_folded import FoldedI3D
from univg_bench.features.i3d_input import i3d_input
from univg_bench.features.i3d_layouts import load_i3d_tensors
from univg_bench.features.tensors import exact_float32
from univg_bench.features.weights import Weights
from univg_bench.recipes import FvdRecipe

VERSION = 2  # of this code path: raise it with every change that can move a feature by a bit

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class VideoFeatures:
    """Features of one video under one recipe with one set of weights.

    dim: length of a feature. digest: SHA-256 over all that decides its bits on a given kind of machine: recipe,
    weights, the version of this code, the kind of device.
    """

    name: str
    dim: int
    digest: str
    recipe: FvdRecipe
    net: FoldedI3D = field(repr=False)
    device: torch.device

    def __call__(self, video: np.ndarray) -> np.ndarray:
        """Return the feature, float32 (dim,), of a video uint8 (F, 3, H, W) with F >= 9.

        It depends on this video alone: there is no batch. The last bits depend on the number of torch threads.

        Raises InputError for another type, other axes, fewer than 9 frames, or features that are not finite.
        """
        clip = i3d_input(video, self.recipe).to(self.device).permute(1, 0, 2, 3)[None]  # (1, 3, F, S, S)
        with torch.inference_mode(), exact_float32(self.device):
            feature: np.ndarray = self.net(clip.contiguous())[0].cpu().numpy()
        if not np.isfinite(feature).all():
            raise InputError(f"found NaN or infinite features from {self.name}; its weights are damaged")
        return feature


def load_video_features(recipe: FvdRecipe, weights: Weights, device: str = "cpu") -> VideoFeatures:
    """Return the extractor of `recipe` with `weights`, in evaluation mode on `device`.

    Raises InputError when the weights are not those of the recipe's network, with the reason.
    """
    if weights.architecture not in (None, recipe.network):
        raise InputError(
            f"the recipe {recipe.name!r} needs weights of {recipe.network}, found {weights.name} of"
            f" {weights.architecture} in {weights.path}"
        )
    net = _network(recipe)
    net.load_state_dict(load_i3d_tensors(weights, net), strict=False)  # checked; only num_batches_tracked is left out
    folded = FoldedI3D(net.eval(), _DTYPES[recipe.dtype]).to(device)
    kind = torch.device(device).type
    digest = digest_of(
        {"extractor": "i3d", "version": VERSION, "recipe": recipe.digest, "weights": weights.digest, "device": kind}
    )
    return VideoFeatures(
        f"{recipe.network} {recipe.name}", net.num_classes, digest, recipe, folded, torch.device(device)
    )


def _network(recipe: FvdRecipe) -> I3D:
    if recipe.network == "i3d":
        return I3D(bn_eps=recipe.bn_eps)
    from univg_bench.features.tiny import TINY_I3D

    return I3D(TINY_I3D.class_count, width=TINY_I3D.width, bn_eps=recipe.bn_eps)
