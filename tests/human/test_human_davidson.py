"""Davidson's model with ties and a side term, and the side-bias test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from tests.human.gsb_examples import counts_to_votes, ratings, rows
from univg_bench.human.clusters import variances
from univg_bench.human.davidson import fit
from univg_bench.human.gsb_tables import strength_table
from univg_bench.human.ratings import Ratings, swap_methods, validate
from univg_bench.human.side import side_bias
from univg_bench.human.simulate import Design, simulate_ratings
from univg_bench.human.winrate import cells


def league(seed: int = 0, *, delta: float = 0.0, num_items: int = 40, annotators: int = 6) -> Ratings:
    """Four methods of known strength, every pair rated by everybody, sides at random."""
    rng = np.random.default_rng(seed)
    theta = {"a": 0.9, "b": 0.2, "c": -0.3, "d": -0.8}
    nu, table = 0.8, []
    for first, second in [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]:
        for i in range(num_items):
            for person in range(annotators):
                left = rng.random() < 0.5
                d = theta[first] - theta[second] + (delta if left else -delta)
                p = np.array([np.exp(d / 2), nu, np.exp(-d / 2)])
                choice = rng.choice(list("GSB"), p=p / p.sum())
                side = "left" if left else "right"
                table.append((f"i{i}", f"p{person}", first, second, "OL", choice, side))
    return validate(pd.DataFrame(table, columns=rows("G").columns), source="league")


def test_two_methods_have_the_closed_form():
    G, S, B = 347, 140, 168
    found = fit(ratings(*counts_to_votes(G, S, B)), "OL")
    theta = {s.method: s.theta for s in found.strengths}
    assert theta["ours"] - theta["rival"] == pytest.approx(np.log(G / B), rel=1e-9)
    assert found.nu == pytest.approx(S / np.sqrt(G * B), rel=1e-9)
    assert found.delta is None


def test_without_ties_it_is_bradley_terry():
    found = fit(ratings(*counts_to_votes(30, 0, 10)), "OL")
    assert found.nu == 0
    assert found.strengths[0].theta - found.strengths[1].theta == pytest.approx(np.log(3))


def test_the_maximum_is_the_one_a_general_optimiser_finds():
    made = league(delta=0.4)
    frame = made.frame.astype(object)
    names = ["a", "b", "c", "d"]
    i, j = frame["method"].map(names.index).to_numpy(int), frame["other"].map(names.index).to_numpy(int)
    sign = np.where(frame["side"] == "left", 1, -1)

    def loss(p):
        theta = np.append(p[:3], -p[:3].sum())
        d = theta[i] - theta[j] + sign * p[4]
        logits = np.stack([d / 2, np.full(len(d), p[3]), -d / 2])
        return -(logits[1 - made.y, np.arange(len(d))] - np.logaddexp.reduce(logits, axis=0)).sum()

    best = optimize.minimize(loss, np.zeros(5), method="BFGS")
    found = fit(made, "OL", side=True)
    assert [s.theta for s in found.strengths[:3]] == pytest.approx(best.x[:3], abs=1e-4)
    assert np.log(found.nu) == pytest.approx(best.x[3], abs=1e-4)
    assert found.delta == pytest.approx(best.x[4], abs=1e-4)
    assert found.log_likelihood == pytest.approx(-best.fun, rel=1e-8)


def test_known_strengths_and_a_known_side_effect_are_recovered():
    found = fit(league(delta=0.5, num_items=80), "OL", side=True)
    for s, truth in zip(found.strengths, (0.9, 0.2, -0.3, -0.8), strict=True):
        assert s.interval[0] <= truth <= s.interval[1]
        assert abs(s.theta - truth) < 0.2
    assert found.delta_interval[0] <= 0.5 <= found.delta_interval[1]
    assert found.delta_interval[0] > 0
    assert found.nu == pytest.approx(0.8, abs=0.15)


def test_item_clustered_errors_equal_a_brute_force_sandwich():
    made = ratings("GGS", "SGB", "BBG", "GSS", "GGG", "SBS")
    found = fit(made, "OL")
    G, S, B = (int((made.y == v).sum()) for v in (1, 0, -1))
    theta, log_nu = found.strengths[0].theta, np.log(found.nu)

    def loss(p, y):
        logits = np.array([p[0], p[1], -p[0]])  # d/2 = theta of the first, as the second is its negative
        return logits[1 - y] - np.logaddexp.reduce(logits)

    at, h = np.array([theta, log_nu]), 1e-5
    scores = np.array([
        [(loss(at + h * e, y) - loss(at - h * e, y)) / (2 * h) for e in np.eye(2)] for y in made.y
    ])  # fmt: skip
    n = G + S + B
    p_G, p_S, p_B = np.array([G, S, B]) / n
    information = n * np.array([
        [p_G + p_B - (p_G - p_B) ** 2, -(p_G - p_B) * p_S], [-(p_G - p_B) * p_S, p_S * (1 - p_S)],
    ])  # fmt: skip
    items = made.codes("item")
    sums = np.stack([scores[items == k].sum(axis=0) for k in range(6)])
    inverse = np.linalg.inv(information)
    variance = (inverse @ (sums.T @ sums) @ inverse)[0, 0] * 6 / 5
    assert found.strengths[0].standard_error == pytest.approx(variance**0.5, rel=1e-6)
    assert found.df == 5


@pytest.mark.parametrize(
    "votes",
    [
        ["GGGGB", "GBGGB", "BBGGB", "GGGBB"],
        ["GGGGG", "BBBBB", "GGGGG"],  # annotators who do not differ: the item part alone is the larger
    ],
)
def test_without_ties_errors_are_those_of_the_win_rate_by_the_delta_method(votes):
    made = ratings(*votes)
    (cell,) = cells(made)
    w = cell.votes.mean
    # theta = log((1 + w)/(1 - w)) / 2, so its derivative is 1/(1 - w^2)
    expected = variances(cell.votes).two_way ** 0.5 / (1 - w**2)
    assert fit(made, "OL").strengths[0].standard_error == pytest.approx(expected, rel=1e-8)


def test_swapping_methods_and_shuffling_rows_change_nothing():
    made = league(delta=0.3, num_items=8)
    base = fit(made, "OL", side=True)
    order = np.random.default_rng(0).permutation(len(made))
    for other in (swap_methods(made), validate(made.frame.iloc[order].astype(object), source="t")):
        again = fit(other, "OL", side=True)
        assert [s.theta for s in again.strengths] == pytest.approx([s.theta for s in base.strengths], abs=1e-8)
        assert [s.standard_error for s in again.strengths] == pytest.approx(
            [s.standard_error for s in base.strengths], abs=1e-8
        )
        assert (again.nu, again.delta) == pytest.approx((base.nu, base.delta), abs=1e-8)


@pytest.mark.parametrize(
    ("votes", "why"),
    [
        (["GGG", "GGS"], "some methods never lose"),
        (["GGG", "GGG"], "some methods never lose"),
        (["SSS", "SSS"], "all answers are the same choice: S"),
    ],
)
def test_what_has_no_maximum_is_said_in_words(votes, why):
    found = fit(ratings(*votes), "OL")
    assert why in found.undefined
    assert found.strengths == ()


def test_a_side_term_needs_sides_and_losers_on_both():
    unknown = ratings("GSB", "BGG", side="none")
    assert "no side is known" in fit(unknown, "OL", side=True).undefined
    assert not fit(unknown, "OL").undefined
    assert fit(ratings("GS"), "PS").undefined == "undefined, no ratings"


def test_methods_that_were_never_compared_have_no_common_scale():
    raw = pd.concat([rows("GSB", "BGS"), rows("GSB", "BGS").assign(method="x", other="y")])
    assert "never compared with the others" in fit(validate(raw, source="t"), "OL").undefined


def test_ties_alone_can_bound_a_strength_where_others_fix_the_tie_parameter():
    # c never wins, but it ties with b, and a against b says how often ties happen
    parts = [
        rows("GSB", "BGS", "GBS").assign(method="a", other="b"),
        rows("GGS", "GSG").assign(method="b", other="c"),
    ]
    found = fit(validate(pd.concat(parts), source="t"), "OL")
    assert not found.undefined
    assert found.strengths[2].theta < found.strengths[1].theta


def test_side_bias_equals_a_brute_force_ratio_estimate():
    made = simulate_ratings({"OL": 0.1, "PS": 0.0}, design=Design(40, 6, 6), left_bias=0.5)
    found = side_bias(made)
    frame = made.frame.astype(object)
    left = ((frame["choice"] == "G") & (frame["side"] == "left")) | (
        (frame["choice"] == "B") & (frame["side"] == "right")
    )
    decided = frame["choice"] != "S"
    assert (found.left, found.left + found.right) == (left.sum(), decided.sum())
    by = pd.DataFrame({"l": left[decided], "a": frame["annotator"][decided]}).groupby("a")["l"].agg(["sum", "count"])
    share = by["sum"].sum() / by["count"].sum()
    error = np.sqrt(((by["sum"] - share * by["count"]) ** 2).sum() * 6 / 5) / by["count"].sum()
    half = stats.t.ppf(0.975, 5) * error
    assert found.interval == pytest.approx((share - half, share + half))
    assert found.p < 0.05
    assert "this differs from one half" in found.sentence()


def test_no_side_bias_is_found_where_there_is_none():
    found = side_bias(simulate_ratings({"OL": 0.3}, design=Design(60, 6, 6)))
    assert found.p > 0.05
    assert "is not shown to differ from one half" in found.sentence()
    assert "clustered by 6 annotators" in found.sentence()


def test_side_bias_speaks_where_it_cannot_be_computed():
    assert side_bias(ratings("GS", side="none")).sentence() == (
        "Side bias: undefined, no answer chose a side that is known."
    )
    alone = side_bias(ratings("G", "G", "B", "S"))
    assert not alone.clustered
    assert "binomial, one annotator only" in alone.sentence()
    unanimous = side_bias(ratings("GGG", "GGG"))
    assert (unanimous.share, unanimous.interval, unanimous.p) == (1.0, None, 0.25)
    assert "[" not in unanimous.sentence()


def test_gold_and_practice_say_nothing_about_side_bias():
    made = rows("GS", "BG").assign(kind="main", expected="")
    extra = rows("GGG", "GGG").assign(kind="gold", expected="G", item=lambda t: "x" + t["item"])
    practice = extra.assign(kind="practice", expected="")
    both = validate(pd.concat([made, extra, practice]), source="t")
    assert side_bias(both) == side_bias(validate(made, source="t"))


def test_swapping_methods_does_not_move_the_side_bias():
    made = simulate_ratings({"OL": 0.3}, design=Design(20, 5, 5), left_bias=0.3)
    assert side_bias(swap_methods(made)) == side_bias(made)


@pytest.mark.parametrize(
    ("votes", "why"), [(["GGSBGG"], "one item only"), (["GGSB"] * 12, "all items say exactly the same")]
)
def test_a_strength_without_a_variance_stands_alone_and_says_why(votes, why):
    found = fit(ratings(*votes), "OL")
    assert [(s.standard_error, s.interval) for s in found.strengths] == [(None, None)] * 2
    assert found.no_interval == why
    table = strength_table([found])
    assert "[" not in "".join(table.rows[0])
    assert why in table.notes[-1]
