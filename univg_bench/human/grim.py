"""Which number of ratings can a published percentage come from? (GRIM: granularity-related inconsistency of means)

With n ratings a win rate is k/n for a whole number k, so a percentage printed with two decimals fits only some n. A row
of ten cells that all fit the same n tells n almost surely; the counts follow. All arithmetic is on whole numbers.

Source: Brown & Heathers 2017, Social Psychological and Personality Science 8(4), 363-369, for means of whole numbers;
here k may be negative and the unit is the percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
from scipy import stats

from univg_bench.errors import InputError

MAX_N = 1000
# more decimals are not printed anywhere, and products with n must fit into 64 bits
MAX_DECIMALS = 9


@dataclass(frozen=True)
class Fit:
    """What a row of percentages allows. n: smallest number of ratings with the fewest misfits up to max_n.

    misfits: positions of the cells that do not fit n. also: every other n up to max_n with as few misfits.
    by_chance: expected number of n up to max_n at which a row of arbitrary numbers would do as well.
    """

    percents: tuple[str, ...]
    n: int
    misfits: tuple[int, ...]
    also: tuple[int, ...]
    max_n: int
    by_chance: float


@dataclass(frozen=True)
class Counts:
    """G, S, B with G + S + B = n that give three published shares."""

    G: int
    S: int
    B: int

    @property
    def n(self) -> int:
        return self.G + self.S + self.B

    @property
    def win_rate(self) -> float:
        return (self.G - self.B) / self.n


def parse_percent(text: str) -> tuple[int, int]:
    """Return a printed percentage as (whole number of its last digit's units, decimals): `-3.72` -> (-372, 2)."""
    try:
        number = Decimal(text.strip().rstrip("%").replace("\N{MINUS SIGN}", "-"))
        exponent = number.as_tuple().exponent
    except InvalidOperation:
        exponent = "n"
    if not isinstance(exponent, int):
        raise InputError(f"{text!r} is not a percentage; write it as printed, such as 53.59")
    if abs(number) > 100:
        raise InputError(f"{text!r} is beyond 100 percent; no win rate can be")
    decimals = max(-exponent, 0)
    if decimals > MAX_DECIMALS:
        raise InputError(f"{text!r} has {decimals} decimals, expected at most {MAX_DECIMALS}; write it as printed")
    return int(number.scaleb(decimals)), decimals


def fits(percent: str, n: np.ndarray) -> np.ndarray:
    """Return for each n (int array) whether some k/n rounds to `percent`; exact halves may round either way."""
    value, decimals = parse_percent(percent)
    n = np.asarray(n, dtype=np.int64)
    unit = 100 * 10**decimals  # k/n in the printed unit is unit * k / n
    k = np.rint(value * n / unit).astype(np.int64)
    ok: np.ndarray = 2 * np.abs(unit * k - value * n) <= n
    return ok


def recover_n(percents: Sequence[str], *, max_n: int = MAX_N) -> Fit:
    """Return which n fit a row of win rates (G-B)/n printed in percent.

    Multiples of a fitting n fit as well, and beyond 10^(decimals + 2) / 2 every n fits everything: the smallest is the
    one worth talking about, not the proven one. Raises InputError for an empty row or cells that are no percentages.
    """
    if not percents:
        raise InputError("a row without percentages fits every n; give the cells of one comparison")
    if max_n < 2:
        raise InputError(f"max_n is {max_n}, expected at least 2")
    n = np.arange(1, max_n + 1)
    ok = np.stack([fits(p, n) for p in percents])
    misfits = (~ok).sum(axis=0)
    # n = 1 fits only -100, 0, 100; any larger n is more informative, but the rule stays the same: fewest, then smallest
    best = int(misfits.min())
    candidates = n[misfits == best]
    chosen = int(candidates[0])
    return Fit(
        tuple(percents), chosen, tuple(np.flatnonzero(~ok[:, chosen - 1]).tolist()),
        tuple(candidates[1:].tolist()), max_n, _by_chance(percents, best, max_n),
    )  # fmt: skip


def recover_counts(percents: Sequence[str], n: int) -> list[Counts]:
    """Return every G, S, B with sum n that rounds to three shares printed in percent: none, one or several.

    Raises InputError for shares that are not three.
    """
    if len(percents) != 3:
        raise InputError(f"expected three shares (better, same, worse), found {len(percents)}")
    ranges = []
    for percent in percents:
        value, decimals = parse_percent(percent)
        unit = 100 * 10**decimals
        # whole k with |unit k / n - value| <= 1/2
        low, high = -((n - 2 * value * n) // (2 * unit)), (n + 2 * value * n) // (2 * unit)
        ranges.append(range(max(low, 0), high + 1))
    return [Counts(G, S, n - G - S) for G in ranges[0] for S in ranges[1] if n - G - S in ranges[2]]


def nearest(percent: str, n: int) -> tuple[int, str]:
    """Return the k for which k/n is nearest to `percent`, and k/n printed with as many decimals."""
    value, decimals = parse_percent(percent)
    k = round(value * n / (100 * 10**decimals))
    return k, f"{100 * k / n:.{decimals}f}"


def _by_chance(percents: Sequence[str], misfits: int, max_n: int) -> float:
    """Expected number of n <= max_n that an arbitrary row would fit with at most `misfits` misses.

    A number printed with d decimals is one of 2 * 100 * 10^d + 1 values, of which n ratings reach at most 2n + 1.
    """
    decimals = min(parse_percent(p)[1] for p in percents)
    n = np.arange(1, max_n + 1)
    chance = np.minimum((2 * n + 1) / (200 * 10**decimals + 1), 1.0)
    return float(stats.binom.cdf(misfits, len(percents), 1 - chance).sum())
