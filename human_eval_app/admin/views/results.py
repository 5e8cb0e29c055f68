"""What the study found. Hidden until it is closed; with `peek: true` every look is a deed of its own, and logged."""

from __future__ import annotations

import streamlit as st

from human_eval_app.admin import shown
from human_eval_app.admin.cached import latest
from human_eval_app.admin.charts import for_page
from human_eval_app.admin.results import Results, State, note_look, state_of
from human_eval_app.admin.server import Desk
from human_eval_app.admin.side_by_side import both_table, headline
from univg_bench.errors import InputError
from univg_bench.human.analysis import Analysis, comparisons
from univg_bench.human.gsb_figures import agreement_dots, answer_bars, forest
from univg_bench.human.gsb_report import shown_dimensions
from univg_bench.human.gsb_tables import agreement_table, counts_table, table2
from univg_bench.human.winrate import scope

LOOK = "look"
FOREST_WIDTH = 600  # of all panels in a row, in pixels
PASSED = "Only those who passed the checks"


def show(desk: Desk, who: str) -> None:
    """Draw the results, or say why they are hidden. who: for the log."""
    if desk.store.closed():
        try:
            _draw(desk, latest(desk)[1])
        except InputError as error:
            st.info(f"There is nothing to show: {error}.")
        return
    if not desk.store.study.peek:
        st.info(
            "Results are hidden until the study is closed, so that nobody stops when the numbers please. The study "
            "file says so (`peek: false`). How far it is stands on the page *Overview*, and the checks of annotators, "
            "which know no methods, on *Annotators*.",
            icon=":material/visibility_off:",
        )
        return
    _peek(desk, who)


def _peek(desk: Desk, who: str) -> None:
    """One look is one press of the button, one state of the answers, and one line of the log; reruns add nothing."""
    looked: tuple[State, Results] | None = st.session_state.get(LOOK)
    now = state_of(desk.store)
    unchanged = looked is not None and now == looked[0]
    if looked is not None:
        behind = now.num_submissions - looked[0].num_submissions
        # somebody may have withdrawn, which changes numbers without a submission
        news = "nothing changed" if unchanged else f"{behind} came" if behind > 0 else "answers changed"
        st.warning(
            f"The study is open: this is a look at {looked[0].num_submissions} submissions; {news} since. Intervals "
            "and tests hold for a study that ends when it was planned to end, not when its numbers please.",
            icon=":material/visibility:",
        )
    else:
        st.warning(
            "The study is open. Its study file allows looking (`peek: true`), and every look is a line in the log.",
            icon=":material/visibility:",
        )
    label = "Look at the results" if looked is None else "Look again"
    if st.button(label, key="look_button" if looked is None else "secondary", disabled=unchanged):
        try:
            look = latest(desk)
        except InputError as error:
            st.info(f"There is nothing to show yet: {error}.")
            return
        note_look(desk.store, who=who, state=look[0])
        st.session_state[LOOK] = look
        st.rerun()
    if looked is not None:
        _draw(desk, looked[1])


def _draw(desk: Desk, found: Results) -> None:
    out = sum(s.excluded for s in found.screened)
    everybody = f"All annotators ({len(found.screened)})"
    passed = f"{PASSED} ({len(found.screened) - out})"
    chosen = st.segmented_control(
        "Annotators", [everybody, passed], default=passed if found.passed else everybody, key="whom", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if found.passed is None:
        st.warning(f"The checks leave nobody: {found.none_passed}.")
    analysis = found.passed if chosen == passed else found.everybody
    if analysis is None:
        return
    _headline(desk, found, analysis)
    st.markdown("\n".join(f"- {s}" for s in _sentences(analysis, everybody=analysis is found.everybody, num_out=out)))
    _win_rates(analysis)
    if out and found.passed is not None:
        with st.expander("Both side by side: only those who passed, and all"):
            shown.table(both_table(found.passed, found.everybody))
    _agreement(analysis)


def _headline(desk: Desk, found: Results, analysis: Analysis) -> None:
    numbers = headline(found, analysis)
    ratings = analysis.ratings
    side = analysis.side
    columns = st.columns(min(len(numbers), 3) + 2)
    for column, number in zip(columns, numbers[:3], strict=False):
        column.metric(number.label, number.value, number.beside, delta_color="off", delta_arrow="off", help=number.help)
    pairs = ratings.main.frame.drop_duplicates(["item", "annotator", "method", "other"])
    columns[-2].metric("Pairs rated", f"{len(pairs):,}", f"{len(ratings.main):,} answers", delta_color="off",
                       delta_arrow="off", help="without practice, known answers, repeats")  # fmt: skip
    if side.share is None:
        columns[-1].metric("Left chosen", "–", help=side.sentence(analysis.plan.level))
    else:
        columns[-1].metric("Left chosen", f"{side.share:.0%}", "of answers that chose a side", delta_color="off",
                           delta_arrow="off", help=side.sentence(analysis.plan.level))  # fmt: skip


def _sentences(analysis: Analysis, *, everybody: bool, num_out: int) -> list[str]:
    """Return what must be read with the numbers."""
    if not everybody:
        return analysis.sentences()
    level = analysis.plan.level
    lines = [*scope(analysis.rates, level), analysis.side.sentence(level)]
    if num_out:
        lines.insert(0, f"The answers of {num_out} annotators who fail the checks are in these numbers.")
    return lines


def _win_rates(analysis: Analysis) -> None:
    dimensions, level, dark = shown_dimensions(analysis), analysis.plan.level, shown.is_dark()
    primary = next((d for d in dimensions if d.code == analysis.plan.primary), dimensions[-1])
    st.subheader("Win rates", anchor=False, help="(G − B) / (G + S + B): better minus worse, of all answers")
    panels = min(len(comparisons(analysis.rates)), 3)
    left, right = st.columns([3, 2], gap="large")
    with left:
        drawn = for_page(forest(analysis.rates, dimensions, level=level), dark=dark, width=FOREST_WIDTH // panels)
        shown.chart(
            drawn, key="forest",
            alt="Win rates with their intervals; the numbers are in the table below",
        )  # fmt: skip
    with right:
        shown.chart(
            for_page(answer_bars(analysis.rates, primary), dark=dark, width=340), key="figure4",
            alt="Shares of better, same and worse; the counts are in the table below",
        )  # fmt: skip
    shown.table(table2(analysis.rates, dimensions, level=level))
    with st.expander("Counts, three kinds of interval, tests before and after Holm"):
        shown.table(counts_table(analysis.rates, level=level))


def _agreement(analysis: Analysis) -> None:
    st.subheader("Agreement", anchor=False)
    shown.table(agreement_table(analysis.agreements))
    if any(c.value is not None for a in analysis.agreements for c in a.coefficients.values()):
        with st.expander("As a figure"):
            shown.chart(
                for_page(agreement_dots(analysis.agreements), dark=shown.is_dark(), width=520), key="agreement",
                alt="Coefficients of agreement with their intervals; the numbers are in the table above",
            )  # fmt: skip
