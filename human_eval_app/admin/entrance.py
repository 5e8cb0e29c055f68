"""Who is asking: a password of the study, or an account that the study names. Nothing else is drawn before."""

from __future__ import annotations

import time

import streamlit as st

from human_eval_app.admin.passwords import TooManyTriesError
from human_eval_app.admin.server import Desk
from human_eval_app.storage import audit

KEY = "admin_session"
SESSION_SECONDS = 12 * 3600.0
BY_PASSWORD = "admin"


def identify(desk: Desk) -> str | None:
    """Return as whom the visitor is logged in (what the log will say), or None.

    A session by password lives in the memory of the server and ends with its tab, or after twelve hours; its browser
    holds nothing that could be stolen.
    """
    session = st.session_state.get(KEY)
    if session is not None and desk.door is not None:
        who, ends = session
        if time.monotonic() < ends:
            return str(who)
        del st.session_state[KEY]
    if desk.provider is not None and st.user.is_logged_in and desk.provider.admits(st.user.to_dict()):
        return str(st.user.email)[:40]  # the log has so much room for a name
    return None


def ask(desk: Desk) -> None:
    """Draw the login page."""
    _, middle, _ = st.columns([1, 1.2, 1])
    with middle:
        st.title("Admin page")
        st.write(f"Study **{desk.store.slug}**. Results and people are behind this login.")
        if desk.door is not None:
            _ask_password(desk)
        if desk.provider is not None:
            _ask_provider(desk)


def sign_out(desk: Desk) -> None:
    """End this session; results that were looked at are forgotten with it."""
    by_password = KEY in st.session_state
    for key in list(st.session_state):
        del st.session_state[key]
    if desk.provider is not None and not by_password and st.user.is_logged_in:
        st.logout()


def _ask_password(desk: Desk) -> None:
    assert desk.door is not None
    with st.form("login", enter_to_submit=True):
        password = st.text_input("Password", type="password", key="password", autocomplete="current-password")
        sent = st.form_submit_button("Log in")
    if not sent:
        return
    try:
        right = desk.door.opens(password)
    except TooManyTriesError as error:
        st.error(f"Nothing was checked: {error}.")
        return
    _note(desk, "login" if right else "login refused")
    if not right:
        st.error("This is not the password of this study.")
        return
    st.session_state[KEY] = (BY_PASSWORD, time.monotonic() + SESSION_SECONDS)
    st.rerun()


def _ask_provider(desk: Desk) -> None:
    assert desk.provider is not None
    if st.user.is_logged_in:
        st.error("This account is not among those that the study names (or its address was not verified).")
        st.button("Use another account", on_click=st.logout)
        return
    for name in desk.provider.names:
        label = f"Log in with {name}" if name else "Log in with your organisation"
        st.button(label, key=f"provider-{name}", on_click=st.login, args=(name,) if name else ())


def _note(desk: Desk, what: str) -> None:
    now = desk.store.now_ms()
    desk.store.database.write(lambda connection: audit(connection, now, BY_PASSWORD, what, desk.store.slug))
