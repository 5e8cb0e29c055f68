"""Intervals over items and training seeds: they find a planted difference, and cover as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from reference_models.studies.variance import Measured, effect, spectral_slopes
from univg_bench.errors import InputError

NAMES = tuple(f"item-{i}" for i in range(40))


def mean_of(values: np.ndarray) -> Measured:
    return Measured(float(values.mean()), (values - values.mean()) / len(values), NAMES)


def drawn(
    rng: np.random.Generator, *, difference: float, of_seed: float = 0.3, of_item: float = 1.0
) -> dict[str, list[Measured]]:
    """Return two rows of three seeds: items and seeds differ, a difference is planted, and noise over both."""
    items = rng.normal(0, of_item, len(NAMES))
    rows: dict[str, list[Measured]] = {"a": [], "b": []}
    reacts = rng.normal(0, 0.5, len(NAMES))  # items to which the difference matters more
    for _ in range(3):
        for name, extra in (("a", difference + reacts), ("b", 0.0)):
            rows[name].append(mean_of(items + extra + rng.normal(0, of_seed) + rng.normal(0, 0.2, len(NAMES))))
    return rows


def test_a_planted_difference_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(0)
    found = effect({"a": 1, "b": -1}, drawn(rng, difference=5.0))
    assert found.shown
    assert found.low < 5 < found.high
    assert not effect({"a": 1, "b": -1}, drawn(rng, difference=0.0)).shown
    interaction = {"a": 1, "b": -1, "c": -1, "d": 1}
    both = {**drawn(rng, difference=5.0), **dict(zip("cd", drawn(rng, difference=5.0).values(), strict=True))}
    assert not effect(interaction, both).shown


def test_intervals_cover_as_often_as_they_say() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(600):
        found = effect({"a": 1, "b": -1}, drawn(rng, difference=1.0))
        held += found.low <= 1 <= found.high
    assert held / 600 > 0.93  # 0.95 less three standard errors


def test_items_alone_would_promise_too_much_where_seeds_differ() -> None:
    rng, held, alone = np.random.default_rng(2), 0, 0
    for _ in range(300):
        rows = drawn(rng, difference=0.0, of_seed=1.0)
        one = effect({"a": 1, "b": -1}, {name: found[:1] for name, found in rows.items()})
        both = effect({"a": 1, "b": -1}, rows)
        alone += one.low <= 0 <= one.high
        held += both.low <= 0 <= both.high
    assert held / 300 > 0.92
    assert alone / 300 < 0.5


def test_one_seed_speaks_of_items_alone_and_a_baseline_has_no_seeds() -> None:
    rng = np.random.default_rng(3)
    rows = drawn(rng, difference=1.0)
    one = effect({"a": 1, "b": -1}, {name: found[:1] for name, found in rows.items()})
    assert one.se_seeds is None
    beside = effect({"a": 1, "b": -1}, {"a": rows["a"], "b": rows["b"][:1]})
    assert len(beside.per_seed) == 3
    assert beside.per_seed[1] == pytest.approx(rows["a"][1].value - rows["b"][0].value)


def test_rows_of_other_items_or_seeds_are_refused() -> None:
    rows = drawn(np.random.default_rng(4), difference=1.0)
    with pytest.raises(InputError, match="expected the same items and seeds in all"):
        effect({"a": 1, "b": -1}, {"a": rows["a"], "b": rows["b"][:2]})
    other = Measured(0.0, np.zeros(40), tuple(reversed(NAMES)))
    with pytest.raises(InputError, match="expected the same items and seeds in all"):
        effect({"a": 1, "b": -1}, {"a": rows["a"], "b": [other]})


def test_slopes_of_the_spectral_distance_are_its_derivative() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(1, 1, (40, 6)), rng.normal(0, 1, (40, 6))
    found, step = spectral_slopes(x, y, NAMES), 1e-6
    for item in (0, 17):
        weights = np.ones(40)
        weights[item] += step
        mean = np.average(x - y, axis=0, weights=weights)
        moved = float(np.sqrt((mean**2).mean()))
        assert (moved - found.value) / step == pytest.approx(found.slopes[item], rel=1e-3, abs=1e-8)
