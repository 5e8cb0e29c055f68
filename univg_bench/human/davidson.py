"""Davidson's model: one strength per method from all pairs together, with ties and, where sides are known, a side term.

For methods i (shown left) and j (shown right), with strengths theta:

    P(i better) = exp(+d/2) / Z,   P(same) = nu / Z,   P(j better) = exp(-d/2) / Z,   d = theta_i - theta_j + delta

delta > 0 means that being on the left helps. It is a multinomial logit, so the likelihood is concave and Newton's steps
find its one maximum. Strengths add up to 0. Two methods, no side: theta_1 - theta_2 = log(G/B), nu = S / sqrt(G B).

Source: Davidson 1970, JASA 65, 317-328; the order effect, Davidson & Beaver 1977, Biometrics 33, 693-702.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from univg_bench.human.clusters import NOISE
from univg_bench.human.ratings import Ratings, combine
from univg_bench.human.winrate import MIN_ANNOTATORS

MAX_STEPS = 100


@dataclass(frozen=True)
class Strength:
    """Strength of a method (log scale, all add up to 0); standard_error and interval are None where there are none."""

    method: str
    theta: float
    standard_error: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Davidson:
    """A fit on one dimension. nu: tie parameter, 0 without ties. delta: side term, None where it was not fitted.

    undefined: why there is no fit, or empty; then strengths is empty. no_interval: why strengths stand without
    intervals, or empty.
    """

    dimension: str
    strengths: tuple[Strength, ...]
    nu: float
    delta: float | None
    delta_interval: tuple[float, float] | None
    log_likelihood: float
    df: int
    undefined: str = ""
    no_interval: str = ""


def fit(ratings: Ratings, dimension: str, *, side: bool = False, level: float = 0.95) -> Davidson:
    """Return the maximum-likelihood fit to the main ratings on `dimension`.

    Standard errors are two-way cluster-robust (items, annotators) with t(A-1), or by item with few annotators, as for
    win rates. side: fit delta too, from the rows whose side is known; rows without one do not inform it.
    """
    main = ratings.main
    main = main.where((main.frame["dimension"] == dimension).to_numpy())
    methods = sorted({*main.labels("method"), *main.labels("other")}) if len(main) else []
    if len(methods) < 2:
        return _undefined(dimension, "undefined, no ratings")
    position = {name: k for k, name in enumerate(methods)}
    first = np.array([position[n] for n in main.labels("method")])[main.codes("method")]
    second = np.array([position[n] for n in main.labels("other")])[main.codes("other")]
    y = main.y.astype(np.int64)
    shown = np.array([{"left": 1, "right": -1, "none": 0}[s] for s in main.labels("side")])[main.codes("side")]
    # equal rows of the design are one pattern: a million ratings have a few dozen
    pattern = combine([first, second, shown + 1 if side else np.zeros(len(y), dtype=np.int64)])
    _, at, pattern = np.unique(pattern, return_index=True, return_inverse=True)
    counts = np.zeros((len(at), 3))
    np.add.at(counts, (pattern, 1 - y), 1)  # columns G, S, B
    # d = theta_first - theta_second + delta * (+1 if first was left); the last method is minus the sum of the others
    rows = np.arange(len(at))
    x = np.zeros((len(at), len(methods)))
    x[rows, first[at]] += 1
    x[rows, second[at]] -= 1
    x = x[:, :-1] - x[:, [-1]]
    if side:
        x = np.column_stack([x, shown[at]])
    has_ties = bool((y == 0).any())
    problem = _no_maximum(x, counts, has_ties)
    if problem:
        return _undefined(dimension, problem)
    params, scores, information, value = _newton(x, counts, has_ties)
    beta, log_nu = params[: x.shape[1]], float(params[-1])
    gradient = scores[pattern, 1 - y]
    item, annotator = main.codes("item"), main.codes("annotator")
    num_annotators = len(np.unique(annotator))
    generalises = num_annotators >= MIN_ANNOTATORS
    df = max((min(num_annotators, len(np.unique(item))) if generalises else len(np.unique(item))) - 1, 1)
    t = float(stats.t.ppf(0.5 + level / 2, df))
    k = len(methods) - 1
    # what is reported (strengths of all methods, delta) as a linear map of the free parameters
    report = np.zeros((len(methods) + int(side), gradient.shape[1]))
    report[:k, :k] = np.eye(k)
    report[k, :k] = -1
    if side:
        report[-1, k] = 1
    values = report[:, : len(beta)] @ beta
    found = _sandwich(gradient, information, item, annotator, report, two_way=generalises)
    errors = [None if variance == 0 else float(variance**0.5) for variance in found]
    intervals = [
        None if e is None else (float(v - t * e), float(v + t * e)) for v, e in zip(values, errors, strict=True)
    ]
    strengths = tuple(Strength(m, float(values[i]), errors[i], intervals[i]) for i, m in enumerate(methods))
    no_interval = ""
    if None in errors:
        no_interval = "one item only" if len(np.unique(item)) < 2 else "all items say exactly the same"
    delta, delta_interval = (float(values[-1]), intervals[-1]) if side else (None, None)
    nu = float(np.exp(log_nu)) if has_ties else 0.0
    return Davidson(dimension, strengths, nu, delta, delta_interval, value, df, no_interval=no_interval)


def _newton(x: np.ndarray, counts: np.ndarray, has_ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return parameters, score of a rating by pattern and answer, information matrix, log likelihood at the maximum.

    x: (patterns, columns) design of d. counts: (patterns, 3) answers G, S, B. Parameters: the columns, then log nu,
    which stays 0 and out of the model without ties. Scores: (patterns, 3, free parameters).
    """
    columns = x.shape[1]
    total = counts.sum(axis=1)
    slope, offset = _logits(x, has_ties)
    free = slope.shape[2]

    def evaluate(params: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        logits = slope @ params[:free] + offset
        log_z = np.logaddexp.reduce(logits, axis=1)
        probability = np.exp(logits - log_z[:, None])
        log_p = np.where(counts > 0, logits - log_z[:, None], 0.0)
        mean = np.einsum("pa,paf->pf", probability, slope)
        scores = slope - mean[:, None, :]
        information = np.einsum("p,pa,paf,pag->fg", total, probability, scores, scores)
        return float((counts * log_p).sum()), scores, information

    params = np.zeros(columns + 1)
    value, scores, information = evaluate(params)
    for _ in range(MAX_STEPS):
        step = np.linalg.solve(information, np.einsum("pa,paf->f", counts, scores))
        scale = 1.0
        while True:
            trial = params.copy()
            trial[:free] += scale * step
            new = evaluate(trial)
            # concave: a short enough step never goes down
            if new[0] >= value - 1e-12 * abs(value) or scale < 1e-6:
                break
            scale /= 2
        params, (value, scores, information) = trial, new
        if np.abs(scale * step).max() < 1e-10:
            return params, scores, information, value
    raise AssertionError("Newton's steps on a concave likelihood did not settle")


def _logits(x: np.ndarray, has_ties: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return slope (patterns, 3, parameters) and offset (3,): logits of G, S, B = slope @ parameters + offset."""
    columns = x.shape[1]
    slope = np.zeros((len(x), 3, columns + 1))
    slope[:, 0, :columns], slope[:, 2, :columns] = x / 2, -x / 2
    slope[:, 1, columns] = 1
    return slope[:, :, : columns + int(has_ties)], np.array([0.0, 0.0 if has_ties else -np.inf, 0.0])


def _sandwich(
    gradient: np.ndarray,
    information: np.ndarray,
    item: np.ndarray,
    annotator: np.ndarray,
    report: np.ndarray,
    *,
    two_way: bool,
) -> np.ndarray:
    """Return the cluster-robust variances of `report @ parameters` (Cameron, Gelbach & Miller 2011, eq. 2.13).

    0 stands for none: one item, or items that say exactly the same, leave nothing to estimate a variance from.
    """
    influence = gradient @ np.linalg.solve(information, report.T)  # (N, reported)

    def clustered(codes: np.ndarray) -> np.ndarray:
        groups, codes = np.unique(codes, return_inverse=True)
        sums = np.stack([np.bincount(codes, column, len(groups)) for column in influence.T])
        result: np.ndarray = (sums**2).sum(axis=1) * (len(groups) / max(len(groups) - 1, 1))
        return result

    if len(np.unique(item)) < 2:
        return np.zeros(report.shape[0])
    by_item = clustered(item)
    both = by_item + clustered(annotator) - clustered(combine([item, annotator])) if two_way else by_item
    # as for win rates: never less uncertain than by item alone, and what only rounding left is 0
    larger = np.maximum(both, by_item)
    return np.where(larger > NOISE * (influence**2).sum(axis=0), larger, 0.0)


def _no_maximum(x: np.ndarray, counts: np.ndarray, has_ties: bool) -> str:
    """Return why the likelihood has no single finite maximum, or an empty text.

    There is none if some direction of the parameters makes every answer that was given at least as likely and one
    more likely (Albert & Anderson 1984, Biometrika 71, 1-10): a linear programme over the few patterns finds it.
    """
    if counts[:, [0, 2]].sum() == 0:
        return "undefined, all answers are the same choice: S"
    slope, _ = _logits(x, has_ties)
    pattern, answer = np.nonzero(counts)
    given = slope[pattern, answer][:, None, :] - slope[pattern][:, [0, 1, 2] if has_ties else [0, 2], :]
    gain = given.reshape(-1, slope.shape[2])
    if np.linalg.matrix_rank(gain) < slope.shape[2]:
        return "undefined, some methods were never compared with the others, or no side is known for the side term"
    best = optimize.linprog(-gain.sum(axis=0), A_ub=-gain, b_ub=np.zeros(len(gain)), bounds=(-1, 1))
    if -best.fun > 1e-7:
        return "undefined, some methods never lose against others (or one side never loses): no bound on a strength"
    return ""


def _undefined(dimension: str, why: str) -> Davidson:
    return Davidson(dimension, (), 0.0, None, None, 0.0, 0, why)
