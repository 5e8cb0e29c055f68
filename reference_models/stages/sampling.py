"""What the three stages share: seeds, the ways to start, the steps, from latents to pixels, the record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from reference_models.diffusion import bgn, solvers
from reference_models.diffusion.bgn import BiasedNoise
from reference_models.diffusion.noise import draw_noise, sample_generators
from reference_models.diffusion.parameterization import Denoiser, Network
from reference_models.diffusion.schedule import Schedule, noised
from reference_models.presets import Stage
from reference_models.stages.guided import branches
from reference_models.stages.networks import Conditions, Networks, Shape
from reference_models.stages.pixels import to_uint8
from reference_models.stages.process import process_of
from reference_models.stages.settings import Execution, Sampling, timesteps

# Called after each step with the stage, the steps done and the steps in all
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Noise:
    """eps (B, F, C, h, w), float32, and the generators that drew it and go on drawing where eta asks for it."""

    eps: Tensor
    generators: list[torch.Generator]


def stage_seed(seed: int, stage: Stage) -> int:
    """Return the seed of one stage of a video: the first 63 bits of SHA-256 of `seed|stage`.

    With one seed for both, the noise of the second stage would begin with that of the first. And a stage run by itself
    draws what it draws in a pipeline.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}|{stage}".encode()).digest()[:8], "big") >> 1


def start_noise(networks: Networks, seeds: Sequence[int], shape: Shape) -> Noise:
    """Return the noise of a batch; each sample's depends on its own seed and nothing else."""
    factor = networks.vae.config.factor
    latent = (
        shape.num_frames, networks.vae.config.latent_channels, shape.height // factor, shape.width // factor,
    )  # fmt: skip
    generators = sample_generators([stage_seed(seed, networks.preset.stage) for seed in seeds])
    return Noise(draw_noise(generators, latent, device=networks.device), generators)


def encoded(networks: Networks, pixels: Tensor, execution: Execution) -> Tensor:
    """Return latents, float32: the mode of the posterior, scaled, of pixels (..., 3, H, W) in [-1, 1]."""
    pixels = pixels.to(networks.device, networks.vae_dtype)
    return networks.vae.encode(pixels, chunk=execution.vae_chunk).float()


def check_settings(networks: Networks, settings: Sampling) -> None:
    """Raise ValueError for timesteps outside the table, and for BGN on a process that cannot have it."""
    process = process_of(networks.preset)
    if settings.start == "biased" and not process.schedule.is_variance_preserving:
        raise ValueError(
            f"found a biased start for {networks.preset.name}, whose signal is scaled to"
            f" {networks.preset.signal_scale}, expected 'noise' or 'noised': its weights know no Biased Gaussian Noise"
        )
    points = timesteps(settings, process.schedule, emits=process.emits)
    solvers.checked_points(process.schedule, points, settings.end)
    if settings.start == "biased":
        assert settings.t_m is not None, "checked when the settings were made"
        BiasedNoise(process.schedule, settings.t_m, points[0])


def denoised(
    networks: Networks,
    network: Network,
    noise: Noise,
    settings: Sampling,
    execution: Execution,
    *,
    x_cond: Tensor | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Return the videos (B, F, 3, H, W), uint8, that the solver reaches.

    network: V, from `guided`. x_cond: latents of the condition, for a start from it.
    """
    process = process_of(networks.preset)
    points = timesteps(settings, process.schedule, emits=process.emits)
    denoiser, schedule, falling, x = started(
        process.denoiser(network), process.schedule, points, noise.eps, settings, x_cond
    )
    for step in solvers.steps(
        denoiser, schedule, falling, x, solver=settings.solver, end=settings.end, eta=settings.eta,
        eta_schedule=process.unscaled_schedule, generators=noise.generators if settings.eta > 0 else None,
    ):  # fmt: skip
        x = step.x
        if watch is not None:
            watch(networks.preset.stage, step.index + 1, len(points))
    return to_uint8(networks.vae.decode(x.to(networks.vae_dtype), chunk=execution.vae_chunk))


def started(
    denoiser: Denoiser,
    schedule: Schedule,
    points: Sequence[int],
    eps: Tensor,
    settings: Sampling,
    x_cond: Tensor | None,
) -> tuple[Denoiser, Schedule, Sequence[int], Tensor]:
    """Return what `solvers.steps` takes first: a denoiser, its schedule, timesteps, the start.

    noise: x = eps. noised: x = alpha v^C + sigma eps. biased: the same, or its y if consistent; section 3.4.
    Raises ValueError for a start from a condition that the stage does not have.
    """
    if settings.start == "noise":
        return denoiser, schedule, points, eps
    if x_cond is None:
        raise ValueError(
            f"found a start from {settings.start} in a stage without a condition of the video's size, expected 'noise'"
        )
    if settings.start == "noised":
        return denoiser, schedule, points, noised(schedule, x_cond, eps, points[0])
    assert settings.t_m is not None, "checked when the settings were made"
    assert settings.t_n is not None, "and this too"
    biased = BiasedNoise(schedule, settings.t_m, settings.t_n)
    return bgn.posed(denoiser, biased, x_cond, eps, points, sampler=settings.sampler)


def described(
    networks: Networks, settings: Sampling, execution: Execution, conditions: Conditions, shape: Shape
) -> dict[str, Any]:
    """Return everything of a stage that decides its pixels, beside conditions and seed, as plain data."""
    process, preset = process_of(networks.preset), networks.preset
    seen = branches(
        settings, text=conditions.prompts is not None, image=conditions.images is not None and networks.takes_image
    )
    return {
        "stage": preset.stage,
        "preset": preset.name,
        "trained": networks.trained,
        "weights": dict(networks.weights),
        "unet": _plain(asdict(networks.unet.config)),
        "vae": _plain(asdict(networks.vae.config)),
        "encoders": _plain(asdict(networks.encoders.config)),
        "emits": preset.emits,
        "schedule": {
            "name": preset.schedule, "zero_snr": preset.zero_snr, "signal_scale": preset.signal_scale,
        },
        "concat": preset.concat,
        "null_image": preset.null_image,
        "settings": _plain({**asdict(settings), "guidance": {
            "kind": type(settings.guidance).__name__.lower(), **asdict(settings.guidance)
        }}),
        "timesteps": timesteps(settings, process.schedule, emits=process.emits),
        "branches": [
            {"text": branch.text, "image": branch.image, "weight": branch.weight} for branch in seen
        ],
        "conditions": list(conditions.names),
        "shape": asdict(shape),
        "execution": asdict(execution),
        "dtype": {
            "unet": str(networks.dtype).removeprefix("torch."),
            "vae": str(networks.vae_dtype).removeprefix("torch."),
            "state": "float32",
        },
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Return data as JSON gives it back: tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
