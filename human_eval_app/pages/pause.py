"""The break: after a session's pairs or minutes, or because somebody asked for one."""

from __future__ import annotations

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.visit import Visit

# in the session of the browser only: a reload goes on
ASKED = "pause.asked"
OPEN = "pause.open"  # the pair that is on the screen


def ask() -> None:
    """Show the break from the next run of the script on."""
    st.session_state[ASKED] = True


def adjust(state: progress.State) -> progress.State:
    """Return the state with a break where somebody asked for one, and without one in the middle of a pair."""
    if state.handed is None:
        return state
    if st.session_state.get(ASKED):
        return progress.State("break", state.handed)
    # minutes run out while somebody looks at a pair; the script runs then when they go back to the pair before
    if state.name == "break" and st.session_state.get(OPEN) != state.handed.id:
        return state
    st.session_state[OPEN] = state.handed.id
    return progress.State("rating", state.handed)


def show(visit: Visit) -> None:
    st.title(visit.wording["break.title"], anchor=False)
    st.markdown(visit.say("break.text", done=visit.known.rated))
    st.markdown(visit.wording["break.advice"])
    st.caption(visit.say("break.minutes", minutes=visit.study.session.minutes))
    if st.button(visit.wording["break.button"], type="primary", key="resume"):
        st.session_state.pop(ASKED, None)
        progress.resume(visit.store, visit.known.id)
        st.rerun()
