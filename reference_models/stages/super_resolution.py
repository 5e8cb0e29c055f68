"""F_SR: a large video of a small one.

The small video, enlarged and encoded, is v^C: sampling starts from it at t_n = 700 and takes 7 steps of a grid of 10
(decision 3). Text is the only condition of attention (3.2). A preset with `concat` sees v^C in its input too
(decision 19).

Source: UniVG 3.2, 3.4, 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference_models.stages.guided import branches, guided, tokens
from reference_models.stages.networks import Conditions, Networks, Shape, check_shape, check_stage
from reference_models.stages.pixels import enlarged
from reference_models.stages.sampling import Watch, check_settings, denoised, described, encoded, start_noise
from reference_models.stages.settings import UNIVG_F_SR, Execution, Sampling

# 320x576 to 720x1280 stretches by 1.25 % (decision 17); more than this is another shape, and the user's mistake
MAX_STRETCH = 0.03


@dataclass(frozen=True, eq=False)
class SuperResolutionStage:
    """F_SR with its networks and settings. Raises ValueError for networks of another stage."""

    networks: Networks
    settings: Sampling = UNIVG_F_SR
    execution: Execution = field(default=Execution())

    def __post_init__(self) -> None:
        check_stage(self.networks, "super_resolution")
        check_settings(self.networks, self.settings)

    def check(self, conditions: Conditions, shape: Shape) -> None:
        """Raise ValueError unless there is a video of the shape's length, no larger than it, and no image."""
        check_shape(self.networks, shape)
        if conditions.videos is None:
            raise ValueError("found no video, expected the low-resolution one for F_SR")
        if conditions.images is not None:
            raise ValueError("found an image, expected a video, with a prompt or without, for F_SR")
        frames, height, width = (conditions.videos.shape[axis] for axis in (1, 3, 4))
        if frames != shape.num_frames:
            raise ValueError(f"found a video of {frames} frames for one of {shape.num_frames}, expected equal lengths")
        if height > shape.height or width > shape.width:
            raise ValueError(
                f"found a video of {height}x{width} to be enlarged to {shape.height}x{shape.width}, expected a smaller"
            )
        stretch = (shape.width / width) / (shape.height / height)
        if abs(stretch - 1) > MAX_STRETCH:
            raise ValueError(
                f"found a video of {height}x{width} to be enlarged to {shape.height}x{shape.width}, expected a size of"
                f" nearly the same aspect, within {MAX_STRETCH:.0%}: as {shape.height}x{shape.height * width // height}"
            )
        branches(self.settings, text=conditions.prompts is not None, image=False)

    def condition(self, conditions: Conditions, shape: Shape) -> Tensor:
        """Return v^C (B, F, C, h, w), float32: the latents of the enlarged video (decision 17)."""
        assert conditions.videos is not None, "checked before"
        large = enlarged(conditions.videos, height=shape.height, width=shape.width)
        return encoded(self.networks, large, self.execution)

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
        network = guided(
            self.networks, seen, self.settings, concat=None if self.networks.preset.concat == "none" else x_cond,
            fps=shape.fps, branches_at_once=self.execution.branches_at_once,
        )  # fmt: skip
        # 3.4 and 4.1: from x_700 = sqrt(alpha_bar) v^C + sqrt(1 - alpha_bar) eps, in 7 steps
        noise = start_noise(self.networks, seeds, shape)
        return denoised(self.networks, network, noise, self.settings, self.execution, x_cond=x_cond, watch=watch)

    def describe(self, conditions: Conditions, shape: Shape) -> dict[str, Any]:
        """Return everything that decides the pixels beside conditions and seed, as plain data."""
        return described(self.networks, self.settings, self.execution, conditions, shape)
