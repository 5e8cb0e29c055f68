"""The floor of FVD: what two sets of real videos score against each other at a given n.

FVD of small sets is mostly bias and falls as 1/N, so a number says something only beside this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from univg_bench.measures.data import Rows
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.protocol import Protocol
from univg_bench.protocol_metrics import FvdMetric
from univg_bench.recipes import FVD_RECIPES
from univg_bench.statistics import moments_of


@dataclass(frozen=True)
class Floor:
    """The FVD between two sets of n real videos: below it no model can be told from real ones at that n.

    same_captions: renderings of the same captions, the floor of a model that is given the references' captions; None
    where there is no second set of them. other_captions: of captions that differ, for models that are not.
    """

    n: int
    same_captions: float | None
    other_captions: float | None


def floors(
    protocol: Protocol, run: Path, *, held_out: bool, least: int = 16, halvings: int | None = None
) -> tuple[Floor, ...]:
    """Return the floor at n, n/2, n/4 ... down to `least`, each a mean over the disjoint parts of size n.

    run: the folder of an evaluated run, whose features are read. held_out: its samples are real videos of the same
    captions. halvings: how often n is halved at most. Nothing for a protocol without FVD.
    """
    metric = next((metric for metric in protocol.metrics if isinstance(metric, FvdMetric)), None)
    if metric is None:
        return ()
    ddof = FVD_RECIPES[metric.recipe].ddof
    real = np.load(run / "features" / f"{metric.id}.references.npy")
    other_set = np.load(run / "features" / f"{metric.id}.samples.npy") if held_out else None

    def distance(a: Rows, b: Rows) -> float:
        return frechet_distance(moments_of(a).gaussian(ddof=ddof), moments_of(b).gaussian(ddof=ddof))

    found, n, halved = [], len(real), 0
    while n >= max(least, ddof + 1, 2) and (halvings is None or halved <= halvings):
        parts = [slice(start, start + n) for start in range(0, len(real) - n + 1, n)]
        same = None
        if other_set is not None and len(other_set) == len(real):
            same = float(np.mean([distance(other_set[part], real[part]) for part in parts]))
        pairs = list(zip(parts[::2], parts[1::2], strict=False))
        other = float(np.mean([distance(real[a], real[b]) for a, b in pairs])) if pairs else None
        if same is not None or other is not None:
            found.append(Floor(n, same, other))
        n, halved = n // 2, halved + 1
    return tuple(found)


def floor_text(floor: Sequence[Floor]) -> str:
    """Return the floor in one sentence; an empty text when there is none."""
    same = ", ".join(f"{one.same_captions:.1f} at n = {one.n}" for one in floor if one.same_captions is not None)
    other = ", ".join(f"{one.other_captions:.0f} at n = {one.n}" for one in floor if one.other_captions is not None)
    said = (("of the same captions", same), ("of different captions", other))
    parts = [f"{whose} {values}" for whose, values in said if values]
    if not parts:
        return ""
    return (
        f"The floor, FVD between two sets of real videos: {'; '.join(parts)}. It falls with n, so only rows of equal n"
        " and equal captions compare."
    )
