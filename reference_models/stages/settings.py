"""How a stage samples, as data: solver, steps, grid, start, guidance. Nothing here is a network.

The defaults of a preset are UniVG's where its paper speaks, and the original sampler's for published weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from reference_models.diffusion import bgn, grid, solvers
from reference_models.diffusion.bgn import ANIMATION_INTERVAL, SUPER_RESOLUTION_INTERVAL, Sampler
from reference_models.diffusion.guidance import RESCALE_PHI
from reference_models.diffusion.schedule import Schedule
from reference_models.presets import Preset

GridName = Literal["trailing", "leading", "linspace", "videocrafter", "uniform", "quadratic"]
# noise: from nothing but noise. noised: from the condition, noised to t_n (SDEdit; figure 7 without BGN).
# biased: the same start, by a network that was trained with Biased Gaussian Noise from t_n to t_m.
Start = Literal["noise", "noised", "biased"]


@dataclass(frozen=True)
class Separate:
    """V = F(0) + w_T (F(T) - F(0)) + w_I (F(I) - F(0)). Source: UniVG 4.3 (decision 1); weights of its figure 6."""

    w_T: float = 9.5  # noqa: N815 (the symbol of the paper)
    w_I: float = 5.5  # noqa: N815


@dataclass(frozen=True)
class Joint:
    """V = F(0) + w (F(c) - F(0)), with all conditions at once: what published weights were shown with."""

    w: float = 7.5


Guidance = Separate | Joint


@dataclass(frozen=True)
class Sampling:
    """Everything that a stage does not get from its networks or conditions.

    solver: a name of `solvers.SOLVERS`. steps: how often the network is asked (per branch of the guidance). grid:
    where, see diffusion/grid.py; `uniform` and `quadratic` go down from t_n. start: see `Start`. t_m, t_n: the interval
    of BGN; t_n is also where a noised start begins. sampler: plain (the paper's) or consistent, see diffusion/bgn.py.
    guidance_rescale: phi of Lin et al., 0 for none. eta: share of fresh noise (ddim). end: where the last step goes,
    None is the data. negative_prompt: what stands for no text; UniVG's is empty. fps_embedding: what a network with an
    fps embedding is told, None for the frame rate of the video.

    Raises ValueError for values that contradict each other or that no solver knows.
    """

    solver: str = "dpm++2m"
    steps: int = 50
    grid: GridName = "trailing"
    start: Start = "noise"
    t_m: int | None = None
    t_n: int | None = None
    sampler: Sampler = "plain"
    guidance: Guidance = Separate()
    guidance_rescale: float = 0.0
    eta: float = 0.0
    end: int | None = None
    negative_prompt: str = ""
    fps_embedding: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("solver", self.solver, tuple(solvers.SOLVERS)),
            ("grid", self.grid, get_args(GridName)),
            ("start", self.start, get_args(Start)),
            ("sampler", self.sampler, get_args(bgn.Sampler)),
        ):
            if value not in known:
                raise ValueError(f"found {name} {value!r}, expected one of {', '.join(known)}")
        if self.steps < 1:
            raise ValueError(f"found {self.steps} steps, expected 1 or more")
        if not 0 <= self.eta <= 1 or (self.eta > 0 and self.solver != "ddim"):
            raise ValueError(f"found eta {self.eta} with {self.solver}, expected 0, or up to 1 with ddim")
        if not 0 <= self.guidance_rescale <= 1:
            raise ValueError(f"found guidance_rescale {self.guidance_rescale}, expected 0 to 1")
        if self.sampler == "consistent" and self.start != "biased":
            raise ValueError(
                f"found sampler 'consistent' with a start from {self.start}, expected start 'biased': it is consistent"
                " with Biased Gaussian Noise, without which there is nothing to be consistent with"
            )
        descends = self.grid in ("uniform", "quadratic")
        if (self.start == "noise") == descends:
            kinds = "trailing, leading, linspace or videocrafter" if self.start == "noise" else "uniform or quadratic"
            raise ValueError(f"found grid {self.grid!r} with a start from {self.start}, expected {kinds}")
        if self.start != "noise" and self.t_n is None:
            raise ValueError(f"found no t_n with a start from {self.start}, expected the timestep to begin at")
        if self.start == "biased" and self.t_m is None:
            raise ValueError("found no t_m with a biased start, expected where the ramp of BGN begins")
        if self.t_m is not None and self.start != "biased":
            raise ValueError(f"found t_m with a start from {self.start}, expected none: it belongs to a biased start")
        if self.t_n is not None and self.start == "noise":
            raise ValueError("found t_n with a start from noise, expected none: there is no condition to start from")
        if self.start == "biased" and (self.eta > 0 or self.end is not None):
            raise ValueError("found eta or end with a biased start, expected neither: BGN is sampled down to the data")


@dataclass(frozen=True)
class Execution:
    """How a stage spends memory; changes nothing but by rounding.

    vae_chunk: frames that the autoencoder takes at once. branches_at_once: see `guided`.
    """

    vae_chunk: int = 1
    branches_at_once: bool = False


def timesteps(settings: Sampling, schedule: Schedule, *, emits: Literal["eps", "v"]) -> list[int]:
    """Return the falling timesteps at which the network is asked, as many as `steps`.

    A network that emits eps says nothing where alpha = 0. The grid then has one point more and begins at its
    second, the first with signal (decision 15).

    Raises ValueError where the grid leaves the table or repeats a timestep.
    """
    n = settings.steps
    if settings.start != "noise":
        assert settings.t_n is not None, "checked when the settings were made"
        if not 0 < settings.t_n < schedule.num_timesteps:
            raise ValueError(f"found t_n = {settings.t_n}, expected 1 to {schedule.num_timesteps - 1}")
        return (grid.uniform if settings.grid == "uniform" else grid.quadratic)(settings.t_n, n)
    make = {
        "trailing": grid.trailing,
        "leading": grid.leading,
        "linspace": grid.linspace,
        "videocrafter": grid.videocrafter_uniform,
    }[settings.grid]
    points = make(n, num_timesteps=schedule.num_timesteps)
    if emits == "eps" and schedule.alpha[points[0]] == 0:
        points = grid.with_signal(make(n + 1, num_timesteps=schedule.num_timesteps), schedule)
    return points


# Source: UniVG 4.1. The paper says DPM-Solver and neither version nor order (decision 64)
UNIVG_F_B = Sampling()
UNIVG_F_A = Sampling(grid="uniform", start="biased", t_m=ANIMATION_INTERVAL[0], t_n=ANIMATION_INTERVAL[1])
UNIVG_F_SR = Sampling(
    steps=7, grid="uniform", start="biased", t_m=SUPER_RESOLUTION_INTERVAL[0], t_n=SUPER_RESOLUTION_INTERVAL[1]
)
# Source: AILab-CVC/VideoCrafter 11bcd76, scripts/evaluation/funcs.py and scripts/run_*.sh: DDIM, eta 1, weight 12
VIDEOCRAFTER = Sampling(solver="ddim", grid="videocrafter", guidance=Joint(12.0), eta=1.0, end=0)
# Source: Doubiiu/DynamiCrafter c453369, scripts/run.sh: weight 7.5; the first two sizes begin where the SNR is zero
DYNAMICRAFTER = Sampling(solver="ddim", guidance=Joint(7.5), guidance_rescale=RESCALE_PHI, eta=1.0, end=0)
# Source: diffusers 0.42.1, TextToVideoSDPipeline: weight 9; its grid for these weights is the leading one
MODELSCOPE = Sampling(solver="ddim", grid="leading", guidance=Joint(9.0))
# Source: ali-vilab/VGen, tools/inferences/inference_sr600_entrance.py: 30 steps from 699, weight 9, rescale 0.3. It
# inverts the video by 30 steps of DDIM and then uses a stochastic solver; here the start is noised
VGEN_SR600 = Sampling(
    steps=30, grid="uniform", start="noised", t_n=699, guidance=Joint(9.0), guidance_rescale=0.3
)  # fmt: skip

# as trained (recipes/tiny-fsr.yaml): where the small video has the SNR that UniVG's has at 700 (decision 91)
TINY_F_SR = replace(UNIVG_F_SR, steps=3, t_n=300)

_OWN: dict[str, Sampling] = {
    "tiny-fsr": TINY_F_SR,
    "tiny-fsr-concat": TINY_F_SR,
    "videocrafter2": replace(VIDEOCRAFTER, fps_embedding=28),
    "videocrafter1-i2v-512": replace(VIDEOCRAFTER, fps_embedding=8),
    "dynamicrafter-256": replace(DYNAMICRAFTER, grid="videocrafter", guidance_rescale=0.0, fps_embedding=3),
    "dynamicrafter-512": replace(DYNAMICRAFTER, fps_embedding=24),
    "dynamicrafter-1024": replace(DYNAMICRAFTER, fps_embedding=10),
    "modelscope-t2v": MODELSCOPE,
    "zeroscope": MODELSCOPE,
    "vgen-t2v": replace(MODELSCOPE, grid="trailing"),
    "vgen-sr600": VGEN_SR600,
}
_UNIVG = {"base": UNIVG_F_B, "animation": UNIVG_F_A, "super_resolution": UNIVG_F_SR}


def default_settings(preset: Preset) -> Sampling:
    """Return how the networks of this preset are sampled unless somebody says otherwise."""
    return _OWN.get(preset.name, _UNIVG[preset.stage])
