"""Models are found by name, and what is found is a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.model import GeneratedVideo, ModelCard, Request, Setting, VideoModel, load_model

HERE = "tests.generation.test_model"


class Grey:
    """The smallest model: a grey video of the length that is asked for."""

    def __init__(self, *, device: str, dtype: str, level: Setting = 128) -> None:
        self.level = int(level or 0)
        self.card = ModelCard("grey", frozenset({"text"}), {}, (8, 24), 8.0, 4, 6)

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        return [GeneratedVideo(np.full((r.num_frames or 8, 3, 4, 6), self.level, np.uint8), 8.0, {}) for r in requests]


def not_a_model(**options: Any) -> int:
    return 1


def test_a_class_of_this_file_is_a_model_by_its_name() -> None:
    model = load_model(f"{HERE}:Grey", level=7)
    video = model.generate([Request("a-s0", 1, num_frames=9)], {})[0]
    assert isinstance(model, VideoModel)
    assert (video.frames.shape, int(video.frames.max())) == ((9, 3, 4, 6), 7)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "expected package.module:factory"),
        ("no_such_package.models:make", "no module 'no_such_package'"),
        (f"{HERE}:absent", "no callable 'absent'"),
        (f"{HERE}:not_a_model", "made a int"),
    ],
)
def test_a_name_without_a_model_is_said(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_model(name)


def test_types_that_no_model_has_are_refused() -> None:
    with pytest.raises(InputError, match="float32, bfloat16"):
        load_model(f"{HERE}:Grey", dtype="float8")  # type: ignore[arg-type]
