"""The networks of one stage together, and the conditions and shape of the videos that they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reference_models.nn.autoencoder import Autoencoder
from reference_models.nn.encoders import Encoders
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import Preset, Stage

# Lengths in training, section 4.1
MIN_FRAMES, MAX_FRAMES = 8, 24


@dataclass(frozen=True, eq=False)
class Networks:
    """UNet, autoencoder and encoders of one stage.

    preset: what they are; its network may be narrower than published. weights: part -> digest of its tensors.
    trained: False for random numbers.

    Raises ValueError for networks that do not belong together, and for a preset that the stages cannot run.
    """

    preset: Preset
    unet: UNet3D
    vae: Autoencoder
    encoders: Encoders
    weights: Mapping[str, str] = field(default_factory=dict)
    trained: bool = True

    def __post_init__(self) -> None:
        preset, unet, latents = self.preset, self.unet.config, self.vae.config.latent_channels
        if preset.image_tokens == "latent":
            raise ValueError(
                f"{preset.name} makes its image's tokens and channels by encoders of its own, which no stage runs yet;"
                " generate with its authors' code and import the videos"
            )
        wanted = latents * (1 if preset.concat == "none" else 2)
        if (unet.in_channels, unet.out_channels) != (wanted, latents):
            raise ValueError(
                f"found a UNet of {unet.in_channels} channels in and {unet.out_channels} out, expected {wanted} and"
                f" {latents}: {preset.name} with {latents} latent channels"
            )
        if self.encoders.dim != unet.context_dim:
            raise ValueError(
                f"found tokens of {self.encoders.dim} numbers for a UNet of {unet.context_dim}, expected equal widths;"
                " are these the encoders of this model?"
            )
        if self.takes_image and self.encoders.config.image_tokens == "none":
            raise ValueError(f"found no image tower for {preset.name}, which takes images; convert its source whole")

    @property
    def takes_image(self) -> bool:
        """Whether the UNet attends to an image."""
        return "image" in self.unet.config.conditions

    @property
    def frames(self) -> tuple[int, int]:
        """The fewest and the most frames that this stage makes."""
        resampler = self.encoders.resampler
        if resampler is not None and resampler.config.num_frames is not None:
            return resampler.config.num_frames, resampler.config.num_frames
        return MIN_FRAMES, max(MAX_FRAMES, self.preset.num_frames)

    @property
    def device(self) -> torch.device:
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the UNet's numbers; noise, guidance and the solver's state are float32 whatever it is."""
        return next(self.unet.parameters()).dtype

    @property
    def vae_dtype(self) -> torch.dtype:
        return next(self.vae.parameters()).dtype


@dataclass(frozen=True, eq=False)
class Conditions:
    """What the clips of a batch are made from; each kind is there for all of them or for none.

    prompts: one string per clip. images: one uint8 (3, h, w) per clip, of any sizes. videos: uint8 (B, F, 3, h, w).
    """

    prompts: tuple[str, ...] | None = None
    images: tuple[Tensor, ...] | None = None
    videos: Tensor | None = None

    def __post_init__(self) -> None:
        for image in self.images or ():
            if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
                raise ValueError(f"found an image of {image.dtype} {tuple(image.shape)}, expected uint8 (3, H, W)")
        video = self.videos
        if video is not None and (
            video.dtype != torch.uint8 or video.ndim != 5 or video.shape[2] != 3 or 0 in video.shape
        ):
            raise ValueError(f"found videos of {video.dtype} {tuple(video.shape)}, expected uint8 (B, F, 3, H, W)")

    @property
    def names(self) -> tuple[str, ...]:
        """Which kinds are there."""
        given = (("text", self.prompts), ("image", self.images), ("video", self.videos))
        return tuple(name for name, values in given if values is not None)

    def check_batch(self, size: int) -> None:
        """Raise ValueError unless every kind is there for `size` clips."""
        for name, values in (("prompts", self.prompts), ("images", self.images), ("videos", self.videos)):
            if values is not None and len(values) != size:
                raise ValueError(f"found {len(values)} {name} and {size} seeds, expected one per clip")


@dataclass(frozen=True)
class Shape:
    """Of the videos to make, in frames, pixels and frames per second."""

    num_frames: int
    height: int
    width: int
    fps: float


def check_stage(networks: Networks, stage: Stage) -> None:
    """Raise ValueError for the networks of another stage."""
    if networks.preset.stage != stage:
        raise ValueError(
            f"found {networks.preset.name}, which is made for the stage {networks.preset.stage}, expected weights of"
            f" the stage {stage}"
        )


def check_shape(networks: Networks, shape: Shape) -> None:
    """Raise ValueError for a length or size that the stage does not make."""
    fewest, most = networks.frames
    if not fewest <= shape.num_frames <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise ValueError(f"found {shape.num_frames} frames, expected {wanted} of {networks.preset.name}")
    factor = networks.vae.config.factor
    if shape.height < factor or shape.width < factor or shape.height % factor or shape.width % factor:
        raise ValueError(
            f"found a video of {shape.height}x{shape.width}, expected a height and width that {factor} divides:"
            f" one latent of {networks.preset.name} stands for so many pixels"
        )
    if not shape.fps > 0:
        raise ValueError(f"found {shape.fps} frames per second, expected more than 0")
