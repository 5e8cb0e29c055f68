"""How things are shown everywhere on the admin page: times, tables of reports, charts, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from univg_bench.errors import UnivgError
from univg_bench.human.gsb_tables import Table

# currentColor and transparency follow the theme of the page by themselves
TABLE_STYLE = """<style>
.univg .scroll {overflow-x: auto}
.univg table {border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; width: 100%}
.univg caption {text-align: left; font-weight: 600; padding: .3rem 0; color: inherit; caption-side: top}
.univg :is(th, td) {border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); padding: .35rem .5rem;
  text-align: right; vertical-align: top; white-space: nowrap; font-weight: 400}
.univg thead th {border-bottom: 2px solid color-mix(in srgb, currentColor 45%, transparent); font-weight: 600}
.univg :is(th[scope=row], thead th:first-child) {text-align: left}
.univg th[scope=colgroup] {text-align: center}
.univg .note {font-size: .8rem; margin: .4rem 0; opacity: .85}
</style>"""

TIME = st.column_config.DatetimeColumn(format="D MMM, HH:mm")


@contextmanager
def faults_told() -> Iterator[None]:
    """Show what the world does to a database as a sentence, where else a page would break off."""
    try:
        yield
    except UnivgError as error:
        text = str(error)
        st.error(text[:1].upper() + text[1:] + ("" if text.endswith(".") else "."), icon=":material/error:")


def is_dark() -> bool:
    return bool(st.context.theme.type == "dark")


def zone() -> ZoneInfo:
    """Return the time zone of the browser, or UTC where it does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def times(values_ms: Sequence[int | None]) -> pd.Series:
    """Return times in the zone of the browser; None stays empty."""
    return pd.to_datetime(pd.Series(pd.array(list(values_ms), dtype="Int64")), unit="ms", utc=True).dt.tz_convert(
        zone()
    )


def time_text(value_ms: int) -> str:
    return pd.Timestamp(value_ms, unit="ms", tz="UTC").tz_convert(zone()).strftime("%a %d %b, %H:%M")


def clock_text(value_ms: int) -> str:
    return pd.Timestamp(value_ms, unit="ms", tz="UTC").tz_convert(zone()).strftime("%H:%M:%S")


def span_text(milliseconds: float) -> str:
    """Return a length of time in the unit in which a person would say it."""
    minutes = milliseconds / 60_000
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{minutes / size:.0f} {unit}s"
    count = max(round(minutes), 1)
    return f"{count} minute{'' if count == 1 else 's'}"


def table(shown: Table) -> None:
    """Draw a table of the report; its text was escaped by the table itself."""
    # the empty corner above the names is no heading, and readers of the page aloud should not hear of one
    cells = shown.html().replace('<th colspan="1" scope="colgroup"></th>', "<td></td>")
    st.html(f"{TABLE_STYLE}<div class='univg'>{cells}</div>")


def chart(spec: dict[str, Any], *, key: str, alt: str, stretch: bool = False) -> None:
    """Draw a chart; `alt` says in words what it shows."""
    st.vega_lite_chart(spec=spec, theme=None, key=key, width="stretch" if stretch else "content", alt=alt)
