"""The spectral distance: zero on itself, in decibels, signed by band, and only between sizes that compare."""

import dataclasses

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.spectral import SpectralResult, spectral_distance
from univg_bench.recipes_frames import SPECTRUM_RECIPES

SPECTRUM, LINES = SPECTRUM_RECIPES["spectrum"], SPECTRUM_RECIPES["spectrum-240"]


def spectra(count: int, seed: int, *, height: int = 72, spread: float = 3.0) -> np.ndarray:
    decibels = np.linspace(50, 15, 16) + spread * np.random.default_rng(seed).standard_normal((count, 16))
    return np.column_stack([np.full(count, height), np.full(count, 128), decibels])


def of(x: np.ndarray, y: np.ndarray, *, replicates: int = 0, recipe=SPECTRUM) -> SpectralResult:
    names, real = ([f"v{i}" for i in range(len(z))] for z in (x, y))
    return spectral_distance(
        x, y, recipe=recipe, clusters=names, reference_clusters=real, replicates=replicates, seed=0
    )


def test_equal_sets_are_at_distance_zero_and_the_distance_is_symmetric() -> None:
    x, y = spectra(30, 0), spectra(20, 1)
    assert of(x, x).value == 0
    assert of(x, y).value == pytest.approx(of(y, x).value)
    assert of(x, y).high == pytest.approx(-of(y, x).high)


def test_a_loss_of_six_decibels_in_the_upper_half_is_said_so() -> None:
    x = spectra(30, 0)
    soft = x.copy()
    soft[:, 10:] -= 6
    found = of(soft, x)
    assert (found.low, found.high) == pytest.approx((0, -6))
    assert found.value == pytest.approx(np.sqrt(36 / 2))


def test_the_floor_is_what_equal_sets_show_at_their_number() -> None:
    values = [of(spectra(25, seed), spectra(25, 1000 + seed)).value for seed in range(40)]
    found = of(spectra(25, 0), spectra(25, 1000), replicates=300)
    assert found.floor == pytest.approx(np.sqrt(np.mean(np.square(values))), rel=0.3)
    assert any("take it for no difference" in warning for warning in found.warnings)


def test_both_sets_are_redrawn_together() -> None:
    # each sample is its reference 2 dB softer: the difference is sure, though the videos differ a lot
    x = spectra(40, 0, spread=8)
    softer = x.copy()
    softer[:, 2:] -= 2
    found = of(softer, x, replicates=200)
    assert found.interval is not None
    assert found.interval.high - found.interval.low < 1e-6
    assert found.floor == pytest.approx(0, abs=1e-9)


def test_sizes_compare_by_lines_only() -> None:
    small, large = spectra(10, 0), spectra(10, 1, height=320)
    with pytest.raises(InputError, match="found videos of 72x128, 320x128, the recipe 'spectrum' compares one size"):
        of(small, large)
    assert of(small, large, recipe=LINES).value > 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="equal bins"):
        of(spectra(3, 0), spectra(3, 1)[:, :-1])
    with pytest.raises(InputError, match="NaN or infinity in row 0"):
        of(np.full((2, 18), np.nan), spectra(3, 1), recipe=dataclasses.replace(SPECTRUM))
