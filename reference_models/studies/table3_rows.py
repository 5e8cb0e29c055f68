"""What Table 3 in small consists of, in one place: budgets of the trainings, rows, and the differences to look at.

The honest table is a 2 x 2: weights trained with Biased Gaussian Noise or without it, sampler blind to it or consistent
with it. A table with two of the four cells confounds the two. Source of the question: UniVG table 3 and figure 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reference_models.diffusion.bgn import ANIMATION_INTERVAL, SUPER_RESOLUTION_INTERVAL
from univg_bench.model import Setting

Arm = Literal["bgn", "no-bgn"]
ARMS: dict[Arm, str] = {"bgn": "with BGN", "no-bgn": "without BGN"}
SEEDS = (0, 1, 2)  # of the trainings: data order, noise and dropout; both arms of a seed see the same


@dataclass(frozen=True)
class Budget:
    """What each training gets. recipe: a shipped one, but for its number of steps. clips: of Moving Shapes.

    timesteps: the same for both arms, so that they differ in BGN alone: as far as any row without BGN starts. Beyond
    t_n, BGN's target does not jump (decision 20); it is trained there too and never sampled.
    """

    recipe: str
    steps: int
    timesteps: tuple[int, int]
    clips: int


@dataclass(frozen=True)
class Row:
    """One way to get videos from one arm's weights. says: what it is, in the table."""

    name: str
    arm: Arm
    says: str
    settings: Mapping[str, Setting]


@dataclass(frozen=True)
class Contrast:
    """A difference: the sum of rows' values by these weights, which sum to 0. `baseline:NAME` names a baseline."""

    says: str
    weights: Mapping[str, int]


@dataclass(frozen=True)
class Study:
    """Table 3 for one stage. factory: of `rows.py`. metrics: ids of the protocol, in the order of the table."""

    stage: Literal["animation", "super_resolution"]
    protocol: str
    factory: str
    budget: Budget
    rows: tuple[Row, ...]
    contrasts: tuple[Contrast, ...]
    metrics: tuple[str, ...]
    baselines: Mapping[str, str] = field(default_factory=dict)


def _two_by_two(plain: Mapping[str, Setting], biased: Mapping[str, Setting], *, begins: str) -> tuple[Row, ...]:
    """Return the four cells. Without BGN the plain cell starts from the noised condition, which is the same start."""
    return (
        Row("bgn-plain", "bgn", f"plain, {begins}: the paper's", {**biased, "sampler": "plain"}),
        Row("bgn-consistent", "bgn", f"consistent, {begins}", {**biased, "sampler": "consistent"}),
        Row("no-bgn-plain", "no-bgn", f"plain, {begins}", plain),
        # BGN's schedule on weights that never saw it: an ordinary choice of solver, and the control of its neighbour
        Row("no-bgn-consistent", "no-bgn", f"BGN's consistent schedule, {begins}", {**biased, "sampler": "consistent"}),
    )  # fmt: skip


TWO_BY_TWO = (
    Contrast("BGN in training, plain sampler", {"bgn-plain": 1, "no-bgn-plain": -1}),
    Contrast("BGN in training, consistent sampler", {"bgn-consistent": 1, "no-bgn-consistent": -1}),
    Contrast("consistent sampler, weights with BGN", {"bgn-consistent": 1, "bgn-plain": -1}),
    Contrast("consistent sampler, weights without BGN", {"no-bgn-consistent": 1, "no-bgn-plain": -1}),
    Contrast(
        "whether the two need each other",
        {"bgn-consistent": 1, "no-bgn-consistent": -1, "bgn-plain": -1, "no-bgn-plain": 1},
    ),
)
_A_M, _A_N = ANIMATION_INTERVAL
_SR_M, _SR_N = SUPER_RESOLUTION_INTERVAL

F_A = Study(
    stage="animation",
    protocol="moving-shapes-fa-tiny",
    factory="reference_models.studies.rows:animation",
    budget=Budget("tiny-fa", steps=300, timesteps=(0, 999), clips=8000),
    rows=(
        *_two_by_two(
            {"start": "noised", "t_n": _A_N}, {"start": "biased", "t_m": _A_M, "t_n": _A_N},
            begins=f"from v^C at {_A_N}",
        ),
        Row("no-bgn-from-noise", "no-bgn", "plain, from noise", {"start": "noise"}),
    ),
    contrasts=(
        *TWO_BY_TWO,
        Contrast("the paper's pair: BGN, plain, against no BGN from noise", {"bgn-plain": 1, "no-bgn-from-noise": -1}),
        Contrast("BGN, plain, against the frozen first frame", {"bgn-plain": 1, "baseline:frozen": -1}),
        Contrast(
            "no BGN from noise against the frozen first frame", {"no-bgn-from-noise": 1, "baseline:frozen": -1}
        ),
    ),
    metrics=("fvd", "spectral", "first-frame", "clipsim", "motion"),
    baselines={
        "held-out": "real videos again, other renderings of the captions: the floor",
        "vae": "the real videos through the autoencoder: the ceiling",
        "frozen": "the first frame, repeated",
    },
)  # fmt: skip

F_SR = Study(
    stage="super_resolution",
    protocol="moving-shapes-fsr-tiny",
    factory="reference_models.studies.rows:super_resolution",
    # fewer clips, because each is rendered and encoded at 72x128 when it is first seen
    budget=Budget("tiny-fsr", steps=300, timesteps=(0, 900), clips=800),
    rows=(
        *_two_by_two(
            {"start": "noised", "t_n": _SR_N, "steps": 7}, {"start": "biased", "t_m": _SR_M, "t_n": _SR_N, "steps": 7},
            begins=f"from {_SR_N}",
        ),
        # Figure 7's other start, and a lower one that it does not show; steps of 100 as in the row from 700
        Row("no-bgn-from-900", "no-bgn", "plain, from 900", {"start": "noised", "t_n": 900, "steps": 9}),
        Row("no-bgn-from-500", "no-bgn", "plain, from 500", {"start": "noised", "t_n": 500, "steps": 5}),
    ),
    contrasts=(
        *TWO_BY_TWO,
        Contrast("starting at 900, without BGN", {"no-bgn-from-900": 1, "no-bgn-plain": -1}),
        Contrast("starting at 500, without BGN", {"no-bgn-from-500": 1, "no-bgn-plain": -1}),
        Contrast("BGN, plain, against no BGN from 500", {"bgn-plain": 1, "no-bgn-from-500": -1}),
        Contrast("BGN, plain, against bicubic", {"bgn-plain": 1, "baseline:bicubic": -1}),
        Contrast("no BGN from 500 against bicubic", {"no-bgn-from-500": 1, "baseline:bicubic": -1}),
    ),
    metrics=("fvd", "spectral", "psnr", "ssim", "clipsim"),
    baselines={
        "held-out": "real videos again, other renderings of the captions: the floor of FVD",
        "vae": "the real videos through the autoencoder: the ceiling",
        "bicubic": "the same low-quality input, enlarged",
    },
)  # fmt: skip
STUDIES = {"fa": F_A, "fsr": F_SR}
