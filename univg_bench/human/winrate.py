"""Win rates (G-B)/(G+S+B) with intervals and tests that respect shared items and annotators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from univg_bench.human.clusters import Pigeonhole, Votes, t_interval, variances
from univg_bench.human.plan import Plan
from univg_bench.human.ratings import Ratings, combine

Interval = tuple[float, float]

# With fewer annotators the spread between them cannot be estimated (docs/human_statistics.md)
MIN_ANNOTATORS = 5
ALL_EQUAL = "undefined, all answers equal"
ONE_ITEM = "undefined, one item only"
SAME_MEANS = "undefined, all items have the same mean"


@dataclass(frozen=True)
class Cell:
    """The votes of one comparison on one dimension."""

    method: str
    other: str
    dimension: str
    votes: Votes


@dataclass(frozen=True)
class WinRate:
    """One number of Table 2 with everything needed to trust it. Rates are fractions of 1; None means undefined.

    interval: the default, two-way cluster-robust with t(A-1); with fewer than MIN_ANNOTATORS annotators it is clustered
    by item alone and holds for these annotators only. bootstrap: pigeonhole. naive: votes taken as independent, shown
    for comparison with papers and never used. p: t test on item means (holds for these annotators); p_holm: adjusted
    over the non-primary dimensions of the comparison. p_two_way, p_two_way_holm: the same from the default interval's
    standard error, None where annotators are too few or there is one item. p_naive: pooled sign test, paper style.
    undefined: why there is no interval, or empty. item_mean: mean of the items' mean votes, which p speaks of; other
    than win_rate where items have unequal numbers of votes.
    """

    method: str
    other: str
    dimension: str
    n: int
    G: int
    S: int
    B: int
    num_items: int
    num_annotators: int
    interval: Interval | None
    bootstrap: Interval | None
    naive: Interval | None
    df: int
    p: float
    p_two_way: float | None
    p_naive: float
    undefined: str = ""
    p_holm: float | None = None
    p_two_way_holm: float | None = None
    primary: bool = False
    item_mean: float = 0.0

    @property
    def win_rate(self) -> float:
        return (self.G - self.B) / self.n

    @property
    def tie_share(self) -> float:
        return self.S / self.n

    @property
    def win_ratio(self) -> float:
        """VBench's (G + S/2)/n of the same answers."""
        return win_ratio(self.win_rate)

    @property
    def generalises(self) -> bool:
        """Whether the interval speaks of annotators like these, or of these alone."""
        return self.num_annotators >= MIN_ANNOTATORS

    def mark(self, level: float = 0.95) -> str:
        """Return `*` where other items and other annotators would agree, `°` where only this panel's answers are
        significant, else nothing. The primary dimension is tested as it is, the others after Holm's adjustment.

        `°` is withheld where the test and the printed numbers do not tell one story: the mean of items has another sign
        than the win rate, or the interval of these annotators holds 0 (both only where items have unequal numbers of
        votes).
        """
        two_way = self.p_two_way if self.primary else self.p_two_way_holm
        if two_way is not None and two_way < 1 - level:
            return "*"
        p = self.p if self.p_holm is None else self.p_holm
        holds_0 = not self.generalises and self.interval is not None and self.interval[0] <= 0 <= self.interval[1]
        return "°" if p < 1 - level and self.item_mean * self.win_rate > 0 and not holds_0 else ""


def win_ratio(gsb: float) -> float:
    """Return VBench's win ratio (G + S/2)/n of a win rate (G-B)/n: both in fractions of 1."""
    return (gsb + 1) / 2


def gsb(win_ratio: float) -> float:
    """Return the win rate (G-B)/n of a win ratio (G + S/2)/n: gsb = 2 ratio - 1."""
    return 2 * win_ratio - 1


def cells(ratings: Ratings) -> Iterator[Cell]:
    """Yield the votes of each comparison and dimension that has any: comparisons by name, dimensions in table order."""
    main = ratings.main
    if not len(main):
        return
    order = {d.code: i for i, d in enumerate(main.dimensions)}
    dimension = np.array([order[c] for c in main.labels("dimension")], dtype=np.int64)[main.codes("dimension")]
    method, other, item, annotator = (main.codes(c) for c in ("method", "other", "item", "annotator"))
    cell = combine([method, other, dimension])
    rows = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[rows], prepend=-1))
    y = main.y
    for part in np.split(rows, starts[1:]):
        first = part[0]
        yield Cell(
            main.labels("method")[method[first]], main.labels("other")[other[first]],
            main.dimensions[dimension[first]].code, Votes.of(y[part], item[part], annotator[part]),
        )  # fmt: skip


def win_rates(ratings: Ratings, plan: Plan | None = None) -> list[WinRate]:
    """Return one WinRate per comparison and dimension of the main ratings, Holm-adjusted within each comparison."""
    plan = plan or Plan()
    pigeonhole = Pigeonhole(plan.draws, plan.seed)
    rates = [
        replace(win_rate(cell, level=plan.level, pigeonhole=pigeonhole), primary=cell.dimension == plan.primary)
        for cell in cells(ratings)
    ]
    return adjusted(rates)


def win_rate(cell: Cell, *, level: float = 0.95, pigeonhole: Pigeonhole | None = None) -> WinRate:
    """Return the win rate of one cell; without `pigeonhole` there is no bootstrap interval."""
    votes = cell.votes
    n = len(votes.y)
    G, B = int((votes.y == 1).sum()), int((votes.y == -1).sum())
    S = n - G - B
    num_annotators = votes.num_annotators
    generalises = num_annotators >= MIN_ANNOTATORS
    df = (min(num_annotators, votes.num_items) if generalises else votes.num_items) - 1
    p = item_test(votes)
    var = variances(votes)
    variance = var.two_way if generalises else var.item
    if not generalises or df < 1:
        p_two_way: float | None = None
    elif variance > 0:
        p_two_way = 2 * float(stats.t.sf(abs(votes.mean) / variance**0.5, df))
    else:
        # unanimous: the sign-flip test over annotators, where it is the weaker one
        p_two_way = max(p, 2.0 ** (1 - num_annotators))
    rate = WinRate(
        cell.method, cell.other, cell.dimension, n, G, S, B, votes.num_items, num_annotators,
        interval=None, bootstrap=None, naive=None, df=df, p=p, p_two_way=p_two_way, p_naive=sign_test(G, B),
        item_mean=float(votes.item_means().mean()),
    )  # fmt: skip
    if max(G, S, B) == n:
        return replace(rate, undefined=ALL_EQUAL)
    if votes.num_items < 2:
        return replace(rate, undefined=ONE_ITEM)
    naive = float(stats.norm.ppf(0.5 + level / 2)) * var.naive**0.5
    return replace(
        rate,
        interval=t_interval(votes.mean, variance, df, level) if variance > 0 else None,
        bootstrap=pigeonhole.interval(votes, level) if pigeonhole else None,
        naive=(max(votes.mean - naive, -1.0), min(votes.mean + naive, 1.0)),
        undefined="" if variance > 0 else SAME_MEANS,
    )


def item_test(votes: Votes) -> float:
    """Return the two-sided p of a one-sample t test that item means are 0 on average.

    Item means that are all equal have no spread for a t test; then the exact sign-flip test answers: 2^(1-items),
    or 1 where the means are 0.
    """
    means = votes.item_means()
    spread = means.std(ddof=1) if len(means) > 1 else 0.0
    if spread < 1e-12:
        return 1.0 if abs(means[0]) < 1e-12 else float(2.0 ** (1 - len(means)))
    t = means.mean() / (spread / len(means) ** 0.5)
    return 2 * float(stats.t.sf(abs(t), len(means) - 1))


def sign_test(G: int, B: int) -> float:
    """Return the p of the pooled sign test: paper style, rejects true nulls far too often when votes are clustered."""
    return float(stats.binomtest(G, G + B).pvalue) if G + B else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p values, in the order given.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    adjusted = [0.0] * len(p)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted


def adjusted(rates: Sequence[WinRate]) -> list[WinRate]:
    """Return `rates` with both Holm p values set for the non-primary dimensions of every comparison."""
    result = list(rates)
    for comparison in dict.fromkeys((r.method, r.other) for r in rates):
        family = [i for i, r in enumerate(rates) if (r.method, r.other) == comparison and not r.primary]
        for i, p in zip(family, holm([rates[i].p for i in family]), strict=True):
            result[i] = replace(result[i], p_holm=p)
        two_way = {i: value for i in family if (value := rates[i].p_two_way) is not None}
        for i, p in zip(two_way, holm(list(two_way.values())), strict=True):
            result[i] = replace(result[i], p_two_way_holm=p)
    return result


def scope(rates: Sequence[WinRate], level: float = 0.95) -> list[str]:
    """Return sentences that say for whom the intervals speak."""
    sentences = []
    few = sorted({r.num_annotators for r in rates if not r.generalises})
    many = sorted({(r.num_annotators, r.df) for r in rates if r.generalises and r.df >= 1})
    if few:
        who = " or ".join(map(str, few)) + (" annotator" if few == [1] else " annotators")
        sentences.append(
            f"Too few annotators to generalise: with {who} (fewer than {MIN_ANNOTATORS}) the spread between annotators "
            "cannot be estimated. These intervals and p values hold for these annotators only: they say what other "
            "items would give, not what other people would answer."
        )
    if many:
        count, df = many[0]
        z, t = float(stats.norm.ppf(0.5 + level / 2)), float(stats.t.ppf(0.5 + level / 2, df))
        sentences.append(
            "Intervals speak of items and annotators like these: two-way cluster-robust, t with "
            f"{df} degrees of freedom for {count} annotators{' (the fewest of any cell)' if len(many) > 1 else ''}, "
            f"so {t:.2f} standard errors instead of {z:.2f}. More annotators narrow them most."
        )
    return sentences
