"""Scores of single videos turned into comparisons: a rater who gave A more points than B prefers A.

Induced comparisons are not the same as asked ones: nobody saw the two videos side by side, equal points are a coarse
"same", and the pairs that share a video are not independent. They stand in a table under the name `induced`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from univg_bench.errors import InputError
from univg_bench.human.dimensions import UNIVG, plain_dimension
from univg_bench.human.rating_files import read_csv_text, read_table
from univg_bench.human.ratings import Ratings, validate

ANNOTATOR_COLUMNS = ("annotator", "rater")
METHOD_COLUMNS = ("method", "model")


def read_scores(path: Path, *, columns: Sequence[str] = (), leave_out: Sequence[str] = ()) -> Ratings:
    """Return the comparisons that a CSV of scores implies.

    The file has one row per item, model (or method) and rater (or annotator), and one column of numbers per dimension
    (all other columns, unless `columns` names them). leave_out: methods that take no part, such as the real references.

    Raises InputError for missing columns, scores that are no numbers, duplicate rows (with row numbers), or no pair.
    """
    return induce(read_table(path, read_csv_text), source=str(path), columns=columns, leave_out=leave_out)


def induce(scores: pd.DataFrame, *, source: str, columns: Sequence[str] = (), leave_out: Sequence[str] = ()) -> Ratings:
    """Return one rating per item, annotator, dimension and pair of methods scored by that annotator."""
    annotator = _one_of(scores, ANNOTATOR_COLUMNS, source)
    method = _one_of(scores, METHOD_COLUMNS, source)
    _one_of(scores, ("item",), source, also="item_id")
    item = "item" if "item" in scores else "item_id"
    keys = [item, annotator, method]
    names = list(columns) or [str(c) for c in scores.columns if c not in keys]
    missing = [c for c in names if c not in scores]
    if missing or not names:
        raise InputError(f"{source} has no score column {', '.join(missing) or 'at all'}; it has {_names(scores)}")
    for key in keys:
        _refuse(
            (scores[key].isna() | (scores[key].astype(str).str.strip() == "")).to_numpy(), f"{key} is empty", source
        )
    table = scores[keys].astype(str)
    for name in names:
        table[name] = pd.to_numeric(scores[name].astype(object), errors="coerce").astype(float)
        _refuse(~np.isfinite(table[name].to_numpy()), f"{name} is not a finite number", source)
    _refuse(
        table.duplicated(keys).to_numpy(), f"the same {item}, {annotator} and {method} stand in an earlier row", source
    )
    methods = sorted(set(table[method]) - set(leave_out))
    absent = sorted(set(leave_out) - set(table[method]))
    if absent:
        raise InputError(f"{source} has no method {', '.join(absent)} to leave out; it has {', '.join(methods)}")
    # (item, annotator) x (dimension, method): NaN where an annotator did not score that video
    wide = table.pivot(index=[item, annotator], columns=method, values=names)
    parts = []
    for a, b in combinations(methods, 2):
        for name in names:
            difference = (wide[(name, a)] - wide[(name, b)]).dropna()
            part = difference.index.to_frame(index=False, name=["item", "annotator"])
            sign = np.sign(difference.to_numpy()).astype(int)
            part["method"], part["other"], part["dimension"] = a, b, name
            part["choice"], part["side"] = np.array(["S", "G", "B"])[sign], "none"
            parts.append(part)
    if not parts or not sum(map(len, parts)):
        raise InputError(f"{source} implies no comparison: no annotator scored two methods for one item")
    dimensions = [plain_dimension(n) for n in names]
    if len(set(dimensions)) < len(dimensions):
        raise InputError(f"{source} has one dimension in two columns of {', '.join(names)} (RO/S is ROS); remove one")
    # the ten in the order of Table 2, then others as they stand
    dimensions.sort(key=lambda d: UNIVG.index(d) if d in UNIVG else len(UNIVG))
    made = validate(
        pd.concat(parts, ignore_index=True), source=f"{source} (induced)", dimensions=dimensions, first_row=1
    )
    return replace(made, induced=True)


def _one_of(scores: pd.DataFrame, names: Sequence[str], source: str, also: str = "") -> str:
    for name in (*names, also):
        if name in scores:
            return name
    raise InputError(f"{source} lacks a column {' or '.join(n for n in (*names, also) if n)}; it has {_names(scores)}")


def _refuse(mask: np.ndarray, what: str, source: str) -> None:
    rows = np.flatnonzero(mask) + 2
    if rows.size:
        raise InputError(f"{source}: {what} in {rows.size} rows (first: row {rows[0]})")


def _names(scores: pd.DataFrame) -> str:
    return ", ".join(map(str, scores.columns))
