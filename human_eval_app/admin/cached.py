"""What is computed once per state of the answers and shared by all who look: the checks of annotators, and results."""

from __future__ import annotations

import streamlit as st

from human_eval_app.admin.results import Results, State, checks_of, results_of, state_of
from human_eval_app.admin.server import Desk
from univg_bench.human.screening import Screened

# arguments with an underscore are not part of a cache's key: slug and state say all that matters about the store


def checks(desk: Desk) -> tuple[Screened, ...]:
    """Return everybody's checks; see `results.checks_of`."""
    return _checks(desk.store.slug, state_of(desk.store), _desk=desk)


def latest(desk: Desk) -> tuple[State, Results]:
    """Return the present results and the state that they belong to; see `results.results_of`."""
    state = state_of(desk.store)
    return state, _results(desk.store.slug, state, _desk=desk)


@st.cache_data(max_entries=2, show_spinner="Checking annotators …")
def _checks(slug: str, state: State, *, _desk: Desk) -> tuple[Screened, ...]:
    return checks_of(_desk.store)


@st.cache_data(max_entries=2, show_spinner="Computing intervals …")
def _results(slug: str, state: State, *, _desk: Desk) -> Results:
    return results_of(_desk.store)
