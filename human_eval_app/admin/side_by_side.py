"""The same numbers for everybody and for those who passed the checks, next to each other."""

from __future__ import annotations

from dataclasses import dataclass

from human_eval_app.admin.results import Results
from univg_bench.human.analysis import Analysis, comparison_label, comparisons
from univg_bench.human.gsb_report import shown_dimensions
from univg_bench.human.gsb_tables import Table, interval_text, percent, table2
from univg_bench.human.winrate import WinRate


@dataclass(frozen=True)
class Headline:
    """One comparison on the primary dimension, in percent. beside: the interval, and the other group's number."""

    label: str
    value: str
    beside: str
    help: str


def headline(found: Results, chosen: Analysis) -> list[Headline]:
    """Return the primary dimension of every comparison for the chosen annotators, with the others' number beside it."""
    code = chosen.plan.primary or chosen.rates[-1].dimension
    rest = found.everybody if chosen is found.passed else found.passed
    # where nobody is left out, both are the same numbers and there is nothing to set beside them
    name = "all" if chosen is found.passed else "passed"
    differ = rest is not None and any(s.excluded for s in found.screened)
    lines = []
    for rate in chosen.rates:
        if rate.dimension != code:
            continue
        text = interval_text(rate.interval, rate.undefined)
        twin = _rate(rest, rate) if rest is not None and differ else None
        if twin is not None:
            text += f" · {name} {percent(twin.win_rate, 1)}"
        label = f"{code} against {comparison_label((rate.method, rate.other), chosen.rates)}"
        lines.append(
            Headline(
                label, f"{percent(rate.win_rate, 1)} %{rate.mark(chosen.plan.level)}", text,
                f"{rate.n} answers of {rate.num_annotators} annotators on {rate.num_items} items; "
                f"{rate.G} better, {rate.S} same, {rate.B} worse",
            )
        )  # fmt: skip
    return lines


def both_table(passed: Analysis, everybody: Analysis) -> Table:
    """Return Table 2 with two rows per comparison: those who passed, and all."""
    dimensions, level = shown_dimensions(everybody), everybody.plan.level
    tables = {
        "passed": table2(passed.rates, dimensions, level=level), "all": table2(everybody.rates, dimensions, level=level)
    }  # fmt: skip
    names = [comparison_label(pair, everybody.rates) for pair in comparisons(everybody.rates)]
    rows = [
        (f"{name}, {who}", *row[1:])
        for name in names
        for who, table in tables.items()
        for row in table.rows
        if row[0] == name
    ]
    first = tables["all"]
    return Table(first.title, first.header, tuple(rows), first.notes, first.groups, first.stacked)


def _rate(analysis: Analysis, like: WinRate) -> WinRate | None:
    key = (like.method, like.other, like.dimension)
    return next((r for r in analysis.rates if (r.method, r.other, r.dimension) == key), None)
