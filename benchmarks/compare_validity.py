"""How often rules for "B is worse than A" are wrong, and how often they see what is there. Simulated, so known.

Features are Gaussian, 48-dimensional, 300 videos per set, and B differs from A by nothing, by a small or by a larger
shift of the mean. rho is how much the two videos of one item have in common. Also measured: how often intervals of the
difference hold the truth, and what happens when items of one cluster are exchanged one by one.

    OMP_NUM_THREADS=1 python benchmarks/compare_validity.py --trials 200 --dest benchmarks/results/compare_validity.json
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from univg_bench.metrics.extrapolate import fvd_difference_at_infinity
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.metrics.influence import fvd_slopes, jackknife_error
from univg_bench.metrics.intervals import Z95, redraws
from univg_bench.metrics.paired import FvdDifference, paired_permutation
from univg_bench.statistics import Moments

DIM, VIDEOS = 48, 300
SPREAD = np.linspace(0.3, 2, DIM)
PERMUTATIONS, REPLICATES = 199, 80


@dataclass(frozen=True)
class World:
    """What A and B are: real videos have deviations SPREAD and mean 0, these are scaled and shifted."""

    name: str
    scale_b: float
    shift_b: float
    scale_a: float = 1.1
    shift_a: float = 0.1

    def fvd(self, scale: float, shift: float) -> float:
        return float(DIM * shift**2 + ((scale - 1) ** 2 * SPREAD**2).sum())

    @property
    def truth(self) -> float:
        return self.fvd(self.scale_b, self.shift_b) - self.fvd(self.scale_a, self.shift_a)


WORLDS = (
    World("no difference", 1.1, 0.1),
    World("small shift", 1.1, 0.16),
    World("larger shift", 1.1, 0.22),
    World("another spread", 1.3, 0.1),
)


def draw(world: World, rho: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shared, real = rng.standard_normal((VIDEOS, DIM)), rng.standard_normal((VIDEOS, DIM)) * SPREAD
    a, b = (np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.standard_normal((VIDEOS, DIM)) for _ in range(2))
    return a * SPREAD * world.scale_a + world.shift_a, b * SPREAD * world.scale_b + world.shift_b, real


def trial(world: World, rho: float, rng: np.random.Generator, seed: int) -> dict[str, float]:
    a, b, real = draw(world, rho, rng)
    codes = np.arange(VIDEOS)
    (first, slopes), (second, other) = (fvd_slopes(x, real, codes, codes, VIDEOS, ddof=1) for x in (a, b))
    difference = second - first
    replicates = []
    for weights in redraws(VIDEOS, REPLICATES, seed=seed, name="validity"):
        y = Moments.of(real, weights).gaussian()
        replicates.append([frechet_distance(Moments.of(x, weights).gaussian(), y) for x in (a, b)])
    both = np.array(replicates)
    sd = both.std(axis=0, ddof=1)
    low, high = np.quantile(both[:, 1] - both[:, 0], [0.025, 0.975])
    error = jackknife_error(other - slopes)
    swap = FvdDifference.of(a, b, real, codes=codes, num_clusters=VIDEOS, ddof=1)
    p_value = paired_permutation(swap, permutations=PERMUTATIONS, seed=seed).p_value
    names = [str(code) for code in codes]
    beyond = fvd_difference_at_infinity(a, b, real, ddof=1, clusters=names, reference_clusters=names, seed=seed)
    assert beyond.interval is not None
    return {
        "difference": difference,
        "beyond": float(beyond.value or 0.0),
        "fixed +2 %": second > 1.02 * first,
        "intervals do not overlap": abs(difference) > Z95 * sd.sum(),
        "paired bootstrap percentile": low > 0 or high < 0,
        "paired jackknife interval": abs(difference) > Z95 * error,
        "interval at 1/N -> 0": beyond.interval.low > 0 or beyond.interval.high < 0,
        "paired permutation": p_value <= 0.05,
        "percentile holds truth": low <= world.truth <= high,
        "jackknife holds truth": abs(difference - world.truth) <= Z95 * error,
        "error": error,
        "at 1/N -> 0 holds truth": beyond.interval.low <= world.truth <= beyond.interval.high,
    }


def clustered(rng: np.random.Generator, seed: int) -> dict[str, float]:
    """One trial with 60 clusters of 5 videos, each model having its own luck with each cluster; no difference."""
    luck = rng.standard_normal((2, VIDEOS // 5, DIM))
    videos = np.repeat(luck, 5, axis=1) * np.sqrt(0.6) + rng.standard_normal((2, VIDEOS, DIM)) * np.sqrt(0.4)
    real, codes = rng.standard_normal((VIDEOS, DIM)), np.arange(VIDEOS)
    found = {}
    for name, own, count in (("by video", codes, VIDEOS), ("by cluster", codes // 5, VIDEOS // 5)):
        swap = FvdDifference.of(*(videos * SPREAD), real * SPREAD, codes=own, num_clusters=count, ddof=1)
        found[name] = paired_permutation(swap, permutations=PERMUTATIONS, seed=seed).p_value <= 0.05
    return found


def shares(trials: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in trials])) for name in trials[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--dest", type=Path)
    arguments = parser.parse_args()
    started, results = time.process_time(), {}
    for world in WORLDS:
        for rho in (0.0, 0.6):
            rng = np.random.Generator(np.random.PCG64(1))
            found = [trial(world, rho, rng, seed) for seed in range(arguments.trials)]
            differences = [one["difference"] for one in found]
            results[f"{world.name}, rho {rho}"] = {
                "truth": world.truth, **shares(found),
                "deviation of the difference": float(np.std(differences, ddof=1)),
                "jackknife holds the mean at this n": float(np.mean(
                    [abs(one["difference"] - np.mean(differences)) <= Z95 * one["error"] for one in found]
                )),
            }  # fmt: skip
            print(world.name, rho, json.dumps(results[f"{world.name}, rho {rho}"]), flush=True)
    rng = np.random.Generator(np.random.PCG64(2))
    results["no difference, clusters of 5"] = shares([clustered(rng, seed) for seed in range(arguments.trials)])
    record = {
        "trials": arguments.trials, "dimensions": DIM, "videos": VIDEOS, "permutations": PERMUTATIONS,
        "replicates": REPLICATES, "cpu_seconds": round(time.process_time() - started, 1), "results": results,
    }  # fmt: skip
    print(json.dumps(record["results"]["no difference, clusters of 5"]), record["cpu_seconds"])
    if arguments.dest:
        arguments.dest.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
