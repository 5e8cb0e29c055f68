"""Figures of the page: one small SVG per metric, a dot and its interval per run, drawn by hand so that bytes repeat.

Colours come from the page's style sheet by class, so a figure is right in light and in dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, ROW, TOP, BOTTOM = 360, 26, 12, 34  # in the units of the picture; 360 is a phone's width
LABEL, RIGHT = 132, 14
DIRECTIONS = {"higher": "higher is better →", "lower": "← lower is better", "neither": "near the real videos is better"}


@dataclass(frozen=True)
class Dot:
    """One run in a figure. low, high: of its interval, None without one. kind: of its marker, see the style sheet."""

    label: str
    value: float
    low: float | None
    high: float | None
    kind: str


@dataclass(frozen=True)
class Mark:
    """A dashed line across all rows, as the floor or the value of the real videos."""

    value: float
    label: str


def dot_plot(dots: Sequence[Dot], *, title: str, direction: str, digits: int, mark: Mark | None = None) -> str:
    """Return an inline SVG with a row per dot over one axis. direction: a key of DIRECTIONS."""
    values = [v for dot in dots for v in (dot.value, dot.low, dot.high) if v is not None]
    ticks = nice_ticks(*_range([*values, *([] if mark is None else [mark.value])]))
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> str:
        return f"{LABEL + (value - low) / (high - low) * (WIDTH - LABEL - RIGHT):.1f}"

    floor = TOP + ROW * len(dots)
    parts = [
        f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="{TOP}" y2="{floor}"/>'
        f'<text class="tick" x="{x(tick)}" y="{floor + 14}" text-anchor="middle">{_number(tick, ticks)}</text>'
        for tick in ticks
    ]
    if mark is not None:
        parts.append(f'<line class="mark" x1="{x(mark.value)}" x2="{x(mark.value)}" y1="{TOP - 6}" y2="{floor}"/>')
    for number, dot in enumerate(dots):
        y = TOP + ROW * number + ROW / 2
        parts.append(f'<text class="name" x="{LABEL - 10}" y="{y + 4:g}" text-anchor="end">{_short(dot.label)}</text>')
        if dot.low is not None and dot.high is not None:
            parts.append(f'<line class="bar {dot.kind}" x1="{x(dot.low)}" x2="{x(dot.high)}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<circle class="dot {dot.kind}" cx="{x(dot.value)}" cy="{y:g}" r="5"/>')
    words = DIRECTIONS[direction]
    anchor, place = ("end", WIDTH - RIGHT) if direction == "higher" else ("start", LABEL)
    parts.append(f'<text class="way" x="{place}" y="{floor + 29}" text-anchor="{anchor}">{words}</text>')
    told = "; ".join(_told(dot, digits) for dot in dots)
    if mark is not None:
        told += f"; dashed line: {mark.label} {mark.value:.{digits}f}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {floor + BOTTOM}" role="img" aria-label="{html.escape(f"{title}: {told}")}">'
        + "".join(parts)
        + "</svg>"
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """Return three to six round numbers, equally spaced, that enclose [low, high]."""
    rough = (high - low) / 4
    scale = 10 ** math.floor(math.log10(rough))
    step = next(scale * m for m in (1, 2, 2.5, 5, 10) if scale * m >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low > 1e-9 * max(1.0, abs(high)):
        return low, high
    room = abs(high) / 2 or 0.5  # all of them equal: any axis around them will do
    return low - room, high + room


def _number(value: float, ticks: Sequence[float]) -> str:
    step = ticks[1] - ticks[0]
    if max(abs(tick) for tick in ticks) >= 10_000:
        return f"{value / 1000:g}k" if abs(value) >= 1e-9 else "0"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
        digits += 1  # steps of 2.5
    return f"{0.0 if abs(value) < 1e-12 else value:.{digits}f}"


def _short(label: str) -> str:
    return html.escape(label if len(label) <= 18 else f"{label[:17]}…")


def _told(dot: Dot, digits: int) -> str:
    if dot.low is None or dot.high is None:
        return f"{dot.label} {dot.value:.{digits}f}"
    return f"{dot.label} {dot.value:.{digits}f}, interval {dot.low:.{digits}f} to {dot.high:.{digits}f}"
