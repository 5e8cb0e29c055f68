"""How near FVD at 1/N -> 0 comes to the truth, and how often its interval holds it, where the truth is known.

    OMP_NUM_THREADS=1 python benchmarks/compare_extrapolation.py --dest benchmarks/results/compare_extrapolation.json

Gaussian features of 48 dimensions. Beside it the usual way: one random subset of each of 15 sizes, a line by least
squares, and the standard error of its intercept that least squares gives.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from univg_bench.metrics.extrapolate import fvd_at_infinity
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.metrics.intervals import Z95
from univg_bench.statistics import moments_of

DIM = 48
SPREAD = np.linspace(0.3, 2, DIM)
WORLDS = ((1.0, 0.0), (1.1, 0.1), (1.3, 0.5))  # scale and shift of the generated videos
SIZES = 15


def fvd(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(moments_of(x).gaussian(), moments_of(y).gaussian())


def by_least_squares(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the intercept of a line through FVDs of random subsets against 1/N, and its least-squares error."""
    sizes = np.linspace(len(x) / 2, len(x), SIZES).astype(int)
    values = [fvd(x[rng.permutation(len(x))[:size]], y[rng.permutation(len(y))[:size]]) for size in sizes]
    design = np.stack([np.ones(SIZES), 1 / sizes], axis=1)
    found, residuals, *_ = np.linalg.lstsq(design, values, rcond=None)
    covariance = np.linalg.inv(design.T @ design) * residuals[0] / (SIZES - 2)
    return float(found[0]), float(np.sqrt(covariance[0, 0]))


def trials(n: int, scale: float, shift: float, count: int) -> dict[str, float]:
    truth = float(DIM * shift**2 + ((scale - 1) ** 2 * SPREAD**2).sum())
    ours, usual, plain, curvature = [], [], [], []
    for seed in range(count):
        rng = np.random.Generator(np.random.PCG64(seed))
        x, y = rng.standard_normal((n, DIM)) * SPREAD * scale + shift, rng.standard_normal((n, DIM)) * SPREAD
        found = fvd_at_infinity(
            x, y, ddof=1, clusters=[f"x{i}" for i in range(n)], reference_clusters=[f"y{i}" for i in range(n)],
            seed=seed,
        )  # fmt: skip
        ours.append((found.value, found.standard_error))
        usual.append(by_least_squares(x, y, rng))
        plain.append(fvd(x, y))
        curvature.append(np.nan if found.curvature is None else found.curvature)
    result = {"n": n, "truth": truth, "plain": float(np.mean(plain)), "curvature": float(np.mean(curvature))}
    for name, pairs in (("ours", ours), ("least squares", usual)):
        values, errors = np.array(pairs, dtype=np.float64).T
        result |= {
            f"{name}: bias": float(values.mean() - truth), f"{name}: deviation": float(values.std(ddof=1)),
            f"{name}: standard error": float(errors.mean()),
            f"{name}: holds the truth": float(np.mean(abs(values - truth) <= Z95 * errors)),
        }  # fmt: skip
    return {key: None if value != value else round(value, 4) for key, value in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--dest", type=Path)
    arguments = parser.parse_args()
    started, rows = time.process_time(), []
    for n in (2 * DIM, 3 * DIM, 6 * DIM, 20 * DIM):
        for scale, shift in WORLDS:
            rows.append(trials(n, scale, shift, arguments.trials))
            print(json.dumps(rows[-1]), flush=True)
    # the size of MSR-VTT, once: 400 dimensions, trace 1,600, true FVD 32
    rng = np.random.Generator(np.random.PCG64(0))
    x, y = rng.standard_normal((2990, 400)) * 2 + np.sqrt(32 / 400), rng.standard_normal((2990, 400)) * 2
    names, begun = [str(i) for i in range(2990)], time.process_time()
    large = fvd_at_infinity(x, y, ddof=1, clusters=names, reference_clusters=names, seed=0)
    record = {
        "dimensions": DIM, "trials": arguments.trials, "rows": rows,
        "2990 x 400": {
            "truth": 32.0, "plain": fvd(x, y), "value": large.value, "standard_error": large.standard_error,
            "curvature": large.curvature, "cpu_seconds": round(time.process_time() - begun, 2),
        },
        "cpu_seconds": round(time.process_time() - started, 1),
    }  # fmt: skip
    print(json.dumps(record["2990 x 400"]), record["cpu_seconds"])
    if arguments.dest:
        arguments.dest.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
