"""A row of a study as a model of its own: a stage, how it starts and is sampled, and the video that F_SR is given.

All rows of a stage then share one protocol, so their items and their noise, and any two of them can be compared item by
item. What makes a row stands in its options, which are part of every sample's key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reference_models.adapters import ReferenceModel
from reference_models.adapters import animation as animation_model
from reference_models.adapters import base as base_model
from reference_models.adapters import super_resolution as super_resolution_model
from univg_bench.canonical import digest_of
from univg_bench.errors import InputError
from univg_bench.model import GeneratedVideo, ModelCard, Request, Setting
from univg_bench.video import decode


@dataclass(frozen=True, eq=False)
class RowModel:
    """A stage with settings of its own, over those of the protocol. low: folder of `<item>.mp4` for F_SR, else None.

    See `univg_bench.model.VideoModel`.
    """

    model: ReferenceModel
    settings: Mapping[str, Setting]
    low: Path | None = None

    @property
    def card(self) -> ModelCard:
        """Who this is; its settings say what the row adds, and which low-quality videos it is given."""
        card = self.model.card
        given: dict[str, Setting] = {} if self.low is None else {"low": low_digest(self.low)}
        return replace(card, settings={**card.settings, **self.settings, **given})

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        """Return one video per request, in order; the row's settings go before those of the protocol."""
        if self.low is not None:
            requests = [self._with_video(self.low, request) for request in requests]
        return self.model.generate(requests, {**settings, **self.settings})

    def _with_video(self, low: Path, request: Request) -> Request:
        path = low / f"{request.name.rpartition('-s')[0]}.mp4"
        if not path.is_file():
            raise InputError(f"found no {path}, the video that {request.name} is made from; run the study's command")
        video = np.stack([frame.rgb for frame in decode(path)])
        return replace(request, video=video)


def low_digest(low: Path) -> str:
    """Return the identity of a folder of low-quality videos, from what `baselines.low_quality` notes in it."""
    try:
        facts = json.loads((low / "low.json").read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {low / 'low.json'}: {error}; run the study's command") from error
    return digest_of(facts)


def base(*, device: str, dtype: str, weights: Setting, **settings: Setting) -> RowModel:
    """Return F_B with the weights of a folder; settings: of the row, see `stages.params`."""
    return RowModel(base_model(device=device, dtype=dtype, weights=weights), settings)


def animation(*, device: str, dtype: str, weights: Setting, **settings: Setting) -> RowModel:
    """Return F_A with the weights of a folder; settings: of the row, see `stages.params`."""
    return RowModel(animation_model(device=device, dtype=dtype, weights=weights), settings)


def super_resolution(*, device: str, dtype: str, weights: Setting, low: Setting, **settings: Setting) -> RowModel:
    """Return F_SR with the weights of a folder, and the folder of the videos that it enlarges."""
    return RowModel(super_resolution_model(device=device, dtype=dtype, weights=weights), settings, Path(str(low)))
