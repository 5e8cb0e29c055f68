"""What a paired permutation of FVD costs at the size of MSR-VTT: 2,990 videos, 400 dimensions, CPU seconds.

    OMP_NUM_THREADS=1 python benchmarks/compare_permutations.py --dest benchmarks/results/compare_permutations.json

Beside it the plain way: exchange the rows, take both covariances, and the eigenvalues of the product of each with the
real one, which needs no SciPy. Both must give the same differences.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from univg_bench.environment import describe_environment
from univg_bench.metrics.paired import FvdDifference, paired_permutation, swaps


def plain(a: np.ndarray, b: np.ndarray, real: np.ndarray, swapped: np.ndarray) -> float:
    first, second = np.where(swapped[:, None], b, a), np.where(swapped[:, None], a, b)
    return plain_fvd(second, real) - plain_fvd(first, real)


def plain_fvd(x: np.ndarray, y: np.ndarray) -> float:
    sigma, real = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values = np.linalg.eigvals(sigma @ real)
    apart = x.mean(axis=0) - y.mean(axis=0)
    return float(apart @ apart + np.trace(sigma) + np.trace(real) - 2 * np.sqrt(np.maximum(values.real, 0)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=2990)
    parser.add_argument("--dimensions", type=int, default=400)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--plain", type=int, default=10, help="permutations the plain way")
    parser.add_argument("--dest", type=Path)
    arguments = parser.parse_args()
    n, dim = arguments.videos, arguments.dimensions
    rng = np.random.Generator(np.random.PCG64(0))
    spread = np.exp(rng.standard_normal(dim) / 2)
    a, b, real = (rng.standard_normal((n, dim)) * spread for _ in range(3))
    b += 0.02

    started = time.process_time()
    difference = FvdDifference.of(a, b, real, codes=np.arange(n), num_clusters=n, ddof=1)
    prepared = time.process_time()
    test = paired_permutation(difference, permutations=arguments.permutations, seed=0)
    tested = time.process_time()
    exchanges = list(swaps(n, arguments.plain, seed=0))
    plain_values = [plain(a, b, real, swapped) for swapped in exchanges]
    compared = time.process_time()
    apart = max(abs(difference(swapped) - value) for swapped, value in zip(exchanges, plain_values, strict=True))
    record = {
        "what": f"{arguments.permutations} paired permutations of FVD, n = {n}, d = {dim}, CPU seconds",
        "environment": describe_environment("cpu"), "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "load_average": round(os.getloadavg()[0], 1),
        "prepare": round(prepared - started, 3), "permutations": round(tested - prepared, 2),
        "each": round((tested - prepared) / arguments.permutations, 4),
        "plain_each": round((compared - tested) / arguments.plain, 4),
        "largest_disagreement": apart, "difference": test.difference, "p_value": test.p_value,
    }  # fmt: skip
    print(json.dumps(record, indent=2))
    if arguments.dest:
        arguments.dest.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
