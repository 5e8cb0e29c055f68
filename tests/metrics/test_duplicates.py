"""Repeated videos are counted and said, whatever the metric."""

from __future__ import annotations

import numpy as np
import pytest

from univg_bench.measures.data import Evidence, Gathered
from univg_bench.measures.sets import kvd_number, manifold_number
from univg_bench.metrics.duplicates import said_of_duplicates, unique_videos
from univg_bench.protocol_metrics import KvdMetric, ManifoldMetric

FRAMES = {"sampling": "all"}


def rows(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 6))


def evidence(samples: np.ndarray, references: np.ndarray) -> Evidence:
    def gathered(rows: np.ndarray, prefix: str) -> Gathered:
        return Gathered(tuple(f"{prefix}{i}" for i in range(len(rows))), rows, 1)

    own, real = gathered(samples, "s"), gathered(references, "r")
    return Evidence(
        samples=own, references=real, captions=gathered(samples[:0], "c"), clusters=list(own.names),
        reference_clusters=list(real.names), reference_of=np.full(len(samples), -1), replicates=10, seed=0, watch=iter,
    )  # fmt: skip


def test_equal_rows_are_one_video() -> None:
    some = rows(5, 0)
    assert unique_videos(some) == 5
    assert unique_videos(np.concatenate([some, some[:2]])) == 5


def test_a_video_of_several_rows_counts_once_and_by_all_of_them() -> None:
    some = rows(6, 1)
    two_alike = np.concatenate([some[:2], some[:2], some[2:4], some[[0, 3]]])  # the last one shares a frame only
    assert unique_videos(two_alike, 2) == 3


def test_nothing_is_said_where_nothing_repeats() -> None:
    assert not list(said_of_duplicates(n=5, n_unique=5, n_reference=7, n_reference_unique=7))


@pytest.mark.parametrize("kind", ["kvd", "manifold"])
def test_kernel_distance_and_manifold_say_that_videos_repeat(kind: str) -> None:
    some = rows(12, 2)
    made = evidence(np.concatenate([some, some[:3]]), rows(20, 3))
    common = {"id": "x", "recipe": "tiny", "weights": "tiny-i3d", "frames": FRAMES, "reference_frames": FRAMES}
    if kind == "kvd":
        number = kvd_number(KvdMetric.model_validate({"kind": "kvd", **common}), made)
    else:
        section = {"kind": "manifold", "quantity": "recall", **common}
        number = manifold_number(ManifoldMetric.model_validate(section), made)
    assert "3 of 15 generated videos have the features of another one" in number.warnings
    assert (number.details["n_unique"], number.details["n_reference_unique"]) == (12, 20)
