"""Streaming moments equal the plain formulas, in any grouping, and refuse what has no covariance."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from univg_bench.errors import InputError
from univg_bench.statistics import BLOCK, Moments, moments_of


def rows(n: int, dim: int = 5, seed: int = 0, offset: float = 0.0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, dim)) + offset


@pytest.mark.parametrize("ddof", [0, 1])
def test_stream_equals_numpys_mean_and_covariance(ddof: int) -> None:
    x = rows(3 * BLOCK + 17)
    stats = moments_of(x).gaussian(ddof=ddof)
    np.testing.assert_allclose(stats.mu, x.mean(axis=0), rtol=0, atol=1e-14)
    np.testing.assert_allclose(stats.sigma, np.cov(x.T, ddof=ddof), rtol=0, atol=1e-13)


def test_large_offsets_cost_no_digits() -> None:
    x = rows(1000)
    np.testing.assert_allclose(
        moments_of(x + 1e6).gaussian().sigma, moments_of(x).gaussian().sigma, rtol=0, atol=1e-9
    )  # raw sums of squares would be off by 1e-4 here


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=6), seed=st.integers(0, 999))
def test_merged_shards_equal_the_whole_however_it_was_cut(cuts: list[int], seed: int) -> None:
    x = rows(60, seed=seed, offset=3.0)
    edges = [0, *sorted(cuts), 60]
    merged = Moments.empty(5)
    for start, stop in itertools.pairwise(edges):
        merged = merged.merge(Moments.of(x[start:stop]))
    whole = Moments.of(x)
    assert merged.n == whole.n
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-12, atol=1e-12)


def test_no_vectors_are_the_neutral_element_of_merge() -> None:
    x = Moments.of(rows(7))
    assert x.merge(Moments.empty(5)) is x
    assert Moments.empty(5).merge(x) is x


def test_array_memory_map_and_stream_of_single_vectors_give_equal_bits(tmp_path) -> None:
    x = rows(2 * BLOCK + 3).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    as_array, as_map, as_stream = moments_of(x), moments_of(mapped), moments_of(iter(x))
    for other in (as_map, as_stream):
        assert as_array.mean.tobytes() == other.mean.tobytes()
        assert as_array.scatter.tobytes() == other.scatter.tobytes()


def test_weights_count_a_row_as_often_as_repeating_it() -> None:
    x, counts = rows(20), np.arange(20) % 3
    weighted, repeated = moments_of(x, counts).gaussian(), moments_of(np.repeat(x, counts, axis=0)).gaussian()
    assert weighted.n == repeated.n
    np.testing.assert_allclose(weighted.sigma, repeated.sigma, rtol=0, atol=1e-14)


def test_covariance_is_symmetric_to_the_bit() -> None:
    sigma = moments_of(rows(300, dim=17)).gaussian().sigma
    assert np.array_equal(sigma, sigma.T)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (np.zeros(4), r"found features of shape \(4,\), expected \(N, D\)"),
        (np.array([[1.0, 2.0], [np.nan, 0.0]]), "found NaN or infinity in row 1 of features"),
        (np.array([[1.0, np.inf]]), "found NaN or infinity in row 0 of features"),
    ],
)
def test_bad_features_are_named(bad: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Moments.of(bad)


def test_one_vector_has_no_covariance() -> None:
    with pytest.raises(InputError, match="found 1 feature vectors, expected at least 2"):
        moments_of(rows(1)).gaussian()
    with pytest.raises(InputError, match="found no feature vectors at all"):
        moments_of(iter([]))


def test_features_of_different_extractors_do_not_merge() -> None:
    with pytest.raises(InputError, match="found features of dimension 4 where 5 was expected"):
        Moments.of(rows(3)).merge(Moments.of(rows(3, dim=4)))
