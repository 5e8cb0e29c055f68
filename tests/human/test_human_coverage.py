"""The default interval contains the truth as often as it says, the naive one does not: simulated, fixed seeds."""

from __future__ import annotations

import pytest

from univg_bench.human.coverage import DESIGNS, coverage, slack
from univg_bench.human.simulate import Design

# further designs: more or fewer annotators, incomplete blocks, ties, no difference, small studies
MORE = (
    Design(131, 6, 6, 0.0, 0.2, 0.8, 0.2),
    Design(131, 6, 6, 0.1, 0.2, 0.8, 0.0),
    Design(131, 6, 6, 0.1, 0.5, 0.8, 0.2),
    Design(131, 6, 6, 0.6, 0.2, 0.8, 0.3),
    Design(131, 5, 5, 0.1, 0.2, 0.8, 0.5),
    Design(131, 12, 3, 0.1, 0.2, 0.8, 0.5),
    Design(300, 30, 3, 0.1, 0.5, 0.8, 0.3),
    Design(40, 8, 4, 0.1, 0.2, 1.2, 0.3),
)
NAMES = {d: f"{d.num_items}x{d.ratings_per_item}of{d.num_annotators} w{d.win_rate} s{d.sigma_annotator}" for d in MORE}


def check(design: Design, runs: int, draws: int) -> None:
    found = coverage(design, runs=runs, draws=draws, seed=1)
    assert 0.92 - slack(runs, 0.92) <= found.default <= 0.99 + slack(runs, 0.99), found
    if design.sigma_annotator >= 0.2:
        # the failure that the default repairs
        assert found.naive < 0.88, found
        assert found.default > found.naive + 0.08, found


@pytest.mark.parametrize("design", DESIGNS, ids=["sa0.2", "sa0.5", "si1.2"])
def test_the_default_interval_covers_and_the_naive_one_fails(design):
    check(design, runs=300, draws=100)


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS + MORE, ids=["sa0.2", "sa0.5", "si1.2", *NAMES.values()])
def test_the_default_interval_covers_in_long_simulation(design):
    check(design, runs=4000, draws=200)


def test_the_two_way_test_keeps_its_size_where_the_pooled_sign_test_does_not():
    found = coverage(Design(131, 6, 6, 0.0, 0.2, 0.8, 0.5), runs=300, draws=100, seed=2)
    assert found.rejects_two_way <= 0.08 + slack(300, 0.08)
    assert found.rejects_naive > 0.3
    assert found.rejects > 0.2  # the item test speaks of the panel alone: annotators who differ are no chance to it
