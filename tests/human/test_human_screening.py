"""Screening catches those who do not look, cannot see methods, and excludes nobody for what it could not check."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.human.gsb_examples import ratings, rows
from univg_bench.human.analysis import analyse
from univg_bench.human.plan import SCREENING, Plan, Rule
from univg_bench.human.ratings import swap_methods, validate
from univg_bench.human.screening import blind, screen, summary, without_excluded
from univg_bench.human.simulate import Design, simulate_ratings

TRUTH = {"OL": 0.3, "PS": 0.1, "MS": 0.0, "FC": -0.2}


def study(seed: int = 0, careless=("left", "same", "random", "straight")):
    return simulate_ratings(TRUTH, design=Design(40, 12, 6), careless=careless, num_gold=5, num_repeats=6, seed=seed)


def test_each_careless_annotator_is_caught_by_the_rule_that_fits():
    by_name = {s.annotator: s for s in screen(study(), SCREENING)}
    left, same, random, straight = (by_name[f"A{n:03d}"] for n in (9, 10, 11, 12))
    assert left.measures["left_share"].value == 1.0
    assert left.measures["repeat_consistency"].value == 0.0
    assert same.measures["same_share"].value == 1.0
    assert straight.measures["straight_line"].value == 1.0
    assert random.measures["gold_accuracy"].value < 0.7
    for s in (left, same, random, straight):
        assert s.excluded
        assert s.measures["speed"].value < 1
        assert all(s.reasons())
        assert s.median_seconds < 3


@pytest.mark.parametrize("seed", range(3))
def test_honest_annotators_pass(seed):
    screened = screen(study(seed, careless=()), SCREENING)
    assert not any(s.excluded for s in screened)


def count_excluded(seeds: range) -> tuple[int, int]:
    """Return how many honest and how many careless annotators the default rules exclude over some studies."""
    honest = careless = 0
    for seed in seeds:
        excluded = [s.excluded for s in screen(study(seed), SCREENING)]
        honest += sum(excluded[:8])
        careless += sum(excluded[8:])
    return honest, careless


def test_the_default_rules_exclude_the_careless_and_hardly_anybody_else():
    honest, careless = count_excluded(range(6))
    assert (honest, careless) == (0, 24)


@pytest.mark.slow
def test_the_default_rules_over_sixty_studies():
    honest, careless = count_excluded(range(60))
    assert honest <= 5  # of 480
    assert careless >= 238  # of 240


def test_results_are_shown_with_and_without_the_excluded():
    made = study()
    analysis = analyse(made, Plan(draws=100))
    assert analysis.num_excluded == 4
    with_all = {r.dimension: r for r in analysis.rates_all}
    for rate in analysis.rates:
        assert rate.num_annotators == 8
        assert with_all[rate.dimension].num_annotators == 12
    text = " ".join(analysis.sentences())
    assert "4 of 12 annotators" in text
    assert "by the 6 rules of our defaults (no study file)" in text
    assert "Not part of any win rate: 240 gold, 288 repeat ratings." in text


def test_screening_does_not_see_methods():
    made = study()
    renamed = made.frame.astype(object).replace({"method": {"ours": "zzz"}, "other": {"other": "aaa"}})
    for other in (swap_methods(made), validate(renamed, source="t")):
        for a, b in zip(screen(made, SCREENING), screen(other, SCREENING), strict=True):
            assert a.measures == b.measures
            assert a.excluded == b.excluded
    columns = set(blind(made).columns)
    assert not columns & {"method", "other", "choice", "side", "item"}


def test_the_sign_of_blind_answers_says_nothing_about_the_method():
    made = simulate_ratings({"OL": 0.7}, design=Design(200, 5, 5), left_bias=0.0)
    assert made.y.mean() > 0.6
    assert abs(blind(made)["content"].mean()) < 0.1


def test_order_of_rows_does_not_matter():
    made = study()
    order = np.random.default_rng(0).permutation(len(made))
    shuffled = validate(made.frame.iloc[order].astype(object), source="t")
    assert screen(shuffled, SCREENING) == screen(made, SCREENING)


def test_a_check_that_could_not_be_made_excludes_nobody():
    made = ratings("GGG", "GGG", side="none")
    screened = screen(made, SCREENING)
    assert not any(s.excluded for s in screened)
    assert all(v.passed is None for s in screened for v in s.verdicts)
    assert "18 of 18 checks could not be made, which excludes nobody" in summary(made, screened, Plan())
    assert "could not check (0 of 10 cases)" in screened[0].verdicts[3].reason()
    assert without_excluded(made, screened) is made


def test_a_rule_binds_only_from_its_number_of_cases():
    made = ratings("GG", "GG", "GG")
    rule = Rule("left_share", max=0.9, min_count=4)
    assert [s.excluded for s in screen(made, [rule])] == [False, False]
    assert [s.excluded for s in screen(made, [Rule("left_share", max=0.9, min_count=3)])] == [True, True]


def test_leave_one_out_agreement_equals_brute_force():
    votes = ["GGSB", "SSG.", "BBBB", "G.GS"]
    screened = screen(ratings(*votes), [])
    for a, s in enumerate(screened):
        shares = []
        for answers in votes:
            if answers[a] != ".":
                others = [c for k, c in enumerate(answers) if k != a and c != "."]
                shares.append(np.mean([c == answers[a] for c in others]))
        assert s.measures["agreement"].value == pytest.approx(np.mean(shares))


def test_speed_is_time_over_length_and_watched_is_a_median():
    raw = rows("GG", "SS", "BB").assign(
        seconds=[3, 30, 6, 60, 9, 90], video_seconds=3.0, watched=[0.1, 1, 0.2, 1, 0.3, 1]
    )
    first, second = screen(validate(raw, source="t"), [Rule("watched", min=0.5, min_count=3)])
    assert (first.measures["speed"].value, second.measures["speed"].value) == (2.0, 20.0)
    assert (first.measures["watched"].value, first.excluded, second.excluded) == (0.2, True, False)


def test_repeats_are_compared_by_content_not_by_side():
    again = rows("GS", "BG", side="right").assign(kind="repeat", repeat=1)
    raw = pd.concat([rows("GS", "BB").assign(kind="main", repeat=0), again])
    first, second = screen(validate(raw, source="t"), [])
    assert (first.measures["repeat_consistency"].value, second.measures["repeat_consistency"].value) == (1.0, 0.5)


def test_everybody_excluded_leaves_words_not_a_crash(refused):
    with refused("2 of 2 annotators fail the rules of our defaults", "human screen"):
        analyse(ratings(*["GG"] * 40), Plan(draws=100))
