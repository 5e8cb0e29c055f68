"""The way in: a code, or Prolific's parameters in the address, which leave it at once."""

from __future__ import annotations

import streamlit as st

from human_eval_app.pages.markdown import plain
from human_eval_app.pages.visit import Visit
from human_eval_app.player.login import login

# what Prolific adds to the address of a study: https://researcher-help.prolific.com, "URL parameters"
PROLIFIC = {"pid": "PROLIFIC_PID", "study": "STUDY_ID", "session": "SESSION_ID"}


def show(visit: Visit) -> None:
    """Ask for the code. The component sends it and loads the page again; nobody's code passes through the script."""
    st.title(visit.wording["login.title"], anchor=False)
    came = {name: st.query_params[key] for name, key in PROLIFIC.items() if key in st.query_params}
    prolific = came if len(came) == len(PROLIFIC) and visit.study.prolific is not None else None
    st.markdown(visit.wording["login.prolific" if prolific else "login.text"])
    login(visit.wording, prolific=prolific, key="login")
    if visit.study.about.contact is not None:
        st.caption(visit.say("common.contact", contact=plain(visit.study.about.contact)))
