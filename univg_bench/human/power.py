"""How many items and annotators a study needs before it is run: closed form, and simulation as the check on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import stats

from univg_bench.errors import InputError
from univg_bench.human.simulate import Design, simulate_votes
from univg_bench.human.winrate import MIN_ANNOTATORS, Cell, win_rate

# no study is larger; beyond it the numbers lose their meaning and at last overflow
MOST_ITEMS = 1e12


def mean_variances(
    rho_item: float, rho_annotator: float, *, num_items: int, num_annotators: int, ratings_per_item: float
) -> tuple[float, float]:
    """Return the variance of the mean vote for this panel and for annotators in general, in units of a vote's variance.

        V_panel   = [rho_item + (1 - rho_item - rho_annotator m/A) / m] / I
        V_general = V_panel + rho_annotator / A

    I items, m ratings of each, A annotators. What annotators differ in is no noise to a panel of which all rate every
    item (m = A); where m < A, it also depends on who was drawn for which item. With rho_annotator = 0 the first line is
    the usual design effect (1 + (m - 1) rho_item) / (I m) (Kish 1965).
    """
    shared = rho_annotator * min(ratings_per_item / num_annotators, 1.0)
    panel = (rho_item + (1 - rho_item - shared) / ratings_per_item) / num_items
    return panel, panel + rho_annotator / num_annotators


def items_needed(
    win_rate: float,
    *,
    tie_share: float,
    rho: float,
    ratings_per_item: int,
    rho_annotator: float = 0.0,
    num_annotators: int | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Return the number of items that detect `win_rate` with a fixed panel of annotators (it speaks of them alone).

        items = (z_(1-alpha/2) + z_power)^2 ((1 - ties) - w^2) I V_panel / w^2

    rho, rho_annotator: correlations of two votes on one item, of one annotator. num_annotators: ratings_per_item if not
    given. Raises InputError where no number can be given.
    """
    _check(win_rate, tie_share, alpha, power)
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    variance = (1 - tie_share) - win_rate**2
    per_item, _ = mean_variances(
        rho, rho_annotator, num_items=1, num_annotators=num_annotators or ratings_per_item,
        ratings_per_item=ratings_per_item,
    )  # fmt: skip
    items = z**2 * variance * per_item / win_rate / win_rate
    if not items < MOST_ITEMS:
        raise InputError(
            f"a win rate of {win_rate:g} would need more than {MOST_ITEMS:.0e} items; give the smallest difference "
            "that would matter, such as 0.1"
        )
    return math.ceil(items)


@dataclass(frozen=True)
class Power:
    """Chance that a study of `design` finds the effect, for this panel and for annotators in general.

    panel: t test on item means, truth of this very panel. general: two-way test that must also hold for other
    annotators, None with too few of them. num_runs: simulated studies, 0 for the closed form.
    """

    design: Design
    alpha: float
    panel: float
    general: float | None
    num_runs: int = 0

    def error(self, power: float) -> float:
        """Return the Monte Carlo standard error of a simulated power."""
        return (power * (1 - power) / self.num_runs) ** 0.5 if self.num_runs else 0.0


def closed_form_power(design: Design, *, alpha: float = 0.05) -> Power:
    """Return the power by formula: the variances of mean_variances times that of a vote, (1 - ties) - w^2.

    Noncentral t with I-1 and min(A, I)-1 degrees of freedom. rho from the design's sigmas (Design.shared_variance).
    """
    items, A = design.num_items, design.num_annotators
    v = 1 - design.tie_share - design.win_rate**2
    panel, general = (
        v * part
        for part in mean_variances(
            *design.shared_variance(), num_items=items, num_annotators=A, ratings_per_item=design.ratings_per_item
        )
    )
    return Power(
        design, alpha, _t_power(design.win_rate, panel, items - 1, alpha),
        _t_power(design.win_rate, general, min(A, items) - 1, alpha) if A >= MIN_ANNOTATORS else None,
    )  # fmt: skip


def simulated_power(design: Design, *, alpha: float = 0.05, num_runs: int = 400, seed: int = 0) -> Power:
    """Return the share of `num_runs` simulated studies whose tests reject no difference, by the tests that reports use.

    Every run draws new items and new annotators. Then `panel` counts rejections of the item test, which also rejects
    for what only this panel prefers: with annotators who differ it is no power to learn about other people.
    """
    rng = np.random.default_rng([seed, 7])
    panel = general = 0
    for _ in range(num_runs):
        votes = simulate_votes(design, rng)
        rate = win_rate(Cell("ours", "other", "OL", votes), level=1 - alpha)
        panel += rate.p < alpha
        general += rate.p_two_way is not None and rate.p_two_way < alpha
    return Power(
        design,
        alpha,
        panel / num_runs,
        general / num_runs if design.num_annotators >= MIN_ANNOTATORS else None,
        num_runs,
    )


def designs(
    *,
    items: Sequence[int],
    annotators: Sequence[int],
    ratings_per_item: int | None,
    win_rates: Sequence[float],
    tie_shares: Sequence[float],
    sigma_items: Sequence[float],
    sigma_annotators: Sequence[float],
) -> Iterator[Design]:
    """Yield every combination; without ratings_per_item all annotators rate every item."""
    for w, ties, si, sa, A, n in product(win_rates, tie_shares, sigma_items, sigma_annotators, annotators, items):
        yield Design(n, A, A if ratings_per_item is None else ratings_per_item, w, ties, si, sa)


def annotators_needed(design: Design, *, alpha: float = 0.05, power: float = 0.8, most: int = 500) -> int | None:
    """Return the fewest annotators whose general closed-form power reaches `power`, or None if `most` do not.

    Items and ratings per item stay as they are: the same number of answers is shared among more people.
    """
    _check(design.win_rate, design.tie_share, alpha, power)

    def enough(annotators: int) -> bool:
        general = closed_form_power(replace(design, num_annotators=annotators), alpha=alpha).general
        return general is not None and general >= power

    low, high = max(design.ratings_per_item, MIN_ANNOTATORS), most
    if low > high or not enough(high):
        return None
    # more annotators never lower the power, so halve the range
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _t_power(win_rate: float, variance: float, df: int, alpha: float) -> float:
    t = stats.t.ppf(1 - alpha / 2, df)
    shift = abs(win_rate) / variance**0.5
    return float(stats.nct.sf(t, df, shift) + stats.nct.cdf(-t, df, shift))


def _check(win_rate: float, tie_share: float, alpha: float, power: float) -> None:
    if win_rate == 0:
        raise InputError(
            "a win rate of 0 is no difference; give the smallest difference that would matter, such as 0.1"
        )
    if not (0 <= tie_share < 1 and abs(win_rate) < 1 - tie_share):
        raise InputError(f"win rate {win_rate:g} with tie share {tie_share:g} leaves no room for both G and B")
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise InputError(f"{name} is {value:g}, expected a number between 0 and 1")
