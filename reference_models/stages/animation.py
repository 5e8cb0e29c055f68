"""F_A: a video that goes on from its first frame, pixel by pixel.

The first frame enters three times: its latents beside the noised ones in every frame (C to 2C channels, 3.2), its
tokens in attention (3.3), and as v^C of Biased Gaussian Noise, from which sampling starts at t_n (3.4).

Source: UniVG 3.2-3.4, 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference_models.stages.guided import branches, guided, tokens
from reference_models.stages.networks import Conditions, Networks, Shape, check_shape, check_stage
from reference_models.stages.pixels import fitted
from reference_models.stages.sampling import Watch, check_settings, denoised, described, encoded, start_noise
from reference_models.stages.settings import UNIVG_F_A, Execution, Sampling


@dataclass(frozen=True, eq=False)
class AnimationStage:
    """F_A with its networks and settings. Raises ValueError for networks of another stage."""

    networks: Networks
    settings: Sampling = UNIVG_F_A
    execution: Execution = field(default=Execution())

    def __post_init__(self) -> None:
        check_stage(self.networks, "animation")
        check_settings(self.networks, self.settings)

    def check(self, conditions: Conditions, shape: Shape) -> None:
        """Raise ValueError unless there is an image and no video, and the shape can be made."""
        check_shape(self.networks, shape)
        if conditions.images is None:
            raise ValueError("found no image, expected the first frame for F_A; text alone is F_B's work")
        if conditions.videos is not None:
            raise ValueError("found a video, expected the first frame, with a prompt or without, for F_A")
        branches(self.settings, text=conditions.prompts is not None, image=self.networks.takes_image)

    def condition(self, conditions: Conditions, shape: Shape) -> Tensor:
        """Return v^C (B, F, C, h, w), float32: the first frame's latent, repeated over the frames (decision 18)."""
        assert conditions.images is not None, "checked before"
        first = torch.stack([fitted(image, height=shape.height, width=shape.width) for image in conditions.images])
        return encoded(self.networks, first, self.execution)[:, None].repeat(1, shape.num_frames, 1, 1, 1)

    @torch.inference_mode()
    def sample(
        self, conditions: Conditions, seeds: Sequence[int], shape: Shape, *, watch: Watch | None = None
    ) -> Tensor:
        """Return videos (B, F, 3, H, W), uint8; clip i depends on its conditions and `seeds[i]` alone.

        Raises ValueError as `check` does, and for a batch that does not fit.
        """
        self.check(conditions, shape)
        conditions.check_batch(len(seeds))
        x_cond = self.condition(conditions, shape)
        seen = tokens(self.networks, conditions, self.settings, shape, size=len(seeds))
        # 3.2: the first frame's channels stand beside the noised ones in every branch (decision 66)
        network = guided(
            self.networks, seen, self.settings, concat=x_cond, fps=shape.fps,
            branches_at_once=self.execution.branches_at_once,
        )  # fmt: skip
        # 3.4: from x_{t_n} = sqrt(alpha_bar) v^C + sqrt(1 - alpha_bar) eps
        noise = start_noise(self.networks, seeds, shape)
        return denoised(self.networks, network, noise, self.settings, self.execution, x_cond=x_cond, watch=watch)

    def describe(self, conditions: Conditions, shape: Shape) -> dict[str, Any]:
        """Return everything that decides the pixels beside conditions and seed, as plain data."""
        return described(self.networks, self.settings, self.execution, conditions, shape)
