"""Agreement coefficients against independent packages, brute force, known answers, and words instead of NaN."""

from __future__ import annotations

from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import fleiss_kappa

from tests.human.gsb_examples import ratings
from univg_bench.human.agreement import ALL_EQUAL, MEASURES, NO_PAIRS, agreement, coefficients_of
from univg_bench.human.induced import read_scores
from univg_bench.human.ratings import swap_methods

answers = st.lists(st.text("GSB.", min_size=4, max_size=4), min_size=2, max_size=12)
complete = st.lists(st.text("GSB", min_size=4, max_size=4), min_size=2, max_size=12)


def counts(votes) -> np.ndarray:
    table = np.array([[v.count(c) for c in "BSG"] for v in votes])
    return table[table.sum(axis=1) >= 2]


@settings(deadline=None, max_examples=60)
@given(answers)
def test_alpha_equals_the_krippendorff_package(votes):
    table = counts(votes)
    if not len(table):
        return
    found = coefficients_of(table)
    if (table.sum(axis=0) > 0).sum() < 2:
        assert found["alpha_ordinal"] is None
        return
    for level in ("ordinal", "nominal"):
        expected = krippendorff.alpha(value_counts=table, value_domain=[-1, 0, 1], level_of_measurement=level)
        assert found[f"alpha_{level}"] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(complete)
def test_fleiss_kappa_equals_statsmodels(votes):
    table = counts(votes)
    if (table.sum(axis=0) > 0).sum() > 1:
        assert coefficients_of(table)["fleiss_kappa"] == pytest.approx(fleiss_kappa(table), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(answers)
def test_percent_and_ac1_equal_brute_force_over_pairs_of_annotators(votes):
    used = [v.replace(".", "") for v in votes]
    used = [v for v in used if len(v) >= 2]
    if not used:
        return
    agree = np.mean([np.mean([a == b for a, b in combinations(v, 2)]) for v in used])
    share = [np.mean([v.count(c) / len(v) for v in used]) for c in "GSB"]
    chance = sum(p * (1 - p) for p in share) / (3 - 1)
    found = coefficients_of(counts(used))
    assert found["percent"] == pytest.approx(agree, abs=1e-12)
    # Gwet 2008: (p_a - p_e) / (1 - p_e)
    assert found["gwet_ac1"] == pytest.approx((agree - chance) / (1 - chance), abs=1e-12)


def test_they_disagree_by_design_where_one_answer_is_common():
    # 95 % G at random gives percent .90, kappa and alpha about 0, AC1 .90
    rng = np.random.default_rng(0)
    votes = ["".join(rng.choice(list("GSB"), p=[0.95, 0.025, 0.025], size=3)) for _ in range(2000)]
    found = agreement(ratings(*votes), "OL", draws=0)
    value = {m: c.value for m, c in found.coefficients.items()}
    assert value["percent"] == pytest.approx(0.90, abs=0.01)
    assert value["gwet_ac1"] == pytest.approx(0.90, abs=0.01)
    assert value["fleiss_kappa"] == pytest.approx(0, abs=0.04)
    assert value["alpha_ordinal"] == pytest.approx(0, abs=0.04)
    assert found.prevalence[0] == pytest.approx(0.95, abs=0.01)


def test_unanimity_is_undefined_in_words_and_never_nan():
    found = agreement(ratings("GGG", "GGG"), "OL").coefficients
    for measure in ("alpha_ordinal", "alpha_nominal", "fleiss_kappa"):
        assert found[measure].value is None
        assert str(found[measure]) == ALL_EQUAL == "undefined, all answers equal"
    assert found["percent"].value == found["gwet_ac1"].value == 1.0


def test_single_ratings_say_nothing_and_are_counted():
    found = agreement(ratings("G..", ".S.", "GG."), "OL")
    assert (found.num_units, found.num_single, found.num_ratings, found.num_annotators) == (1, 2, 2, 2)
    nothing = agreement(ratings("G..", ".S."), "OL")
    assert all(str(c) == NO_PAIRS for c in nothing.coefficients.values())
    assert agreement(ratings("GG"), "PS").num_units == 0


def test_perfect_agreement_on_different_answers_is_one():
    found = agreement(ratings("GGG", "BBB", "SSS"), "OL").coefficients
    assert [found[m].value for m in MEASURES] == [1.0] * 5


def test_ordinal_alpha_forgives_near_misses_and_nominal_does_not():
    near = agreement(ratings("GGS", "BBS", "GSG", "BSB"), "OL").coefficients
    far = agreement(ratings("GGB", "BBG", "GBG", "BGB"), "OL").coefficients
    assert near["alpha_ordinal"].value > near["alpha_nominal"].value
    assert far["alpha_ordinal"].value < near["alpha_ordinal"].value


def test_swapping_the_methods_changes_no_coefficient():
    made = ratings("GGSB", "SGB.", "BBGS", "GSSS")
    a, b = agreement(made, "OL"), agreement(swap_methods(made), "OL")
    assert a.prevalence == tuple(reversed(b.prevalence))
    for m in MEASURES:
        assert a.coefficients[m].value == pytest.approx(b.coefficients[m].value, abs=1e-12)
        assert a.coefficients[m].interval == pytest.approx(b.coefficients[m].interval, abs=1e-12)


def test_the_interval_covers_the_value_and_shrinks_with_items():
    rng = np.random.default_rng(1)
    votes = ["".join(rng.permutation(list(rng.choice(["GGS", "BBS", "GSB", "SSS"])))) for _ in range(400)]
    few, many = (agreement(ratings(*votes[:n]), "OL").coefficients["alpha_ordinal"] for n in (30, 400))
    for c in (few, many):
        assert c.interval[0] < c.value < c.interval[1]
    assert many.interval[1] - many.interval[0] < 0.5 * (few.interval[1] - few.interval[0])


def test_real_ratings_agree_as_the_krippendorff_package_says(fetv):
    made = read_scores(fetv, leave_out=["reference"])
    frame = made.frame.astype(object).assign(y=made.y)
    for dimension in ("static_quality", "temporal_quality", "alignment"):
        rows = frame[frame["dimension"] == dimension]
        table = rows.pivot_table(index="annotator", columns=["item", "method", "other"], values="y").to_numpy()
        found = agreement(made, dimension)
        assert found.num_units == 132
        for level in ("ordinal", "nominal"):
            expected = krippendorff.alpha(table, level_of_measurement=level)
            assert found.coefficients[f"alpha_{level}"].value == pytest.approx(expected, abs=1e-10)
