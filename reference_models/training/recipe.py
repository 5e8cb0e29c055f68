"""A training as frozen data: what is learned from, for how long, how fast. It stands in a file, never in flags.

The defaults are neutral (no dropout of conditions, no offset noise, no weighting); departures stand in the file.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reference_models.diffusion.bgn import BiasedNoise
from reference_models.presets import Preset, load_preset
from reference_models.stages.process import process_of

_WATCHING = ("name", "checkpoints", "evaluation")

# images: of an image source. frames: single random frames of videos. videos: clips
Kind = Literal["images", "frames", "videos"]
Precision = Literal["fp32", "bf16"]
Decay = Literal["constant", "cosine", "linear"]
Weighting = Literal["none", "min-snr"]


@dataclass(frozen=True)
class Batches:
    """Batches of one kind. clips: in a whole batch, over all processes. share: how often, against the other kinds.

    num_frames: the shortest and the longest clip; every batch draws one length, uniformly. Images and frames have 1.
    """

    kind: Kind
    clips: int
    share: int = 1
    num_frames: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if self.clips < 1 or self.share < 1:
            raise ValueError(f"found {self.clips} clips and share {self.share}, expected 1 or more of each")
        low, high = self.num_frames
        if self.kind == "videos" and not 1 < low <= high:
            raise ValueError(f"found num_frames [{low}, {high}] of videos, expected [2 or more, as many or more]")
        if self.kind != "videos" and (low, high) != (1, 1):
            raise ValueError(f"found num_frames [{low}, {high}] of {self.kind}, expected none: they have one frame")


@dataclass(frozen=True)
class Phase:
    """A stretch of training with its mixture of batches. temporal: whether the temporal layers take part; without them
    single frames cost half as much, and a new network is an image network anyway (`UNet3D.leave_out_time`)."""

    steps: int
    batches: tuple[Batches, ...]
    temporal: bool = True

    def __post_init__(self) -> None:
        kinds = [batch.kind for batch in self.batches]
        if self.steps < 1 or not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(
                f"found {self.steps} steps of {', '.join(kinds) or 'no batches'}, expected 1 or more steps, and each"
                " kind of batches at most once"
            )
        if not self.temporal and "videos" in kinds:
            raise ValueError("found videos in a phase without temporal layers, expected images or frames alone")


@dataclass(frozen=True)
class Optimiser:
    """AdamW. warmup: steps of a linear rise. decay: of the rate, after `decay_from` (a share of all steps) down to
    `final` of it. clip: the largest norm of the gradient."""

    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    warmup: int = 0
    decay: Decay = "constant"
    decay_from: float = 0.0
    final: float = 0.0
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                f"found learning_rate {self.learning_rate} and betas {self.betas}, expected a rate above 0 and betas"
                " from 0 to below 1"
            )
        if self.warmup < 0 or self.weight_decay < 0 or not self.clip > 0:
            raise ValueError("found a warmup or weight_decay below 0 or a clip not above 0")
        if not 0 <= self.decay_from < 1 or not 0 <= self.final <= 1:
            raise ValueError(f"found decay_from {self.decay_from}, final {self.final}, expected shares of 1")

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of `step`, 0-based, of `steps`."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        first = max(self.warmup, round(self.decay_from * steps))
        share = max(0.0, (step - first) / max(1, steps - first))
        falls = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}[self.decay]
        return self.learning_rate * (self.final + (1 - self.final) * falls)


@dataclass(frozen=True)
class Ema:
    """The average of weights that is sampled from: at step s it keeps min(decay, (1 + s) / (warmup + s)) of itself.

    Source of the warm-up: the `num_updates` rule of TensorFlow's ExponentialMovingAverage, with 10 for `warmup`.
    """

    decay: float = 0.9999
    warmup: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1 or self.warmup < 1:
            raise ValueError(f"found decay {self.decay}, warmup {self.warmup}, expected 0 to below 1, and 1 or more")

    def kept(self, step: int) -> float:
        """Return the share of the old average after `step`, 0-based."""
        return min(self.decay, (1 + step) / (self.warmup + step))


@dataclass(frozen=True)
class Dropout:
    """How often a clip is learned from without its text, without its image (drawn apart, decision 16).

    both: of the clips, those that additionally lose both at once.
    """

    text: float = 0.0
    image: float = 0.0
    both: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= p <= 1 for p in (self.text, self.image, self.both)):
            raise ValueError(f"found {self}, expected probabilities")


@dataclass(frozen=True)
class Biased:
    """The interval of Biased Gaussian Noise."""

    t_m: int
    t_n: int


@dataclass(frozen=True)
class Diffusion:
    """What noise the network learns to remove. timesteps: the first and the last that are drawn, uniformly.

    offset_noise: see `diffusion.noise.with_offset`. weighting: `min-snr` weighs a clip's error in x0 by
    min(SNR, gamma), whatever the network emits (Hang et al. 2023); `none` is the plain error of what it emits.
    """

    timesteps: tuple[int, int] = (0, 999)
    offset_noise: float = 0.0
    weighting: Weighting = "none"
    gamma: float = 5.0
    bgn: Biased | None = None

    def __post_init__(self) -> None:
        first, last = self.timesteps
        if not 0 <= first <= last:
            raise ValueError(f"found timesteps [{first}, {last}], expected [the first, the last], 0 or more")
        if self.offset_noise < 0 or not self.gamma > 0:
            raise ValueError(f"found offset_noise {self.offset_noise}, gamma {self.gamma}, expected 0 or more, above 0")


@dataclass(frozen=True)
class Compute:
    """How the arithmetic is done; all of it changes bits. threads: of torch. accumulation: batches of a step."""

    precision: Precision = "fp32"
    accumulation: int = 1
    gradient_checkpointing: bool = False
    compile: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if self.accumulation < 1 or self.threads < 1:
            raise ValueError(f"found accumulation {self.accumulation}, threads {self.threads}, expected 1 or more")


@dataclass(frozen=True)
class Keeping:
    """When a checkpoint is written, and how many are kept. milestones: steps whose averaged weights stay for good."""

    every: int = 500
    keep: int = 2
    milestones: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1 or any(step < 1 for step in self.milestones):
            raise ValueError(f"found {self}, expected steps and numbers of 1 or more")


@dataclass(frozen=True)
class Evaluation:
    """Protocols (ids or files) under which every milestone is sampled and scored during training."""

    protocols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One training of one stage. preset: what is trained. init_from: the preset whose weights it starts from."""

    name: str
    preset: str
    phases: tuple[Phase, ...]
    optimiser: Optimiser
    init_from: str | None = None
    seed: int = 0
    ema: Ema = Ema()
    dropout: Dropout = Dropout()
    diffusion: Diffusion = Diffusion()
    compute: Compute = Compute()
    checkpoints: Keeping = Keeping()
    evaluation: Evaluation = Evaluation()

    def __post_init__(self) -> None:
        preset, process = load_preset(self.preset), process_of(load_preset(self.preset))
        if self.init_from is not None:
            load_preset(self.init_from)
        if not self.phases:
            raise ValueError("found no phases, expected one or more")
        last = process.schedule.num_timesteps - 1
        if self.diffusion.timesteps[1] > last:
            raise ValueError(f"found timesteps up to {self.diffusion.timesteps[1]}, expected up to {last}")
        if (bgn := self.diffusion.bgn) is not None:
            BiasedNoise(process.schedule, bgn.t_m, bgn.t_n)
            if preset.stage == "base":
                raise ValueError("found bgn for a base stage, expected none: it has no condition of the video's size")
        if "image" not in preset.network.conditions and (self.dropout.image or self.dropout.both):
            raise ValueError(f"found dropout of the image, which {self.preset} does not take; leave it out")
        if beyond := [step for step in self.checkpoints.milestones if step > self.steps]:
            raise ValueError(f"found milestones {beyond}, expected steps up to the last, {self.steps}")

    @property
    def steps(self) -> int:
        """How many steps there are in all."""
        return sum(phase.steps for phase in self.phases)

    @property
    def trained(self) -> Preset:
        """The preset that is trained."""
        return load_preset(self.preset)

    def phase(self, step: int) -> tuple[Phase, int]:
        """Return the phase of `step`, 0-based, and the number of the step in it."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise AssertionError("a step beyond the last")

    def plain(self) -> dict[str, Any]:
        """Return the recipe as JSON gives it back."""
        made: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return made

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the weights: of everything but the name, what is kept and what is looked at."""
        facts = {key: value for key, value in self.plain().items() if key not in _WATCHING}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
