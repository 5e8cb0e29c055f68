"""The table of metric kinds: how the features of a video become rows, and how rows become a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from univg_bench.measures.captions import clipsim_number
from univg_bench.measures.data import Evidence, Number, Rows
from univg_bench.measures.means import fidelity_number, mean_number, motion_number
from univg_bench.measures.sets import fid_number, fvd_number, kvd_number, manifold_number, spectral_number
from univg_bench.metrics.consistency import frame_consistency, image_alignment
from univg_bench.protocol_metrics import TRAITS, Metric


@dataclass(frozen=True)
class Kind:
    """A metric kind. reduction: names `rows` in words, for telling equal rows from others.

    rows: from a metric, the features of one video and those of its counterpart (None without one) to rows (R, D);
    number: from a metric and the evidence to the number.
    """

    reduction: str
    rows: Callable[[Any, Rows, Rows | None], Rows]
    number: Callable[[Any, Evidence], Number]


def _vector(metric: Metric, features: Rows, other: Rows | None) -> Rows:
    return features[None].astype(np.float64)


def _mean_frame(metric: Metric, features: Rows, other: Rows | None) -> Rows:
    # the mean of cosines with a unit vector is the cosine with the mean, so CLIPSIM needs no more
    return (features if features.ndim == 1 else features.mean(axis=0, dtype=np.float64))[None].astype(np.float64)


def _consistency(metric: Metric, features: Rows, other: Rows | None) -> Rows:
    return np.array([[frame_consistency(features)]])


def _alignment(metric: Any, features: Rows, other: Rows | None) -> Rows:
    assert other is not None
    return np.array([[image_alignment(features, other[0], metric.quantity)]])


def _frames(metric: Metric, features: Rows, other: Rows | None) -> Rows:
    return features


KINDS: dict[str, Kind] = {
    "fvd": Kind("vector", _vector, fvd_number),
    "kvd": Kind("vector", _vector, kvd_number),
    "manifold": Kind("vector", _vector, manifold_number),
    "clipsim": Kind("mean of frames", _mean_frame, clipsim_number),
    "consistency": Kind("consistency", _consistency, mean_number),
    "motion": Kind("vector", _vector, motion_number),
    "flicker": Kind("vector", _vector, mean_number),
    "image-alignment": Kind("alignment", _alignment, mean_number),
    "first-frame": Kind("mean of frames", _mean_frame, fidelity_number),
    "fidelity": Kind("mean of frames", _mean_frame, fidelity_number),
    "spectral": Kind("vector", _vector, spectral_number),
    "fid": Kind("frames", _frames, fid_number),
}
assert set(KINDS) == set(TRAITS)
