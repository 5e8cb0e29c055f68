"""What a metric is computed from and what it gives, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from univg_bench.metrics.intervals import Interval

Rows = NDArray[np.floating]
Watch = Callable[[Iterator[Any]], Iterator[Any]]
Details = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Gathered:
    """Features of one role (samples, references, captions) as rows of one array, maybe a map of a file.

    names: whose they are, in order. rows_per_name: 1, but where a metric takes every frame as a row.
    """

    names: tuple[str, ...]
    rows: Rows
    rows_per_name: int


@dataclass(frozen=True)
class Evidence:
    """All that a metric is computed from.

    clusters, reference_clusters: for each name of samples and references, the real video it belongs to. reference_of
    (N,): for each sample the position of its reference, -1 where there is none. replicates, seed: of resampling.
    watch: wraps the loop over replicates, to show progress.
    """

    samples: Gathered
    references: Gathered
    captions: Gathered
    clusters: Sequence[str]
    reference_clusters: Sequence[str]
    reference_of: NDArray[np.int64]
    replicates: int
    seed: int
    watch: Watch


@dataclass(frozen=True)
class Number:
    """A value with what belongs beside it; columns: name -> value per sample (N,), for per_video.parquet."""

    value: float
    n: int
    n_reference: int
    interval: Interval | None
    details: Details
    warnings: Sequence[str] = ()
    columns: Mapping[str, Rows] = field(default_factory=dict)
