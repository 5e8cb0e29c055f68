"""Ratings written as letters: one string per item, one letter per annotator."""

from __future__ import annotations

import pandas as pd

from univg_bench.human.ratings import Ratings, validate


def rows(*votes: str, dimension: str = "OL", side: str = "left") -> pd.DataFrame:
    """Return a raw table: one string per item, one letter per annotator (G, S, B, or . for none)."""
    table = [
        (f"i{i:03d}", f"a{a}", "ours", "rival", dimension, choice, side)
        for i, answers in enumerate(votes)
        for a, choice in enumerate(answers)
        if choice != "."
    ]
    return pd.DataFrame(table, columns=["item", "annotator", "method", "other", "dimension", "choice", "side"])


def ratings(*votes: str, dimension: str = "OL", side: str = "left") -> Ratings:
    return validate(rows(*votes, dimension=dimension, side=side), source="test")


def counts_to_votes(G: int, S: int, B: int, annotators: int = 5) -> list[str]:
    """Return votes with these totals, dealt out item by item."""
    letters = "G" * G + "S" * S + "B" * B
    return [letters[i : i + annotators] for i in range(0, len(letters), annotators)]
