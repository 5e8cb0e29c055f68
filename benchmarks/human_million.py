"""Time and memory of a study with 1,000,000 ratings: read, validate, screen, win rates, agreement, strengths.

    python benchmarks/human_million.py            # five rivals x ten dimensions x 1,000 items x 20 annotators
    python benchmarks/human_million.py --sparse   # five rivals x ten dimensions x 4,000 items x 5 of 200 annotators

The file is made by one process and analysed by another, so that the peak memory is that of the analysis alone.
Goal: under 10 s and 1 GB on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def make(dest: Path, *, sparse: bool) -> None:
    """Write a million ratings with true preferences, sides and times."""
    import numpy as np
    import pandas as pd

    from univg_bench.human.dimensions import UNIVG

    rng = np.random.default_rng(0)
    items, annotators, per_item = (4000, 200, 5) if sparse else (1000, 20, 20)
    item = np.repeat(np.arange(items), per_item)
    annotator = rng.random((items, annotators)).argpartition(per_item - 1, axis=1)[:, :per_item].ravel()
    parts = []
    for rival in range(5):
        for number, dimension in enumerate(UNIVG):
            b, c = rng.normal(0, 0.8, items), rng.normal(0, 0.2, annotators)
            u = 0.1 * (number - 4) + 0.05 * rival + b[item] + c[annotator] + rng.normal(size=len(item))
            y = (u > 0.3).astype(int) - (u < -0.3)
            parts.append(pd.DataFrame({
                "item": np.char.add("item", item.astype(str)), "annotator": np.char.add("A", annotator.astype(str)),
                "method": "ours", "other": f"rival{rival}", "dimension": dimension.code,
                "choice": np.array(["S", "G", "B"])[y], "side": np.where(rng.random(len(item)) < 0.5, "left", "right"),
                "seconds": np.round(rng.lognormal(3.8, 0.3, len(item)), 1), "video_seconds": 3.0,
            }))  # fmt: skip
    pd.concat(parts).sample(frac=1, random_state=0).to_csv(dest, index=False)


def measure(path: Path) -> dict[str, float]:
    """Return seconds per step and the peak memory of this process."""
    start = time.process_time(), time.perf_counter()
    from univg_bench.human.analysis import analyse
    from univg_bench.human.plan import Plan
    from univg_bench.human.rating_files import read_ratings

    imported = time.perf_counter()
    ratings = read_ratings(path)
    read = time.perf_counter()
    analysis = analyse(ratings, Plan())
    done = time.perf_counter()
    assert len(ratings) == 1_000_000
    assert len(analysis.rates) == 50
    return {
        "import_s": imported - start[1], "read_and_validate_s": read - imported, "analyse_s": done - read,
        "total_s": done - start[1], "cpu_s": time.process_time() - start[0],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sparse", action="store_true")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.make, sparse=arguments.sparse)
        return
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        sparse = ["--sparse"] if arguments.sparse else []
        subprocess.run([sys.executable, __file__, "--make", str(path), *sparse], check=True)
        size = path.stat().st_size / 2**20
        out = subprocess.run(
            [sys.executable, __file__, "--measure", str(path)], check=True, capture_output=True, text=True
        )
    print(f"{platform.machine()}, Python {platform.python_version()}; CSV of {size:.0f} MiB")
    for name, value in json.loads(out.stdout).items():
        print(f"{name:>22} {value:8.2f}")


if __name__ == "__main__":
    main()
