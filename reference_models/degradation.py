"""Low-quality video from good video, on the fly: what F_SR learns to undo.

UniVG 3.2: "destroying high-definition videos through RamdomBlur, RandomResize, JPEG Compression and so on". No order,
strength or list is given. Settled (decision 76): blur, resize, noise and JPEG in random order, as BSRGAN shuffles them,
with the strengths that Real-ESRGAN trains with; then down to the size that F_SR is given. What is drawn is drawn once
per clip, the pattern of the noise too, because a network that sees each frame damaged otherwise learns to flicker.

Source: UniVG 3.2; Zhang et al. 2021 (BSRGAN, arXiv 2103.14006), 3.4, for the order; Wang et al. 2021 (Real-ESRGAN,
arXiv 2107.10833), 3, and its `options/train_realesrnet_x4plus.yml` at 0011624 for the strengths.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn.functional import interpolate

KERNELS = ("area", "bilinear", "bicubic")  # of a resize: Real-ESRGAN's three


@dataclass(frozen=True)
class Damage:
    """How often and how strongly a clip is damaged. The defaults are Real-ESRGAN's first order; ranges are uniform.

    blur: probability of a Gaussian blur, and blur_sigma: its width in pixels. resize: probabilities of up and down, the
    rest keeps the size; resize_range: factors below and above 1. noise: probability of Gaussian noise, noise_sigma: in
    grey levels of 255; grey_noise: of it, the share that is equal in all colours. jpeg: probability, and jpeg_quality.

    Left out of Real-ESRGAN: kernels that are not round, sinc filters and Poisson noise ("and so on" names none).
    """

    blur: float = 1.0
    blur_sigma: tuple[float, float] = (0.2, 3.0)
    resize: tuple[float, float] = (0.2, 0.7)
    resize_range: tuple[float, float] = (0.15, 1.5)
    noise: float = 0.5
    noise_sigma: tuple[float, float] = (1.0, 30.0)
    grey_noise: float = 0.4
    jpeg: float = 1.0
    jpeg_quality: tuple[int, int] = (30, 95)

    def __post_init__(self) -> None:
        shares = (self.blur, *self.resize, sum(self.resize), self.noise, self.grey_noise, self.jpeg)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"found {self}, expected probabilities from 0 to 1, of up and down together too")
        ranges = (self.blur_sigma, self.resize_range, self.noise_sigma, self.jpeg_quality)
        if not all(0 < low <= high for low, high in ranges) or self.jpeg_quality[1] > 100:
            raise ValueError(f"found {self}, expected ranges above 0 that do not fall, JPEG qualities of at most 100")
        if not self.resize_range[0] <= 1 <= self.resize_range[1]:
            raise ValueError(f"found resize_range {self.resize_range}, expected one from below 1 to above it")


FIRST = Damage()
# Real-ESRGAN's second order, for those who want it
SECOND = Damage(
    blur=0.8, blur_sigma=(0.2, 1.5), resize=(0.3, 0.4), resize_range=(0.3, 1.2), noise_sigma=(1.0, 25.0)
)  # fmt: skip
# for the tiny family: at a tenth of the size the same blur in pixels takes ten times as much away (decision 91)
MILD = Damage(
    blur=0.5, blur_sigma=(0.2, 1.0), resize=(0.1, 0.4), resize_range=(0.5, 1.2), noise=0.3, noise_sigma=(1.0, 8.0),
    jpeg=0.6, jpeg_quality=(60, 95),
)  # fmt: skip
NONE = Damage(blur=0, resize=(0, 0), noise=0, jpeg=0)


@dataclass(frozen=True)
class Degradation:
    """Rounds of damage, then the size that F_SR gets. UniVG does not say how many rounds: one (decision 76)."""

    height: int
    width: int
    rounds: tuple[Damage, ...] = (FIRST,)

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise ValueError(f"found a low resolution of {self.height}x{self.width}, expected 1 or more of each")


def degraded(video: NDArray[np.uint8], settings: Degradation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the low-quality video (F, 3, height, width), uint8, of a good one (F, 3, H, W), uint8.

    A function of the three arguments alone; the damage is the same for every frame. Without damage and at the size of
    `settings`, the video comes back as it is.

    Raises ValueError for an array of other axes or type.
    """
    if video.ndim != 4 or video.shape[1] != 3 or video.dtype != np.uint8:
        raise ValueError(f"found a video of {video.dtype} {video.shape}, expected uint8 (F, 3, H, W)")
    x = torch.from_numpy(np.ascontiguousarray(video)).float()  # 0 .. 255
    for damage in settings.rounds:
        # all of a round is drawn here, so that its steps may come in any order
        steps = _steps(damage, rng)
        for step in rng.permutation(len(steps)):
            x = steps[step](x).clamp(0, 255)
    x = _resized(x, (settings.height, settings.width), KERNELS[rng.integers(len(KERNELS))])
    made: NDArray[np.uint8] = x.round().clamp(0, 255).to(torch.uint8).numpy()
    return made


def _steps(damage: Damage, rng: np.random.Generator) -> list[Callable[[Tensor], Tensor]]:
    steps: list[Callable[[Tensor], Tensor]] = []
    if rng.random() < damage.blur:
        sigma = rng.uniform(*damage.blur_sigma)
        steps.append(lambda x: _blurred(x, sigma))
    chance, (up, down) = rng.random(), damage.resize
    if chance < up + down:
        low, high = damage.resize_range
        factor = rng.uniform(1, high) if chance < up else rng.uniform(low, 1)
        kernel = KERNELS[rng.integers(len(KERNELS))]
        steps.append(lambda x: _resized(x, [max(1, round(side * factor)) for side in x.shape[-2:]], kernel))
    if rng.random() < damage.noise:
        deviation, grey = rng.uniform(*damage.noise_sigma), rng.random() < damage.grey_noise
        seed = int(rng.integers(2**62))
        steps.append(lambda x: x + deviation * _pattern(1 if grey else 3, x.shape[-2:], seed))
    if rng.random() < damage.jpeg:
        quality = int(rng.integers(damage.jpeg_quality[0], damage.jpeg_quality[1] + 1))
        steps.append(lambda x: _jpeg(x, quality))
    return steps


def _blurred(x: Tensor, sigma: float) -> Tensor:
    # SciPy's passes along rows and columns take a fifth of the time of torch's convolutions with one channel. Beyond
    # three deviations a Gaussian has 0.3 % of its weight
    made = x.numpy()
    for axis in (-1, -2):
        made = gaussian_filter1d(made, sigma, axis=axis, mode="nearest", radius=math.ceil(3 * sigma))
    return torch.from_numpy(made)


def _resized(x: Tensor, size: tuple[int, int] | list[int], kernel: str) -> Tensor:
    if x.shape[-2:] == tuple(size):
        return x
    if kernel == "area":
        return interpolate(x, size, mode="area")
    return interpolate(x, size, mode=kernel, antialias=True)


def _pattern(channels: int, size: torch.Size, seed: int) -> Tensor:
    pattern = np.random.default_rng(seed).standard_normal((1, channels, *size), dtype=np.float32)
    return torch.from_numpy(pattern)


def _jpeg(x: Tensor, quality: int) -> Tensor:
    # by Pillow: torchvision 0.29 announces that its own JPEG will go
    frames = []
    for frame in x.round().to(torch.uint8).permute(0, 2, 3, 1).numpy():  # (H, W, 3)
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=quality)
        frames.append(np.asarray(Image.open(file)).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(frames)).float()
