"""What docs/bgn.md says of plain and consistent sampling, seen again where the exact prediction is known."""

import pytest

from benchmarks.bgn_gaussian import BIMODAL, NARROW, STAGES, sampled, wasserstein
from reference_models.diffusion import grid


def distances(stage: str, sampler: str, steps: tuple[int, ...]) -> list[float]:
    process = STAGES[stage]
    return [
        wasserstein(sampled(process, BIMODAL, grid.uniform(process.t_n, n), sampler, "dpm++2m"), BIMODAL)  # type: ignore[arg-type]
        for n in steps
    ]


@pytest.mark.parametrize("stage", ["F_SR", "F_A", "F_SR, zero SNR"])
def test_more_steps_bring_the_consistent_sampler_to_the_target_and_the_plain_one_not(stage: str) -> None:
    plain, consistent = distances(stage, "plain", (50, 200)), distances(stage, "consistent", (50, 200))
    assert consistent[1] < 0.5 * consistent[0] < 0.03
    assert plain[1] > 0.8 * plain[0] > 0.08


def test_plain_sampling_misses_the_mean_by_the_same_at_any_number_of_steps() -> None:
    process = STAGES["F_SR"]
    for n in (350, 700):
        steps = grid.uniform(700, n)
        assert float(sampled(process, NARROW, steps, "plain", "ddim").mean()) == pytest.approx(0.983, abs=0.002)
        assert float(sampled(process, NARROW, steps, "consistent", "ddim").mean()) == pytest.approx(1, abs=1e-6)


def test_figures_of_the_page_stand() -> None:
    expected = {("plain", "ddim"): 0.192, ("plain", "dpm++2m"): 0.182, ("consistent", "ddim"): 0.140}
    expected[("consistent", "dpm++2m")] = 0.118
    for (sampler, solver), figure in expected.items():
        found = sampled(STAGES["F_SR"], BIMODAL, grid.uniform(700, 7), sampler, solver)  # type: ignore[arg-type]
        assert wasserstein(found, BIMODAL) == pytest.approx(figure, abs=0.0006)


def test_a_quadratic_grid_restores_the_deviation_that_seven_even_steps_halve() -> None:
    process, true = STAGES["F_SR"], float(NARROW.quantiles().std())
    for steps, share in ((grid.uniform(700, 7), 0.52), (grid.quadratic(700, 7), 0.88)):
        found = float(sampled(process, NARROW, steps, "consistent", "dpm++2m").std())
        assert found / true == pytest.approx(share, abs=0.005)


def test_samplers_agree_for_animation_under_zero_terminal_snr() -> None:
    (plain,), (consistent,) = (distances("F_A, zero SNR", sampler, (50,)) for sampler in ("plain", "consistent"))
    assert abs(plain - consistent) < 0.003
