"""Who did what when: everything that changed something, was looked at while the study was open, or was taken home."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from sqlalchemy import func, select

from human_eval_app.admin import shown
from human_eval_app.admin.server import Desk
from human_eval_app.tables import AUDIT

LINES_SHOWN = 1000


def show(desk: Desk, who: str) -> None:
    """Draw the log, the newest line first. who: for the log; reading it is no deed."""
    del who
    with desk.store.database.read() as connection:
        kinds = connection.execute(
            select(AUDIT.c.what, func.count()).group_by(AUDIT.c.what).order_by(AUDIT.c.what)
        ).all()
    counted = {row[0]: row[1] for row in kinds}
    chosen = st.pills(
        "What", list(counted), selection_mode="multi", key="kinds",
        format_func=lambda what: f"{what} ({counted[what]})", label_visibility="collapsed",
    )  # fmt: skip
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(LINES_SHOWN)
    if chosen:
        query = query.where(AUDIT.c.what.in_(chosen))
    with desk.store.database.read() as connection:
        lines = connection.execute(query).all()
    st.dataframe(
        pd.DataFrame({
            "when": shown.times([line.at_ms for line in lines]), "who": [line.who for line in lines],
            "what": [line.what for line in lines], "detail": [line.detail for line in lines],
        }),
        hide_index=True, key="log", height=620,
        column_config={
            "when": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "detail": st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip
    total = sum(counted[what] for what in chosen or counted)
    part = f", the newest {LINES_SHOWN:,} shown" if total > LINES_SHOWN else ""
    st.caption(
        f"{total:,} lines{part}. Lines are never changed or deleted: the database refuses it. Annotators appear under "
        "their aliases."
    )
