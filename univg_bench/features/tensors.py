"""From a weights file to its tensors by key, whatever packed them; nothing inside a file is ever executed.

And how a network computes with them: in float32 that is not quietly less.
"""

from __future__ import annotations

import contextlib
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
    if weights.layout == "tensorflow":
        return {name: torch.from_numpy(value) for name, value in read_checkpoint(weights.path).items()}
    try:
        loaded = _load(weights)
    except InputError:
        raise
    except Exception as error:  # a damaged file meets readers with whatever they trip over, often without a word
        said = "" if isinstance(error, (LookupError, EOFError)) else str(error).partition("\n")[0]
        said = said or f"it is cut short or damaged ({type(error).__name__})"
        raise InputError(f"cannot read the weights {weights.path}: {said}") from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"found {type(loaded).__name__} in {weights.path}, expected tensors by key (a state dict)")
    strange = [str(key) for key, value in loaded.items() if not _is_plain(value)]
    if strange:
        found = "; ".join(_first("tensors that no weights have", strange))
        raise InputError(f"found {found} in {weights.path}, expected dense real arrays, each number of them stored")
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}


def _load(weights: Weights) -> object:
    if weights.layout == "torchscript":
        return torchscript.read_tensors(weights.path)
    if weights.layout == "safetensors":
        from safetensors.torch import load_file

        return load_file(weights.path)
    return torch.load(weights.path, map_location="cpu", weights_only=True)


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor is dense, real, and no larger than what is stored: a view may repeat four bytes for ever."""
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_complex() or value.is_quantized:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


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
