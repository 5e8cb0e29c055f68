"""Puts the admin page together: login first, then one page at a time under a common head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image

from human_eval_app.admin import entrance, shown
from human_eval_app.admin.server import Desk, current
from human_eval_app.admin.views import annotators, log, overview, results, study
from univg_bench.human.gsb_figures import FILLS

Draw = Callable[[Desk, str], None]
# name in the address -> (title, icon, what draws it)
PAGES: dict[str, tuple[str, str, Draw]] = {
    "overview": ("Overview", ":material/grid_view:", overview.show),
    "annotators": ("Annotators", ":material/group:", annotators.show),
    "results": ("Results", ":material/bar_chart:", results.show),
    "study": ("Study and exports", ":material/folder_open:", study.show),
    "log": ("Log", ":material/receipt_long:", log.show),
}
# Streamlit's own margins are made for text in the middle of a page; a table of ten dimensions needs the room
STYLE = """<style>
.stMainBlockContainer {padding-top: 4.2rem; padding-bottom: 3rem; max-width: 1400px}
/* Streamlit fades these below a contrast of 4.5 */
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] :is(p, code) {color: inherit !important}
[data-testid="stCaptionContainer"] {opacity: .8 !important}
.stVegaLiteChart {overflow-x: auto}
.stMetric [data-testid="stMetricValue"] {font-variant-numeric: tabular-nums}
</style>"""


def show() -> None:
    """Draw what the visitor may see."""
    desk = current()
    st.set_page_config(
        page_title=f"{desk.store.slug} · admin", page_icon=_icon(), layout="wide",
        menu_items={"Get help": None, "Report a bug": None, "About": None},
    )  # fmt: skip
    st.html(STYLE)
    who = entrance.identify(desk)
    if who is None:
        # the same addresses as inside, so that a login lands on the page that was asked for
        st.navigation([_page(desk, None, name) for name in PAGES], position="hidden").run()
        return
    page = st.navigation([_page(desk, who, name) for name in PAGES], position="top")
    left, right = st.columns([5, 1], vertical_alignment="center")
    with left:
        st.header(desk.store.study.title, anchor=False)
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Sign out", icon=":material/logout:", on_click=entrance.sign_out, args=(desk,), help=f"you are {who}")
    page.run()


def _icon() -> Image.Image:
    """Return three bars of Figure 4. Without an image of our own browsers would ask a server of Google for one."""
    icon = np.zeros((32, 32, 3), dtype=np.uint8)
    for row, ends in zip((2, 12, 22), ((22, 27), (14, 20), (18, 24)), strict=True):
        for start, end, fill in zip((0, *ends), (*ends, 32), FILLS.values(), strict=True):
            icon[row : row + 8, start:end] = list(bytes.fromhex(fill[0][1:]))
    return Image.fromarray(icon)


def _page(desk: Desk, who: str | None, name: str) -> st.Page:
    title, icon, draw = PAGES[name]

    def run() -> None:
        with shown.faults_told():
            if who is None:
                entrance.ask(desk)
            else:
                draw(desk, who)

    return st.Page(run, title=title, icon=icon, url_path=name, default=name == "overview")
