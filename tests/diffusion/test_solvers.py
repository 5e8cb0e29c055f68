"""Solvers find what is known, converge at their order, keep dtypes, and draw noise per sample."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from reference_models.diffusion import grid, parameterization, schedule, solvers
from reference_models.diffusion.noise import draw_noise, sample_generators
from reference_models.diffusion.parameterization import Denoiser
from reference_models.diffusion.schedule import Schedule, noised

VP = schedule.scaled_linear()
ZERO_SNR = schedule.zero_terminal_snr(VP)
SHRUNK = schedule.scaled(VP, schedule.videocrafter_scale())
SCHEDULES = {"VP": VP, "zero SNR": ZERO_SNR, "shrunk": SHRUNK, "cosine": schedule.cosine()}

all_schedules = pytest.mark.parametrize("name", SCHEDULES)
all_solvers = pytest.mark.parametrize("solver", solvers.SOLVERS)

X0, NOISE = torch.randn(2, 2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).unbind(0)


def toy(x: Tensor, t: int) -> Tensor:
    return 0.8 * torch.sin(1.3 * x + 0.002 * t) + 0.15 * x


def toy_denoiser(s: Schedule) -> Denoiser:
    return parameterization.denoiser(toy, s, predicts="x0")


def gaussian_denoiser(s: Schedule, mean: float, std: float) -> Denoiser:
    """E[x0 | x_t] when x0 is N(mean, std^2)."""

    def expected(x: Tensor, t: int) -> Tensor:
        a, sigma = float(s.alpha[t]), float(s.sigma[t])
        return mean + a * std**2 / (a**2 * std**2 + sigma**2) * (x - a * mean)

    return parameterization.denoiser(expected, s, predicts="x0")


@all_schedules
@all_solvers
@pytest.mark.parametrize("num_steps", [1, 2, 7, 40])
def test_a_perfect_predictor_is_returned_in_any_number_of_steps(name: str, solver: str, num_steps: int) -> None:
    denoise = parameterization.denoiser(lambda x, t: X0, SCHEDULES[name], predicts="x0")
    found = solvers.sample(denoise, SCHEDULES[name], grid.trailing(num_steps), NOISE, solver=solver)
    assert torch.equal(found, X0)


@all_schedules
@all_solvers
def test_with_a_perfect_predictor_every_state_lies_on_the_path(name: str, solver: str) -> None:
    s, steps = SCHEDULES[name], grid.linspace(20)
    denoise = parameterization.denoiser(lambda x, t: X0, s, predicts="x0")
    for done in solvers.steps(denoise, s, steps, noised(s, X0, NOISE, 999), solver=solver):
        if done.index + 1 < len(steps):
            torch.testing.assert_close(done.x, noised(s, X0, NOISE, steps[done.index + 1]), rtol=1e-9, atol=1e-9)


@all_schedules
@pytest.mark.parametrize("solver", ["dpm1", "dpm++1"])
def test_first_order_of_both_families_is_ddim(name: str, solver: str) -> None:
    args = toy_denoiser(SCHEDULES[name]), SCHEDULES[name], grid.trailing(15), NOISE
    assert torch.equal(solvers.sample(*args, solver=solver), solvers.sample(*args, solver="ddim"))


@all_schedules
@all_solvers
def test_what_is_predicted_makes_no_difference(name: str, solver: str) -> None:
    """A network that emits x0, and one that emits the eps that says the same."""
    s = SCHEDULES[name]
    steps = grid.with_signal(grid.trailing(12), s)

    def as_eps(x: Tensor, t: int) -> Tensor:
        return parameterization.eps_from_x0(toy(x, t), x, alpha=float(s.alpha[t]), sigma=float(s.sigma[t]))

    from_x0 = solvers.sample(toy_denoiser(s), s, steps, NOISE, solver=solver)
    from_eps = solvers.sample(parameterization.denoiser(as_eps, s, predicts="eps"), s, steps, NOISE, solver=solver)
    torch.testing.assert_close(from_eps, from_x0, rtol=1e-8, atol=1e-8)


@all_schedules
@all_solvers
def test_mean_of_a_gaussian_is_exact_at_any_number_of_steps(name: str, solver: str) -> None:
    s = SCHEDULES[name]
    denoise = gaussian_denoiser(s, mean=1.5, std=0.4)
    for num_steps in (1, 3, 20):
        steps = grid.trailing(num_steps)
        start = s.alpha[steps[0]].expand(1, 1) * 1.5
        assert float(solvers.sample(denoise, s, steps, start, solver=solver)) == pytest.approx(1.5, abs=1e-10)


@all_schedules
@all_solvers
def test_gaussian_is_recovered_with_many_steps(name: str, solver: str) -> None:
    """Start one deviation from the mean of x_999; the exact flow ends one deviation from the mean of the data."""
    s, mean, std = SCHEDULES[name], 0.7, 0.4
    steps = grid.trailing(1000)
    spread = math.sqrt(float(s.alpha[999]) ** 2 * std**2 + float(s.sigma[999]) ** 2)
    start = (s.alpha[999] * mean + spread).expand(1, 1)
    found = solvers.sample(gaussian_denoiser(s, mean, std), s, steps, start, solver=solver)
    assert float(found) == pytest.approx(mean + std, abs=0.004 if solvers.SOLVERS[solver].order == 1 else 0.002)


def smooth(num_timesteps: int, *, shrunk: bool) -> Schedule:
    """A schedule with smooth l(t), so that orders can be seen; the signal is shrunk by a smooth factor if asked."""
    angle = torch.linspace(0.1, 1.3, num_timesteps, dtype=torch.float64)
    found = Schedule(angle.cos(), angle.sin())
    return schedule.scaled(found, 1 / (1 + angle)) if shrunk else found


@pytest.mark.parametrize("shrunk", [False, True], ids=["VP", "not VP"])
@all_solvers
def test_error_falls_with_the_order_of_the_solver(solver: str, shrunk: bool) -> None:
    """Halving the steps divides the error by 2 or by 4, also where a^2 + sigma^2 is not 1."""
    s = smooth(6401, shrunk=shrunk)

    def network(x: Tensor, t: int) -> Tensor:
        return torch.sin(2 * x) + math.cos(t / 1000) * x

    def end(num_steps: int, name: str) -> Tensor:
        steps = [6400 - i * (6400 // num_steps) for i in range(num_steps)]
        denoise = parameterization.denoiser(network, s, predicts="x0")
        return solvers.sample(denoise, s, steps, NOISE, solver=name, end=0)

    exact = end(6400, "dpm++2m")
    errors = [float((end(n, solver) - exact).abs().mean()) for n in (80, 160, 320, 640)]
    observed = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    order = solvers.SOLVERS[solver].order
    assert min(observed) > order - 0.3, (errors, observed)
    assert observed[-1] < order + 0.3, (errors, observed)


def test_a_start_without_signal_is_finite_and_depends_on_the_noise_only() -> None:
    for solver in solvers.SOLVERS:
        for predicts in ("x0", "v"):
            denoise = parameterization.denoiser(toy, ZERO_SNR, predicts=predicts)  # type: ignore[arg-type]
            for dtype in (torch.float32, torch.float64):
                found = solvers.sample(denoise, ZERO_SNR, grid.trailing(10), NOISE.to(dtype), solver=solver)
                assert found.isfinite().all()


def test_eps_at_a_start_without_signal_is_refused_with_the_way_out() -> None:
    denoise = parameterization.denoiser(toy, ZERO_SNR, predicts="eps")
    with pytest.raises(ValueError, match="start at a timestep with alpha > 0 or predict v"):
        solvers.sample(denoise, ZERO_SNR, grid.trailing(10), NOISE, solver="ddim")
    steps = grid.with_signal(grid.trailing(10), ZERO_SNR)
    assert solvers.sample(denoise, ZERO_SNR, steps, NOISE, solver="ddim").isfinite().all()


@all_solvers
def test_two_entries_without_signal_are_passed_through(solver: str) -> None:
    """As on BGN's schedule beyond t_n: l is -inf at both, and their difference no number."""
    s = Schedule(VP.alpha * (torch.arange(1000) < 700), VP.sigma)
    found = solvers.sample(toy_denoiser(s), s, [900, 800, 700, 600, 500], NOISE, solver=solver)
    assert found.isfinite().all()


def test_steps_tell_where_they_are_and_end_at_the_sample() -> None:
    args = toy_denoiser(VP), VP, grid.trailing(5), NOISE
    done = list(solvers.steps(*args, solver="dpm++2m"))
    assert [(s.index, s.t) for s in done] == [(0, 999), (1, 799), (2, 599), (3, 399), (4, 199)]
    assert torch.equal(done[-1].x, done[-1].x0)
    assert torch.equal(done[-1].x, solvers.sample(*args, solver="dpm++2m"))


@all_solvers
def test_the_network_is_asked_once_per_timestep_in_order(solver: str) -> None:
    asked: list[int] = []

    def network(x: Tensor, t: int) -> Tensor:
        asked.append(t)
        return toy(x, t)

    denoise = parameterization.denoiser(network, VP, predicts="v")
    solvers.sample(denoise, VP, grid.trailing(8), NOISE, solver=solver)
    assert asked == grid.trailing(8)


@all_solvers
def test_a_sample_does_not_depend_on_its_batch(solver: str) -> None:
    args = VP, grid.trailing(6)
    together = solvers.sample(toy_denoiser(VP), *args, NOISE, solver=solver)
    alone = solvers.sample(toy_denoiser(VP), *args, NOISE[1:], solver=solver)
    torch.testing.assert_close(together[1:], alone, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_sample_has_the_dtype_of_its_start_and_is_computed_in_float32_at_least(dtype: torch.dtype) -> None:
    seen: set[torch.dtype] = set()

    def network(x: Tensor, t: int) -> Tensor:
        seen.add(x.dtype)
        return toy(x, t).to(dtype)

    denoise = parameterization.denoiser(network, VP, predicts="v")
    assert solvers.sample(denoise, VP, grid.trailing(4), NOISE.to(dtype), solver="dpm++2m").dtype == dtype
    assert seen == {torch.promote_types(dtype, torch.float32)}


# Fresh noise (eta)


@all_schedules
def test_ancestral_sampling_has_the_spread_of_the_posterior(name: str) -> None:
    """eta = 1 is q(x_s | x_t, x0) with variance sigma_s^2 (1 - (a_t sigma_s / (a_s sigma_t))^2), checked by Bayes."""
    s, t, target = SCHEDULES[name], 700, 300
    a_t, sig_t, a_s, sig_s = (float(f[i]) for i in (t, target) for f in (s.alpha, s.sigma))
    # x_t given x_s is N(r x_s, sig_t^2 - r^2 sig_s^2), r = a_t / a_s; x_s has variance sig_s^2
    r = a_t / a_s
    posterior = 1 / (1 / sig_s**2 + r**2 / (sig_t**2 - r**2 * sig_s**2))
    (share,) = solvers.noise_shares(s, [t], target, 1.0)
    assert (share * sig_s) ** 2 == pytest.approx(posterior, rel=1e-10)


def test_no_signal_at_the_start_means_all_noise_is_fresh() -> None:
    assert solvers.noise_shares(ZERO_SNR, [999], 500, 1.0) == [1.0]
    assert solvers.noise_shares(ZERO_SNR, [999], 500, 0.3) == [0.3]


def test_fresh_noise_keeps_the_spread_of_the_path() -> None:
    """With a perfect predictor x_s is a_s x0 plus noise of deviation sigma_s, whatever the share of fresh noise."""
    x0 = torch.zeros(4, 20_000)
    denoise = parameterization.denoiser(lambda x, t: x0, VP, predicts="x0")
    for eta in (0.0, 0.5, 1.0):
        start = draw_noise(sample_generators(range(4)), (20_000,))
        found = solvers.sample(
            denoise, VP, [999, 700], start, solver="ddim", end=400, eta=eta, generators=sample_generators(range(9, 13))
        )
        assert float(found.std()) == pytest.approx(float(VP.sigma[400]), rel=0.01)


def test_gaussian_is_recovered_with_fresh_noise() -> None:
    mean, std = 0.7, 0.4
    start = draw_noise(sample_generators(range(4)), (5_000,))
    found = solvers.sample(
        gaussian_denoiser(ZERO_SNR, mean, std), ZERO_SNR, grid.trailing(500), start,
        solver="ddim", eta=1.0, generators=sample_generators(range(9, 13)),
    )  # fmt: skip
    assert float(found.mean()) == pytest.approx(mean, abs=0.015)
    assert float(found.std()) == pytest.approx(std, rel=0.04)


def test_fresh_noise_of_a_sample_is_its_generator_s() -> None:
    def run(seeds: list[int], start: Tensor) -> Tensor:
        generators = sample_generators(seeds)
        return solvers.sample(
            toy_denoiser(VP), VP, grid.trailing(6), start, solver="ddim", eta=1.0, generators=generators
        )

    torch.testing.assert_close(run([3, 4], NOISE)[1:], run([4], NOISE[1:]), rtol=1e-13, atol=1e-13)
    assert not torch.allclose(run([3], NOISE[:1]), run([4], NOISE[:1]))


def test_no_fresh_noise_needs_no_generator_and_moves_none() -> None:
    generators = sample_generators([1, 2])
    before = [g.get_state() for g in generators]
    args = toy_denoiser(VP), VP, grid.trailing(6), NOISE
    assert torch.equal(
        solvers.sample(*args, solver="ddim", generators=generators), solvers.sample(*args, solver="ddim")
    )
    assert all(torch.equal(g.get_state(), state) for g, state in zip(generators, before, strict=True))


# Bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solver": "euler"}, "found solver 'euler', expected one of ddim, dpm1"),
        ({"timesteps": []}, "expected falling ones"),
        ({"timesteps": [3, 3]}, "expected falling ones"),
        ({"timesteps": [3, 7]}, "expected falling ones"),
        ({"timesteps": [1000, 7]}, "expected 0 to 999"),
        ({"timesteps": [7, -1]}, "expected 0 to 999"),
        ({"timesteps": [7, 0], "end": 0}, r"found timesteps \[7, 0\] to 0, expected falling ones"),
        ({"x": NOISE * float("nan")}, "NaN or infinity"),
        ({"x": torch.ones(1, 2, dtype=torch.int64)}, "no floats"),
        ({"eta": 0.5}, "found no generators for 2 samples"),
        ({"eta": 0.5, "generators": sample_generators([1])}, "found 1 generators for 2 samples"),
        ({"eta": 1.5, "generators": sample_generators([1, 2])}, "found eta 1.5"),
        ({"eta": 1.0, "solver": "dpm++2m", "generators": sample_generators([1, 2])}, "found eta 1.0 with dpm"),
    ],
)
def test_bad_input_is_refused_before_the_network_is_asked(change: dict[str, object], message: str) -> None:
    def never(x: Tensor, t: int) -> parameterization.Estimate:
        raise AssertionError("the network was asked")

    arguments = {"timesteps": [7, 3], "x": NOISE, "solver": "ddim", **change}
    with pytest.raises(ValueError, match=message):
        solvers.steps(never, VP, **arguments)  # type: ignore[arg-type]


def test_a_prediction_that_is_not_finite_is_named_with_its_step() -> None:
    def network(x: Tensor, t: int) -> Tensor:
        return x / 0 if t < 500 else x

    denoise = parameterization.denoiser(network, VP, predicts="v")
    with pytest.raises(ValueError, match="prediction at t = 399, step 4 of 5"):
        solvers.sample(denoise, VP, grid.trailing(5), NOISE, solver="ddim")
