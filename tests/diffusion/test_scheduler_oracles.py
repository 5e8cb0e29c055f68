"""Our schedules and solvers against stored tables and trajectories of diffusers, VideoCrafter, VGen and DPM-Solver.

The "network" of all trajectories is eps(x, t) = 0.8 sin(1.3 x + 0.002 t) + 0.15 x, taken for v where a run predicts v.
All of them keep some of their coefficients in float32: diffusers and VideoCrafter agree to 1e-5, DPM-Solver to 1e-6.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reference_models.diffusion import grid, guidance, parameterization, schedule, solvers
from reference_models.diffusion.noise import sample_generators
from reference_models.diffusion.parameterization import Kind
from reference_models.diffusion.schedule import Schedule

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles"

pytestmark = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)

VP = schedule.scaled_linear()
ZERO_SNR = schedule.zero_terminal_snr(VP)
KINDS: dict[str, Kind] = {"epsilon": "eps", "v_prediction": "v"}


@pytest.fixture(scope="module")
def stored() -> dict[str, Tensor]:
    return load_file(ORACLES / "schedulers.safetensors")


def toy(x: Tensor, t: float) -> Tensor:
    return 0.8 * torch.sin(1.3 * x + 0.002 * t) + 0.15 * x


def apart(found: Tensor, expected: Tensor) -> float:
    """The largest difference, in units of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("scaled_linear.abar64", VP.alpha**2),
        ("zsnr.abar64", ZERO_SNR.alpha**2),
        ("scaled_linear.betas64", 1 - (VP.alpha**2)[1:] / (VP.alpha**2)[:-1]),
        ("zsnr.betas64", 1 - (ZERO_SNR.alpha**2)[1:] / (ZERO_SNR.alpha**2)[:-1]),
    ],
)
def test_tables_equal_the_stored_ones(stored: dict[str, Tensor], name: str, ours: Tensor) -> None:
    torch.testing.assert_close(ours, stored[f"sched.{name}"][-len(ours) :], rtol=1e-12, atol=1e-13)


def test_cosine_with_zero_terminal_snr_is_vgen_s(stored: dict[str, Tensor]) -> None:
    ours = schedule.zero_terminal_snr(schedule.cosine())
    alpha_bar = torch.cumprod(1 - stored["sched.vgen.cosine_zsnr.betas64"], dim=0)
    torch.testing.assert_close(ours.alpha**2, alpha_bar, rtol=1e-9, atol=1e-15)


def test_log_snr_cosine_is_vgen_s_up_to_its_float32(stored: dict[str, Tensor]) -> None:
    expected = stored["sched.vgen.logsnr_cosine_interp.sigmas"]
    assert float((schedule.logsnr_cosine_interp().sigma - expected).abs().max()) < 5e-7


def index() -> dict[str, Any]:
    if not ORACLES.is_dir():
        return {}
    content: dict[str, Any] = json.loads((ORACLES / "schedulers.index.json").read_text())
    return content


# Not ours: the "heun" form of the second order.
RUNS = {
    name: entry
    for name, entry in index().items()
    if entry["cls"] in ("DDIMScheduler", "DPMSolverMultistepScheduler") and entry["config"].get("solver_type") != "heun"
}


def solver_of(entry: dict[str, Any]) -> tuple[str, int | None]:
    """Return our name of the solver, and where its last step goes."""
    config = entry["config"]
    if entry["cls"] == "DDIMScheduler":
        assert not config["set_alpha_to_one"]
        return "ddim", 0
    name = config["algorithm_type"].replace("solver", "") + ("1" if config["solver_order"] == 1 else "2m")
    return name, None if config["final_sigmas_type"] == "zero" else 0


def schedule_of(entry: dict[str, Any]) -> Schedule:
    if not entry["config"]["rescale_betas_zero_snr"]:
        return VP
    if entry["cls"] == "DDIMScheduler":
        return ZERO_SNR
    # its DPM-Solver cannot start at alpha = 0 and puts alpha_bar = 2^-24 there
    alpha = ZERO_SNR.alpha.clone()
    alpha[-1] = 2.0**-12
    return schedule.variance_preserving(alpha**2)


@pytest.mark.parametrize("name", RUNS)
def test_every_state_is_that_of_diffusers(stored: dict[str, Tensor], name: str) -> None:
    entry, expected = RUNS[name], stored[f"{name}.x"]
    solver, end = solver_of(entry)
    s = schedule_of(entry)
    denoise = parameterization.denoiser(toy, s, predicts=KINDS[entry["config"]["prediction_type"]])
    done = list(solvers.steps(denoise, s, stored[f"{name}.t"].tolist(), expected[0], solver=solver, end=end))
    assert len(done) == len(expected) - 1
    for step in done:
        assert apart(step.x, expected[step.index + 1]) < 1e-5


@pytest.mark.parametrize("name", RUNS)
def test_grid_is_that_of_diffusers(stored: dict[str, Tensor], name: str) -> None:
    config, n = RUNS[name]["config"], RUNS[name]["steps"]
    if config["timestep_spacing"] == "leading" and RUNS[name]["cls"] != "DDIMScheduler":
        ours = [i * (1000 // (n + 1)) + 1 for i in range(n, 0, -1)]  # another "leading": see grid.leading
    else:
        make = {"leading": grid.leading, "trailing": grid.trailing, "linspace": grid.linspace}
        ours = make[config["timestep_spacing"]](n)
    if RUNS[name]["strength"] < 1:
        ours = grid.partial(ours, strength=RUNS[name]["strength"])
    assert ours == stored[f"{name}.t"].tolist()


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_videocrafter_with_its_scale_guidance_and_fresh_noise(stored: dict[str, Tensor], eta: float) -> None:
    """Its use_scale is a schedule; how much noise is fresh it takes from the schedule without the scale."""
    name = f"vc_ddim.eta{eta:.0f}.scale0.7"
    shrunk = schedule.scaled(VP, schedule.videocrafter_scale())

    def network(x: Tensor, t: int) -> Tensor:
        return guidance.guide_jointly(toy(x, t) - 0.02, toy(x, t) + 0.05, w=7.5)

    done = list(
        solvers.steps(
            parameterization.denoiser(network, shrunk, predicts="eps"),
            shrunk,
            grid.videocrafter_uniform(50),
            stored["x_T"],
            solver="ddim",
            end=0,
            eta=eta,
            eta_schedule=VP,
            generators=sample_generators([1234]),
        )
    )
    assert apart(done[-1].x, stored[f"{name}.final"].double()) < 1e-5
    for step in done:
        assert apart(step.x0, stored[f"{name}.x0pred"][step.index].double()) < 3e-5


@pytest.mark.parametrize("family", ["dpmsolver", "dpmsolver++"])
def test_every_state_is_that_of_the_authors_own_dpm_solver(stored: dict[str, Tensor], family: str) -> None:
    """Its time is continuous: log alpha is interpolated between entries. Here the visited times are the table."""
    name = f"official.{family}.o2.time_uniform.n50"
    expected, asked = stored[f"{name}.x"], stored[f"{name}.t_input"].numpy()
    visited = np.linspace(1.0, 1 / 1000, 51)
    np.testing.assert_allclose(1000 * (visited[:-1] - 1 / 1000), asked, atol=1e-3)
    log_alpha = np.interp(visited, np.linspace(0, 1, 1001)[1:], VP.alpha.log().numpy())
    s = schedule.variance_preserving(torch.from_numpy(np.exp(2 * log_alpha[::-1])))

    def network(x: Tensor, index: int) -> Tensor:
        return toy(x, float(asked[50 - index]))

    denoise = parameterization.denoiser(network, s, predicts="eps")
    solver = {"dpmsolver": "dpm2m", "dpmsolver++": "dpm++2m"}[family]
    for step in solvers.steps(denoise, s, list(range(50, 0, -1)), expected[0], solver=solver, end=0):
        assert apart(step.x, expected[step.index + 1]) < 1e-6
