"""The tiny networks in torch: how frames enter them, and how their weights are written and read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from univg_bench.atomic import atomic
from univg_bench.features.i3d import I3D
from univg_bench.features.tiny.architectures import TINY_CLIP, TINY_I3D, Name, weights_path
from univg_bench.features.tiny.tokenizer import tokenize

Bytes = NDArray[np.uint8]


def build(name: Name) -> nn.Module:
    """Return the network `name` with random weights, from torch's global generator."""
    if name == "tiny-i3d":
        return I3D(TINY_I3D.class_count, width=TINY_I3D.width, bn_eps=TINY_I3D.bn_eps)
    network: nn.Module = open_clip.CLIP(**TINY_CLIP)
    return network


def load(name: Name, path: Path | None = None) -> nn.Module:
    """Return the network `name` with the weights in `path` (the shipped ones by default), float32, in eval mode."""
    network = build(name)
    network.load_state_dict(
        {key: value.to(torch.float32) for key, value in load_file(path or weights_path(name)).items()}
    )
    return network.eval()


def save(network: nn.Module, dest: Path) -> None:
    """Write the weights to `dest`: safetensors, float16, atomically.

    The counters of the batch norms are left at 0: nothing reads them.
    """
    tensors = {
        key: value.detach().to(torch.float16).contiguous().clone() for key, value in network.state_dict().items()
    }
    with atomic(dest) as temporary:
        save_file(tensors, temporary)


def clips_to_i3d(clips: Sequence[Bytes]) -> Tensor:
    """Return (B, 3, F, 64, 64) in [-1, 1] from clips (F, 3, H, W), uint8, of one or several sizes."""
    size = (TINY_I3D.size, TINY_I3D.size)
    squashed = [
        interpolate(torch.from_numpy(clip).float(), size=size, mode="bilinear", align_corners=False) for clip in clips
    ]
    x = torch.stack(squashed).permute(0, 2, 1, 3, 4) / 127.5 - 1.0  # (B, 3, F, H, W)
    return x.contiguous(memory_format=torch.channels_last_3d)


def frames_to_clip(frames: Sequence[Bytes]) -> Tensor:
    """Return (B, 3, 64, 64) in [-1, 1] from frames (3, H, W), uint8: PIL, bicubic, the whole frame squashed."""
    size = TINY_CLIP["vision_cfg"]["image_size"]
    small = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(f.transpose(1, 2, 0))).resize((size, size), Image.Resampling.BICUBIC)
        )
        for f in frames
    ]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def captions_to_clip(captions: Sequence[str]) -> Tensor:
    """Return (B, 20) tokens."""
    return torch.tensor([tokenize(c) for c in captions])
