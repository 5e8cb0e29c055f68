"""I3D files in circulation: four families of keys for one network, turned into ours; other networks are refused.

| layout | keys | files |
|---|---|---|
| piergiaj | `Mixed_3b.b1a.conv3d.weight`, `….bn.running_var`; ours too | i3d_pretrained_400.pt |
| hassony2 | `mixed_3b.branch_1.0.conv3d.weight`, `….batch3d.running_var` | model_rgb.pth |
| TorchScript | hassony2's, or whatever names: then by order | i3d_torchscript.pt (StyleGAN-V) |
| TensorFlow | `RGB/inception_i3d/Mixed_3b/Branch_1/Conv3d_0a_1x1/conv_3d/w` | DeepMind's checkpoints, TF-Hub |

Source: the definitions of these networks (piergiaj/pytorch-i3d, hassony2/kinetics_i3d_pytorch) and the variable names
in the checkpoints of google-deepmind/kinetics-i3d.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from univg_bench.errors import InputError
from univg_bench.features.tensors import check_tensors, read_tensors
from univg_bench.features.weights import Weights

_BLOCKS = tuple(f"Mixed_{name}" for name in ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"))
_BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")

# every convolution of the network with its batch norm, in the order of the forward pass; `logits` has no batch norm
UNITS: tuple[str, ...] = (
    "Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3",
    *(f"{block}.{branch}" for block in _BLOCKS for branch in _BRANCHES),
    "logits",
)  # fmt: skip

# ours -> theirs, of the branches of a block and of the tensors of a unit
_HASSONY2_BRANCHES = dict(
    zip(_BRANCHES, ("branch_0", "branch_1.0", "branch_1.1", "branch_2.0", "branch_2.1", "branch_3.1"), strict=True)
)
_HASSONY2_PARTS = {
    "conv3d.weight": "conv3d.weight", "conv3d.bias": "conv3d.bias",
    **{f"bn.{name}": f"batch3d.{name}" for name in ("weight", "bias", "running_mean", "running_var")},
}  # fmt: skip
_TENSORFLOW_BRANCHES = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}
_TENSORFLOW_PARTS = {
    "conv3d.weight": "conv_3d/w",
    "conv3d.bias": "conv_3d/b",
    "bn.bias": "batch_norm/beta",
    "bn.running_mean": "batch_norm/moving_mean",
    "bn.running_var": "batch_norm/moving_variance",
}

# the graph, and so every name in a checkpoint, of DeepMind's RGB and flow networks; the one of Kinetics-600 has none
TENSORFLOW_SCOPES = ("RGB/inception_i3d/", "Flow/inception_i3d/", "")


def hassony2_key(key: str) -> str:
    """Return hassony2's name of one of our keys: `Mixed_3b.b1a.bn.bias` -> `mixed_3b.branch_1.0.batch3d.bias`."""
    unit, part = _split(key)
    block, _, branch = unit.partition(".")
    theirs = "conv3d_0c_1x1" if unit == "logits" else block[0].lower() + block[1:]
    return ".".join([theirs, *([_HASSONY2_BRANCHES[branch]] if branch else []), _HASSONY2_PARTS[part]])


def tensorflow_name(key: str) -> str | None:
    """Return TensorFlow's name of one of our keys without its scope; None for the scale of a batch norm, which is 1.

    `Mixed_3b.b1a.bn.bias` -> `Mixed_3b/Branch_1/Conv3d_0a_1x1/batch_norm/beta`.
    """
    unit, part = _split(key)
    if part not in _TENSORFLOW_PARTS:
        return None
    block, _, branch = unit.partition(".")
    if unit == "logits":
        place = "Logits/Conv3d_0c_1x1"
    elif unit == "Mixed_5b.b2b":
        place = "Mixed_5b/Branch_2/Conv3d_0a_3x3"  # sic: every other block says 0b
    else:
        place = "/".join([block, *([_TENSORFLOW_BRANCHES[branch]] if branch else [])])
    return f"{place}/{_TENSORFLOW_PARTS[part]}"


def keys() -> list[str]:
    """Return our 287 keys in the order of the forward pass."""
    norm = [f"bn.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    return [
        f"{unit}.{part}"
        for unit in UNITS
        for part in ("conv3d.weight", *(["conv3d.bias"] if unit == "logits" else norm))
    ]


def _split(key: str) -> tuple[str, str]:
    unit, kind, name = key.rsplit(".", 2)
    return unit, f"{kind}.{name}"


def _from_hassony2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    ours = {hassony2_key(key): key for key in keys()}
    return {ours.get(key, key): value for key, value in tensors.items()}


def _from_tensorflow(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    ours = {name: key for key in keys() if (name := tensorflow_name(key))}
    scope = next(s for s in TENSORFLOW_SCOPES if any(key.startswith(f"{s}Conv3d_1a_7x7/") for key in tensors))
    state: dict[str, Tensor] = {}
    for name, value in tensors.items():
        key = ours.get(name.removeprefix(scope), name)
        if key.endswith("conv3d.weight"):
            state[key] = value.permute(4, 3, 0, 1, 2).contiguous() if value.ndim == 5 else value  # T, H, W, in, out
        elif ".bn." in key:
            state[key] = value.reshape(-1)  # [C], or [1, 1, 1, 1, C] in TF-Hub's module
            state[f"{key.partition('.bn.')[0]}.bn.weight"] = torch.ones_like(state[key])
        elif not name.endswith("/Momentum"):  # the optimiser's
            state[key] = value
    return state


def _by_order(tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return the tensors of modules under our keys, in the order in which they stand; None if they are another number.

    A program may name its modules as it likes, but it holds them in the order of their definition, which is that of
    the forward pass in every published I3D. Shapes tell the branches of a block apart.
    """
    modules: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        module, _, name = key.rpartition(".")
        modules.setdefault(module, {})[name] = value
    convs = [m for m in modules.values() if "weight" in m and m["weight"].ndim == 5]
    norms = [m for m in modules.values() if "running_mean" in m]
    if len(convs) != len(UNITS) or len(norms) != len(UNITS) - 1:
        return None
    found = {f"{unit}.conv3d.{n}": v for unit, module in zip(UNITS, convs, strict=True) for n, v in module.items()}
    found |= {f"{unit}.bn.{n}": v for unit, module in zip(UNITS[:-1], norms, strict=True) for n, v in module.items()}
    return found


@dataclass(frozen=True)
class Layout:
    """A family of keys in circulation. mark: how one key of it begins. convert: from its tensors to ours.

    refused: why such a file is not read, as the end of a sentence.
    """

    name: str
    mark: str
    convert: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict
    refused: str = ""


_NOT_INCEPTION = "is a ResNet; FVD is defined on the Inception I3D, and features of another network are another metric"

LAYOUTS: tuple[Layout, ...] = (
    Layout("piergiaj", "Conv3d_1a_7x7.conv3d."),
    Layout("hassony2", "conv3d_1a_7x7.conv3d.", _from_hassony2),
    *(Layout("TensorFlow", f"{scope}Conv3d_1a_7x7/", _from_tensorflow) for scope in TENSORFLOW_SCOPES),
    Layout("pytorchvideo", "blocks.0.", refused=_NOT_INCEPTION),
    Layout("torchvision", "stem.0.", refused=_NOT_INCEPTION),
    Layout("resnet", "layer1.0.", refused=_NOT_INCEPTION),
    Layout("mmaction", "backbone.", refused=_NOT_INCEPTION),
)

# classes of an I3D that is not Kinetics-400's -> what it is
_OTHER_CLASSES = {157: "Charades", 600: "Kinetics-600", 700: "Kinetics-700"}


def layout_of(tensors: Mapping[str, Tensor]) -> Layout | None:
    """Return the layout that the keys show, None if they show no I3D."""
    over_time = any(value.ndim == 5 for value in tensors.values())  # networks of images have blocks and layers too
    return next(
        (
            layout
            for layout in LAYOUTS
            if any(key.startswith(layout.mark) for key in tensors) and (over_time or not layout.refused)
        ),
        None,
    )


class AnotherNetworkError(InputError):
    """A file holds a network of video that is not the one of FVD. reason: of the refusal, as the end of a sentence."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.reason = reason


def load_i3d_tensors(weights: Weights, net: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of a weights file for `net`, float32, whatever layout of LAYOUTS it has.

    Raises InputError for a network that is not I3D, other classes, optical flow, keys or shapes that do not fit, and
    values that are not finite.
    """
    state = read_i3d_tensors(weights)
    expected = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    if reason := wrong_purpose(state):
        raise InputError(f"{weights.path} {reason}")
    bias = "logits.conv3d.bias"
    if bias in state and state[bias].shape != expected[bias].shape:
        raise InputError(
            f"{weights.path} has {state[bias].numel()} classes, the recipe's network has {expected[bias].numel()}"
        )
    check_tensors(state, expected, source=str(weights.path))
    return state


def read_i3d_tensors(weights: Weights) -> dict[str, Tensor]:
    """Return the tensors of an I3D file under our keys, float32; nothing is said of shapes and of missing keys.

    Raises AnotherNetworkError for an I3D that is a ResNet, InputError for a file that holds no I3D or cannot be read.
    """
    tensors = {k: v for k, v in read_tensors(weights).items() if not k.endswith("num_batches_tracked")}
    layout = layout_of(tensors)
    if layout and layout.refused:
        raise AnotherNetworkError(weights.path, layout.refused)
    state = layout.convert(tensors) if layout else None
    if state is None and weights.layout == "torchscript":
        state = _by_order(tensors)
    if state is None:
        raise InputError(f"{weights.path} holds no I3D: no key begins with {LAYOUTS[0].mark!r}")
    return {key: value.float() for key, value in state.items()}


def wrong_purpose(state: Mapping[str, Tensor]) -> str:
    """Return in which of two ways a real I3D is the wrong one, as the end of a sentence; empty if in neither."""
    bias, first = state.get("logits.conv3d.bias"), state.get("Conv3d_1a_7x7.conv3d.weight")
    if first is not None and first.ndim == 5 and first.shape[1] == 2:
        return "takes optical flow (2 channels), FVD needs the RGB network"
    if bias is not None and bias.numel() in _OTHER_CLASSES:
        classes = bias.numel()
        return f"has {classes} classes (as trained on {_OTHER_CLASSES[classes]}), FVD is defined on Kinetics-400's 400"
    return ""
