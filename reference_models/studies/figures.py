"""Figures 5 and 6 in small: curves over training, heat maps over guidance. altair is loaded when a figure is drawn.

Readable in black and white: curves differ in dashes and marks too, cells of a heat map carry their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from univg_bench.atomic import write_bytes
from univg_bench.human.gsb_figures import INK, png, styled, svg

# what a curve's model is given -> colour, dash, mark
CURVES = {
    "T": ("#0b3c5d", [1, 0], "circle"),
    "I": ("#e08a1e", [6, 3], "square"),
    "T+I": ("#1a1a1a", [2, 2], "triangle-up"),
}
PANEL = 380


def over_training(frame: pd.DataFrame, panels: Sequence[tuple[str, str]]) -> Any:
    """Return a panel per metric: a curve per condition over steps, and a thin line for the real videos' value.

    frame: columns step, given (a key of CURVES), metric, value, low, high, real; one row per point. panels: metric,
    title.
    """
    import altair as alt

    names = list(CURVES)
    scales = {
        "color": alt.Color(
            "given:N", scale=alt.Scale(domain=names, range=[CURVES[name][0] for name in names]),
            legend=alt.Legend(title="given", orient="top", symbolStrokeWidth=2),
        ),
    }  # fmt: skip
    dash = alt.StrokeDash(
        "given:N", scale=alt.Scale(domain=names, range=[CURVES[name][1] for name in names]), legend=None
    )
    mark = alt.Shape("given:N", scale=alt.Scale(domain=names, range=[CURVES[name][2] for name in names]), legend=None)
    # side by side, so that the bars of one milestone do not hide each other; beyond 0, where no milestone is
    apart = 0.008 * float(frame["step"].max())
    frame = frame.assign(place=frame["step"] + apart * (frame["given"].map(names.index) - 1))
    charts = []
    for metric, title in panels:
        base = alt.Chart(frame[frame["metric"] == metric]).encode(
            x=alt.X("place:Q", title="training steps", axis=alt.Axis(format="d"))
        )
        scale = alt.Scale(zero=metric == "fvd")
        value, real, low = (alt.Y(f"{column}:Q", title=None, scale=scale) for column in ("value", "real", "low"))
        charts.append(
            alt.layer(
                base.mark_rule(strokeWidth=1.2, opacity=0.7).encode(y=low, y2="high:Q", **scales),
                base.mark_line(strokeWidth=2).encode(y=value, strokeDash=dash, **scales),
                base.mark_point(filled=True, size=60, opacity=1).encode(y=value, shape=mark, **scales),
                base.mark_line(strokeWidth=1, opacity=0.6).encode(y=real, strokeDash=dash, **scales),
            ).properties(width=PANEL, height=260, title=title)
        )
    return styled(alt.hconcat(*charts))


def heat_maps(frame: pd.DataFrame, panels: Sequence[tuple[str, str]]) -> Any:
    """Return a heat map per metric over w_T and w_I, each cell with its number.

    frame: columns w_T, w_I, metric, value. panels: metric, title.
    """
    import altair as alt

    charts = []
    for metric, title in panels:
        own = frame[frame["metric"] == metric].copy()
        middle = (own["value"].min() + own["value"].max()) / 2
        own["ink"] = ["white" if value > middle else INK for value in own["value"]]
        base = alt.Chart(own).encode(
            x=alt.X("w_T:O", title="w_T (text)", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("w_I:O", title="w_I (image)", sort="descending"),
        )
        fill = alt.Color("value:Q", scale=alt.Scale(range=["#e3e3e3", "#0b3c5d"], zero=False), legend=None)
        text = base.mark_text(fontSize=12).encode(
            text=alt.Text("value:Q", format=".0f" if metric == "fvd" else ".3f"), color=alt.Color("ink:N", scale=None)
        )
        cells = alt.layer(base.mark_rect(stroke="white").encode(color=fill), text).resolve_scale(color="independent")
        charts.append(cells.properties(width=alt.Step(70), height=alt.Step(46), title=title))
    return styled(alt.hconcat(*charts).resolve_scale(color="independent"))


def write_figure(chart: Any, dest: Path, frame: pd.DataFrame) -> list[Path]:
    """Write `dest`.svg, .png and, with the numbers, .csv; equal numbers give equal bytes. Return the files."""
    files = [dest.with_suffix(suffix) for suffix in (".svg", ".png", ".csv")]
    made = (svg(chart).encode(), png(chart), frame.to_csv(index=False).encode())
    for file, content in zip(files, made, strict=True):
        write_bytes(file, content)
    return files
