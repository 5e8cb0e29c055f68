"""The data model: one row per answer, validated as a whole before anything is computed.

A rating says: annotator `annotator` compared the videos that `method` (ours) and `other` made for `item`, and on
`dimension` found ours better (G), the same (S) or the other better (B). `side` is where ours stood on the screen.

| column | values | |
|---|---|---|
| item, annotator, method, other | text | required |
| dimension | code of a declared dimension | required |
| choice | G, S, B | required |
| side | left, right, or none (never shown side by side) | required, so that a forgotten side is not a missing one |
| answer | left, same, right: what was clicked | optional; must agree with choice and side |
| kind | main, practice, gold, repeat | optional, main; only main rows enter win rates |
| repeat | 0, 1, ... : how often this annotator saw the pair before | optional, 0 |
| expected | G, S, B | required for gold rows |
| seconds, video_seconds | time spent on the pair, length of its longer video | optional |
| watched | share of the videos that was played, 0 to 1 | optional |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from univg_bench.errors import InputError
from univg_bench.human.dimensions import ALIASES, UNIVG, Dimension

REQUIRED = ("item", "annotator", "method", "other", "dimension", "choice", "side")
TEXT = (*REQUIRED, "answer", "kind", "expected")
NUMBERS = ("repeat", "seconds", "video_seconds", "watched")
CHOICES = ("G", "S", "B")
SIDES = ("left", "right", "none")
ANSWERS = ("left", "same", "right")
KINDS = ("main", "practice", "gold", "repeat")
SCORE = {"G": 1, "S": 0, "B": -1}
ROWS_SHOWN = 5


@dataclass(frozen=True)
class Ratings:
    """Validated ratings: text columns are categories with sorted labels, numbers are numbers.

    frame: the columns of the module docstring; kind and repeat are always there. dimensions: in table order.
    source: where they came from, for messages and reports. induced: nobody was asked, scores were compared.
    """

    frame: pd.DataFrame
    dimensions: tuple[Dimension, ...]
    source: str
    induced: bool = False

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def y(self) -> np.ndarray:
        """(N,) int8: +1 for G, 0 for S, -1 for B."""
        lookup = np.array([SCORE[c] for c in self.frame["choice"].cat.categories], dtype=np.int8)
        scores: np.ndarray = lookup[self.frame["choice"].cat.codes.to_numpy()]
        return scores

    def codes(self, column: str) -> np.ndarray:
        """(N,) int64: position of each row's label among the sorted labels of `column`."""
        return self.frame[column].cat.codes.to_numpy().astype(np.int64)

    def labels(self, column: str) -> list[str]:
        return [str(label) for label in self.frame[column].cat.categories]

    def where(self, mask: np.ndarray) -> Ratings:
        """Return the rows of `mask` (bool, (N,)); labels that no longer occur are forgotten."""
        frame = self.frame.loc[mask].reset_index(drop=True)
        for column in frame.columns:
            if isinstance(frame[column].dtype, pd.CategoricalDtype):
                frame[column] = frame[column].cat.remove_unused_categories()
        present = set(frame["dimension"].cat.categories)
        return replace(self, frame=frame, dimensions=tuple(d for d in self.dimensions if d.code in present))

    @property
    def main(self) -> Ratings:
        """The rows that win rates are computed from: no practice, no gold, no repeats."""
        mask = ((self.frame["kind"] == "main") & (self.frame["repeat"] == 0)).to_numpy()
        return self if mask.all() else self.where(mask)


def combine(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return one int64 code per row that is equal exactly where all `columns` (int64, (N,)) are equal.

    Where the plain product of the sizes would not fit into 63 bits, the codes so far are renumbered first.
    """
    codes = columns[0]
    for column in columns[1:]:
        size = int(column.max(initial=0)) + 1
        if int(codes.max(initial=0)) >= 2**62 // size:
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        codes = codes * size + column
    return codes


def swap_methods(ratings: Ratings) -> Ratings:
    """Return the same answers seen from the other method: G and B, left and right, method and other change places."""
    frame = ratings.frame.copy()
    frame["method"], frame["other"] = ratings.frame["other"], ratings.frame["method"]
    turned = {"G": "B", "S": "S", "B": "G", "left": "right", "right": "left", "none": "none"}
    for column in ("choice", "side", "expected"):
        if column in frame:
            frame[column] = _category(frame[column].map(turned))
    return replace(ratings, frame=frame)


def validate(raw: pd.DataFrame, *, source: str, dimensions: Sequence[Dimension] = UNIVG, first_row: int = 2) -> Ratings:
    """Return `raw` as Ratings.

    raw: columns of the module docstring as text or numbers, in any order. first_row: what the file calls its first
    rating (2 in a CSV file, whose header is row 1), so that messages name rows as a spreadsheet or editor shows them.

    Raises InputError that lists every kind of problem with the rows where it stands.
    """
    _check_columns(raw, source)
    if not len(raw):
        raise InputError(f"{source} holds no ratings; expected one row per answer below the header")
    frame = pd.DataFrame({c: _category(raw[c]) for c in TEXT if c in raw}, copy=False)
    frame["dimension"] = _rename(frame["dimension"], ALIASES)
    problems = _Problems(source, first_row)
    for column in REQUIRED:
        problems.add(frame[column].isna().to_numpy(), f"{column} is empty")
    known = tuple(d.code for d in dimensions)
    problems.add_unknown(frame["dimension"], known, "dimension", "declare it in the study file if it is meant")
    problems.add_unknown(frame["choice"], CHOICES, "choice")
    problems.add_unknown(frame["side"], SIDES, "side", "write none where nothing was shown side by side")
    for column, allowed in (("answer", ANSWERS), ("kind", KINDS), ("expected", CHOICES)):
        if column in frame:
            problems.add_unknown(frame[column], allowed, column)
    same = frame["method"].astype(object).to_numpy() == frame["other"].astype(object).to_numpy()
    problems.add(same, "method and other are the same")
    for column in NUMBERS:
        if column in raw:
            frame[column] = _number(raw[column], column, problems)
    if "kind" not in frame:
        frame["kind"] = pd.Categorical(["main"]).take(np.zeros(len(frame), dtype=np.intp))
    frame["kind"] = _filled(frame["kind"], "main")
    frame["repeat"] = frame["repeat"].fillna(0).astype(np.int32) if "repeat" in frame else np.int32(0)
    problems.stop()

    order = {d.code: i for i, d in enumerate(dimensions)}
    present = sorted(frame["dimension"].cat.categories, key=order.__getitem__)
    declared = {d.code: d for d in dimensions}
    ratings = Ratings(frame, tuple(declared[code] for code in present), source)
    _check_keys(ratings, problems)
    _check_gold_and_answers(frame, problems)
    problems.stop()
    return ratings


class _Problems:
    """Collects what is wrong with which rows, to be raised at once."""

    def __init__(self, source: str, first_row: int) -> None:
        self.source, self.first_row, self.lines = source, first_row, list[str]()

    def add(self, mask: np.ndarray, what: str) -> None:
        rows = np.flatnonzero(mask)
        if rows.size:
            shown = ", ".join(str(r + self.first_row) for r in rows[:ROWS_SHOWN])
            more = f" and {rows.size - ROWS_SHOWN} more" if rows.size > ROWS_SHOWN else ""
            self.lines.append(f"{what} ({'row' if rows.size == 1 else 'rows'} {shown}{more})")

    def add_unknown(self, column: pd.Series, allowed: Sequence[str], name: str, hint: str = "") -> None:
        for label in column.cat.categories:
            if label not in allowed:
                expected = f"unknown {name} {label!r}, expected one of {', '.join(allowed)}"
                self.add((column == label).to_numpy(), f"{expected}; {hint}" if hint else expected)

    def stop(self) -> None:
        if self.lines:
            raise InputError(f"{self.source} is not a valid ratings file:\n  " + "\n  ".join(self.lines))


def _check_columns(raw: pd.DataFrame, source: str) -> None:
    found = [str(c) for c in raw.columns]
    twice = sorted({c for c in found if found.count(c) > 1})
    if twice:
        raise InputError(f"{source} has the column {', '.join(map(repr, twice))} more than once")
    missing = [c for c in REQUIRED if c not in found]
    if missing:
        raise InputError(
            f"{source} lacks the column {', '.join(map(repr, missing))}; it has {', '.join(found) or 'none'}, "
            f"and a ratings file needs {', '.join(REQUIRED)}"
        )
    unknown = [c for c in found if c not in TEXT and c not in NUMBERS]
    if unknown:
        raise InputError(
            f"{source} has the unknown column {', '.join(map(repr, unknown))}; "
            f"allowed are {', '.join((*TEXT, *NUMBERS))}. Remove it or correct its name"
        )


def _check_keys(ratings: Ratings, problems: _Problems) -> None:
    """A rating may stand once, and a pair of methods in one order only (else its answers would cancel out)."""
    names = sorted({*ratings.labels("method"), *ratings.labels("other")})
    position = {name: i for i, name in enumerate(names)}
    method = np.array([position[n] for n in ratings.labels("method")], dtype=np.int64)[ratings.codes("method")]
    other = np.array([position[n] for n in ratings.labels("other")], dtype=np.int64)[ratings.codes("other")]
    pair = np.minimum(method, other) * len(names) + np.maximum(method, other)
    repeat = ratings.frame["repeat"].to_numpy().astype(np.int64)
    kind = ratings.codes("kind")
    key = combine([ratings.codes("item"), ratings.codes("annotator"), pair, ratings.codes("dimension"), repeat, kind])
    problems.add(
        pd.Series(key).duplicated(keep="first").to_numpy(),
        "duplicate rating: the same annotator, item, methods, dimension, kind and repeat stand in an earlier row",
    )
    forward = method < other
    for code in np.intersect1d(np.unique(pair[forward]), np.unique(pair[~forward])):
        rows, a, b = pair == code, names[code // len(names)], names[code % len(names)]
        few = forward if (forward & rows).sum() <= (~forward & rows).sum() else ~forward
        problems.add(
            few & rows,
            f"{a!r} and {b!r} stand in both orders of method and other; write these rows the other way round",
        )


def _check_gold_and_answers(frame: pd.DataFrame, problems: _Problems) -> None:
    gold = (frame["kind"] == "gold").to_numpy()
    expected = frame["expected"].isna().to_numpy() if "expected" in frame else np.ones(len(frame), dtype=bool)
    problems.add(gold & expected, "gold rating without expected: G, S or B")
    if "answer" not in frame:
        return
    clicked = {"left": 1, "same": 0, "right": -1}
    sign = frame["side"].astype(object).map({"left": 1, "right": -1, "none": 0}).to_numpy()
    answer = frame["answer"].astype(object).map(clicked).to_numpy(dtype=float)
    score = frame["choice"].astype(object).map(SCORE).to_numpy()
    told = ~np.isnan(answer)
    wrong = told & (np.nan_to_num(answer) * sign != score) & (sign != 0)
    problems.add(wrong, "answer contradicts choice and side (G means: the side where method stood)")
    problems.add(told & (sign == 0), "answer given, but side is none")


def _category(column: pd.Series) -> pd.Series:
    """Return the column as categories with sorted, stripped labels; empty text becomes missing."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("category")
    labels = [str(label).strip() for label in column.cat.categories]
    names = sorted(set(labels) - {""})
    position = {name: i for i, name in enumerate(names)} | {"": -1}
    # the last entry serves code -1 (missing)
    lookup = np.array([*(position[label] for label in labels), -1], dtype=np.int32)
    codes = lookup[column.cat.codes.to_numpy()]
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype=object)))


def _rename(column: pd.Series, names: dict[str, str]) -> pd.Series:
    if not set(names) & set(column.cat.categories):
        return column
    return _category(column.astype(object).map(lambda label: names.get(label, label)))


def _filled(column: pd.Series, label: str) -> pd.Series:
    if not column.isna().any():
        return column
    if label not in column.cat.categories:
        column = column.cat.add_categories([label])
    return _category(column.fillna(label))


def _number(column: pd.Series, name: str, problems: _Problems) -> pd.Series:
    column = column.reset_index(drop=True)
    given = column.notna()
    if not pd.api.types.is_numeric_dtype(column):
        given &= column.astype(str).str.strip() != ""
    numbers = pd.to_numeric(column.where(given), errors="coerce").astype(np.float64)
    values = numbers.to_numpy()
    bad = (given.to_numpy() & ~np.isfinite(values)) | (values < 0)
    if name == "repeat":
        bad |= np.nan_to_num(values) % 1 != 0
    if name == "watched":
        bad |= values > 1
    expected = {"repeat": "a whole number from 0", "watched": "a share from 0 to 1"}.get(name, "a number from 0")
    problems.add(bad, f"{name} is not {expected}")
    return numbers
