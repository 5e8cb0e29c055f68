"""From a weights file to its tensors by key, whatever packed them; nothing inside a file is ever executed.

And how a network computes with them: in float32 that is not quietly less.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from univg_bench.errors import InputError
from univg_bench.features import torchscript
from univg_bench.features.i3d_checkpoints import read_checkpoint
from univg_bench.features.weights import Weights


def read_tensors(weights: Weights) -> dict[str, Tensor]:
    """Return the tensors of a weights file by key, on the CPU, in the file's own dtype.

    A training checkpoint's `state_dict` is unwrapped, and the prefix `module.` of DataParallel dropped.

    Raises InputError if the file holds anything else than tensors, or cannot be read.
    """
    if weights.layout == "torchscript":
        return torchscript.read_tensors(weights.path)
    if weights.layout == "tensorflow":
        return {name: torch.from_numpy(value) for name, value in read_checkpoint(weights.path).items()}
    try:
        if weights.layout == "safetensors":
            from safetensors.torch import load_file

            loaded: object = load_file(weights.path)
        else:
            loaded = torch.load(weights.path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise InputError(f"cannot read the weights {weights.path}: {str(error).splitlines()[0]}") from error
    except Exception as error:  # safetensors' own error derives from Exception directly
        raise InputError(f"cannot read the weights {weights.path}: {error}") from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"found {type(loaded).__name__} in {weights.path}, expected tensors by key (a state dict)")
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, source: str) -> None:
    """Raise InputError unless `found` has exactly the keys and shapes of `expected`, and finite values.

    source: names the file.
    """
    problems = [
        *_first("missing", sorted(expected.keys() - found.keys())),
        *_first("not of this network", sorted(found.keys() - expected.keys())),
        *_first(
            "of another shape",
            [
                f"{key} {tuple(found[key].shape)} for {tuple(expected[key].shape)}"
                for key in sorted(expected.keys() & found.keys())
                if found[key].shape != expected[key].shape
            ],
        ),
    ]
    if problems:
        raise InputError(f"{source} does not fit the network: {'; '.join(problems)}")
    spoilt = [key for key, value in found.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if spoilt:
        raise InputError(f"{source} is damaged: {'; '.join(_first('tensors with NaN or infinite values', spoilt))}")


def _first(what: str, keys: Iterable[str]) -> list[str]:
    keys = list(keys)
    more = f" and {len(keys) - 2} more" if len(keys) > 2 else ""
    return [f"{len(keys)} {what} ({', '.join(keys[:2])}{more})"] if keys else []


def exact_float32(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Return a context in which float32 convolutions are float32 on a GPU too; on the CPU they always are.

    Left alone, cuDNN rounds their inputs to TF32, which keeps 10 bits of the mantissa.
    """
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
