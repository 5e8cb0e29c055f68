"""What the suite knows of a generating model: it is asked for videos, it gives videos. Here is the seam.

A model is named `package.module:factory` or by an entry point of the group `univg_bench.models`; the suite imports
nothing else of it. The factory gets the device and the type of its numbers and returns a `VideoModel`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from univg_bench.errors import InputError

ENTRY_POINTS = "univg_bench.models"

Condition = Literal["text", "image", "video"]
Dtype = Literal["float32", "bfloat16"]
Setting = bool | int | float | str | None


@dataclass(frozen=True)
class Request:
    """One video that a model is asked for.

    name: of the sample, for messages. seed: all randomness of the video comes from it, whatever else is in the batch.
    prompt: None where the task has no text. image: uint8 (3, H, W), video: uint8 (F, 3, H, W), conditions of the task.
    num_frames, fps, height, width: what is asked for; None: as the model likes.
    """

    name: str
    seed: int
    prompt: str | None = None
    image: NDArray[np.uint8] | None = None
    video: NDArray[np.uint8] | None = None
    num_frames: int | None = None
    fps: float | None = None
    height: int | None = None
    width: int | None = None


@dataclass(frozen=True)
class GeneratedVideo:
    """What a model made of one request.

    frames: uint8 (F, 3, H, W), RGB. made_with: everything that decided the pixels beside the request, as plain data:
    presets, weights, solver, steps, guidance, type of numbers.
    """

    frames: NDArray[np.uint8]
    fps: float
    made_with: Mapping[str, Any]


@dataclass(frozen=True)
class ModelCard:
    """Who a model is: what it takes, what it makes, which weights it runs on.

    weights: part -> SHA-256 of its tensors or file; with `name` and the type of numbers they say whether an old sample
    may stand for a new one. lossless: False when a memory saver that changes pixels is on.
    """

    name: str
    accepts: frozenset[Condition]
    weights: Mapping[str, str]
    num_frames: tuple[int, int]
    fps: float
    height: int
    width: int
    licence: str = ""
    training_data: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lossless: bool = True
    settings: Mapping[str, Setting] = field(default_factory=dict)


@runtime_checkable
class VideoModel(Protocol):
    """A model that the suite can ask for videos.

    A video depends on its own request alone: not on its neighbours in the batch, their order or number (to rounding).
    """

    @property
    def card(self) -> ModelCard:
        """Who this is."""
        ...

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        """Return one video per request, in order.

        settings: the protocol's `generation.params`. Raises InputError for a setting or condition that the model does
        not know or lacks: what a protocol asks for is never passed over.
        """
        ...


def load_model(name: str, *, device: str = "cpu", dtype: Dtype = "float32", **options: Setting) -> VideoModel:
    """Return the model `name`: an entry point of the group univg_bench.models, or `package.module:factory`.

    options: handed to the factory, as a folder of weights. Raises InputError when there is no such model, or what its
    factory returns is none.
    """
    if dtype not in get_args(Dtype):
        raise InputError(f"found dtype {dtype!r}, expected one of {', '.join(get_args(Dtype))}")
    model = _factory(name)(device=device, dtype=dtype, **options)
    if not isinstance(model, VideoModel):
        raise InputError(f"{name} made a {type(model).__name__}, expected something with `card` and `generate`")
    return model


def model_names() -> list[str]:
    """Return the names of the models that installed packages offer."""
    return sorted(point.name for point in entry_points(group=ENTRY_POINTS))


def _factory(name: str) -> Callable[..., VideoModel]:
    offered = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    module_name, colon, attribute = (offered[name].value if name in offered else name).partition(":")
    if not colon:
        known = ", ".join(sorted(offered)) or "none is installed"
        raise InputError(f"found no model {name!r}; expected package.module:factory or one of: {known}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"found no module {error.name!r} for the model {name!r}; is its package installed?") from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise InputError(f"found no callable {attribute!r} in {module_name}, which the model {name!r} names")
    made: Callable[..., VideoModel] = factory
    return made
