"""The introduction: how it works, one page per group of questions, the keys, and what the practice is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages import frame
from human_eval_app.pages.visit import Visit
from human_eval_app.study import Study
from human_eval_app.wording import dimension_words
from univg_bench.human.dimensions import Dimension

# keys of the player, in the order of its own help
KEYS = (
    ("1 2 3", "answer"), ("↑ ↓", "move"), ("Space", "play"), (", .", "step"), ("Home", "home"), ("[ ]", "speed"),
    ("L", "loop"), ("Enter", "save"), ("Z", "undo"), ("B", "broken"), ("?", "help"),
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """kind: how, group, keys or last. dimensions: of a group."""

    kind: str
    dimensions: tuple[Dimension, ...] = ()


def show(visit: Visit) -> None:
    pages = list(pages_of(visit.study))
    number = min(st.session_state.get(frame.PAGE, 0), len(pages) - 1)
    page = pages[number]
    st.caption(visit.say("instructions.progress", page=number + 1, pages=len(pages)))
    {"how": _show_how, "group": _show_group, "keys": _show_keys, "last": _show_last}[page.kind](visit, page)
    back, onward = st.columns(2)
    if number and back.button(visit.wording["common.back"], key="back", width="stretch"):
        st.session_state[frame.PAGE] = number - 1
        st.rerun()
    last = number == len(pages) - 1
    begin = "instructions.begin.practice" if visit.study.practice.pairs else "instructions.begin.rating"
    if onward.button(visit.wording[begin if last else "common.next"], type="primary", key="next", width="stretch"):
        if last:
            progress.finish_instructions(visit.store, visit.known.id)
        else:
            st.session_state[frame.PAGE] = number + 1
        st.rerun()


def pages_of(study: Study) -> Iterator[Page]:
    """Yield the pages: only questions that some item of the study asks, in the order of the screen."""
    yield Page("how")
    asked = {d.code for item in study.items for d in study.questions(item)}
    dimensions = [d for d in study.plan.dimensions if d.code in asked]
    for group in dict.fromkeys(d.group for d in dimensions):
        yield Page("group", tuple(d for d in dimensions if d.group == group))
    yield Page("keys")
    yield Page("last")


def _show_how(visit: Visit, _: Page) -> None:
    st.title(visit.wording["instructions.how.title"], anchor=False)
    st.markdown(visit.wording["instructions.how.text"])
    st.header(visit.wording["instructions.same.title"], anchor=False)
    st.markdown(visit.wording["instructions.same.text"])


def _show_group(visit: Visit, page: Page) -> None:
    words = [dimension_words(visit.wording, d) for d in page.dimensions]
    st.title(words[0][2] or words[0][0], anchor=False)
    st.markdown(visit.wording["instructions.group.text"])
    for dimension, (label, question, _) in zip(page.dimensions, words, strict=True):
        st.header(label, anchor=False)
        st.markdown(f"**{question}**")
        example = visit.wording.get(f"example.{dimension.code}", visit.wording["example.own"])
        st.markdown(f"> {visit.say('instructions.example', example=example)}")


def _show_keys(visit: Visit, _: Page) -> None:
    st.title(visit.wording["instructions.keys.title"], anchor=False)
    st.markdown(visit.wording["instructions.keys.text"])
    head = f"| {visit.wording['instructions.keys.key']} | {visit.wording['instructions.keys.does']} |\n|:--|:--|\n"
    rows = [f"| {_caps(keys)} | {visit.wording[f'instructions.keys.{name}']} |" for keys, name in KEYS]
    st.markdown(head + "\n".join(rows), unsafe_allow_html=True)  # only for <kbd>; all of it is ours


def _caps(keys: str) -> str:
    return " ".join(f"<kbd>{key}</kbd>" for key in keys.split())


def _show_last(visit: Visit, _: Page) -> None:
    practice = visit.study.practice
    if not practice.pairs:
        st.title(visit.wording["instructions.ready.title"], anchor=False)
        st.markdown(visit.wording["instructions.ready.text"])
        return
    st.title(visit.wording["instructions.practice.title"], anchor=False)
    st.markdown(visit.say("instructions.practice.text", pairs=len(practice.pairs)))
    if practice.pass_pairs:
        st.markdown(visit.say("instructions.practice.pass", needed=practice.pass_pairs, pairs=len(practice.pairs)))
