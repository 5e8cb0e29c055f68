"""Two runs on the same items: what differs, how surely, and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.metrics.extrapolate import fvd_difference_at_infinity
from univg_bench.metrics.influence import fvd_slopes, jackknife_error
from univg_bench.metrics.intervals import Z95, Interval, few_clusters
from univg_bench.metrics.kvd import kvd_difference
from univg_bench.metrics.paired import (
    Difference,
    FvdDifference,
    MeanOfDifferences,
    PairedTest,
    holm,
    mean_difference,
    mean_interval,
    paired_permutation,
)
from univg_bench.paired_runs import EvaluatedRun, PairedMetric, pair_runs
from univg_bench.statistics import check_rows

Side = Literal["A", "B"]
REPLICATES = 1000  # of the bootstrap of a mean; it costs milliseconds
NAMED = 3  # items with the largest change, to either side


@dataclass(frozen=True)
class Change:
    """An item's own value in both runs."""

    name: str
    a: float
    b: float


@dataclass(frozen=True)
class Compared:
    """One metric of two runs. Everything is B minus A.

    difference: at this n. real: of the real videos, where being near it is better. interval: of the difference expected
    at this n. beyond: of FVD, the difference at 1/N -> 0 with its interval, where there are videos enough. test: None
    with `untested` saying why. p_adjusted: after Holm over the metrics tested. better: the side, where a difference is
    shown and one direction is better. changed: items whose own values changed most, B's largest losses first and its
    largest gains last (without a better direction: falls first, rises last); `num_losses` of them are losses.
    """

    id: str
    kind: str
    direction: str
    n: int
    n_reference: int
    a: float
    b: float
    difference: float
    real: float | None
    interval: Interval | None
    beyond: float | None
    beyond_interval: Interval | None
    test: PairedTest | None
    untested: str
    p_adjusted: float | None
    shown: bool
    better: Side | None
    verdict: str
    changed: tuple[Change, ...]
    num_losses: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Two runs, compared metric by metric."""

    protocol: str
    protocol_digest: str
    path_a: str
    path_b: str
    model_a: str
    model_b: str
    alpha: float
    seed: int
    metrics: tuple[Compared, ...]
    notes: tuple[str, ...]


def compare_runs(
    path_a: Path,
    path_b: Path,
    *,
    metrics: Sequence[str],
    permutations: int,
    seed: int,
    alpha: float,
    common: bool,
    console: Console,
) -> Comparison:
    """Return how run B differs from run A on the same items of one protocol.

    metrics: ids, none for all. permutations, seed: of the tests. alpha: the share of false alarms over all metrics
    together (Holm). common: compare the samples that both runs have, where one is incomplete.

    Raises InputError and SampleError as `pair_runs`, and InputError when features are not those of results.json.
    """
    if not 0 < alpha < 1:
        raise InputError(f"found alpha {alpha}, expected a share between 0 and 1")
    a, b = EvaluatedRun.open(path_a), EvaluatedRun.open(path_b)
    found = []
    for pair in pair_runs(a, b, metrics=metrics, common=common):
        title = f"permutations of {pair.a.id}"

        def watch(swaps: Any, title: str = title) -> Any:
            return console.progress(swaps, total=permutations, title=title, unit="permutation")

        found.append(_compare(pair, permutations=permutations, seed=seed, watch=watch))
    notes = []
    if a.record.samples.digest == b.record.samples.digest:
        notes.append("both runs hold the same videos")
    return Comparison(
        protocol=f"{a.record.protocol.id}@{a.record.protocol.version}", protocol_digest=a.record.protocol.digest,
        path_a=str(path_a), path_b=str(path_b), model_a=a.record.model.name, model_b=b.record.model.name, alpha=alpha,
        seed=seed, metrics=tuple(judged(found, alpha)), notes=tuple(notes),
    )  # fmt: skip


def in_words(value: float) -> str:
    """Return `value` as a person reads it: three digits, and no exponent where a KVD runs into thousands."""
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e9 else f"{value:.3g}"


def judged(found: Sequence[Compared], alpha: float) -> list[Compared]:
    """Return `found` with p values adjusted for their number, and a verdict each."""
    tested = [one.test for one in found if one.test is not None]
    adjusted = iter(holm([test.p_value for test in tested]))
    return [_judge(one, next(adjusted) if one.test else None, len(tested), alpha) for one in found]


def _judge(one: Compared, p: float | None, tests: int, alpha: float) -> Compared:
    side = "lower" if one.difference < 0 else "higher"
    low, high = (one.interval.low, one.interval.high) if one.interval else (None, None)
    if low is not None and high is not None and one.difference < 0:
        low, high = -high, -low
    spread = "" if low is None or high is None else f" [{in_words(low)}, {in_words(high)}]"
    size = f"B is {side} by {in_words(abs(one.difference))}{spread}" if one.difference else "B equals A"
    if one.test is None or p is None:
        return replace(one, verdict=f"{size}; not tested: {one.untested}")
    said = f"p = {one.test.p_value:.2g}" + (f", {p:.2g} after Holm over {tests} metrics" if tests > 1 else "")
    if p <= alpha:
        better: Side | None = None
        if one.direction in ("lower", "higher"):
            better = "B" if side == one.direction else "A"
        end = {"B": ": better", "A": ": worse", None: ""}[better]
        return replace(one, p_adjusted=p, shown=True, better=better, verdict=f"{size}, {said}{end}")
    if one.test.least_p * tests > alpha:
        few = f"{one.test.num_clusters} clusters and {one.test.permutations} permutations"
        return replace(one, p_adjusted=p, verdict=f"cannot be told with {few}: {size}, {said}")
    return replace(one, p_adjusted=p, verdict=f"not shown to differ: {size}, {said}")


@dataclass(frozen=True)
class _Found:
    """What a kind of metric has to say of a pair: values, the difference to permute, and intervals of it."""

    a: float
    b: float
    difference: Difference
    interval: Interval | None
    beyond: float | None = None
    beyond_interval: Interval | None = None
    note: str = ""


def _compare(pair: PairedMetric, *, permutations: int, seed: int, watch: Callable[[Any], Any]) -> Compared:
    kind = pair.a.kind
    losses, gains = _changed(pair)
    blank = Compared(
        id=pair.a.id, kind=kind, direction=pair.a.direction, n=len(pair.names), n_reference=pair.a.n_reference,
        a=pair.a.value, b=pair.b.value, difference=pair.b.value - pair.a.value,
        real=pair.a.details.get("real") if pair.a.direction == "neither" else None, interval=None, beyond=None,
        beyond_interval=None, test=None, untested="", p_adjusted=None, shown=False, better=None, verdict="",
        changed=(*losses, *gains), num_losses=len(losses), warnings=pair.warnings,
    )  # fmt: skip
    of = _MEASURES.get(kind) or (_mean if pair.values_a is not None and pair.values_b is not None else None)
    if of is None:
        return replace(blank, untested=f"no paired test is known for {kind}")
    if pair.num_clusters < 2:
        return replace(blank, untested="all samples are of one cluster")
    if pair.repeats is not None and not pair.whole:
        return replace(blank, untested=f"{pair.a.id} is a mean over runs of consecutive items, and some are missing")
    found = of(pair, seed)
    test = paired_permutation(found.difference, permutations=permutations, seed=seed, watch=watch)
    recorded = pair.b.value - pair.a.value
    slack = 1e-6 * (abs(pair.a.value) + abs(pair.b.value)) + 10 * found.difference.rounding
    if pair.whole and abs(test.difference - recorded) > slack:
        raise InputError(
            f"the features of metric {pair.a.id} make a difference of {test.difference:.6g}, the records say"
            f" {recorded:.6g}: they are not of one evaluation; evaluate both runs again"
        )
    notes = [*pair.warnings, *few_clusters(pair.num_clusters), *([found.note] if found.note else [])]
    return replace(
        blank, a=found.a, b=found.b, difference=test.difference, interval=found.interval, beyond=found.beyond,
        beyond_interval=found.beyond_interval, test=test, warnings=tuple(notes),
    )  # fmt: skip


def _frechet(pair: PairedMetric, seed: int) -> _Found:
    """Compare two Fréchet distances; with repeats their means over runs of consecutive items."""
    ddof = int(pair.a.recipe["ddof"])
    size = len(pair.names) if pair.repeats is None else pair.repeats[1]
    count = 1 if pair.repeats is None else pair.repeats[0]
    each = len(pair.row_codes) // len(pair.names)
    y = check_rows(pair.references, name="real features")
    parts, values, slopes = [], np.zeros(2), np.zeros((2, pair.all_clusters))
    for start in range(0, count * size, size):
        rows = slice(start * each, (start + size) * each)
        x, z, codes = pair.rows_a[rows], pair.rows_b[rows], pair.row_codes[rows]
        parts.append(FvdDifference.of(x, z, y, codes=codes, num_clusters=pair.num_clusters, ddof=ddof))
        for side, features in enumerate((x, z)):
            own = check_rows(features, name="features")
            value, slope = fvd_slopes(own, y, codes, pair.real_codes, pair.all_clusters, ddof=ddof)
            values[side] += value / count
            slopes[side] += slope / count
    difference = MeanOfDifferences(tuple(parts)) if count > 1 else parts[0]
    change = float(values[1] - values[0])
    interval = _around(change, jackknife_error(slopes[1] - slopes[0]), pair.all_clusters, seed)
    if count > 1:
        return _Found(float(values[0]), float(values[1]), difference, interval)
    names = [str(code) for code in pair.row_codes]
    beyond = fvd_difference_at_infinity(
        pair.rows_a, pair.rows_b, y, ddof=ddof, clusters=names,
        reference_clusters=[str(code) for code in pair.real_codes], seed=seed,
    )  # fmt: skip
    note = f"no difference at 1/N -> 0: {beyond.reason}" if beyond.reason else ""
    return _Found(float(values[0]), float(values[1]), difference, interval, beyond.value, beyond.interval, note)


def _kernel(pair: PairedMetric, seed: int) -> _Found:
    found = kvd_difference(
        pair.rows_a, pair.rows_b, pair.references, codes=pair.row_codes, real_codes=pair.real_codes,
        num_clusters=pair.all_clusters,
    )  # fmt: skip
    change, error = found.b - found.a, found.standard_error
    interval = None if error is None else _around(change, error, pair.all_clusters, seed)
    # clusters that only real videos have contribute nothing, and are not exchanged
    difference = replace(found.difference, per_cluster=found.difference.per_cluster[: pair.num_clusters])
    return _Found(found.a, found.b, difference, interval)


def _mean(pair: PairedMetric, seed: int) -> _Found:
    a, b = pair.values_a, pair.values_b
    assert a is not None
    assert b is not None
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError(f"found NaN among the values per video of metric {pair.a.id}; evaluate both runs again")
    interval = mean_interval(a, b, pair.codes, pair.num_clusters, replicates=REPLICATES, seed=seed)
    difference = mean_difference(a, b, pair.codes, pair.num_clusters)
    return _Found(float(a.mean()), float(b.mean()), difference, interval)


# kinds that are no mean over videos; all others need a column of their own in per_video.parquet
_MEASURES: dict[str, Callable[[PairedMetric, int], _Found]] = {"fvd": _frechet, "fid": _frechet, "kvd": _kernel}


def _around(value: float, error: float, clusters: int, seed: int) -> Interval:
    return Interval(
        low=value - Z95 * error, high=value + Z95 * error, level=0.95, method="estimate ± 1.96 jackknife s.e.",
        replicates=clusters, seed=seed, clusters=clusters,
    )  # fmt: skip


def _changed(pair: PairedMetric) -> tuple[list[Change], list[Change]]:
    """Return the items with B's largest losses, the largest first, and those with its largest gains, the last largest.

    Without a better direction, falls and rises.
    """
    if pair.values_a is None or pair.values_b is None:
        return [], []
    gain: NDArray[np.float64] = pair.values_b - pair.values_a
    if pair.a.direction == "lower":
        gain = -gain
    order = np.argsort(gain, kind="stable")
    lost, won = order[gain[order] < 0][:NAMED], order[gain[order] > 0][-NAMED:]
    losses, gains = (
        [Change(pair.names[i], float(pair.values_a[i]), float(pair.values_b[i])) for i in some] for some in (lost, won)
    )
    return losses, gains
