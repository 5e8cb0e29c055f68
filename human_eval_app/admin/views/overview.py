"""How the study is going: coverage, people, pace, open pairs, broken videos. No answer can be seen here."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import streamlit as st

from human_eval_app.admin import shown
from human_eval_app.admin.charts import coverage_map, progress_bars
from human_eval_app.admin.coverage import Coverage, coverage
from human_eval_app.admin.people import RECENT_MS, STATES, Person, people
from human_eval_app.admin.server import Desk
from human_eval_app.admin.videos import Copy, copies

REFRESH = "10s"
FLAGS_SHOWN = 200


def show(desk: Desk, who: str) -> None:
    """Draw the overview. who: for the log; nothing here is worth a line."""
    del who
    # a closed study changes no more
    every = None if desk.store.closed() else REFRESH
    st.fragment(_live, run_every=every)(desk)
    st.fragment(_reports)(desk)


def _live(desk: Desk) -> None:
    # a fragment is run by itself, so it tells of faults by itself
    with shown.faults_told():
        _progress(desk)


def _reports(desk: Desk) -> None:
    with shown.faults_told():
        _flags(desk)


def _progress(desk: Desk) -> None:
    found, persons = coverage(desk.store), people(desk.store)
    _head(desk, found)
    _numbers(desk, found, persons)
    st.subheader("Ratings per pair", anchor=False)
    if found.pairs:
        st.caption(
            f"Every cell is a pair of videos: the fuller its colour, the nearer to the {found.wanted} ratings that are "
            "wanted. ○ is open now, × was said to be broken."
        )
        shown.chart(
            coverage_map(found, dark=shown.is_dark()), key="coverage",
            alt=f"{found.num_complete} of {len(found.pairs)} pairs have all their ratings",
        )  # fmt: skip
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Pace", anchor=False)
        if found.pace.times_ms:
            shown.chart(
                progress_bars(found.pace.times_ms, found.now_ms, dark=shown.is_dark()), key="pace", stretch=True,
                alt=f"{len(found.pace.times_ms)} pairs rated so far",
            )  # fmt: skip
        else:
            st.write("Nobody has rated a pair yet.")
    with right:
        st.subheader("People", anchor=False)
        _people(persons)
    _leases(found)


def _head(desk: Desk, found: Coverage) -> None:
    study = desk.store.study
    with st.container(horizontal=True, vertical_alignment="center"):
        if found.closed:
            st.badge("closed", icon=":material/lock:", color="gray")
        else:
            st.badge("open", icon=":material/lock_open:", color="green")
        others = ", ".join(study.others)
        st.markdown(
            f"`{desk.store.slug}` · **{study.ours}** against {others} · {len(study.items)} items · "
            f"{len(study.plan.dimensions)} questions · {_peek(desk, found)}",
            width="stretch",
        )
        # seconds, so that somebody who looks at it sees that it lives
        st.caption(f"as of {shown.clock_text(found.now_ms)}", width="content")


def _peek(desk: Desk, found: Coverage) -> str:
    if found.closed:
        return "results can be seen"
    return "results can be seen, every look is logged" if desk.store.study.peek else "results hidden until it is closed"


def _numbers(desk: Desk, found: Coverage, persons: tuple[Person, ...]) -> None:
    done, wanted = found.num_done, found.num_wanted
    now = sum(person.state == "rating now" for person in persons)
    share = done / wanted if wanted else 0.0
    columns = st.columns(5)
    columns[0].metric("Ratings of pairs", f"{done:,} of {wanted:,}", f"{share:.0%}", delta_color="off",
                      delta_arrow="off")  # fmt: skip
    columns[1].metric("Complete pairs", f"{found.num_complete:,} of {len(found.pairs):,}")
    live = sum(lease.live for lease in found.leases)  # practice, gold and repeats too, as the list below
    columns[2].metric("Open now", f"{live:,}", help="pairs that somebody has in front of them, by lease")
    columns[3].metric("Rating now", f"{now} of {len(persons)}",
                      help=f"opened or answered a pair in the last {RECENT_MS // 60_000} minutes")  # fmt: skip
    pace = found.pace.pairs_per_hour
    columns[4].metric("Pairs per hour", "–" if pace is None else f"{pace:.1f}",
                      help="over the last day, or since the first rating where that is shorter")  # fmt: skip
    st.progress(min(share, 1.0), text=expectation(found))


def expectation(found: Coverage) -> str:
    """Return when the study will be complete, in words, or why that cannot be told."""
    left = found.num_wanted - found.num_done
    if found.closed:
        return "Closed: no more answers are taken." if left else "Closed and complete."
    if not left:
        return "Complete: every pair has the ratings that were wanted. Close the study to freeze it."
    end = found.expected_end_ms()
    if end is None:
        return f"{left:,} ratings to go; too few came in the last day to tell when they will be there."
    hours = f"the last {shown.span_text(found.pace.hours * 3_600_000)}"
    return (
        f"{left:,} ratings to go; at the pace of {hours} they will be there in {shown.span_text(end - found.now_ms)}, "
        f"about {shown.time_text(end)}."
    )


def _people(persons: tuple[Person, ...]) -> None:
    if not persons:
        st.write("Nobody has a code yet; issue some under *Study and exports*.")
        return
    counted = Counter(person.state for person in persons)
    rows = [
        {"state": state, "people": counted[state], "meaning": meaning}
        for state, meaning in STATES.items()
        if counted[state]
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, key="states",
        column_config={name: st.column_config.Column(width="small") for name in ("people", "state")},
    )  # fmt: skip


def _leases(found: Coverage) -> None:
    with st.expander(f"Open pairs ({len(found.leases)})", key="leases"):
        if not found.leases:
            st.write("Nobody has a pair open.")
            return
        st.caption(
            "A pair stays with the person who opened it until its lease ends; then somebody else may get it. A late "
            "answer is kept."
        )
        leases = found.leases
        st.dataframe(
            pd.DataFrame({
                "annotator": [lease.alias for lease in leases], "item": [lease.item for lease in leases],
                "against": [lease.other for lease in leases], "kind": [lease.kind for lease in leases],
                "opened": shown.times([lease.opened_ms for lease in leases]),
                "lease ends": shown.times([lease.until_ms for lease in leases]),
                "state": ["held" if lease.live else "run out" for lease in leases],
            }),
            hide_index=True, key="open_pairs", column_config={"opened": shown.TIME, "lease ends": shown.TIME},
        )  # fmt: skip


def _flags(desk: Desk) -> None:
    """Draw the reports of broken videos; not refreshed by itself, so that a video plays on."""
    flags = coverage(desk.store).flags
    st.subheader("Videos said to be broken", anchor=False)
    if not flags:
        st.write("No video was said to be broken.")
        return
    st.caption(
        "Choose a line to see its two videos as the annotator saw them. You see their names; annotators never do."
    )
    listed = flags[:FLAGS_SHOWN]
    picked = st.dataframe(
        pd.DataFrame({
            "when": shown.times([flag.at_ms for flag in listed]), "annotator": [flag.alias for flag in listed],
            "item": [flag.item for flag in listed], "reason": [flag.reason or "none given" for flag in listed],
            "left": [flag.left for flag in listed], "right": [flag.right for flag in listed],
        }),
        hide_index=True, key="flags", on_select="rerun", selection_mode="single-row",
        column_config={"when": shown.TIME},
    )  # fmt: skip
    if len(flags) > FLAGS_SHOWN:
        st.caption(f"The newest {FLAGS_SHOWN} of {len(flags)}.")
    rows = picked.selection.rows
    if not rows or rows[0] >= len(listed):
        return
    flag = listed[rows[0]]
    for column, method in zip(st.columns(2), (flag.left, flag.right), strict=True):
        with column:
            _video(method, copies(desk.store, desk.folder, flag.item).get(method))


def _video(method: str, copy: Copy | None) -> None:
    st.markdown(f"**{method}**")
    if copy is None or copy.path is None:
        st.warning(copy.reason if copy else "No video of this method was imported for the item.")
        return
    st.video(str(copy.path), loop=True, muted=True)
    st.caption(copy.facts)
