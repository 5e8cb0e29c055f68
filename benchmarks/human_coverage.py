"""Coverage of 95 % intervals and size of tests in simulated studies: the table of docs/human_statistics.md.

python benchmarks/human_coverage.py --runs 4000
"""

from __future__ import annotations

import argparse

from univg_bench.human.coverage import DESIGNS, coverage
from univg_bench.human.simulate import Design

MORE = (
    Design(131, 6, 6, 0.1, 0.2, 0.8, 0.0),
    Design(131, 6, 6, 0.1, 0.5, 0.8, 0.2),
    Design(131, 5, 5, 0.1, 0.2, 0.8, 0.5),
    Design(131, 12, 3, 0.1, 0.2, 0.8, 0.5),
    Design(300, 30, 3, 0.1, 0.5, 0.8, 0.3),
    Design(40, 8, 4, 0.1, 0.2, 1.2, 0.3),
    Design(131, 6, 6, 0.0, 0.2, 0.8, 0.0),
    Design(131, 6, 6, 0.0, 0.2, 0.8, 0.1),
    Design(131, 6, 6, 0.0, 0.2, 0.8, 0.2),
    Design(131, 6, 6, 0.0, 0.2, 0.8, 0.5),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=4000)
    arguments = parser.parse_args()
    print("| items x per item of annotators | w | ties | sigma item / annotator | default | bootstrap | by item |"
          " naive | p two-way < .05 | p items < .05 | sign test < .05 |")  # fmt: skip
    print("|---|" + "---:|" * 10)
    for d in DESIGNS + MORE:
        c = coverage(d, runs=arguments.runs, draws=1000)
        cells = (
            f"{d.num_items} x {d.ratings_per_item} of {d.num_annotators}", f"{d.win_rate:g}", f"{d.tie_share:g}",
            f"{d.sigma_item:g} / {d.sigma_annotator:g}",
            *(f"{v:.3f}" for v in (c.default, c.bootstrap, c.item, c.naive, c.rejects_two_way, c.rejects,
                                   c.rejects_naive)),
        )  # fmt: skip
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
