"""Charts of the admin page that no report has, and the report's figures in the colours of a light or a dark page.

Colour is never the only sign: cells carry a dot or a cross, significance is a shape, bars carry their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from human_eval_app.admin.coverage import HOUR_MS, Coverage
from human_eval_app.streamlit_settings import SETTINGS
from univg_bench.human.gsb_figures import FONT, INK

COLUMNS = 60  # cells in a row of the map at most; 655 items fill eleven rows
MAX_CELL = 22
MAP_WIDTH = 960
DAY_MS = 24 * HOUR_MS
MAX_HOURS = 48
MAX_DAYS = 60
TEXT = {dark: SETTINGS[f"theme.{name}.textColor"] for dark, name in ((False, "light"), (True, "dark"))}
PAGE = {dark: SETTINGS[f"theme.{name}.backgroundColor"] for dark, name in ((False, "light"), (True, "dark"))}
LINES = {False: "#d5d9df", True: "#4a515c"}
# nothing yet -> all there; the far end has a contrast of 3 or more against its page (WCAG 2.2, 1.4.11)
RAMP = {False: ("#e4e8ee", "#0b57d0"), True: ("#2f343b", "#8ab4f8")}

Spec = dict[str, Any]


def for_page(chart: alt.TopLevelMixin, *, dark: bool, width: int) -> Spec:
    """Return a figure of `gsb_figures` as it stands on a page: no card of its own, ink that can be read there.

    width: of a panel, in pixels.

    The fills of answers keep their colours, and what is written on them too; hollow shapes show the page through.
    """
    spec: Spec = chart.to_dict()
    ink = {"#bbbbbb": LINES[True], INK: TEXT[True]} if dark else {}

    def change(node: Any, *, in_range: bool) -> Any:
        if isinstance(node, dict):
            return {key: change(value, in_range=in_range or key == "range") for key, value in node.items()}
        if isinstance(node, list):
            return [change(value, in_range=in_range) for value in node]
        if node == "white" and in_range:
            return PAGE[dark]
        return ink.get(node, node) if isinstance(node, str) else node

    # the data are no colours, even where a method is called "white"
    kept = {key: spec.pop(key) for key in ("data", "datasets") if key in spec}
    changed: Spec = change(spec, in_range=False)
    changed.setdefault("config", {})["background"] = "transparent"
    # a facet holds its panel
    changed.get("spec", changed)["width"] = width
    return changed | kept


def coverage_map(found: Coverage, *, dark: bool) -> Spec:
    """Return a cell per pair: a block of rows per other method, items in the order of the study file."""
    blocks = list(dict.fromkeys(pair.other for pair in found.pairs))
    count = dict.fromkeys(blocks, 0)
    longest = max(sum(pair.other == other for pair in found.pairs) for other in blocks)
    high = -(-longest // COLUMNS)
    columns = -(-longest // high)
    cell = min(MAP_WIDTH // columns, MAX_CELL)
    rows = []
    for pair in found.pairs:
        place = count[pair.other]
        count[pair.other] += 1
        rows.append({
            # an empty row between two blocks
            "row": blocks.index(pair.other) * (high + 1) + place // columns, "column": place % columns,
            "against": pair.other, "item": pair.item, "done": pair.done, "leased": pair.leased,
            "flagged": pair.flagged, "sign": "×" if pair.flagged else "○" if pair.leased else "",
        })  # fmt: skip
    names = "{" + ",".join(f"'{i * (high + 1)}':{other!r}" for i, other in enumerate(blocks)) + "}"
    ramp = RAMP[dark]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("column:O", axis=None),
        y=alt.Y(
            "row:O", title=None, scale=alt.Scale(domain=list(range(len(blocks) * (high + 1) - 1))),
            axis=alt.Axis(labelExpr=f"{names}[datum.label] || ''", ticks=False, domain=False, labelLimit=200),
        ),
        tooltip=["item", "against", alt.Tooltip("done", title=f"ratings, of {found.wanted}"),
                 alt.Tooltip("leased", title="open now"), alt.Tooltip("flagged", title="said to be broken")],
    )  # fmt: skip
    ticks = sorted({0, found.wanted, *(range(found.wanted) if found.wanted <= 6 else ())})
    cells = base.mark_rect(stroke=PAGE[dark], strokeWidth=1.5, cornerRadius=2).encode(
        color=alt.Color(
            "done:Q", scale=alt.Scale(domain=[0, found.wanted], range=list(ramp), clamp=True),
            legend=alt.Legend(title="ratings", orient="top", values=ticks, format="d", gradientLength=160, tickCount=2),
        )
    )  # fmt: skip
    # a sign is written in the colour that stands out from its cell
    signs = base.mark_text(fontSize=cell - 3, fontWeight="bold").encode(
        text="sign:N",
        color=alt.condition(f"datum.done * 2 > {found.wanted}", alt.value(PAGE[dark]), alt.value(TEXT[dark])),
    )
    # steps, not a height: Streamlit would fit legends into a height and leave nothing for cells
    return _plain(alt.layer(cells, signs).properties(height=alt.Step(cell), width=alt.Step(cell)), dark=dark)


def bins(times_ms: Sequence[int], now_ms: int) -> tuple[int, list[tuple[int, int]]]:
    """Return (length of a bin, [(start of bin, how many fell into it)]): hours while a study is young, then days."""
    first = min(times_ms, default=now_ms)
    size, most = (HOUR_MS, MAX_HOURS) if now_ms - first <= MAX_HOURS * HOUR_MS else (DAY_MS, MAX_DAYS)
    end = now_ms // size
    start = max(first // size, end - most + 1)
    counted = dict.fromkeys(range(start, end + 1), 0)
    for t in times_ms:
        if start <= t // size <= end:
            counted[t // size] += 1
    return size, [(place * size, num) for place, num in counted.items()]


def progress_bars(times_ms: Sequence[int], now_ms: int, *, dark: bool) -> Spec:
    """Return how many pairs were rated in each hour or day, in the time zone of the browser."""
    size, counted = bins(times_ms, now_ms)
    unit = "hour" if size == HOUR_MS else "day"
    rows = pd.DataFrame([{"from": start, "to": start + size, "pairs": num, "none": 0} for start, num in counted])
    chart = (
        alt.Chart(rows)
        .mark_rect(color=RAMP[dark][1], stroke=PAGE[dark])
        .encode(
            x=alt.X("from:T", title=None, axis=alt.Axis(grid=False, format="%H:%M" if size == HOUR_MS else "%d %b")),
            x2="to:T",
            y=alt.Y("pairs:Q", title=f"pairs per {unit}", axis=alt.Axis(tickMinStep=1, tickCount=4)),
            y2="none:Q",
            tooltip=[alt.Tooltip("from:T", format="%a %d %b, %H:%M"), "pairs"],
        )
        .properties(height=150, width="container")
    )
    return _plain(chart, dark=dark)


def _plain(chart: alt.LayerChart | alt.FacetChart | alt.Chart, *, dark: bool) -> Spec:
    text = {
        "labelColor": TEXT[dark], "titleColor": TEXT[dark], "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal",
    }  # fmt: skip
    return dict(
        chart.configure(background="transparent", font=FONT)
        .configure_view(stroke=None)
        .configure_axis(gridColor=LINES[dark], domainColor=LINES[dark], tickColor=LINES[dark], **text)
        .configure_legend(**text)
        .to_dict()
    )
