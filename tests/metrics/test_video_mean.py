"""A mean over videos: every video counts once, clusters are redrawn whole, and bad values are refused."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.intervals import cluster_codes, redraws
from univg_bench.metrics.video_mean import VideoMean, video_mean


def of(values, *, per_cluster: int = 1, real=(), replicates: int = 200) -> VideoMean:
    clusters = [f"v{i // per_cluster}" for i in range(len(values))]
    return video_mean(values, clusters=clusters, real=real, replicates=replicates, seed=0, name="test")


def test_every_video_counts_once_and_the_real_ones_stand_beside() -> None:
    found = of([1.0, 2.0, 6.0], per_cluster=2, real=[4.0, 8.0])
    assert (found.value, found.real, found.n, found.n_reference) == (3.0, 6.0, 3, 2)
    assert of([1.0, 2.0]).real is None


def test_interval_holds_the_middle_95_percent_of_the_means_of_redrawn_clusters() -> None:
    values = np.random.default_rng(0).standard_normal(90)
    codes, count = cluster_codes([str(i // 3) for i in range(90)])
    means = [np.average(values, weights=draw[codes]) for draw in redraws(count, 200, seed=0, name="test")]
    interval = of(values, per_cluster=3).interval
    assert (interval.low, interval.high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))
    assert interval.clusters == 30


def test_one_cluster_or_no_replicates_have_no_interval() -> None:
    assert of([1.0, 2.0], replicates=0).interval is None
    alone = of([1.0, 2.0, 3.0], per_cluster=3)
    assert alone.interval is None
    assert alone.warnings == ("all videos are of one cluster, so there is no interval",)


@pytest.mark.parametrize(
    ("values", "real", "sentence"),
    [
        ([1.0, np.nan], (), "found NaN or infinity among the values of single videos"),
        ([1.0, 2.0], [np.inf], "found NaN or infinity among the values of single videos"),
        ([], (), "expected one per video"),
    ],
)
def test_values_that_are_no_numbers_are_refused(values, real, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        of(values, real=real)
