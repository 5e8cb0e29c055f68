"""Power and simulation: the formulas' known values, and simulated truth that comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from univg_bench.human.power import annotators_needed, closed_form_power, items_needed, mean_variances, simulated_power
from univg_bench.human.simulate import CARELESS, Design, simulate_ratings, simulate_votes
from univg_bench.human.winrate import cells

# Items needed for power 0.8 at alpha 0.05 by hand: rows w, columns (ties .2, rho .4) and (.5, .2) with m = 1, 3, 6
TABLE = {
    0.05: (2504, 1503, 1252, 1562, 729, 521),
    0.10: (621, 373, 311, 385, 180, 129),
    0.15: (272, 163, 136, 167, 78, 56),
    0.20: (150, 90, 75, 91, 43, 31),
}


@pytest.mark.parametrize("win_rate", TABLE)
def test_items_needed_are_those_of_the_published_table(win_rate):
    found = tuple(
        items_needed(win_rate, tie_share=ties, rho=rho, ratings_per_item=m)
        for ties, rho in ((0.2, 0.4), (0.5, 0.2))
        for m in (1, 3, 6)
    )
    assert found == TABLE[win_rate]
    assert items_needed(-win_rate, tie_share=0.2, rho=0.4, ratings_per_item=1) == found[0]


def test_stricter_alpha_needs_the_stated_factor_more():
    plain = items_needed(0.1, tie_share=0.2, rho=0.4, ratings_per_item=3)
    strict = items_needed(0.1, tie_share=0.2, rho=0.4, ratings_per_item=3, alpha=0.005)
    assert strict / plain == pytest.approx(1.7, abs=0.02)


def test_items_needed_give_the_wanted_power():
    design = Design(2, 6, 6, 0.1, 0.2, 0.8, 0.0)
    rho, _ = design.shared_variance()
    enough = replace(design, num_items=items_needed(0.1, tie_share=0.2, rho=rho, ratings_per_item=6))
    assert closed_form_power(enough).panel == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("m", "sigma_annotator"), [(6, 1.0), (2, 1.0), (3, 0.5)])
def test_items_needed_and_power_use_one_variance(m, sigma_annotator):
    design = Design(2, 6, m, 0.1, 0.2, 0.8, sigma_annotator)
    rho, rho_annotator = design.shared_variance()
    needed = items_needed(
        0.1, tie_share=0.2, rho=rho, rho_annotator=rho_annotator, ratings_per_item=m, num_annotators=6
    )
    assert closed_form_power(replace(design, num_items=needed)).panel == pytest.approx(0.8, abs=0.01)


def test_the_panels_variance_is_that_of_item_means_in_incomplete_designs():
    design = Design(400, 8, 2, 0.1, 0.2, 0.5, 1.2)
    rng = np.random.default_rng(0)
    found = np.mean([simulate_votes(design, rng).item_means().var(ddof=1) / 400 for _ in range(300)])
    v = 1 - 0.2 - 0.1**2
    panel, _ = mean_variances(*design.shared_variance(), num_items=400, num_annotators=8, ratings_per_item=2)
    assert found == pytest.approx(v * panel, rel=0.04)


@pytest.mark.parametrize("annotators", [6, 12, 30])
def test_formula_and_simulation_agree_on_general_power(annotators):
    design = Design(200, annotators, 3, 0.15, 0.2, 0.8, 0.2)
    simulated = simulated_power(design, num_runs=300)
    formula = closed_form_power(design)
    # the formula is optimistic by a few points where df are few: the estimated variance is never below the item's
    assert abs(simulated.general - formula.general) < 3 * simulated.error(0.5) + 0.03
    assert simulated.num_runs == 300
    assert formula.error(0.5) == 0


def test_the_formulas_variance_is_that_of_simulated_means():
    design = Design(2, 5, 5, 0.2, 0.2, 0.5, 1.5)
    rng = np.random.default_rng(0)
    means = [simulate_votes(design, rng).mean for _ in range(4000)]
    rho_item, rho_annotator = design.shared_variance()
    v = 1 - 0.2 - 0.2**2
    expected = v * (rho_item / 2 + rho_annotator / 5 + (1 - rho_item - rho_annotator) / 10)
    _, general = mean_variances(rho_item, rho_annotator, num_items=2, num_annotators=5, ratings_per_item=5)
    assert general * v == pytest.approx(expected)
    assert np.var(means) == pytest.approx(expected, rel=0.08)
    assert power_of(expected, design) == pytest.approx(closed_form_power(design).general)


def power_of(variance: float, design: Design) -> float:
    """Power of a two-sided t test by the noncentral t, written out again."""
    df, shift = min(design.num_annotators, design.num_items) - 1, design.win_rate / variance**0.5
    t = stats.t.ppf(0.975, df)
    return float(1 - stats.nct.cdf(t, df, shift) + stats.nct.cdf(-t, df, shift))


def test_without_a_difference_power_is_the_level():
    design = Design(100, 8, 4, 0.0, 0.3, 0.8, 0.2)
    assert closed_form_power(design).general == pytest.approx(0.05, abs=1e-9)
    assert closed_form_power(design).panel == pytest.approx(0.05, abs=1e-9)


def test_more_annotators_help_where_more_items_cannot():
    few = closed_form_power(Design(10_000, 6, 6, 0.1, 0.2, 0.8, 0.3)).general
    many = closed_form_power(Design(1_000, 60, 6, 0.1, 0.2, 0.8, 0.3)).general
    assert few < 0.5 < 0.8 < many
    needed = annotators_needed(Design(1_000, 6, 6, 0.1, 0.2, 0.8, 0.3))
    assert closed_form_power(Design(1_000, needed, 6, 0.1, 0.2, 0.8, 0.3)).general >= 0.8
    assert closed_form_power(Design(1_000, needed - 1, 6, 0.1, 0.2, 0.8, 0.3)).general < 0.8
    assert annotators_needed(Design(50, 6, 3, 0.02), most=50) is None


def test_too_few_annotators_have_no_general_power():
    design = Design(50, 4, 4)
    assert closed_form_power(design).general is None
    assert simulated_power(design, num_runs=5).general is None


@pytest.mark.parametrize(("rate", "ties"), [(0.1, 0.2), (-0.4, 0.5), (0.0, 0.0)])
def test_simulated_votes_have_the_true_rate_and_ties(rate, ties):
    design = Design(2000, 400, 10, rate, ties, 0.8, 0.3)
    votes = simulate_votes(design, np.random.default_rng(0))
    assert votes.mean == pytest.approx(rate, abs=0.05)
    assert (votes.y == 0).mean() == pytest.approx(ties, abs=0.03)
    assert (np.bincount(votes.item) == 10).all()


def test_shared_variance_is_the_correlation_of_simulated_votes():
    design = Design(30_000, 2, 2, 0.2, 0.3, 0.9, 0.0)
    votes = simulate_votes(design, np.random.default_rng(1))
    a, b = votes.y[::2], votes.y[1::2]
    rho_item, rho_annotator = design.shared_variance()
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(rho_item, abs=0.02)
    assert rho_annotator == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_study_and_another_seed_another():
    a, b, c = (simulate_ratings({"OL": 0.2}, design=Design(9, 5, 3), seed=s) for s in (1, 1, 2))
    assert a.frame.equals(b.frame)
    assert not a.frame.equals(c.frame)


def test_dimensions_keep_their_own_truth():
    made = simulate_ratings({"PS": 0.6, "OL": -0.3}, design=Design(400, 20, 10, sigma_annotator=0.0))
    found = {c.dimension: c.votes.mean for c in cells(made)}
    assert found["PS"] == pytest.approx(0.6, abs=0.06)
    assert found["OL"] == pytest.approx(-0.3, abs=0.06)


def test_repeats_are_shown_the_other_way_round():
    made = simulate_ratings({"OL": 0.2}, design=Design(9, 5, 3), num_repeats=2)
    frame = made.frame.astype(object)
    first = frame[frame["kind"] == "main"].set_index(["item", "annotator"])["side"]
    again = frame[frame["kind"] == "repeat"].set_index(["item", "annotator"])["side"]
    assert len(again) == 10
    assert (first.loc[again.index] != again).all()


def test_impossible_designs_are_refused(refused):
    with refused("7 ratings per item need as many annotators, but there are 6"):
        Design(10, 6, 7)
    with refused("at least 2 items, not 1"):
        Design(1, 6, 6)
    with refused("leave no room for both G and B"):
        Design(10, 6, 6, win_rate=0.8, tie_share=0.3)
    with refused("leave no room for both G and B"):
        Design(10, 6, 6, win_rate=float("nan"))
    with refused("sigma_item is -1, expected 0 to 100"):
        Design(10, 6, 6, sigma_item=-1)
    with refused("sigma_annotator is 1e+300, expected 0 to 100"):
        Design(10, 6, 6, sigma_annotator=1e300)
    with refused("left_bias is nan"):
        simulate_ratings({"OL": 0.1}, design=Design(10, 6, 6), left_bias=float("nan"))
    with refused("unknown careless behaviour 'asleep'", ", ".join(CARELESS)):
        simulate_ratings({"OL": 0.1}, design=Design(10, 6, 6), careless=["asleep"])
    with refused("7 careless annotators, but the design has 6"):
        simulate_ratings({"OL": 0.1}, design=Design(10, 6, 6), careless=["left"] * 7)


def test_impossible_questions_about_power_are_refused(refused):
    with refused("a win rate of 0 is no difference"):
        items_needed(0, tie_share=0.2, rho=0.4, ratings_per_item=3)
    with refused("would need more than 1e+12 items"):
        items_needed(1e-200, tie_share=0.2, rho=0.4, ratings_per_item=3)
    with refused("leaves no room for both G and B"):
        items_needed(0.9, tie_share=0.2, rho=0.4, ratings_per_item=3)
    with refused("alpha is 1, expected a number between 0 and 1"):
        items_needed(0.1, tie_share=0.2, rho=0.4, ratings_per_item=3, alpha=1)
    with refused("power is 0"):
        items_needed(0.1, tie_share=0.2, rho=0.4, ratings_per_item=3, power=0)
