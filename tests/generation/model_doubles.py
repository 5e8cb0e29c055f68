"""Models of ten lines: noise from the seed, and models that do what none should."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.errors import InputError
from univg_bench.model import GeneratedVideo, ModelCard, Request, Setting

HERE = "tests.generation.model_doubles"


class Noise:
    """Noise that depends on the seed, the conditions, the settings and the weights, of 10 frames of 48x32.

    weights: a word, whose SHA-256 stands in the card. log: a file that gets the name of every sample asked for.
    """

    def __init__(self, *, device: str, dtype: str, weights: Setting = "a", log: Setting = None, wait: Setting = 0):
        self.weights, self.log, self.wait = str(weights), log, float(wait or 0)
        digest = hashlib.sha256(self.weights.encode()).hexdigest()
        self.card = ModelCard("noise", frozenset({"text", "image"}), {"all": digest}, (1, 64), 10.0, 32, 48)

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        if set(settings) - {"steps"}:
            raise InputError(f"found the settings {sorted(settings)}, expected steps")
        time.sleep(self.wait)
        return [self._one(request, settings) for request in requests]

    def _one(self, request: Request, settings: Mapping[str, Setting]) -> GeneratedVideo:
        image = b"" if request.image is None else request.image.tobytes()
        decides = f"{request.seed}|{request.prompt}|{sorted(settings.items())}|{self.weights}|".encode() + image
        rng = np.random.default_rng(list(hashlib.sha256(decides).digest()))
        shape = (request.num_frames or 10, 3, request.height or 32, request.width or 48)
        if self.log:
            with Path(str(self.log)).open("a") as file:
                file.write(f"{request.name}\n")
        made_with = {"weights": self.weights, **settings}
        return GeneratedVideo(rng.integers(0, 256, shape, dtype=np.uint8), request.fps or 10.0, made_with)


def returns(change: Callable[[GeneratedVideo], Any]) -> Callable[..., Any]:
    """Return a factory of a model that gives `change` of what Noise makes."""

    class Changed(Noise):
        def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> Any:
            return [change(video) for video in super().generate(requests, settings)]

    return Changed


def _with(**parts: Any) -> Callable[[GeneratedVideo], GeneratedVideo]:
    return lambda video: GeneratedVideo(**{**vars(video), **parts})


one_frame_axis = returns(lambda video: _with(frames=video.frames[0])(video))
floats = returns(lambda video: _with(frames=video.frames / 255)(video))
channels_last = returns(lambda video: _with(frames=video.frames.transpose(0, 2, 3, 1))(video))
no_frames = returns(lambda video: _with(frames=video.frames[:0])(video))
no_rate = returns(_with(fps=0))
no_record = returns(_with(made_with={"when": object()}))
too_short = returns(lambda video: _with(frames=video.frames[:5])(video))
too_fast = returns(_with(fps=25.0))
not_a_video = returns(lambda video: video.frames)
half_size = returns(lambda video: _with(frames=video.frames[:, :, ::2, ::2])(video))


class Silent(Noise):
    """Gives nothing."""

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        return []


class Breaks(Noise):
    """Fails at the sample v002-s0, as a model does that is out of memory."""

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        if requests[0].name == "v002-s0":
            raise RuntimeError("out of memory\nand much more about it")
        return super().generate(requests, settings)


class Quiet(Noise):
    """The same model under another name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.card = ModelCard("quiet", self.card.accepts, self.card.weights, (1, 64), 10.0, 32, 48, notes=("<b>&",))


class BreaksAtThird(Noise):
    """Noise, until it is asked for the third scene of Moving Shapes."""

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        if requests[0].name == "test-00002-s0":
            raise RuntimeError("out of memory")
        return super().generate(requests, settings)


class Dies(Noise):
    """Ends its process at the sample v002-s0."""

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        if requests[0].name == "v002-s0":
            os._exit(9)
        return super().generate(requests, settings)


class OnlyImages(Noise):
    """Takes no text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.card = ModelCard("only-images", frozenset({"image"}), {}, (1, 64), 10.0, 32, 48)


class Long(Noise):
    """Makes 100 frames or more."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.card = ModelCard("long", frozenset({"text"}), {}, (100, 200), 10.0, 32, 48)


def cannot_be_made(*, device: str, dtype: str) -> Noise:
    raise OSError("weights.safetensors is not here")
