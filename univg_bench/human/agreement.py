"""Do annotators agree? Four coefficients side by side, because they disagree by design when one answer is common.

Each is a function of counts: how many of the annotators of an item chose B, S and G. Items with one rating say nothing
about agreement and are counted, not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from univg_bench.human.clusters import CHUNK_COUNTS
from univg_bench.human.ratings import Ratings, combine

ALL_EQUAL = "undefined, all answers equal"
NO_PAIRS = "undefined, no item has two ratings"
MEASURES = ("alpha_ordinal", "alpha_nominal", "fleiss_kappa", "gwet_ac1", "percent")


@dataclass(frozen=True)
class Coefficient:
    """value is None where the coefficient does not exist, and then `undefined` says why."""

    value: float | None
    interval: tuple[float, float] | None = None
    undefined: str = ""

    def __str__(self) -> str:
        return f"{self.value:.2f}" if self.value is not None else self.undefined


@dataclass(frozen=True)
class Agreement:
    """The coefficients of one dimension, with what they rest on.

    prevalence: shares of G, S, B among the ratings used. num_units: compared pairs with two or more ratings.
    num_single: those with one, left out.
    """

    dimension: str
    num_units: int
    num_single: int
    num_ratings: int
    num_annotators: int
    prevalence: tuple[float, float, float]
    coefficients: dict[str, Coefficient]


def agreement(ratings: Ratings, dimension: str, *, level: float = 0.95, draws: int = 2000, seed: int = 0) -> Agreement:
    """Return the agreement of the main ratings on `dimension`; intervals by bootstrap over items (not over ratings)."""
    main = ratings.main
    main = main.where((main.frame["dimension"] == dimension).to_numpy())
    if not len(main):
        nothing = {m: Coefficient(None, undefined=NO_PAIRS) for m in MEASURES}
        return Agreement(dimension, 0, 0, 0, 0, (0.0, 0.0, 0.0), nothing)
    unit = combine([main.codes("item"), main.codes("method"), main.codes("other")])
    _, first, unit = np.unique(unit, return_index=True, return_inverse=True)
    counts = np.zeros((len(first), 3), dtype=np.int64)
    np.add.at(counts, (unit, main.y.astype(np.int64) + 1), 1)
    enough = counts.sum(axis=1) >= 2
    used = counts[enough]
    total = int(used.sum())
    shares = used.sum(axis=0)[::-1] / max(total, 1)
    num_annotators = len(np.unique(main.codes("annotator")[enough[unit]]))
    undefined = ALL_EQUAL if len(used) else NO_PAIRS
    # units of one item are drawn together: they share its prompt, and in induced comparisons its videos
    item = main.codes("item")[first][enough]
    intervals = _intervals(used, item, level, draws, seed) if total and draws else {}
    coefficients = {
        m: Coefficient(None, undefined=undefined) if value is None else Coefficient(value, intervals.get(m))
        for m, value in coefficients_of(used).items()
    }
    return Agreement(
        dimension, int(enough.sum()), int((~enough).sum()), total, num_annotators,
        (float(shares[0]), float(shares[1]), float(shares[2])), coefficients,
    )  # fmt: skip


def coefficients_of(counts: np.ndarray) -> dict[str, float | None]:
    """Return all coefficients of counts (units, 3) in the order B, S, G; every unit has two ratings or more."""
    if not len(counts):
        return dict.fromkeys(MEASURES)
    return {m: None if np.isnan(v) else float(v) for m, v in _from_sums(_unit_terms(counts).sum(axis=0)).items()}


def _unit_terms(counts: np.ndarray) -> np.ndarray:
    """(units, 17) terms that every coefficient is a function of, once added up over units.

    0-8 Krippendorff's coincidences o_ck, 9 units, 10 agreeing share of pairs, 11-13 shares of B, S, G, 14-16 counts.
    """
    c = counts.astype(np.float64)
    n = c.sum(axis=1)
    pairs = c[:, :, None] * c[:, None, :] - c[:, :, None] * np.eye(3)  # ordered pairs of different annotators
    coincidences = (pairs / (n - 1)[:, None, None]).reshape(len(c), 9)
    agreeing = (c * (c - 1)).sum(axis=1) / (n * (n - 1))
    return np.column_stack([coincidences, np.ones(len(c)), agreeing, c / n[:, None], c])


def _from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Return the coefficients of sums (..., 17) of unit terms; NaN where a coefficient divides by zero."""
    o = sums[..., :9].reshape(*sums.shape[:-1], 3, 3)
    units, agreeing = sums[..., 9], sums[..., 10] / sums[..., 9]
    n_c = o.sum(axis=-1)
    n = n_c.sum(axis=-1)
    expected = n_c[..., :, None] * n_c[..., None, :]  # unlike pairs if values were dealt out at random

    def alpha(delta: np.ndarray) -> np.ndarray:
        observed = (o * delta).sum(axis=(-2, -1))
        return _one_minus(observed * (n - 1), (expected * delta).sum(axis=(-2, -1)))

    nominal = np.broadcast_to(1.0 - np.eye(3), o.shape)
    # ordinal distance: (values ranked between c and k, counting half of c and of k) squared
    middle = np.cumsum(n_c, axis=-1) - n_c / 2
    ordinal = (middle[..., :, None] - middle[..., None, :]) ** 2
    share = sums[..., 14:17] / sums[..., 14:17].sum(axis=-1, keepdims=True)
    by_unit = sums[..., 11:14] / units[..., None]
    chance_kappa = (share**2).sum(axis=-1)
    chance_ac1 = (by_unit * (1 - by_unit)).sum(axis=-1) / 2  # q - 1 = 2 for three categories
    return {
        "alpha_ordinal": alpha(ordinal),
        "alpha_nominal": alpha(nominal),
        "fleiss_kappa": _one_minus(1 - agreeing, 1 - chance_kappa),
        "gwet_ac1": _one_minus(1 - agreeing, 1 - chance_ac1),
        "percent": agreeing,
    }


def _one_minus(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    result: np.ndarray = 1 - np.divide(above, below, out=np.full_like(below, np.nan), where=np.abs(below) > 1e-9)
    return result


def _intervals(
    counts: np.ndarray, item: np.ndarray, level: float, draws: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Percentile intervals over `draws` resamples of items; draws without a value are left out."""
    items, item = np.unique(item, return_inverse=True)
    if len(items) < 2:
        return {}
    terms = _unit_terms(counts)
    per_item = np.zeros((len(items), terms.shape[1]))
    np.add.at(per_item, item, terms)
    rng = np.random.default_rng([seed, len(items)])
    sums = np.empty((draws, terms.shape[1]))
    chunk = min(max(CHUNK_COUNTS // len(items), 1), 500)
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        drawn = rng.integers(0, len(items), size=(rows, len(items))) + np.arange(rows)[:, None] * len(items)
        weights = np.bincount(drawn.ravel(), minlength=rows * len(items)).reshape(rows, len(items))
        sums[start : start + rows] = weights @ per_item
    result = {}
    for measure, values in _from_sums(sums).items():
        values = values[~np.isnan(values)]
        # a coefficient that most resamples leave undefined has no interval worth the name
        if len(values) >= 0.9 * draws:
            low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
            result[measure] = (float(low), float(high))
    return result
