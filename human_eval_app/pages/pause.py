"""The break: after a session's pairs or minutes, or because somebody asked for one."""

from __future__ import annotations

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.visit import Visit

ASKED = "pause.asked"  # in the session only: a reload goes on


def ask() -> None:
    """Show the break from the next run of the script on."""
    st.session_state[ASKED] = True


def asked() -> bool:
    return bool(st.session_state.get(ASKED))


def show(visit: Visit) -> None:
    st.title(visit.wording["break.title"], anchor=False)
    st.markdown(visit.say("break.text", done=visit.known.rated))
    st.markdown(visit.wording["break.advice"])
    st.caption(visit.say("break.minutes", minutes=visit.study.session.minutes))
    if st.button(visit.wording["break.button"], type="primary", key="resume"):
        st.session_state.pop(ASKED, None)
        progress.resume(visit.store, visit.known.id)
        st.rerun()
