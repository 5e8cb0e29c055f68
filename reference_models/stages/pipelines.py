"""UniVG-HG is F_B, then F_SR; UniVG-LG is F_A, then F_SR; any stage alone is a pipeline too. Source: UniVG 3.1, 4.1.

Between stages a video is what it would be on disk: uint8 pixels (decision 67). So a pipeline gives the bits that its
stages give one after another, from files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from reference_models.stages.animation import AnimationStage
from reference_models.stages.base import BaseStage
from reference_models.stages.networks import Conditions, Shape
from reference_models.stages.sampling import Watch
from reference_models.stages.super_resolution import SuperResolutionStage

AnyStage = BaseStage | AnimationStage | SuperResolutionStage
# The packages whose version can move a pixel
_PACKAGES = ("univg-bench", "torch", "open_clip_torch")


@dataclass(frozen=True, eq=False)
class Pipeline:
    """One to three stages, F_SR last if it is among several. Raises ValueError for any other order."""

    name: str
    stages: tuple[AnyStage, ...]

    def __post_init__(self) -> None:
        later = all(isinstance(stage, SuperResolutionStage) for stage in self.stages[1:])
        if not self.stages or not later or (len(self.stages) > 1 and isinstance(self.stages[0], SuperResolutionStage)):
            raise ValueError("found stages in another order, expected F_B or F_A and then F_SR, or one alone")

    def shapes(self, shape: Shape) -> list[Shape]:
        """Return the shape that each stage makes: the last one `shape`, the others the size of their preset."""
        own = [
            replace(shape, height=stage.networks.preset.height, width=stage.networks.preset.width)
            for stage in self.stages[:-1]
        ]
        return [*own, shape]

    def check(self, conditions: Conditions, shape: Shape) -> None:
        """Raise ValueError for what the stages cannot do, before any work. See the stages' `check`."""
        shapes = self.shapes(shape)
        self.stages[0].check(conditions, shapes[0])
        for stage, before, after in zip(self.stages[1:], shapes, shapes[1:], strict=False):
            low = torch.empty(1, before.num_frames, 3, before.height, before.width, dtype=torch.uint8, device="meta")
            stage.check(Conditions(conditions.prompts, None, low), after)

    def sample(
        self, conditions: Conditions, seeds: Sequence[int], shape: Shape, *, watch: Watch | None = None
    ) -> Tensor:
        """Return videos (B, F, 3, H, W), uint8; clip i depends on its conditions and `seeds[i]` alone."""
        self.check(conditions, shape)
        for stage, own in zip(self.stages, self.shapes(shape), strict=True):
            videos = stage.sample(conditions, seeds, own, watch=watch)
            conditions = Conditions(conditions.prompts, None, videos)
        return videos

    def describe(self, conditions: Conditions, shape: Shape) -> dict[str, Any]:
        """Return everything that decides the pixels beside conditions and seed, as plain data."""
        described = []
        for stage, own in zip(self.stages, self.shapes(shape), strict=True):
            described.append(stage.describe(conditions, own))
            conditions = Conditions(conditions.prompts)
        device = self.stages[0].networks.device
        return {
            "pipeline": self.name,
            "stages": described,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            "versions": {name: version(name) for name in _PACKAGES},
        }
