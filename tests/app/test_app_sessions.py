"""A cookie says who asks, to nobody but us: it cannot be made, changed or kept for ever."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from human_eval_app.sessions import LIFETIME_SECONDS, issue, read

PEPPER = b"one pepper of 32 bytes, for tests"
NOW = 1_800_000_000.0


@given(st.integers(min_value=0, max_value=2**31), st.floats(min_value=0, max_value=4e9))
def test_a_cookie_says_whom_it_was_issued_to(annotator_id: int, now: float) -> None:
    assert read(PEPPER, issue(PEPPER, annotator_id, now), now) == annotator_id


def test_a_cookie_ends() -> None:
    cookie = issue(PEPPER, 5, NOW)
    assert read(PEPPER, cookie, NOW + LIFETIME_SECONDS - 1) == 5
    assert read(PEPPER, cookie, NOW + LIFETIME_SECONDS) is None


def test_a_server_clock_that_is_set_back_throws_nobody_out() -> None:
    assert read(PEPPER, issue(PEPPER, 5, NOW), NOW - 365 * 86_400) == 5


def test_another_pepper_opens_nothing() -> None:
    assert read(secrets.token_bytes(32), issue(PEPPER, 5, NOW), NOW) is None


@given(st.data())
def test_no_character_of_a_cookie_can_be_changed(data: st.DataObject) -> None:
    cookie = issue(PEPPER, 12, NOW)
    place = data.draw(st.integers(0, len(cookie) - 1))
    letter = data.draw(st.characters().filter(lambda c: c != cookie[place]))
    changed = cookie[:place] + letter + cookie[place + 1 :]
    assert read(PEPPER, changed, NOW) is None


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_a_cookie_that_was_cut_opens_nothing(length: int) -> None:
    assert read(PEPPER, issue(PEPPER, 12, NOW)[:length], NOW) is None


@given(st.text())
def test_whatever_else_a_browser_sends_opens_nothing(cookie: str) -> None:
    assert read(PEPPER, cookie, NOW) is None


def test_no_cookie_is_nobody() -> None:
    assert read(PEPPER, None, NOW) is None


def test_a_cookie_holds_nothing_of_the_pepper_or_a_code() -> None:
    first, second = issue(PEPPER, 12, NOW), issue(PEPPER, 12, NOW)
    assert first == second  # no hidden state
    assert PEPPER.hex() not in first
