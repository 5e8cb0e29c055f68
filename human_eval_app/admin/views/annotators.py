"""Who works how: progress, and the checks of the study file in words. They know no methods, so they tell no result."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from human_eval_app.admin import shown
from human_eval_app.admin.cached import checks
from human_eval_app.admin.people import STATES, Person, people
from human_eval_app.admin.reasons import in_words, rule_in_words, verdict_in_words
from human_eval_app.admin.server import Desk
from univg_bench.errors import InputError
from univg_bench.human.screening import Screened

VERDICTS = {True: "left out", False: "kept"}
NOTHING = "not checked"
ROWS_SHOWN = 40
SHARES = {
    "left": "left_share", "same": "same_share", "straight": "straight_line", "agrees": "agreement",
    "gold": "gold_accuracy", "repeats": "repeat_consistency",
}  # fmt: skip


def show(desk: Desk, who: str) -> None:
    """Draw the annotators and their checks. who: for the log; nothing here is worth a line."""
    del who
    persons = people(desk.store)
    if not persons:
        st.info("Nobody has a code yet; issue some under *Study and exports*.")
        return
    screened = {s.annotator: s for s in _screened(desk)}
    out = [s for s in screened.values() if s.excluded]
    _head(desk, len(persons), len(screened), len(out))
    for checked in out:
        st.warning(f"**{checked.annotator}** is left out: {in_words(checked)}", icon=":material/person_off:")
    order = sorted(persons, key=lambda p: (not _is_out(screened.get(p.alias)), p.id))
    st.dataframe(
        table(order, screened), hide_index=True, key="annotators", placeholder="–",
        height="content" if len(order) <= ROWS_SHOWN else 36 * ROWS_SHOWN,
        column_config={
            "left": _share("left", "share of left among the answers that chose a side; half is expected"),
            "same": _share("same", "share of same among all answers"),
            "straight": _share("alike", "share of pairs with one and the same answer to every question"),
            "agrees": _share("agrees", "share of the other annotators who gave the same answer, on average"),
            "gold": _share("known", "share of known answers that were right"),
            "repeats": _share("again", "share of repeated questions answered for the same video as before"),
            "s per pair": st.column_config.NumberColumn(format="%.1f", help="median of pairs, by the browser's clock"),
            "last seen": shown.TIME,
            "why": st.column_config.TextColumn("found", width=420),
        },
    )  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        _rules(desk)
    with right, st.expander("What the states mean"):
        st.markdown("\n".join(f"- **{state}**: {meaning}" for state, meaning in STATES.items()))
    if screened:
        _one(desk, screened)
    comments = [p for p in persons if p.comment and p.state != "withdrawn"]
    if comments:
        st.subheader("What people wrote at the end", anchor=False)
        for person in comments:
            # text, never Markdown or HTML: somebody else wrote it
            st.caption(person.alias)
            st.text(person.comment or "")


def table(persons: list[Person], screened: dict[str, Screened]) -> pd.DataFrame:
    """Return one row per person; what was not measured is empty, never 0."""
    rows = []
    for person in persons:
        checked = screened.get(person.alias)
        measured = {m: checked.measures[m].value for m in checked.measures} if checked else {}
        rows.append({
            "annotator": person.alias, "state": person.state, "pairs": person.main,
            "checks": VERDICTS[checked.excluded] if checked else NOTHING,
            "s per pair": checked.median_seconds if checked else person.median_seconds,
            **{column: measured.get(measure) for column, measure in SHARES.items()}, "last seen": person.last_ms,
            "why": in_words(checked) if checked else _why_not(person),
        })  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["last seen"] = shown.times(frame["last seen"].astype("Int64").tolist())
    frame["s per pair"] = frame["s per pair"].astype(float)
    for column in SHARES:
        frame[column] = 100 * frame[column].astype(float)
    # a column in which nothing was measured for anybody says nothing
    return frame.drop(columns=[c for c in ("gold", "repeats") if frame[c].isna().all()])


def _screened(desk: Desk) -> tuple[Screened, ...]:
    try:
        return checks(desk)
    except InputError:
        return ()  # nothing was rated yet; the page says "not checked"


def _is_out(checked: Screened | None) -> bool:
    return checked is not None and checked.excluded


def _why_not(person: Person) -> str:
    if person.state == "withdrawn":
        return "withdrew; no answer of theirs is looked at"
    return "has rated nothing yet"


def _head(desk: Desk, num_people: int, num_checked: int, num_out: int) -> None:
    first, second, third, _ = st.columns([1, 1, 1, 2])
    first.metric("People with a code", num_people)
    second.metric("Checked", num_checked)
    third.metric("Left out by the checks", num_out)
    st.caption(
        "Checks are computed without knowing which method was which, so they may be seen while the study is open. "
        "Nobody is left out for a check that could not be made, and results are shown with and without those who are."
    )


def _share(label: str, help_: str) -> Any:
    return st.column_config.ProgressColumn(
        label, help=help_, min_value=0.0, max_value=100.0, format="%.0f%%", width="small"
    )


def _rules(desk: Desk) -> None:
    with st.expander("Rules of the study file"):
        rules = desk.store.study.plan.screening
        if not rules:
            st.write("The study file has no rules of screening, so nobody is left out.")
        for rule in rules:
            st.markdown(
                f"- **{rule.measure.replace('_', ' ')}**: {rule_in_words(rule)}, checked from {rule.min_count} cases on"
            )


def _one(desk: Desk, screened: dict[str, Screened]) -> None:
    with st.expander("One annotator, check by check"):
        alias = st.selectbox("Annotator", list(screened), key="one_annotator")
        marks = {
            True: ":material/check: passed",
            False: ":material/close: not passed",
            None: ":material/help: not known",
        }
        lines = [f"- {marks[v.passed]}: {verdict_in_words(v)}" for v in screened[alias].verdicts]
        st.markdown("\n".join(lines) or "The study has no rules of screening.")
