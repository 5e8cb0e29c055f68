"""Figure 4 of the paper (stacked bars), a forest plot and an agreement plot, as SVG and PNG.

Readable in black and white and by colour-blind readers: the three answers differ in lightness (L* about 24, 88, 64) and
carry their numbers, significance is a shape, and nothing is told by hue alone. altair is loaded when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from univg_bench.human.agreement import Agreement
from univg_bench.human.analysis import comparison_label, comparisons
from univg_bench.human.dimensions import Dimension
from univg_bench.human.winrate import WinRate

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.LayerChart | alt.FacetChart

# answer -> (fill, colour of the text on it); dark, light, middle, so that a grey print keeps them apart
FILLS = {"better": ("#0b3c5d", "white"), "same": ("#e3e3e3", "black"), "worse": ("#e08a1e", "black")}
# what a mark means -> shape, fill; filled says more than hollow, and a tick is no claim at all
TICK = "M0,-0.8L0,0.8"
SHAPES = {
    "yes (*)": ("circle", "#1a1a1a"),
    "for these annotators only (°)": ("diamond", "white"),
    "not significant": (TICK, "white"),
}
MARK_WORDS = dict(zip(("*", "°", ""), SHAPES, strict=True))
INK = "#1a1a1a"
FONT = "DejaVu Sans, Verdana, Arial, sans-serif"


def answer_bars(rates: Sequence[WinRate], dimension: Dimension) -> Chart:
    """Return Figure 4: shares of G, S, B on `dimension`, one bar per comparison."""
    import altair as alt

    chosen = [r for r in rates if r.dimension == dimension.code]
    pairs = comparisons(chosen)
    labels = [comparison_label(p, chosen) for p in pairs]
    rows = []
    for r in chosen:
        start = 0.0
        for place, (answer, count) in enumerate(zip(FILLS, (r.G, r.S, r.B), strict=True)):
            share = 100 * count / r.n
            rows.append({
                "comparison": comparison_label((r.method, r.other), chosen), "answer": answer, "order": place,
                "start": start, "end": start + share, "middle": start + share / 2,
                # a segment too narrow for its number goes without; the table has it
                "text": f"{share:.1f}" if share >= 6 else "",
            })  # fmt: skip
            start += share
    ours = {r.method for r in chosen}
    subject = ours.pop() if len(ours) == 1 else "the first method"
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("comparison:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    )
    bars = base.mark_bar(stroke=INK, strokeWidth=0.8, height={"band": 0.72}).encode(
        x=alt.X("start:Q", title="% of ratings", scale=alt.Scale(domain=[0, 100], nice=False)),
        x2="end:Q",
        color=alt.Color(
            "answer:N",
            scale=alt.Scale(domain=list(FILLS), range=[fill for fill, _ in FILLS.values()]),
            legend=alt.Legend(title=f"{subject} is", orient="top", symbolStrokeWidth=0.8, symbolStrokeColor=INK),
        ),
    )
    texts = [
        base.transform_filter(f"datum.answer == '{answer}'")
        .mark_text(color=ink, fontSize=12)
        .encode(x="middle:Q", text="text:N")
        for answer, (_, ink) in FILLS.items()
    ]
    title = f"{dimension.name}: who is preferred" if dimension.code != "OL" else "Overall preference"
    return styled(alt.layer(bars, *texts).properties(width=520, height=alt.Step(34), title=title))


def forest(rates: Sequence[WinRate], dimensions: Sequence[Dimension], *, level: float = 0.95) -> Chart:
    """Return win rates with their intervals: a panel per comparison, a row per dimension."""
    import altair as alt

    names = {d.code: d for d in dimensions}
    shown = [r for r in rates if r.dimension in names]
    panels = [comparison_label(p, shown) for p in comparisons(shown)]
    rows = [
        {
            "panel": comparison_label((r.method, r.other), shown), "dimension": r.dimension,
            "rate": 100 * r.win_rate, "low": 100 * r.interval[0] if r.interval else None,
            "high": 100 * r.interval[1] if r.interval else None, "meaning": MARK_WORDS[r.mark(level)],
        }
        for r in shown
    ]  # fmt: skip
    # a panel is as wide as its title; a single one has the page to itself
    width = 480 if len(panels) == 1 else max(220, 9 * max(map(len, panels), default=0))
    y = alt.Y(
        "dimension:N", sort=[d.code for d in dimensions], title=None,
        axis=alt.Axis(ticks=False, domain=False, grid=True, gridDash=[1, 3], labelLimit=160),
    )  # fmt: skip
    base = alt.Chart()
    zero = base.transform_calculate(zero="0").mark_rule(color=INK, strokeDash=[4, 3]).encode(x="zero:Q")
    scale = alt.Scale(domain=[-100, 100], nice=False)
    bars = base.transform_filter("datum.low != null").mark_rule(color=INK, strokeWidth=1.8).encode(
        x=alt.X("low:Q", scale=scale, title="win rate, %", axis=alt.Axis(values=[-100, -50, 0, 50, 100])),
        x2="high:Q", y=y,
    )  # fmt: skip
    # the three channels share one legend only if all of them say the same about it
    legend = alt.Legend(title="differs from 0 (after Holm)", titleLimit=400, orient="top", labelLimit=300)
    meaning = {
        channel: kind("meaning:N", legend=legend, scale=alt.Scale(domain=list(SHAPES), range=list(values)))
        for channel, kind, values in (
            ("shape", alt.Shape, [shape for shape, _ in SHAPES.values()]),
            ("fill", alt.Fill, [fill for _, fill in SHAPES.values()]),
            ("stroke", alt.Stroke, [INK] * len(SHAPES)),
        )
    }
    points = base.mark_point(size=75, strokeWidth=2, opacity=1).encode(
        x=alt.X("rate:Q", scale=scale, title="win rate, %"), y=y, **meaning
    )
    layered = alt.layer(zero, bars, points, data=pd.DataFrame(rows)).properties(width=width, height=alt.Step(22))
    ours = {r.method for r in shown}
    title = f"Win rate of {ours.pop()} against" if len(ours) == 1 else "Win rate of the first method"
    facet = alt.Facet("panel:N", sort=panels, title=None, header=alt.Header(labelFontSize=13, labelFontWeight="bold"))
    chart = layered.facet(facet=facet, columns=3 if width < 260 else 2).properties(
        title=f"{title}, {level:.0%} intervals"
    )
    return styled(chart)


def agreement_dots(agreements: Sequence[Agreement]) -> Chart:
    """Return ordinal alpha with its interval beside AC1 and percent agreement, a row per dimension."""
    import altair as alt

    kinds = {"alpha_ordinal": "Krippendorff alpha (ordinal)", "gwet_ac1": "Gwet AC1", "percent": "percent agreement"}
    rows = [
        {
            "dimension": a.dimension,
            "kind": label,
            "value": c.value,
            "low": c.interval[0] if c.interval else None,
            "high": c.interval[1] if c.interval else None,
        }
        for a in agreements
        for key, label in kinds.items()
        if (c := a.coefficients[key]).value is not None
    ]
    order = [a.dimension for a in agreements]
    ends = [a.coefficients[key].interval for a in agreements for key in kinds]
    lowest = min([0.0, *(end[0] for end in ends if end)])
    scale = alt.Scale(domain=[lowest, 1], nice=False)
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("dimension:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=200)),
        yOffset=alt.YOffset("kind:N", sort=list(kinds.values())),
    )
    bars = (
        base.transform_filter("datum.low != null")
        .mark_rule(color=INK)
        .encode(
            x=alt.X("low:Q", scale=scale, title="agreement (1 is perfect, 0 is chance for alpha and AC1)"), x2="high:Q"
        )
    )
    legend = alt.Legend(title=None, orient="top", labelLimit=300)
    points = base.mark_point(size=60, strokeWidth=1.8, opacity=1).encode(
        x="value:Q",
        **{
            channel: kind("kind:N", legend=legend, scale=alt.Scale(domain=list(kinds.values()), range=values))
            for channel, kind, values in (
                ("shape", alt.Shape, ["circle", "square", "triangle-up"]),
                ("fill", alt.Fill, [INK, "white", "white"]),
                ("stroke", alt.Stroke, [INK, INK, INK]),
            )
        },
    )
    height = alt.Step(16, **{"for": "offset"})
    return styled(alt.layer(bars, points).properties(width=520, height=height, title="Agreement of annotators"))


def svg(chart: Chart) -> str:
    """Return the figure as SVG text."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=_vega_lite())
    return text


def png(chart: Chart, *, scale: float = 2.0) -> bytes:
    """Return the figure as PNG bytes, `scale` times its nominal size."""
    import vl_convert

    image: bytes = vl_convert.vegalite_to_png(chart.to_dict(), vl_version=_vega_lite(), scale=scale)
    return image


def _vega_lite() -> str:
    """Return the Vega-Lite version that altair writes, so that the renderer does not take its own newest one."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def styled(chart: Any) -> Chart:
    """Return the figure in the project's ink, font and axes."""
    made: Chart = (
        chart.configure(background="white", font=FONT)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, labelColor=INK, titleColor=INK, gridColor="#bbbbbb")
        .configure_legend(labelFontSize=12, titleFontSize=12, labelColor=INK, titleColor=INK)
        .configure_title(fontSize=15, anchor="start", color=INK)
    )
    return made
