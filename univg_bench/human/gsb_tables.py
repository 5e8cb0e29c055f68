"""Table 2 and its companions as Markdown, CSV, LaTeX and HTML. Win rates are printed in percent, as the paper does."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from univg_bench.human.agreement import MEASURES as AGREEMENT_MEASURES
from univg_bench.human.agreement import Agreement
from univg_bench.human.analysis import comparison_label, comparisons
from univg_bench.human.davidson import Davidson
from univg_bench.human.dimensions import GROUPS, Dimension
from univg_bench.human.plan import MEASURES
from univg_bench.human.screening import Measured, Screened
from univg_bench.human.winrate import Interval, WinRate

MARKS = (
    "* differs from 0 also for other items and annotators; ° differs from 0 for these annotators only (t test on item "
    "means). Both at the stated level, after Holm over the dimensions of a row; the primary dimension is tested alone."
)


@dataclass(frozen=True)
class Table:
    """Text cells under a header. groups: (title, number of columns) above the header, or empty. stacked: a cell's
    interval goes on a line of its own where there are lines (HTML).
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    groups: tuple[tuple[str, int], ...] = ()
    stacked: bool = False

    def markdown(self) -> str:
        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"

        align = "|" + "|".join(["---"] + ["---:"] * (len(self.header) - 1)) + "|"
        body = "\n".join([line(self.header), align, *map(line, self.rows)])
        return "\n\n".join([f"**{self.title}**", body, *self.notes]) + "\n"

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue()

    def latex(self) -> str:
        """Return a table environment; it says itself which package it needs."""
        lines = [r"% needs \usepackage{booktabs}", r"\begin{table}", r"\centering", rf"\caption{{{_tex(self.title)}}}"]
        lines += [rf"\begin{{tabular}}{{l{'r' * (len(self.header) - 1)}}}", r"\toprule"]
        if self.groups:
            lines.append(" & ".join(rf"\multicolumn{{{n}}}{{c}}{{{_tex(t)}}}" for t, n in self.groups) + r" \\")
        lines.append(" & ".join(map(_tex, self.header)) + r" \\")
        lines += [r"\midrule", *(" & ".join(map(_tex, row)) + r" \\" for row in self.rows)]
        lines += [r"\bottomrule", r"\end{tabular}", *(rf"\par\small {_tex(n)}" for n in self.notes), r"\end{table}"]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        def cell(text: str) -> str:
            safe = html.escape(text)
            return safe.replace(" [", "<br>[").replace(" (", "<br>(") if self.stacked else safe

        head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in self.header)
        group = "".join(f'<th colspan="{n}" scope="colgroup">{html.escape(t)}</th>' for t, n in self.groups)
        rows = "".join(
            f'<tr><th scope="row">{html.escape(row[0])}</th>'
            + "".join(f"<td>{cell(c)}</td>" for c in row[1:]) + "</tr>"
            for row in self.rows
        )  # fmt: skip
        notes = "".join(f"<p class='note'>{html.escape(n)}</p>" for n in self.notes)
        top = f"<tr>{group}</tr>" if group else ""
        caption = f"<caption>{html.escape(self.title)}</caption>"
        top += f"<tr>{head}</tr>"
        body = f"<table>{caption}<thead>{top}</thead><tbody>{rows}</tbody></table>"
        return f"<div class='scroll'>{body}</div>{notes}"


def percent(rate: float, digits: int = 2) -> str:
    """Return a fraction as a signed percentage without a minus zero."""
    text = f"{100 * rate:+.{digits}f}"
    return text.replace("-", "+", 1) if float(text) == 0 else text


def interval_text(interval: Interval | None, undefined: str = "undefined") -> str:
    return f"[{percent(interval[0], 1)}, {percent(interval[1], 1)}]" if interval else undefined


def p_text(p: float | None) -> str:
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def table2(
    rates: Sequence[WinRate],
    dimensions: Sequence[Dimension],
    *,
    level: float = 0.95,
    intervals: bool = True,
    induced: bool = False,
) -> Table:
    """Return the paper's Table 2: a row per comparison, a column per dimension, with intervals and marks.

    induced: say in the title that nobody was asked (see univg_bench.human.induced).
    """
    by_key = {(r.method, r.other, r.dimension): r for r in rates}
    rows = []
    for pair in comparisons(rates):
        cells = [comparison_label(pair, rates)]
        for dimension in dimensions:
            rate = by_key.get((*pair, dimension.code))
            if rate is None:
                cells.append("-")
                continue
            text = percent(rate.win_rate) + rate.mark(level)
            cells.append(f"{text} {interval_text(rate.interval, f'({rate.undefined})')}" if intervals else text)
        rows.append(tuple(cells))
    title = f"Win rate (G-B)/(G+S+B) in percent with {level:.0%} intervals" if intervals else "Win rate in percent"
    if induced:
        title += ", induced from scores"
    ours = {r.method for r in rates}
    versus = f"{ours.pop()} against" if len(ours) == 1 else "comparison"
    groups: list[tuple[str, int]] = []
    for dimension in dimensions:
        if groups and groups[-1][0] == dimension.group:
            groups[-1] = (dimension.group, groups[-1][1] + 1)
        else:
            groups.append((dimension.group, 1))
    named = any(g for g, _ in groups)
    full = ", ".join(f"{code} {name}" for code, name in GROUPS.items() if code in {d.group for d in dimensions})
    notes = ((f"{full}. " if full else "") + MARKS,)
    header = (versus, *(d.code for d in dimensions))
    return Table(title, header, tuple(rows), notes, (("", 1), *groups) if named else (), stacked=intervals)


def counts_table(rates: Sequence[WinRate], *, level: float = 0.95) -> Table:
    """Return one row per comparison and dimension with counts, three intervals and p values."""
    header = (
        "comparison", "dimension", "n", "G", "S", "B", "ties", "items", "annotators", "win rate", "win ratio",
        f"{level:.0%} interval", "pigeonhole bootstrap", "naive (too narrow)", "p items", "p items, Holm",
        "p two-way", "p two-way, Holm", "mark",
    )  # fmt: skip
    rows = tuple(
        (
            comparison_label((r.method, r.other), rates), r.dimension + (" (primary)" if r.primary else ""),
            str(r.n), str(r.G), str(r.S), str(r.B), f"{r.tie_share:.1%}", str(r.num_items), str(r.num_annotators),
            percent(r.win_rate), f"{100 * r.win_ratio:.2f}", interval_text(r.interval, r.undefined),
            interval_text(r.bootstrap, "-"),
            interval_text(r.naive, "-"), p_text(r.p), p_text(r.p_holm),
            p_text(r.p_two_way), p_text(r.p_two_way_holm), r.mark(level),
        )
        for r in rates
    )  # fmt: skip
    return Table("Counts, intervals and tests", header, rows, (MARKS,))


def rates_csv(rates: Sequence[WinRate], *, level: float = 0.95, induced: bool = False) -> str:
    """Return every field of every rate in long form; fractions of 1, empty where undefined."""
    out = io.StringIO()
    pairs = ("interval", "bootstrap", "naive")
    plain = [f.name for f in fields(WinRate) if f.name not in pairs]
    header = [
        *plain,
        "win_rate",
        "win_ratio",
        "tie_share",
        "mark",
        "origin",
        *(f"{p}_{end}" for p in pairs for end in ("low", "high")),
    ]
    origin = "induced" if induced else "asked"
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for rate in rates:
        bounds = [value for p in pairs for value in (getattr(rate, p) or ("", ""))]
        values = [getattr(rate, name) for name in plain]
        writer.writerow(
            ["" if v is None else v for v in values]
            + [rate.win_rate, rate.win_ratio, rate.tie_share, rate.mark(level), origin, *bounds]
        )
    return out.getvalue()


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """Return one row per dimension: four coefficients, percent agreement and the prevalence they depend on."""
    header = (
        "dimension", "pairs", "annotators", "G / S / B", "alpha ordinal", "alpha nominal", "Fleiss kappa", "Gwet AC1",
        "percent agreement",
    )  # fmt: skip
    rows = []
    for a in agreements:
        cells = [a.dimension, str(a.num_units), str(a.num_annotators)]
        cells.append(" / ".join(f"{p:.0%}" for p in a.prevalence))
        for measure in AGREEMENT_MEASURES:
            c = a.coefficients[measure]
            span = f" [{c.interval[0]:.2f}, {c.interval[1]:.2f}]" if c.interval else ""
            cells.append(f"{c}{span}")
        rows.append(tuple(cells))
    # the same pairs on every dimension, unless not all were asked for all: a sum would count a pair ten times
    fewest, most = (pick((a.num_single for a in agreements), default=0) for pick in (min, max))
    notes = ["The coefficients differ by design where one answer is common: read them with the shares of G, S and B. "
             "Intervals: bootstrap over items."]  # fmt: skip
    if most:
        count = f"{most}" if fewest == most else f"{fewest} to {most}"
        notes.append(f"On each dimension, {count} pairs with one rating say nothing about agreement and are left out.")
    return Table("Agreement by dimension", header, tuple(rows), tuple(notes))


def annotator_table(screened: Sequence[Screened]) -> Table:
    """Return one row per annotator with every measure and the reasons for an exclusion."""

    def cell(m: Measured) -> str:
        return "-" if m.value is None else f"{m.value:.2f}"

    header = ("annotator", "ratings", "pairs", "median s", *(m.replace("_", " ") for m in MEASURES), "verdict")
    rows = tuple(
        (
            s.annotator, str(s.num_ratings), str(s.num_pairs),
            "-" if s.median_seconds is None else f"{s.median_seconds:.1f}",
            *(cell(s.measures[m]) for m in MEASURES),
            "excluded: " + "; ".join(s.reasons()) if s.excluded else "kept",
        )
        for s in screened
    )  # fmt: skip
    note = "Measured without knowing which method was which. - : could not be measured, which excludes nobody."
    return Table("Checks by annotator", header, rows, (note,))


def strength_table(strengths: Sequence[Davidson]) -> Table:
    """Return one row per dimension: Davidson strengths of all methods, tie parameter, side term."""
    methods = list(dict.fromkeys(s.method for d in strengths for s in d.strengths))
    rows = []
    for d in strengths:
        theta = {s.method: s for s in d.strengths}
        cells = [d.dimension]
        for m in methods:
            s = theta.get(m)
            span = f" [{s.interval[0]:+.2f}, {s.interval[1]:+.2f}]" if s and s.interval else ""
            cells.append(f"{s.theta:+.2f}{span}" if s else "-")
        cells.append("-" if d.undefined else f"{d.nu:.2f}")
        side = d.delta_interval
        span = f" [{side[0]:+.2f}, {side[1]:+.2f}]" if side else ""
        cells.append("-" if d.delta is None else f"{d.delta:+.2f}{span}")
        rows.append(tuple(cells))
    notes = [
        "Davidson's model on all pairs at once: log strengths, 0 on average; ties nu; side above 0 says that the left "
        "video gains.",
        *(f"{d.dimension}: {d.undefined}." for d in strengths if d.undefined),
        *(f"{d.dimension}: no interval where none is printed: {d.no_interval}." for d in strengths if d.no_interval),
    ]
    return Table("Davidson strengths by dimension", ("dimension", *methods, "nu", "side"), tuple(rows), tuple(notes))


RENDERERS: dict[str, Callable[[Table], str]] = {"md": Table.markdown, "csv": Table.csv, "latex": Table.latex}


_TEX = str.maketrans(
    {"\\": r"\textbackslash{}", "%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
     "°": r"$^{\circ}$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
)  # fmt: skip


def _tex(text: str) -> str:
    return text.translate(_TEX)
