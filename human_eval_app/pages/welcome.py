"""The first page: what it is about, how long it takes, who asks, what one gets. Leaving it notes the language."""

from __future__ import annotations

from typing import cast

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.markdown import plain
from human_eval_app.pages.visit import Visit
from human_eval_app.study import Language


def show(visit: Visit) -> None:
    study, about, language = visit.study, visit.study.about, cast("Language", visit.language)
    st.title(about.title.get(language, visit.wording["welcome.title"]), anchor=False)
    st.markdown(visit.wording["welcome.text"])
    st.header(visit.wording["welcome.time.title"], anchor=False)
    minutes = about.minutes or study.session.minutes
    st.markdown(visit.say("welcome.time.text", minutes=minutes, pairs=study.session.pairs))
    if study.session.max_sessions > 1:
        st.markdown(visit.say("welcome.sessions.text", sessions=study.session.max_sessions))
    if language in about.pay:
        st.header(visit.wording["welcome.pay.title"], anchor=False)
        st.markdown(plain(about.pay[language]))
    st.header(visit.wording["welcome.who.title"], anchor=False)
    st.markdown(plain(about.who[language]) if language in about.who else visit.wording["welcome.who.text"])
    if about.contact is not None:
        st.markdown(visit.say("common.contact", contact=plain(about.contact)))
    if st.button(visit.wording["welcome.button"], type="primary", key="begin"):
        progress.choose_language(visit.store, visit.known.id, visit.language)
        st.rerun()
