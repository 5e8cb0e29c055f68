"""F_B: a video from text, an image, or both; the image says what is seen, not where its pixels are.

Source: UniVG 3.1-3.3, 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference_models.stages.guided import branches, guided, tokens
from reference_models.stages.networks import Conditions, Networks, Shape, check_shape, check_stage
from reference_models.stages.sampling import Watch, check_settings, denoised, described, start_noise
from reference_models.stages.settings import UNIVG_F_B, Execution, Sampling


@dataclass(frozen=True, eq=False)
class BaseStage:
    """F_B with its networks and settings. Raises ValueError for networks of another stage, or a start from a video."""

    networks: Networks
    settings: Sampling = UNIVG_F_B
    execution: Execution = field(default=Execution())

    def __post_init__(self) -> None:
        check_stage(self.networks, "base")
        if self.settings.start != "noise":
            raise ValueError(
                f"found a start from {self.settings.start}, expected 'noise': F_B has no condition of the video's size"
            )
        check_settings(self.networks, self.settings)

    def check(self, conditions: Conditions, shape: Shape) -> None:
        """Raise ValueError unless there is a prompt or an image, the network takes them, and the shape can be made."""
        check_shape(self.networks, shape)
        if conditions.prompts is None and conditions.images is None:
            raise ValueError("found neither prompt nor image, expected one or both for F_B")
        if conditions.videos is not None:
            raise ValueError("found a video, expected a prompt, an image or both for F_B; enlarging is F_SR's work")
        if conditions.images is not None and not self.networks.takes_image:
            raise ValueError(f"found an image for {self.networks.preset.name}, which knows text only; drop the image")
        branches(
            self.settings, text=conditions.prompts is not None, image=conditions.images is not None
        )  # their errors, before any work

    @torch.inference_mode()
    def sample(
        self, conditions: Conditions, seeds: Sequence[int], shape: Shape, *, watch: Watch | None = None
    ) -> Tensor:
        """Return videos (B, F, 3, H, W), uint8; clip i depends on its conditions and `seeds[i]` alone.

        Raises ValueError as `check` does, and for a batch that does not fit.
        """
        self.check(conditions, shape)
        conditions.check_batch(len(seeds))
        # 3.3: text and image tokens, and what stands for their absence
        seen = tokens(self.networks, conditions, self.settings, shape, size=len(seeds))
        # 4.3: V = F(0) + w_T (F(T) - F(0)) + w_I (F(I) - F(0))
        network = guided(
            self.networks, seen, self.settings, concat=None, fps=shape.fps,
            branches_at_once=self.execution.branches_at_once,
        )  # fmt: skip
        # 3.1: from v_N ~ N(0, I) to v_0
        noise = start_noise(self.networks, seeds, shape)
        return denoised(self.networks, network, noise, self.settings, self.execution, watch=watch)

    def describe(self, conditions: Conditions, shape: Shape) -> dict[str, Any]:
        """Return everything that decides the pixels beside conditions and seed, as plain data."""
        return described(self.networks, self.settings, self.execution, conditions, shape)
