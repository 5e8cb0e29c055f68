"""What sampling Biased Gaussian Noise plainly costs, where the exact prediction is known: the tables of docs/bgn.md.

python -m benchmarks.bgn_gaussian --dest benchmarks/results/bgn_gaussian.md

One number per "video". The target is a mixture of Gaussians, the condition one known number, the network the exact
E[x_target | x_t, x_cond], so all that is left is the sampler. The start noise are the quantiles of a standard normal;
solvers keep their order, so the distance to the target's quantiles is the Wasserstein-2 distance. Nothing is random.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from reference_models.diffusion import bgn, grid, parameterization, schedule
from reference_models.diffusion.bgn import BiasedNoise, Sampler

NUM_QUANTILES = 4000
COLUMNS: list[tuple[Sampler, str]] = [
    ("plain", "ddim"), ("plain", "dpm++2m"), ("plain", "dpm2m"),
    ("consistent", "ddim"), ("consistent", "dpm++2m"), ("consistent", "dpm2m"),
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A mixture of Gaussians as (weight, mean, deviation), and the condition that goes with it."""

    name: str
    parts: tuple[tuple[float, float, float], ...]
    x_cond: float

    def quantiles(self) -> Tensor:
        """Return the quantiles (NUM_QUANTILES,) at the middles of equal parts of probability, float64, by bisection."""
        wanted = (torch.arange(NUM_QUANTILES, dtype=torch.float64) + 0.5) / NUM_QUANTILES
        low, high = torch.full_like(wanted, -20.0), torch.full_like(wanted, 20.0)
        for _ in range(80):
            middle = (low + high) / 2
            below = sum(w * torch.special.ndtr((middle - mean) / std) for w, mean, std in self.parts)
            low, high = torch.where(below < wanted, middle, low), torch.where(below < wanted, high, middle)
        return (low + high) / 2

    def expected(self, y: Tensor, a: float, sigma: float) -> Tensor:
        """Return E[x_target | a x_target + sigma eps = y], exactly."""
        logs, means = [], []
        for w, mean, std in self.parts:
            variance = a**2 * std**2 + sigma**2
            logs.append(torch.log(torch.tensor(w / variance**0.5)) - (y - a * mean) ** 2 / (2 * variance))
            means.append(mean + a * std**2 / variance * (y - a * mean))
        return (torch.softmax(torch.stack(logs), dim=0) * torch.stack(means)).sum(dim=0)


NARROW = Target("N(1, .25²), condition 0", ((1.0, 1.0, 0.25),), 0.0)
BIMODAL = Target("½N(-1, .2²) + ½N(1.2, .1²), condition .3", ((0.5, -1.0, 0.2), (0.5, 1.2, 0.1)), 0.3)

VP = schedule.scaled_linear()
ZERO_SNR = schedule.zero_terminal_snr(VP)
STAGES = {
    "F_SR": BiasedNoise(VP, *bgn.SUPER_RESOLUTION_INTERVAL),
    "F_A": BiasedNoise(VP, *bgn.ANIMATION_INTERVAL),
    "F_SR, zero SNR": BiasedNoise(ZERO_SNR, *bgn.SUPER_RESOLUTION_INTERVAL),
    "F_A, zero SNR": BiasedNoise(ZERO_SNR, *bgn.ANIMATION_INTERVAL),
}


def sampled(process: BiasedNoise, target: Target, timesteps: list[int], sampler: Sampler, solver: str) -> Tensor:
    """Return the samples (NUM_QUANTILES,) in rising order of their start noise, float64."""
    levels = (torch.arange(NUM_QUANTILES, dtype=torch.float64) + 0.5) / NUM_QUANTILES
    eps = torch.special.ndtri(levels).unsqueeze(1)
    x_cond = torch.full_like(eps, target.x_cond)
    effective = process.effective_schedule

    def network(x: Tensor, t: int) -> Tensor:
        y = x - float(process.shift[t]) * x_cond
        return target.expected(y, float(effective.alpha[t]), float(effective.sigma[t]))

    denoise = parameterization.denoiser(network, process.schedule, predicts="x0")
    return bgn.sample(denoise, process, x_cond, eps, timesteps, sampler=sampler, solver=solver).squeeze(1)


def wasserstein(found: Tensor, target: Target) -> float:
    """Return the Wasserstein-2 distance to the target."""
    return float((found.sort().values - target.quantiles()).square().mean().sqrt())


def rows() -> list[tuple[str, Target, str, list[int]]]:
    """Return (stage, target, name of the grid, timesteps) of every row of the tables."""
    cases: list[tuple[str, Target, list[int], list[int]]] = [
        ("F_SR", BIMODAL, [7, 14, 50, 100, 700], [7, 14]),
        ("F_SR", NARROW, [7, 14, 50, 100, 700], [7, 14]),
        ("F_A", BIMODAL, [50, 100, 990], []),
        ("F_A", NARROW, [50, 100, 990], []),
        ("F_SR, zero SNR", BIMODAL, [7, 50], []),
        ("F_A, zero SNR", BIMODAL, [50], []),
    ]
    found = []
    for stage, target, uniform, quadratic in cases:
        t_n = STAGES[stage].t_n
        found += [(stage, target, f"{n}", grid.uniform(t_n, n)) for n in uniform]
        found += [(stage, target, f"{n}, quadratic", grid.quadratic(t_n, n)) for n in quadratic]
    return found


def tables() -> str:
    """Return the two tables as Markdown: the distance to the target, and what becomes of a Gaussian's moments."""
    head = [f"{sampler} {solver}" for sampler, solver in COLUMNS]
    distance = ["| stage | target | steps | " + " | ".join(head) + " |", "|---|---|---|" + "---:|" * len(head)]
    moments = ["| stage | steps | " + " | ".join(head) + " |", "|---|---|" + "---:|" * len(head)]
    for stage, target, name, timesteps in rows():
        outcomes = [sampled(STAGES[stage], target, timesteps, sampler, solver) for sampler, solver in COLUMNS]
        cells = " | ".join(f"{wasserstein(found, target):.3f}" for found in outcomes)
        distance.append(f"| {stage} | {target.name} | {name} | {cells} |")
        if target is NARROW:
            mean, std = target.parts[0][1], float(target.quantiles().std())
            cells = " | ".join(f"{float(f.mean()) - mean:+.4f} / {float(f.std()) / std:.3f}" for f in outcomes)
            moments.append(f"| {stage} | {name} | {cells} |")
    return (
        f"Wasserstein-2 distance to the target (the condition is about 1 away, {NUM_QUANTILES} quantiles):\n\n"
        + "\n".join(distance)
        + f"\n\n{NARROW.name}: error of the mean / recovered deviation over the true one:\n\n"
        + "\n".join(moments)
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dest", type=Path, help="write the tables here instead of printing them")
    arguments = parser.parse_args()
    if arguments.dest is None:
        print(tables())
    else:
        arguments.dest.write_text(f"Made by `python -m benchmarks.bgn_gaussian`, deterministic.\n\n{tables()}")


if __name__ == "__main__":
    main()
