"""Consent: the text shown is the text whose digest is stored. To decline is a polite end and stores nothing."""

from __future__ import annotations

import hashlib
from typing import cast

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.visit import Visit
from human_eval_app.study import Language
from univg_bench.errors import InputError

DECLINED = "declined"


def show(visit: Visit) -> None:
    if st.session_state.get(DECLINED):
        _show_declined(visit)
        return
    text = consent_text(visit)
    st.title(visit.wording["consent.title"], anchor=False)
    st.markdown(text)
    agree, decline = st.columns(2)
    if agree.button(visit.wording["consent.agree"], type="primary", key="agree", width="stretch"):
        progress.give_consent(visit.store, visit.known.id, digest=hashlib.sha256(text.encode()).hexdigest())
        st.rerun()
    if decline.button(visit.wording["consent.decline"], key="decline", width="stretch"):
        st.session_state[DECLINED] = True
        st.rerun()


def consent_text(visit: Visit) -> str:
    """Return the Markdown that is shown: the study's own text, or ours.

    Raises InputError where the study names a file that cannot be read.
    """
    name = visit.study.about.consent.get(cast("Language", visit.language))
    if name is not None:
        path = visit.serving.folder.path / name
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the consent text {path} cannot be read ({error}); nobody can begin without it") from None
    parts = [visit.wording["consent.text"]]
    if visit.known.source == "prolific":
        parts.append(f"- {visit.wording['consent.prolific']}")
    return "\n".join(parts)


def _show_declined(visit: Visit) -> None:
    st.title(visit.wording["consent.declined.title"], anchor=False)
    st.markdown(visit.wording["consent.declined.text"])
    if st.button(visit.wording["consent.declined.back"], key="back"):
        del st.session_state[DECLINED]
        st.rerun()
