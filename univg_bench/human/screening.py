"""Who looked, and who only clicked: checks of annotators that cannot see which method was which.

`blind` takes the names away before anything is measured: answers become left, same, right (or first, same, second where
no side is known), pairs get numbers. The rules come from the study file. A check that could not be computed never
excludes anybody, and excluded people are counted, not hidden: results are shown with and without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from univg_bench.human.plan import MEASURES, Plan, Rule
from univg_bench.human.ratings import Ratings, combine


@dataclass(frozen=True)
class Measured:
    """value of a measure for one annotator, from `count` cases; None where nothing could be measured."""

    value: float | None
    count: int


@dataclass(frozen=True)
class Verdict:
    """Outcome of one rule for one annotator: passed is None where it could not be checked (too few cases)."""

    rule: Rule
    measured: Measured
    passed: bool | None

    def reason(self) -> str:
        """Return the finding in words."""
        if self.passed is None or self.measured.value is None:
            return f"{self.rule.measure}: could not check ({self.measured.count} of {self.rule.min_count} cases)"
        return f"{self.rule.measure} {self.measured.value:.2f}, rule: {self.rule}"


@dataclass(frozen=True)
class Screened:
    """One annotator: how much they did, every measure, every verdict."""

    annotator: str
    num_ratings: int
    num_pairs: int
    median_seconds: float | None
    measures: dict[str, Measured]
    verdicts: tuple[Verdict, ...]

    @property
    def excluded(self) -> bool:
        return any(v.passed is False for v in self.verdicts)

    def reasons(self) -> list[str]:
        return [v.reason() for v in self.verdicts if v.passed is False]


def blind(ratings: Ratings) -> pd.DataFrame:
    """Return the answers without method names, one row per rating.

    annotator; pair: a number for item and unordered methods; shown: number of the pair as this annotator met it that
    time; dimension; left: +1, 0, -1, NaN where no side is known; content: +1, 0, -1 for the same one of the two videos
    whatever its side, but which one is decided by the pair's number, so no method can be told from it; expected on the
    scale of content; kind, seconds, video_seconds, watched.
    """
    frame = ratings.frame
    names = sorted({*ratings.labels("method"), *ratings.labels("other")})
    position = {name: i for i, name in enumerate(names)}
    method, other = (
        np.array([position[n] for n in ratings.labels(c)], dtype=np.int64)[ratings.codes(c)]
        for c in ("method", "other")
    )
    pair = combine([ratings.codes("item"), np.minimum(method, other), np.maximum(method, other)])
    pair = np.unique(pair, return_inverse=True)[1].astype(np.int64)
    # half of the pairs are read the other way round, so the sign says nothing about a method
    sign = np.where(method < other, 1, -1) * np.where(pair % 2 == 0, 1, -1)
    y = ratings.y.astype(np.int64)
    side = np.array([{"left": 1.0, "right": -1.0, "none": np.nan}[s] for s in ratings.labels("side")])
    annotator = ratings.codes("annotator")
    repeat = frame["repeat"].to_numpy().astype(np.int64)
    blinded = pd.DataFrame(
        {
            "annotator": annotator,
            "pair": pair,
            "shown": np.unique(combine([annotator, pair, repeat, ratings.codes("kind")]), return_inverse=True)[1],
            "repeat": repeat,
            "kind": frame["kind"],
            "dimension": ratings.codes("dimension"),
            "left": y * side[ratings.codes("side")],
            "content": y * sign,
        }
    )
    if "expected" in frame:
        expected = frame["expected"].astype(object).map({"G": 1.0, "S": 0.0, "B": -1.0}).to_numpy(dtype=float)
        blinded["expected"] = expected * sign
    for column in ("seconds", "video_seconds", "watched"):
        blinded[column] = frame.get(column, np.nan)
    # a fixed order: sums of fractions come out the same to the bit, however the file was sorted
    return blinded.sort_values(["shown", "dimension"], ignore_index=True)


def screen(ratings: Ratings, rules: Sequence[Rule]) -> list[Screened]:
    """Return every annotator with measures and verdicts, by name; `rules` are fixed in the study file."""
    blinded = blind(ratings)
    names = ratings.labels("annotator")
    measured = {m: MEASURE_FUNCTIONS[m](blinded, len(names)) for m in MEASURES}
    shown = blinded.drop_duplicates("shown")
    pairs = np.bincount(shown["annotator"], minlength=len(names))
    num_ratings = np.bincount(blinded["annotator"], minlength=len(names))
    seconds = shown.groupby("annotator")["seconds"].median().reindex(range(len(names))).to_numpy()
    result = []
    for code, name in enumerate(names):
        measures = {m: measured[m][code] for m in MEASURES}
        result.append(
            Screened(
                name, int(num_ratings[code]), int(pairs[code]),
                None if np.isnan(seconds[code]) else float(seconds[code]),
                measures, tuple(_judge(rule, measures[rule.measure]) for rule in rules),
            )
        )  # fmt: skip
    return result


def without_excluded(ratings: Ratings, screened: Sequence[Screened]) -> Ratings:
    """Return the ratings of the annotators who passed (possibly none)."""
    out = {s.annotator for s in screened if s.excluded}
    return ratings.where(~ratings.frame["annotator"].isin(out).to_numpy()) if out else ratings


def summary(ratings: Ratings, screened: Sequence[Screened], plan: Plan) -> str:
    """Return a sentence with the excluded counts."""
    rules = plan.screening
    out = [s for s in screened if s.excluded]
    unchecked = sum(v.passed is None for s in screened for v in s.verdicts)
    lost = sum(s.num_ratings for s in out)
    text = (
        f"Screening: {len(out)} of {len(screened)} annotators and {lost} of {len(ratings)} ratings excluded "
        f"by the {len(rules)} {'rule' if len(rules) == 1 else 'rules'} of "
        f"{plan.source or 'our defaults (no study file)'}"
    )
    if unchecked:
        text += f"; {unchecked} of {len(screened) * len(rules)} checks could not be made, which excludes nobody"
    return text + "."


def _judge(rule: Rule, measured: Measured) -> Verdict:
    if measured.value is None or measured.count < rule.min_count:
        return Verdict(rule, measured, None)
    low = rule.min is None or measured.value >= rule.min
    high = rule.max is None or measured.value <= rule.max
    return Verdict(rule, measured, low and high)


def _share(hits: np.ndarray, annotator: np.ndarray, num: int) -> list[Measured]:
    """Mean of `hits` (N,) by annotator."""
    count = np.bincount(annotator, minlength=num)
    total = np.bincount(annotator, hits.astype(float), num)
    return [Measured(float(t / c) if c else None, int(c)) for t, c in zip(total, count, strict=True)]


def _of_main(blinded: pd.DataFrame) -> pd.DataFrame:
    return blinded[(blinded["kind"] != "practice").to_numpy()]


def straight_line(blinded: pd.DataFrame, num: int) -> list[Measured]:
    """Share of shown pairs with three or more questions whose answers are all the same."""
    rows = _of_main(blinded)
    size = int(blinded["shown"].max()) + 1
    shown = rows["shown"].to_numpy()
    asked = np.bincount(shown, minlength=size)
    total = np.bincount(shown, rows["content"].to_numpy(), size)
    squares = np.bincount(shown, rows["content"].to_numpy() ** 2, size)
    # answers of -1, 0, 1 are all equal where their variance is 0
    equal = asked * squares == total**2
    owner = np.zeros(size, dtype=np.int64)
    owner[shown] = rows["annotator"].to_numpy()
    return _share(equal[asked >= 3], owner[asked >= 3], num)


def left_share(blinded: pd.DataFrame, num: int) -> list[Measured]:
    rows = _of_main(blinded)
    rows = rows[rows["left"].abs().to_numpy() == 1]
    return _share(rows["left"].to_numpy() > 0, rows["annotator"].to_numpy(), num)


def same_share(blinded: pd.DataFrame, num: int) -> list[Measured]:
    rows = _of_main(blinded)
    return _share(rows["content"].to_numpy() == 0, rows["annotator"].to_numpy(), num)


def speed(blinded: pd.DataFrame, num: int) -> list[Measured]:
    rows = _of_main(blinded).drop_duplicates("shown")
    return _median(rows["seconds"] / rows["video_seconds"].where(rows["video_seconds"] > 0), rows["annotator"], num)


def watched(blinded: pd.DataFrame, num: int) -> list[Measured]:
    rows = _of_main(blinded).drop_duplicates("shown")
    return _median(rows["watched"], rows["annotator"], num)


def gold_accuracy(blinded: pd.DataFrame, num: int) -> list[Measured]:
    rows = blinded[(blinded["kind"] == "gold").to_numpy()]
    if not len(rows):
        return [Measured(None, 0)] * num
    return _share(rows["content"].to_numpy() == rows["expected"].to_numpy(), rows["annotator"].to_numpy(), num)


def repeat_consistency(blinded: pd.DataFrame, num: int) -> list[Measured]:
    """Share of repeated questions answered for the same video as the first time (sides were swapped in between)."""
    keys = ["annotator", "pair", "dimension"]
    first = blinded[((blinded["kind"] == "main") & (blinded["repeat"] == 0)).to_numpy()]
    again = blinded[
        ((blinded["kind"] == "repeat") | ((blinded["kind"] == "main") & (blinded["repeat"] > 0))).to_numpy()
    ]
    both = again.merge(first[[*keys, "content"]], on=keys, suffixes=("", "_first"))
    return _share((both["content"] == both["content_first"]).to_numpy(), both["annotator"].to_numpy(), num)


def agreement(blinded: pd.DataFrame, num: int) -> list[Measured]:
    """Leave-one-out: on each question, the share of the others who gave this annotator's answer."""
    rows = blinded[((blinded["kind"] == "main") & (blinded["repeat"] == 0)).to_numpy()]
    if not len(rows):
        return [Measured(None, 0)] * num
    question = np.unique(
        combine([rows["pair"].to_numpy(), rows["dimension"].to_numpy().astype(np.int64)]), return_inverse=True
    )[1]
    answer = rows["content"].to_numpy() + 1
    counts = np.bincount(question * 3 + answer, minlength=(int(question.max()) + 1) * 3).reshape(-1, 3)
    others = counts.sum(axis=1)[question] - 1
    alike = counts[question, answer] - 1
    some = others > 0
    return _share(alike[some] / others[some], rows["annotator"].to_numpy()[some], num)


def _median(values: pd.Series, annotator: pd.Series, num: int) -> list[Measured]:
    groups = values.groupby(annotator.to_numpy())
    median, count = groups.median(), groups.count()
    return [Measured(float(median[a]) if count.get(a, 0) else None, int(count.get(a, 0))) for a in range(num)]


MEASURE_FUNCTIONS = {
    "straight_line": straight_line, "left_share": left_share, "same_share": same_share, "speed": speed,
    "gold_accuracy": gold_accuracy, "repeat_consistency": repeat_consistency, "agreement": agreement,
    "watched": watched,
}  # fmt: skip
