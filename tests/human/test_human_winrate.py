"""Win rates and what may be concluded: arithmetic, intervals, tests, invariances, and words where numbers fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from tests.human.gsb_examples import counts_to_votes, ratings, rows
from univg_bench.human import clusters
from univg_bench.human.clusters import Pigeonhole, Votes, annotator_order, variances
from univg_bench.human.plan import Plan
from univg_bench.human.ratings import Ratings, swap_methods, validate
from univg_bench.human.simulate import Design, simulate_ratings, simulate_votes
from univg_bench.human.winrate import (
    ALL_EQUAL,
    ONE_ITEM,
    SAME_MEANS,
    WinRate,
    cells,
    gsb,
    holm,
    item_test,
    scope,
    sign_test,
    win_rates,
    win_ratio,
)

QUICK = Plan(draws=200)

# G, S, B behind Figure 4 and OL of Table 2 of the paper (results/published/univg_table2_audit)
PAPER = {
    "I2VGen-XL": (590, 48, 25, 85.22),
    "VideoCrafter1": (448, 110, 97, 53.59),
    "SVD": (296, 172, 215, 11.86),
    "Pika beta": (347, 140, 168, 27.33),
    "Gen2": (351, 188, 376, -2.73),
}


def one(made: Ratings, plan: Plan = QUICK) -> WinRate:
    (rate,) = win_rates(made, plan)
    return rate


@pytest.mark.parametrize(("G", "S", "B", "printed"), PAPER.values(), ids=PAPER)
def test_the_papers_counts_give_the_papers_win_rates(G, S, B, printed):
    rate = one(ratings(*counts_to_votes(G, S, B)))
    assert (rate.G, rate.S, rate.B, rate.n) == (G, S, B, G + S + B)
    assert round(100 * rate.win_rate, 2) == printed
    assert rate.tie_share == S / (G + S + B)


def test_naive_intervals_of_the_papers_counts_are_known():
    half = [one(ratings(*counts_to_votes(*c[:3]))).naive for c in PAPER.values()]
    assert [round(50 * (high - low), 1) for low, high in half] == [3.4, 5.7, 6.4, 6.5, 5.8]


@given(st.floats(-1, 1))
def test_win_ratio_and_win_rate_convert_there_and_back(rate):
    assert gsb(win_ratio(rate)) == pytest.approx(rate, abs=1e-15)
    G, S, B = 30, 20, 10
    assert win_ratio((G - B) / 60) == pytest.approx((G + S / 2) / 60)


def votes_of(*answers: str) -> Votes:
    (cell,) = cells(ratings(*answers))
    return cell.votes


def test_two_way_variance_equals_brute_force_over_clusters():
    votes = simulate_votes(Design(20, 6, 3), np.random.default_rng(0))
    n, e = len(votes.y), votes.y - votes.y.mean()

    def by(codes):
        groups = np.unique(codes)
        return sum(e[codes == g].sum() ** 2 for g in groups) / n**2 * len(groups) / (len(groups) - 1)

    naive = (e**2).sum() / n**2 * n / (n - 1)
    found = variances(votes)
    assert found.item == pytest.approx(by(votes.item), rel=1e-12)
    assert found.annotator == pytest.approx(by(votes.annotator), rel=1e-12)
    assert found.naive == pytest.approx(naive, rel=1e-12)
    two_way = by(votes.item) + by(votes.annotator) - naive
    assert found.two_way == pytest.approx(max(two_way, by(votes.item)), rel=1e-12)


def test_two_way_variance_agrees_with_statsmodels():
    import statsmodels.api as sm

    votes = simulate_votes(Design(40, 8, 4, sigma_annotator=0.6), np.random.default_rng(1))
    fit = sm.OLS(votes.y.astype(float), np.ones((len(votes.y), 1))).fit()
    both, item, annotator = cov_cluster_2groups(fit, votes.item, votes.annotator, use_correction=True)
    n = len(votes.y)
    # statsmodels multiplies each part by a further (n-1)/(n-k) with k = 1, which is 1
    found = variances(votes)
    assert found.item == pytest.approx(item[0, 0], rel=1e-10)
    assert found.annotator == pytest.approx(annotator[0, 0], rel=1e-10)
    assert found.item + found.annotator - found.naive == pytest.approx(both[0, 0], rel=1e-10)
    assert n == 160


def test_pigeonhole_mean_of_a_draw_equals_repeating_rows():
    votes = votes_of("GSBGS", "GG.BS", "SB.GG", "BGGSB")
    hole = Pigeonhole(40, seed=3)
    means = hole.means(votes)
    p, q = hole._drawn(4, 0, 40, salt=0), hole._drawn(5, 0, 40, salt=1)
    order = annotator_order(votes)
    for d in range(40):
        weight = p[votes.item, d] * q[order[votes.annotator], d]
        assert means[d] == pytest.approx((weight * votes.y).sum() / weight.sum())
    assert (p.sum(axis=0) == 4).all()
    assert (q.sum(axis=0) == 5).all()


def test_sparse_and_dense_products_give_the_same_bootstrap(monkeypatch):
    votes = simulate_votes(Design(60, 30, 2), np.random.default_rng(4))
    assert len(votes.y) < 0.1 * 60 * 30
    sparse = Pigeonhole(100, seed=0).means(votes)
    monkeypatch.setattr(clusters, "DENSE", 0.0)
    assert (Pigeonhole(100, seed=0).means(votes) == sparse).all()


def test_a_study_too_large_to_keep_its_draws_gives_the_same_bootstrap(monkeypatch):
    votes = simulate_votes(Design(60, 6, 6), np.random.default_rng(4))
    kept = Pigeonhole(100, seed=0)
    first = kept.means(votes)
    assert kept._counts
    monkeypatch.setattr(clusters, "KEPT_COUNTS", 0)
    large = Pigeonhole(100, seed=0)
    assert (large.means(votes) == first).all()
    assert not large._counts
    # in smaller chunks the draws are others, and as good
    monkeypatch.setattr(clusters, "CHUNK_COUNTS", 600)
    assert len(Pigeonhole(95, seed=0).means(votes)) == 95


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_leaves_the_primary_dimension_alone():
    made = simulate_ratings({"OL": 0.2, "PS": 0.2, "MS": 0.1}, design=Design(40, 6, 6))
    rates = {r.dimension: r for r in win_rates(made, QUICK)}
    assert rates["OL"].p_holm is None
    assert rates["OL"].p_two_way_holm is None
    assert rates["OL"].primary
    others = [rates["PS"], rates["MS"]]
    assert [r.p_holm for r in others] == holm([r.p for r in others])
    assert [r.p_two_way_holm for r in others] == holm([r.p_two_way for r in others])
    without = {r.dimension: r for r in win_rates(made, replace(QUICK, primary=None))}
    assert without["OL"].p_holm is not None


def test_the_item_test_is_scipys_t_test():
    votes = simulate_votes(Design(30, 6, 6), np.random.default_rng(2))
    expected = stats.ttest_1samp(votes.item_means(), 0.0).pvalue
    assert item_test(votes) == pytest.approx(expected, rel=1e-10)


def test_the_sign_test_is_the_binomial_one():
    assert sign_test(8, 2) == pytest.approx(stats.binomtest(8, 10).pvalue)
    assert sign_test(0, 0) == 1.0


def test_unanimity_is_said_in_words_and_still_significant():
    rate = one(ratings(*["GGGGGG"] * 10))
    assert rate.interval is rate.bootstrap is rate.naive is None
    assert rate.undefined == ALL_EQUAL == "undefined, all answers equal"
    assert rate.p == 2.0**-9
    assert rate.p_two_way == 2.0**-5
    assert rate.mark() == "*"
    ties = one(ratings(*["SSSSSS"] * 10))
    assert (ties.p, ties.mark(), ties.undefined) == (1.0, "", ALL_EQUAL)


def test_one_item_or_equal_items_have_no_interval_but_words():
    single = one(ratings("GGBSGG"))
    assert (single.interval, single.undefined, single.p) == (None, ONE_ITEM, 1.0)
    same = one(ratings(*["GGB"] * 6))
    assert (same.interval, same.undefined) == (None, SAME_MEANS)
    assert same.p == 2.0**-5


def test_no_field_is_ever_nan():
    for made in (ratings("G"), ratings("GG"), ratings("G", "G"), ratings("GB", "BG"), ratings("GSB")):
        for value in vars(one(made)).values():
            for number in value if isinstance(value, tuple) else (value,):
                assert not (isinstance(number, float) and np.isnan(number))


def test_few_annotators_get_item_clustered_intervals_and_a_warning_in_words():
    votes = ["GSBG", "GGSS", "BSGG", "SSGB", "GGGG", "BSSG"]
    few, enough = one(ratings(*votes)), one(ratings(*[v + "S" for v in votes]))
    assert (few.generalises, few.df, few.p_two_way) == (False, 5, None)
    (cell,) = cells(ratings(*votes))
    half = stats.t.ppf(0.975, 5) * variances(cell.votes).item ** 0.5
    assert few.interval == pytest.approx((few.win_rate - half, few.win_rate + half))
    assert (enough.generalises, enough.df) == (True, 4)
    (words,) = scope([few])
    assert "Too few annotators to generalise: with 4 annotators (fewer than 5)" in words
    assert "these annotators only" in words
    (words,) = scope([enough])
    assert "4 degrees of freedom for 5 annotators" in words
    assert "2.78 standard errors instead of 1.96" in words
    assert len(scope([few, enough])) == 2
    assert "with 1 annotator (" in scope([one(ratings("G", "S"))])[0]


def test_marks_tell_panel_from_people():
    # all annotators agree that ours is slightly better, and differ little: significant for everybody
    assert one(ratings(*["GGGGSS", "GGGGGB", "SGGGGG", "GBGGGG"] * 6)).mark() == "*"
    # two of six like ours, the others see no difference: only this panel prefers it
    divided = one(ratings(*["GGSSSS", "GGSSBS", "GGSBSS", "GGGSSS"] * 6))
    assert divided.p < 0.05 < divided.p_two_way
    assert divided.mark() == "°"
    assert one(ratings("GSB", "BSG", "SSS", "GGB", "BBG")).mark() == ""


def test_intervals_stay_within_the_possible_range():
    rate = one(ratings(*["GGGGG"] * 9, "GGGGB"))
    assert rate.interval[1] <= 1
    assert rate.naive[1] <= 1


def test_practice_gold_and_repeats_do_not_count():
    made = simulate_ratings({"OL": 0.2}, design=Design(12, 6, 6), num_gold=5, num_repeats=3)
    alone = simulate_ratings({"OL": 0.2}, design=Design(12, 6, 6))
    assert len(made) > len(alone)
    rate = one(made)
    assert (rate.n, rate.num_items) == (72, 12)


def everything() -> Ratings:
    truth = {"OL": 0.3, "PS": -0.2, "MS": 0.0}
    return simulate_ratings(truth, design=Design(24, 7, 4), seed=5)


def flipped(interval):
    return None if interval is None else (-interval[1], -interval[0])


def test_swapping_the_methods_flips_every_sign_and_nothing_else():
    made = everything()
    for a, b in zip(win_rates(made, QUICK), win_rates(swap_methods(made), QUICK), strict=True):
        assert (a.G, a.S, a.B, a.win_rate) == (b.B, b.S, b.G, -b.win_rate)
        for name in ("interval", "bootstrap", "naive"):
            assert getattr(a, name) == pytest.approx(flipped(getattr(b, name)), abs=1e-14)
        assert (a.p, a.p_two_way, a.p_naive) == pytest.approx((b.p, b.p_two_way, b.p_naive), rel=1e-12)
        assert (a.df, a.mark()) == (b.df, b.mark())


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter_to_the_bit(seed):
    made = everything()
    order = np.random.default_rng(seed).permutation(len(made))
    shuffled = validate(made.frame.iloc[order].astype(object), source=made.source)
    assert win_rates(shuffled, QUICK) == win_rates(made, QUICK)


@pytest.mark.parametrize("seed", range(3))
def test_names_of_annotators_do_not_matter_to_the_bit(seed):
    made = everything()
    names = made.labels("annotator")
    new = dict(zip(names, np.random.default_rng(seed).permutation([f"N{i}" for i in range(len(names))]), strict=True))
    raw = made.frame.astype(object).assign(annotator=lambda t: t["annotator"].map(new))
    assert win_rates(validate(raw, source=made.source), QUICK) == win_rates(made, QUICK)


def test_names_of_items_move_only_the_draws_of_the_bootstrap():
    made = everything()
    raw = made.frame.astype(object).assign(item=lambda t: t["item"].str[::-1])
    plan = Plan(draws=5000)
    for a, b in zip(win_rates(made, plan), win_rates(validate(raw, source="t"), plan), strict=True):
        assert replace(a, bootstrap=None, p=0, p_holm=None) == replace(b, bootstrap=None, p=0, p_holm=None)
        assert a.p == pytest.approx(b.p, rel=1e-12)
        assert a.bootstrap == pytest.approx(b.bootstrap, abs=0.03)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("GSB", min_size=6, max_size=6), min_size=2, max_size=8))
def test_for_any_votes_the_rate_lies_in_its_interval_and_more_clusters_never_narrow_it(answers):
    rate = one(ratings(*answers), Plan(draws=100))
    if rate.interval:
        assert rate.interval[0] <= rate.win_rate <= rate.interval[1]
        (cell,) = cells(ratings(*answers))
        found = variances(cell.votes)
        assert found.two_way >= found.item
    assert 0 <= rate.p <= 1
    assert 0 <= rate.p_two_way <= 1


def test_comparisons_and_dimensions_come_in_table_order():
    parts = [rows("GS", dimension=d).assign(other=o) for o in ("z", "a") for d in ("OL", "MS", "PS")]
    found = [(c.other, c.dimension) for c in cells(validate(pd.concat(parts), source="t"))]
    assert found == [(o, d) for o in ("a", "z") for d in ("PS", "MS", "OL")]


def test_without_a_main_rating_there_is_no_win_rate():
    raw = rows("GS").assign(kind="practice")
    assert win_rates(validate(raw, source="t")) == []


def test_what_only_rounding_leaves_of_a_variance_is_no_certainty():
    # both items have the mean -1/6 and V_annotator = V_naive: in floats V is 1e-17
    rate = one(ratings("SBGSBS", "SSSBSS"))
    assert (rate.interval, rate.undefined, rate.mark()) == (None, SAME_MEANS, "")
    assert rate.p_two_way == 0.5


def test_one_item_with_many_annotators_has_words_and_no_nan():
    rate = one(ratings("GGGBGGSG"))
    assert (rate.interval, rate.undefined, rate.p_two_way, rate.mark()) == (None, ONE_ITEM, None, "")
    assert scope([rate]) == []


def test_a_mark_never_stands_on_the_other_sign():
    # three items that four people answered B, eleven that one person answered G: items say +, votes say -
    rate = one(ratings(*["BBBB"] * 3, *["G"] * 11))
    assert rate.win_rate < 0 < rate.item_mean
    assert rate.p < 0.05
    assert rate.interval[0] < 0 < rate.interval[1]
    assert rate.mark() == ""
    assert replace(rate, num_annotators=6).mark() == ""
    # the same sign, but the interval that is printed holds 0
    assert replace(rate, G=20).mark() == ""
    assert replace(rate, G=20, interval=(0.1, 0.5)).mark() == "°"


def test_the_win_ratio_stands_beside_the_win_rate():
    rate = one(ratings("GGSB", "GSSB"))
    assert rate.win_ratio == pytest.approx((rate.G + rate.S / 2) / rate.n)
