"""Tables, figures and the report: right numbers, self-contained, readable without colour, deterministic."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.human.gsb_examples import ratings
from univg_bench.human.agreement import agreement
from univg_bench.human.analysis import analyse
from univg_bench.human.dimensions import UNIVG, Dimension
from univg_bench.human.gsb_figures import FILLS, SHAPES, agreement_dots, answer_bars, forest, png, svg
from univg_bench.human.gsb_report import page, write_report
from univg_bench.human.gsb_tables import (
    agreement_table,
    annotator_table,
    counts_table,
    p_text,
    percent,
    rates_csv,
    strength_table,
    table2,
)
from univg_bench.human.plan import Plan
from univg_bench.human.simulate import Design, simulate_ratings
from univg_bench.human.winrate import win_rates

TRUTH = {d.code: 0.5 - 0.1 * i for i, d in enumerate(UNIVG)}


@pytest.fixture(scope="module")
def analysis():
    made = simulate_ratings(TRUTH, design=Design(30, 8, 4), careless=["left"], num_gold=5, num_repeats=4)
    return analyse(made, Plan(draws=200))


def luminance(colour: str) -> float:
    """CIE L* of a colour `#rrggbb`: what a grey print shows."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * (y ** (1 / 3) if y > 0.008856 else 7.787 * y + 16 / 116) - 16


def contrast(a: str, b: str) -> float:
    """WCAG contrast ratio from L*."""
    y = sorted((((luminance(c) + 16) / 116) ** 3 for c in (a, b)), reverse=True)
    return (y[0] + 0.05) / (y[1] + 0.05)


def test_the_three_answers_differ_in_lightness_and_their_numbers_can_be_read():
    light = sorted(luminance(fill) for fill, _ in FILLS.values())
    assert light[1] - light[0] > 20
    assert light[2] - light[1] > 20
    names = {"white": "#ffffff", "black": "#000000"}
    for fill, ink in FILLS.values():
        assert contrast(fill, names[ink]) > 4.5


def test_significance_is_told_by_shape():
    assert len({shape for shape, _ in SHAPES.values()}) == 3


def test_percent_has_a_sign_and_no_minus_zero():
    assert percent(0.1234) == "+12.34"
    assert percent(-0.00001) == "+0.00"
    assert percent(-0.5, 1) == "-50.0"
    assert [p_text(p) for p in (None, 0.0001, 0.0423)] == ["-", "<0.001", "0.042"]


def test_table2_has_the_papers_columns_groups_and_numbers(analysis):
    table = table2(analysis.rates, UNIVG)
    assert table.header == ("ours against", *(d.code for d in UNIVG))
    assert table.groups == (("", 1), ("VQ", 2), ("MQ", 3), ("TF", 2), ("IF", 2), ("OL", 1))
    (row,) = table.rows
    for cell, rate in zip(row[1:], analysis.rates, strict=True):
        assert cell.startswith(percent(rate.win_rate))
        assert cell.endswith("]")
    bare = table2(analysis.rates, UNIVG, intervals=False)
    assert "[" not in bare.markdown().split("\n\n")[1]


def test_table2_marks_missing_cells_and_undefined_intervals():
    made = ratings(*["GGGGG"] * 6)
    table = table2(win_rates(made, Plan(draws=100)), UNIVG[-2:])
    # five annotators agree on everything: the sign-flip test over annotators stops at 1/16
    assert table.rows == (("rival", "-", "+100.00° (undefined, all answers equal)"),)


def test_renderers_escape_what_their_format_needs():
    from univg_bench.human.gsb_tables import Table

    table = Table("a & b", ("x", "100%"), (("m_1|$", "<b>^°{"),), ("note #1",))
    assert "m\\_1|\\$" in table.latex()
    assert r"a \& b" in table.latex()
    assert r"$<$b$>$\textasciicircum{}$^{\circ}$\{" in table.latex()
    assert "m_1\\|$" in table.markdown()
    assert "&lt;b&gt;" in table.html()
    assert "<b>" not in table.html()
    assert list(csv.reader(io.StringIO(table.csv()))) == [["x", "100%"], ["m_1|$", "<b>^°{"]]


def test_latex_has_as_many_columns_as_it_says(analysis):
    text = table2(analysis.rates, UNIVG).latex()
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip()
    assert body.count("&") == 10
    assert r"\begin{tabular}{lrrrrrrrrrr}" in text
    assert text.count("{") == text.count("}")


def test_the_long_csv_has_every_field(analysis):
    table = list(csv.DictReader(io.StringIO(rates_csv(analysis.rates))))
    assert len(table) == 10
    for row, rate in zip(table, analysis.rates, strict=True):
        assert int(row["G"]) + int(row["S"]) + int(row["B"]) == int(row["n"]) == rate.n
        assert float(row["interval_low"]) == rate.interval[0]
        assert float(row["bootstrap_high"]) == rate.bootstrap[1]
        assert row["p_holm"] == ("" if rate.primary else str(rate.p_holm))
    assert not any("nan" in value.lower() for row in table for value in row.values())


def test_companion_tables_say_what_they_cannot_tell(analysis):
    made = ratings("GGG", "GGG", "S..")
    text = agreement_table([agreement(made, "OL")]).markdown()
    assert "undefined, all answers equal" in text
    assert "On each dimension, 1 pairs with one rating say nothing about agreement" in text
    # the same pair on another dimension is no other pair
    also = agreement(ratings("GGG", "GSG"), "OL")
    assert "1 pairs with" in agreement_table([agreement(made, "OL")] * 10).markdown()
    assert "0 to 1 pairs with" in agreement_table([agreement(made, "OL"), also]).markdown()
    assert "nan" not in text.lower()
    few = analyse(made, Plan(draws=100, screening=()))
    assert "never lose" in strength_table(few.strengths).markdown()
    assert "| - |" in annotator_table(few.screened).markdown()
    assert "undefined" not in counts_table(analysis.rates).markdown()
    assert "naive (too narrow)" in counts_table(analysis.rates).markdown()
    assert "excluded: " in annotator_table(analysis.screened).markdown()


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith("#")]


def test_the_report_is_one_self_contained_page_with_its_parts(analysis, tmp_path: Path):
    files = write_report(analysis, tmp_path / "out", title="A <study> & more")
    names = {f.name for f in files}
    assert {"report.html", "table2.md", "table2.csv", "table2.tex", "win_rates.csv", "win_rates_all_annotators.csv",
            "agreement.csv", "annotators.csv", "strengths.csv", "figure4.svg", "figure4.png", "forest.svg",
            "forest.png", "agreement.svg", "agreement.png"} == names  # fmt: skip
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert links.found == []
    assert "script" not in links.tags
    assert links.tags.count("svg") >= 3
    assert "A &lt;study&gt; &amp; more" in text
    assert "1 of 8 annotators" in text
    assert "The same with nobody excluded" in text
    assert analysis.plan.digest[:16] in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    for sentence in analysis.sentences()[:1]:
        assert sentence in text
    for name in ("figure4.png", "forest.png", "agreement.png"):
        assert (tmp_path / "out" / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_same_ratings_make_the_same_page(analysis):
    again = analyse(analysis.ratings, analysis.plan)
    drawn = {"forest": svg(forest(analysis.rates, UNIVG))}
    assert drawn == {"forest": svg(forest(again.rates, UNIVG))}
    assert page(analysis, drawn, title="t") == page(again, drawn, title="t")


def test_bars_carry_their_numbers_and_forest_its_dimensions(analysis):
    bars = svg(answer_bars(analysis.rates, UNIVG[-1]))
    overall = next(r for r in analysis.rates if r.dimension == "OL")
    assert f">{100 * overall.G / overall.n:.1f}<" in bars
    assert "Overall preference" in bars
    drawn = svg(forest(analysis.rates, UNIVG))
    for d in UNIVG:
        assert f">{d.code}<" in drawn
    assert "for these annotators only" in drawn


def test_figures_stand_cells_without_an_interval_or_a_value():
    made = ratings(*["GGGGG"] * 6)
    rates = win_rates(made, Plan(draws=100))
    assert "<svg" in svg(forest(rates, UNIVG[-1:]))
    assert "100.0" in svg(answer_bars(rates, UNIVG[-1]))
    assert png(agreement_dots([agreement(made, "OL")]))[:4] == b"\x89PNG"
    own = Dimension("q", "Quality", "", "Which?")
    assert "Quality: who is preferred" in svg(answer_bars([replace(rates[0], dimension="q")], own))


def test_a_report_on_real_ratings_says_who_it_speaks_for(fetv, tmp_path: Path):
    from univg_bench.human.induced import read_scores

    made = read_scores(fetv, leave_out=["reference"])
    analysis = analyse(made, Plan(dimensions=made.dimensions, primary=None, draws=200))
    drawn = {"forest": svg(forest(analysis.rates, made.dimensions))}
    text = page(analysis, drawn, title="FETV, induced")
    assert "Too few annotators to generalise" in text
    assert text.count('<th scope="row">cogvideo vs zeroscope</th>') >= 1
    assert "1,188 ratings, 3 annotators, 22 items, 6 comparisons, 3 dimensions" in text


def test_adjusted_and_plain_p_values_stand_side_by_side(analysis):
    header, row = counts_table(analysis.rates).header, counts_table(analysis.rates).rows[0]
    rate = analysis.rates[0]
    assert row[header.index("p two-way")] == p_text(rate.p_two_way)
    assert row[header.index("p two-way, Holm")] == p_text(rate.p_two_way_holm)
