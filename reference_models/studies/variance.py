"""How sure a difference is that has two sources of chance: which items were drawn, and which training seeds.

Runs are crossed: every training seed is scored on the same items. A difference of rows is taken per seed, so what seeds
or items have in common falls out. Two standard errors come of it:

    items   infinitesimal jackknife of the mean over seeds; an item moves in all runs and in the real videos at once
    seeds   standard deviation of the differences of the seeds, over the root of their number

The interval is estimate ± the root of the sum of squares of t x s.e., each with the t of its own degrees of freedom:
three seeds have 2, where t is 4.3, and that is what three seeds can say. What an item does in one seed only counts in
both, so the interval is rather too long than too short. With one seed it covers items alone and is labelled so.

Source: crossed factors, Owen 2007, "The pigeonhole bootstrap"; the sum of squared half widths, Howe 1974, "Approximate
confidence limits on the mean of X + Y where X and Y are two tabled independent random variables".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from univg_bench.errors import InputError
from univg_bench.metrics.influence import fvd_slopes, jackknife_error
from univg_bench.paired_runs import EvaluatedRun
from univg_bench.statistics import check_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric of one run: its value, and its derivative by the weight of each item (C,). items: their names."""

    value: float
    slopes: Floats
    items: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """A difference with its two standard errors. se_seeds: None where there is one seed; then items alone count.

    per_seed: the difference of each seed. low, high: of 95 %.
    """

    value: float
    se_items: float
    se_seeds: float | None
    low: float
    high: float
    per_seed: tuple[float, ...]
    n: int

    @property
    def shown(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def measured(run: EvaluatedRun, metric: str) -> Measured:
    """Return a metric of a run with its slopes. Raises InputError for a metric that the run or this page lacks."""
    part, entry = run.record.metric(metric), run.features.get(metric)
    if part is None or entry is None:
        raise InputError(f"found no metric {metric} in {run.path}, expected one of its protocol; evaluate it again")
    names = tuple(entry["roles"]["samples"]["names"])
    if part.kind in ("fvd", "spectral"):
        x = check_rows(np.load(run.path / "features" / f"{metric}.samples.npy"), name="features")
        y = check_rows(np.load(run.path / "features" / f"{metric}.references.npy"), name="real features")
        real = [f"{name}-s0" for name in entry["roles"]["references"]["names"]]
        if len(x) != len(names) or real != list(names):
            raise InputError(f"found other real videos than samples in {run.path}, expected one of each item")
        codes = np.arange(len(names))
        if part.kind == "fvd":
            value, slopes = fvd_slopes(x, y, codes, codes, len(names), ddof=int(part.recipe["ddof"]))
            return Measured(value, slopes, names)
        return spectral_slopes(x[:, 2:], y[:, 2:], names)
    values = run.column(metric, names)
    if values is None or not np.isfinite(values).all():
        raise InputError(f"found no value per video of {metric} in {run.path}, expected a mean over videos")
    return Measured(float(values.mean()), (values - values.mean()) / len(values), names)


def spectral_slopes(x: Floats, y: Floats, names: tuple[str, ...]) -> Measured:
    """Return the root mean square over bins of the difference of mean spectra x, y (N, bins), and its slopes.

    By the chain rule: d|m| = m·dm / (bins |m|), where the weight of item i moves m by (its own
    difference less m) / N.
    """
    difference = x - y
    mean = difference.mean(axis=0)
    value = float(np.sqrt((mean**2).mean()))
    if value == 0:
        return Measured(0.0, np.zeros(len(names)), names)
    return Measured(value, (difference - mean) @ mean / (len(mean) * value * len(names)), names)


def effect(weights: Mapping[str, int], runs: Mapping[str, Sequence[Measured]]) -> Effect:
    """Return the sum of rows by weights, as a difference with its interval.

    runs: per row a measurement of each training seed, in the order of the seeds, or a single one of what was not
    trained. Raises InputError when rows saw other items or numbers of seeds.
    """
    used = {row: runs[row] for row in weights}
    seeds = max(len(found) for found in used.values())
    items = {one.items for found in used.values() for one in found}
    if len(items) != 1 or any(len(found) not in (1, seeds) for found in used.values()):
        raise InputError(
            f"found {sorted(len(one) for one in items)} items and {[len(found) for found in used.values()]} seeds in"
            f" {', '.join(used)}, expected the same items and seeds in all; run the study's command to the end"
        )
    per_seed, slopes = np.zeros(seeds), np.zeros((seeds, len(next(iter(items)))))
    for row, weight in weights.items():
        for seed in range(seeds):
            one = used[row][seed % len(used[row])]
            per_seed[seed] += weight * one.value
            slopes[seed] += weight * one.slopes
    value, n = float(per_seed.mean()), slopes.shape[1]
    se_items = jackknife_error(slopes.mean(axis=0))
    if seeds == 1:
        reach = float(student.ppf(0.975, n - 1)) * se_items
        return Effect(value, se_items, None, value - reach, value + reach, tuple(per_seed.tolist()), n)
    se_seeds = float(per_seed.std(ddof=1) / np.sqrt(seeds))
    reach = float(np.hypot(student.ppf(0.975, n - 1) * se_items, student.ppf(0.975, seeds - 1) * se_seeds))
    return Effect(value, se_items, se_seeds, value - reach, value + reach, tuple(per_seed.tolist()), n)
