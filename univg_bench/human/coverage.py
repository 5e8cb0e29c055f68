"""How often each kind of interval contains the truth, in simulated studies whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from univg_bench.human.clusters import Pigeonhole, t_interval, variances
from univg_bench.human.simulate import Design, simulate_votes
from univg_bench.human.winrate import Cell, win_rate

# the paper's 131 prompts and 6 annotators; items and annotators who differ little, annotators more, items more
DESIGNS = tuple(Design(131, 6, 6, 0.1, 0.2, si, sa) for si, sa in ((0.8, 0.2), (0.8, 0.5), (1.2, 0.3)))


@dataclass(frozen=True)
class Coverage:
    """Shares of `runs` studies in which the interval contained the true win rate.

    default: what win_rate reports. item: clustered by item alone. rejects: share in which the item test rejected 0 at
    1 - level, rejects_two_way: the test of the default interval, rejects_naive: the pooled sign test (their size where
    the true win rate is 0, else their power).
    """

    design: Design
    runs: int
    default: float
    item: float
    bootstrap: float
    naive: float
    rejects: float
    rejects_two_way: float
    rejects_naive: float


def coverage(design: Design, *, runs: int, draws: int = 500, level: float = 0.95, seed: int = 0) -> Coverage:
    """Return the coverage over `runs` studies; draws: bootstrap draws per study."""
    rng = np.random.default_rng([seed, 11])
    pigeonhole = Pigeonhole(draws, seed)
    hits = dict.fromkeys(("default", "item", "bootstrap", "naive", "rejects", "rejects_two_way", "rejects_naive"), 0)
    for _ in range(runs):
        votes = simulate_votes(design, rng)
        rate = win_rate(Cell("ours", "other", "OL", votes), level=level, pigeonhole=pigeonhole)
        by_item = t_interval(votes.mean, variances(votes).item, votes.num_items - 1, level)
        for name, interval in (
            ("default", rate.interval), ("item", by_item), ("bootstrap", rate.bootstrap), ("naive", rate.naive),
        ):  # fmt: skip
            hits[name] += interval is not None and interval[0] <= design.win_rate <= interval[1]
        hits["rejects"] += rate.p < 1 - level
        hits["rejects_two_way"] += rate.p_two_way is not None and rate.p_two_way < 1 - level
        hits["rejects_naive"] += rate.p_naive < 1 - level
    return Coverage(design, runs, **{name: count / runs for name, count in hits.items()})


def slack(runs: int, share: float) -> float:
    """Return how far a share of `runs` may stray by chance: three binomial standard errors at `share`."""
    return 3 * float(stats.binom.std(runs, share)) / runs
