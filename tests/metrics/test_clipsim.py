"""CLIPSIM: a mean of cosines, with what real videos and wrong captions score beside it."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.clipsim import clipsim
from univg_bench.metrics.intervals import redraws


def unit(n: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    x = np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim))
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


def compute(frames, texts, *, clusters=None, real_frames=None, real_of=None, replicates=0, seed=0):
    n = len(frames)
    return clipsim(
        frames, texts, clusters=clusters or [f"v{i}" for i in range(n)], real_frames=real_frames,
        real_of=np.full(n, -1) if real_of is None else np.asarray(real_of), replicates=replicates, seed=seed,
    )  # fmt: skip


def test_is_the_mean_over_videos_of_the_mean_over_frames_of_the_cosine() -> None:
    per_frame, texts = unit(4 * 3).reshape(4, 3, 6), unit(4, seed=1)
    expected = np.mean([np.mean([per_frame[v, f] @ texts[v] for f in range(3)]) for v in range(4)])
    assert compute(per_frame.mean(axis=1), texts).value == pytest.approx(expected, abs=1e-15)


def test_mismatched_is_the_mean_over_all_pairs_of_other_clusters() -> None:
    frames, texts, clusters = unit(7), unit(7, seed=1), ["a", "a", "b", "c", "c", "c", "d"]
    pairs = [frames[i] @ texts[j] for i in range(7) for j in range(7) if clusters[i] != clusters[j]]
    result = compute(frames, texts, clusters=clusters)
    assert result.mismatched == pytest.approx(np.mean(pairs), abs=1e-15)
    assert result.gap == pytest.approx(result.value - np.mean(pairs), abs=1e-15)


def test_one_cluster_has_no_wrong_captions() -> None:
    assert compute(unit(3), unit(3, seed=1), clusters=["a"] * 3).mismatched is None


def test_real_videos_are_compared_over_the_captions_that_have_one() -> None:
    texts = unit(3)
    real = np.stack([texts[0], texts[2]])  # two references, each equal to its caption's direction
    result = compute(texts * 0.5, texts, real_frames=real, real_of=[0, -1, 1])
    assert result.n_real == 2
    assert result.real == pytest.approx(1.0)
    assert result.ratio == pytest.approx(0.5)
    assert np.isnan(result.real_per_video[1])


def test_without_references_there_is_no_ratio() -> None:
    result = compute(unit(3), unit(3, seed=1))
    assert (result.real, result.ratio, result.n_real) == (None, None, 0)


def test_interval_is_wider_when_captions_of_one_video_agree() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    per_cluster = rng.uniform(-0.5, 0.5, 40)
    texts = np.tile(np.eye(1, 6), (400, 1))
    frames = texts * np.repeat(per_cluster, 10)[:, None]
    clustered = compute(frames, texts, clusters=[f"v{i // 10}" for i in range(400)], replicates=300).interval
    naive = compute(frames, texts, replicates=300).interval
    assert (clustered.high - clustered.low) > 2.5 * (naive.high - naive.low)
    assert clustered.clusters == 40


def test_interval_holds_the_middle_95_percent_of_the_means_of_redrawn_clusters() -> None:
    values = np.random.Generator(np.random.PCG64(4)).uniform(-0.5, 0.5, 50)
    texts = np.tile(np.eye(1, 6), (50, 1))
    means = [draw @ values / 50 for draw in redraws(50, 300, seed=0, name="clipsim")]
    interval = compute(texts * values[:, None], texts, replicates=300, seed=0).interval
    assert (interval.low, interval.high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    texts, hits = np.tile(np.eye(1, 6), (60, 1)), 0
    for trial in range(200):
        values = 0.3 + 0.05 * rng.standard_normal(60)
        interval = compute(texts * values[:, None], texts, replicates=200, seed=trial).interval
        hits += interval.low <= 0.3 <= interval.high
    assert 178 <= hits <= 198  # 95 % of 200 is 190, binomial s.d. 3.1; bootstrap of 60 is a little narrow


def test_captions_that_are_no_unit_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="expected unit vectors"):
        compute(unit(3), unit(3) * 100)


def test_rows_must_belong_together() -> None:
    with pytest.raises(InputError, match="expected one row per video"):
        compute(unit(3), unit(4))


def test_captions_of_one_real_video_count_it_once() -> None:
    result = compute(unit(6), unit(6, seed=1), real_frames=unit(2, seed=2), real_of=[0, 0, 0, 1, 1, -1])
    assert (result.n_real, result.n_references) == (5, 2)
