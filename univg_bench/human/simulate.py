"""Synthetic annotators whose truth is known: to plan studies and to test every estimate of this package.

Annotator a sees the latent difference u = mu + sigma_item b_i + sigma_annotator c_a + eps of item i (b, c, eps standard
normal) and answers G above tau, B below -tau, S between. Averaged over items and annotators, the chances of G, S, B are
known exactly, so mu and tau follow from the wanted win rate and tie share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from univg_bench.errors import InputError
from univg_bench.human.clusters import Votes
from univg_bench.human.dimensions import UNIVG, Dimension
from univg_bench.human.ratings import Ratings, validate

MAX_SIGMA = 100.0


@dataclass(frozen=True)
class Design:
    """One comparison on one dimension: who rates what, and the truth.

    ratings_per_item: annotators per item, drawn at random for each. win_rate, tie_share: true (G-B)/n and S/n over all
    items and annotators. sigma_item, sigma_annotator: how much items and annotators differ, in units of the noise of a
    single answer (0.8 and 0.2 are ordinary, see docs/human_statistics.md).
    """

    num_items: int
    num_annotators: int
    ratings_per_item: int
    win_rate: float = 0.1
    tie_share: float = 0.2
    sigma_item: float = 0.8
    sigma_annotator: float = 0.2

    def __post_init__(self) -> None:
        if not 1 <= self.ratings_per_item <= self.num_annotators:
            raise InputError(
                f"{self.ratings_per_item} ratings per item need as many annotators, but there are {self.num_annotators}"
            )
        if self.num_items < 2:
            raise InputError(f"a design needs at least 2 items, not {self.num_items}")
        if not (0 <= self.tie_share < 1 and abs(self.win_rate) < 1 - self.tie_share):
            raise InputError(
                f"win rate {self.win_rate:g} and tie share {self.tie_share:g} leave no room for both G and B; "
                "the shares of G and B are (1 - ties +- win rate)/2 and must be above 0"
            )
        for name, sigma in (("sigma_item", self.sigma_item), ("sigma_annotator", self.sigma_annotator)):
            # beyond 100 times the noise of an answer every vote is decided, and squares overflow at last
            if not 0 <= sigma <= MAX_SIGMA:
                raise InputError(
                    f"{name} is {sigma:g}, expected 0 to {MAX_SIGMA:g}, in units of the noise of an answer"
                )

    def latent(self) -> tuple[float, float]:
        """Return mu and tau."""
        scale = (1 + self.sigma_item**2 + self.sigma_annotator**2) ** 0.5
        G, B = (1 - self.tie_share + self.win_rate) / 2, (1 - self.tie_share - self.win_rate) / 2
        z_G, z_B = stats.norm.ppf([G, B])
        return float(scale * (z_G - z_B) / 2), float(-scale * (z_G + z_B) / 2)

    def shared_variance(self) -> tuple[float, float]:
        """Return rho_item, rho_annotator: correlation of two votes that share an item, or an annotator, alone."""
        mu, tau = self.latent()
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        weights = weights / weights.sum()
        variance = 1 - self.tie_share - self.win_rate**2

        def rho(sigma: float, rest: float) -> float:
            scale = (1 + rest**2) ** 0.5
            above = stats.norm.cdf((mu + sigma * nodes - tau) / scale)
            below = stats.norm.cdf((-mu - sigma * nodes - tau) / scale)
            return float((weights * (above - below) ** 2).sum() - self.win_rate**2) / variance

        return rho(self.sigma_item, self.sigma_annotator), rho(self.sigma_annotator, self.sigma_item)


def simulate_votes(design: Design, rng: np.random.Generator) -> Votes:
    """Return the votes of one simulated study."""
    y, item, annotator = _answers(design, rng)
    return Votes.of(y, item, annotator)


def _answers(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    items, A, m = design.num_items, design.num_annotators, design.ratings_per_item
    mu, tau = design.latent()
    item = np.repeat(np.arange(items), m)
    if m == A:
        annotator = np.tile(np.arange(A), items)
    else:
        annotator = rng.random((items, A)).argpartition(m - 1, axis=1)[:, :m].ravel()
    b, c = rng.normal(0, design.sigma_item, items), rng.normal(0, design.sigma_annotator, A)
    u = mu + b[item] + c[annotator] + rng.normal(size=items * m)
    return (u > tau).astype(np.int64) - (u < -tau), item, annotator


# what a careless annotator does instead of looking
CARELESS = ("left", "same", "random", "straight")


def simulate_ratings(
    truth: Mapping[str, float],
    *,
    design: Design,
    method: str = "ours",
    other: str = "other",
    careless: Sequence[str] = (),
    left_bias: float = 0.0,
    num_gold: int = 0,
    num_repeats: int = 0,
    dimensions: Sequence[Dimension] = UNIVG,
    seed: int = 0,
) -> Ratings:
    """Return the ratings of one simulated study as a file of the app would hold them.

    truth: dimension code -> true win rate of honest annotators; the rest of `design` holds for every dimension.
    careless: the last annotators behave like this, one entry each (`left`, `same`, `random`, `straight`), and fast.
    left_bias: added to the latent difference in favour of the left video. num_gold, num_repeats: extra pairs rated by
    every annotator; gold pairs have a clear right answer, repeats show an earlier pair with sides swapped.
    """
    unknown = [c for c in careless if c not in CARELESS]
    if unknown:
        raise InputError(f"unknown careless behaviour {unknown[0]!r}, expected one of {', '.join(CARELESS)}")
    if len(careless) > design.num_annotators:
        raise InputError(f"{len(careless)} careless annotators, but the design has {design.num_annotators}")
    if not abs(left_bias) <= MAX_SIGMA:
        raise InputError(f"left_bias is {left_bias:g}, expected a number from -{MAX_SIGMA:g} to {MAX_SIGMA:g}")
    rng = np.random.default_rng(seed)
    codes = list(truth)
    _, item, annotator = _answers(design, rng)
    pairs = pd.DataFrame({"item": item, "annotator": annotator, "kind": "main", "repeat": 0, "expected": ""})
    everyone = np.arange(design.num_annotators)
    gold = pd.DataFrame([(i, a, "gold", 0, "G" if i % 2 else "B") for i in range(num_gold) for a in everyone],
                        columns=pairs.columns)  # fmt: skip
    again = pairs.groupby("annotator").head(num_repeats).assign(kind="repeat", repeat=1)
    pairs = pd.concat([pairs, gold, again] if num_gold else [pairs, again], ignore_index=True)
    n = len(pairs)
    left = rng.random(n) < 0.5
    # a repeat is shown the other way round
    key = pairs["item"].to_numpy() * design.num_annotators + pairs["annotator"].to_numpy()
    main = (pairs["kind"] == "main").to_numpy()
    side_of = dict(zip(key[main].tolist(), left[main].tolist(), strict=True))
    repeated = (pairs["kind"] == "repeat").to_numpy()
    left[repeated] = [not side_of[k] for k in key[repeated].tolist()]

    y = np.empty((n, len(codes)), dtype=np.int64)
    is_gold = (pairs["kind"] == "gold").to_numpy()
    for column, code in enumerate(codes):
        mu, tau = replace(design, win_rate=truth[code]).latent()
        b = rng.normal(0, design.sigma_item, design.num_items)[pairs["item"].to_numpy() % design.num_items]
        c = rng.normal(0, design.sigma_annotator, design.num_annotators)[pairs["annotator"].to_numpy()]
        clear = np.where(pairs["expected"] == "G", 4.0, -4.0)
        u = np.where(is_gold, clear, mu + b + c) + np.where(left, left_bias, -left_bias) + rng.normal(size=n)
        y[:, column] = (u > tau).astype(np.int64) - (u < -tau)
    seconds = rng.lognormal(np.log(45.0), 0.3, n)
    for k, behaviour in enumerate(careless):
        rows = pairs["annotator"].to_numpy() == design.num_annotators - len(careless) + k
        random = rng.integers(-1, 2, size=(int(rows.sum()), len(codes)))
        toward_left = np.where(left[rows], 1, -1)[:, None]
        y[rows] = {
            "left": toward_left, "same": np.zeros((1, 1), dtype=np.int64), "random": random, "straight": random[:, :1],
        }[behaviour]  # fmt: skip
        seconds[rows] = rng.lognormal(np.log(1.5), 0.3, int(rows.sum()))

    width = len(str(design.num_items))
    names = np.array([f"item{i:0{width}d}" for i in range(max(design.num_items, num_gold))])
    table = pd.DataFrame(
        {
            "item": np.where(is_gold, np.char.add("gold-", names[pairs["item"]]), names[pairs["item"]]),
            "annotator": np.array([f"A{a:03d}" for a in range(1, design.num_annotators + 1)])[pairs["annotator"]],
            "method": method, "other": other, "side": np.where(left, "left", "right"), "kind": pairs["kind"],
            "repeat": pairs["repeat"], "expected": pairs["expected"],
            "seconds": np.round(seconds, 1), "video_seconds": 3.0,
        }
    )  # fmt: skip
    long = table.loc[np.repeat(np.arange(n), len(codes))].reset_index(drop=True)
    long["dimension"] = np.tile(np.array(codes, dtype=object), n)
    long["choice"] = np.array(["S", "G", "B"])[y.ravel()]
    return validate(long, source=f"simulation with seed {seed}", dimensions=dimensions, first_row=1)
