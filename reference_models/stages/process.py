"""The diffusion process of a preset: its schedule, and what its network's output says on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from reference_models.diffusion import schedule as schedules
from reference_models.diffusion.parameterization import Denoiser, Network, denoiser, unscaled
from reference_models.diffusion.schedule import Schedule
from reference_models.presets import Emits, Preset


@dataclass(frozen=True, eq=False)
class Process:
    """schedule: on which x moves. unscaled_schedule: the same without VideoCrafter's factor on the signal, `scale`.

    emits: what the network predicts on it.
    """

    schedule: Schedule
    unscaled_schedule: Schedule
    scale: Tensor | None
    emits: Emits

    def denoiser(self, network: Network) -> Denoiser:
        """Return what solvers ask, from a network (x_t, t) -> prediction with its conditions and guidance bound."""
        if self.scale is None or self.emits == "eps":
            return denoiser(network, self.schedule, predicts=self.emits)
        # DynamiCrafter's v was trained on the shrunken x0
        return unscaled(denoiser(network, self.unscaled_schedule, predicts=self.emits), self.scale)


def process_of(preset: Preset) -> Process:
    """Return the process that the preset's network was trained on.

    Zero terminal SNR comes before the factor on the signal, as in DynamiCrafter (c453369, `register_schedule`).
    """
    makers: dict[str, Callable[[], Schedule]] = {
        "scaled_linear": schedules.scaled_linear,
        "cosine": schedules.cosine,
        "logsnr_cosine_interp": schedules.logsnr_cosine_interp,
    }
    made = makers[preset.schedule]()
    plain = schedules.zero_terminal_snr(made) if preset.zero_snr else made
    if preset.signal_scale == 1:
        return Process(plain, plain, None, preset.emits)
    scale = schedules.videocrafter_scale(plain.num_timesteps, last=preset.signal_scale)
    return Process(schedules.scaled(plain, scale), plain, scale, preset.emits)
