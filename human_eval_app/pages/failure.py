"""What is shown when the server could not do its part: a sentence without a cause, and a way to try again."""

from __future__ import annotations

import streamlit as st

from human_eval_app.pages import frame
from human_eval_app.wording import Wording


def show(wording: Wording, language: str) -> None:
    frame.mark("error", language, wording["error.title"])
    st.title(wording["error.title"], anchor=False)
    st.markdown(wording["error.text"])
    if st.button(wording["error.button"], type="primary", key="retry"):
        st.rerun()
