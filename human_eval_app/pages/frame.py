"""What all reading pages share: a narrow column, the language of the page, and the choice between languages."""

from __future__ import annotations

from typing import cast

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.visit import Visit
from human_eval_app.player.component import mount
from human_eval_app.progress import Person
from human_eval_app.study import Language, Study
from human_eval_app.wording import HTML_LANGUAGES, LANGUAGES

PAGE = "instructions.page"  # in the session: which page of the instructions
CHOSEN = "language"  # in the address too, so that it survives the reload of the login

# Streamlit's header is an empty bar of 60 px here. Reading is easiest at 60 to 75 characters a line.
STYLE = """
<style>
.stAppHeader { display: none; }
.stMainBlockContainer { max-width: 44rem; padding: 2rem 1.5rem 1.5rem; }
.stMarkdown p, .stMarkdown li { line-height: 1.6; }
.stMarkdown li { margin-bottom: .35rem; }
h1 { font-size: 2rem !important; padding-top: 0 !important; }
h2 { font-size: 1.25rem !important; padding: .6rem 0 .25rem !important; }
.stMarkdown table { width: 100%; margin-bottom: .25rem; }
.stMarkdown td, .stMarkdown th { padding: .22rem .75rem !important; }
.stMarkdown blockquote { opacity: 1; margin-block: 0 .25rem; }
.stMarkdown blockquote p { color: inherit; }
.stMarkdown kbd { border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-bottom-width: 2px;
  border-radius: 5px; padding: .05rem .4rem; font: inherit; font-size: .85em; background: none; color: inherit; }
.stButton button, .stLinkButton a { min-height: 44px; padding-inline: 1.5rem; }
.stButton button:focus-visible, .stLinkButton a:focus-visible, a:focus-visible {
  outline: 3px solid var(--st-primary-color, currentColor); outline-offset: 2px; }
/* Streamlit writes white on the dark theme's light blue: 2.1 */
.stApp button[kind="primary"], .stApp button[kind="primary"] p, .stApp a[kind="primary"], .stApp a[kind="primary"] p {
  color: light-dark(#fff, #17181a) !important; }
h1:focus { outline: none; }
/* Streamlit's own grey has a contrast of 4.48 on white; 4.5 is needed */
.stMainBlockContainer [data-testid="stCaptionContainer"] { color: inherit; opacity: .8; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
</style>
"""


def chosen_language(study: Study, person: Person | None) -> str:
    """Return the language of a page: what was stored, chosen just now, or what the browser prefers."""
    offered = cast("tuple[str, ...]", study.languages)
    if person is not None and person.language in offered:
        return person.language
    locale = (st.context.locale or "").split("-")[0].lower()
    for wanted in (st.session_state.get(CHOSEN), st.query_params.get("lang"), locale):
        if wanted in offered:
            return cast("str", wanted)
    return offered[0]


def begin(visit: Visit) -> None:
    """Begin a page: its style, its language for screen readers, and the choice of another language."""
    title = visit.study.about.title.get(cast("Language", visit.language), visit.wording["welcome.title"])
    page = visit.state.assignment or st.session_state.get(PAGE, 0)
    mark(visit.state.name, visit.language, title, page=page)
    # the rating screen has its own frame and stands over everything
    if visit.state.name != "rating" and len(visit.study.languages) > 1:
        _offer_languages(visit)


def mark(state: str, language: str, title: str, *, page: int = 0) -> None:
    """Style the page and tell the browser its language and title; a new page starts at its top.

    page: tells pages of one state apart.
    """
    st.set_page_config(page_title=title, layout="centered")
    st.html(STYLE)
    data = {"state": state, "page": page, "lang": HTML_LANGUAGES[language], "title": title}
    # an error may come below a page that had begun
    mount("page.js", data, key="page.error" if state == "error" else "page")


def _offer_languages(visit: Visit) -> None:
    def change() -> None:
        language = st.session_state.get(f"{CHOSEN}.widget")
        if language is None:  # the chosen one was clicked again
            return
        st.session_state[CHOSEN] = language
        if visit.person is None:
            st.query_params["lang"] = language
        elif visit.person.language is not None:
            progress.choose_language(visit.store, visit.person.id, language)

    st.segmented_control(
        visit.wording["common.language"], visit.study.languages, key=f"{CHOSEN}.widget", label_visibility="collapsed",
        default=cast("Language", visit.language), format_func=lambda code: LANGUAGES[code], on_change=change,
    )  # fmt: skip
