"""Everything that a report says about a set of ratings, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from univg_bench.errors import InputError
from univg_bench.human.agreement import Agreement, agreement
from univg_bench.human.davidson import Davidson, fit
from univg_bench.human.plan import Plan
from univg_bench.human.ratings import Ratings
from univg_bench.human.screening import Screened, screen, summary, without_excluded
from univg_bench.human.side import SideBias, side_bias
from univg_bench.human.winrate import WinRate, scope, win_rates

INDUCED = (
    "Induced from scores: nobody compared two videos side by side. More points for one video count as better, equal "
    "points as same, and pairs share videos, so they are not independent."
)


@dataclass(frozen=True)
class Analysis:
    """rates and everything below come from the annotators who passed the rules; rates_all from everybody.

    left_out: rows that never enter win rates, by kind (practice, gold, repeat).
    """

    ratings: Ratings
    plan: Plan
    rates: tuple[WinRate, ...]
    rates_all: tuple[WinRate, ...]
    screened: tuple[Screened, ...]
    agreements: tuple[Agreement, ...]
    strengths: tuple[Davidson, ...]
    side: SideBias
    left_out: dict[str, int]

    @property
    def num_excluded(self) -> int:
        return sum(s.excluded for s in self.screened)

    def sentences(self) -> list[str]:
        """Return what must be read with the numbers: for whom they hold, who was excluded, side bias, rows left out."""
        lines = scope(self.rates, self.plan.level)
        if self.ratings.induced:
            lines.insert(0, INDUCED)
        lines += [summary(self.ratings, self.screened, self.plan), self.side.sentence(self.plan.level)]
        if self.left_out:
            kinds = ", ".join(f"{n} {kind}" for kind, n in self.left_out.items())
            lines.append(f"Not part of any win rate: {kinds} ratings.")
        return lines


def analyse(ratings: Ratings, plan: Plan) -> Analysis:
    """Return the analysis of `ratings` under `plan`; deterministic, whatever the order of the rows.

    Raises InputError where there is no main rating to analyse, or none after screening.
    """
    kept, screened = passed(ratings, plan)
    rates_all = tuple(win_rates(ratings, plan))
    rates = tuple(win_rates(kept, plan)) if len(kept) < len(ratings) else rates_all
    codes = [d.code for d in kept.dimensions]
    seen = ratings.frame["kind"].value_counts()
    left_out = {k: int(seen[k]) for k in ("practice", "gold", "repeat") if seen.get(k, 0)}
    return Analysis(
        ratings, plan, rates, rates_all, screened,
        tuple(agreement(kept, code, level=plan.level, seed=plan.seed) for code in codes),
        tuple(best_fit(kept, code, plan.level) for code in codes),
        side_bias(kept, level=plan.level), left_out,
    )  # fmt: skip


def passed(ratings: Ratings, plan: Plan) -> tuple[Ratings, tuple[Screened, ...]]:
    """Return the ratings of the annotators who passed the rules of `plan`, and the checks of all.

    Raises InputError where there is no main rating, or none is left.
    """
    if not len(ratings.main):
        raise InputError(f"{ratings.source} holds no main rating (practice, gold and repeats enter no win rate)")
    screened = tuple(screen(ratings, plan.screening))
    kept = without_excluded(ratings, screened)
    if not len(kept) or not len(kept.main):
        out = sum(s.excluded for s in screened)
        raise InputError(
            f"{ratings.source} has no main rating left: {out} of {len(screened)} annotators fail the rules of "
            f"{plan.source or 'our defaults'}; see why with `human screen`, or all answers with `winrate --everybody`"
        )
    return kept, screened


def best_fit(ratings: Ratings, dimension: str, level: float) -> Davidson:
    """Return the Davidson fit with the side term where sides are known throughout, else without."""
    sided = "none" not in ratings.labels("side")
    if sided:
        fitted = fit(ratings, dimension, side=True, level=level)
        if not fitted.undefined:
            return fitted
    return fit(ratings, dimension, level=level)


def comparisons(rates: Sequence[WinRate]) -> list[tuple[str, str]]:
    """Return the pairs of methods in the order of the rates."""
    return list(dict.fromkeys((r.method, r.other) for r in rates))


def comparison_label(pair: tuple[str, str], rates: Sequence[WinRate]) -> str:
    """Return how a row is called: the other method alone where ours is the same in every row, as in Table 2."""
    return pair[1] if len({r.method for r in rates}) == 1 else f"{pair[0]} vs {pair[1]}"
