"""After a practice pair: what was answered, what we expected and why, in words; at the end of a round how it went."""

from __future__ import annotations

from typing import cast

import streamlit as st

from human_eval_app.pages.markdown import plain
from human_eval_app.pages.visit import Visit
from human_eval_app.practice import Checked, Feedback, feedback_on
from human_eval_app.study import Language
from human_eval_app.wording import answer_words, dimension_words

SEEN = "feedback.seen"  # in the session: the practice pair whose feedback was left by its button

BUTTONS = {"more": "next", "again": "again", "passed": "rating", "failed": "end"}


def show(visit: Visit) -> None:
    assignment = visit.state.assignment
    assert assignment is not None
    feedback = feedback_on(visit.store, visit.known.id, assignment)
    st.title(visit.wording["feedback.title"], anchor=False)
    right = all(one.answer == one.expected for one in feedback.checked)
    (st.success if right else st.info)(visit.wording["feedback.right" if right else "feedback.wrong"])
    st.markdown(_table(visit, feedback))
    st.header(visit.wording["feedback.why"], anchor=False)
    own = feedback.why.get(cast("Language", visit.language))
    st.markdown(plain(own) if own else "\n".join(f"- {_why(visit, one)}" for one in feedback.checked))
    if feedback.others:
        st.caption(visit.wording["feedback.others"])
    if feedback.round != "more":
        facts = {"right": feedback.right, "pairs": feedback.pairs, "needed": feedback.needed}
        st.markdown(visit.say(f"feedback.round.{feedback.round}", **facts))
    if st.button(visit.wording[f"feedback.button.{BUTTONS[feedback.round]}"], type="primary", key="next"):
        st.session_state[SEEN] = assignment
        st.rerun()


def _table(visit: Visit, feedback: Feedback) -> str:
    words = visit.wording
    head = [words["feedback.question"], words["feedback.yours"], words["feedback.expected"]]
    lines = [f"| {' | '.join(head)} |", "|:--|:--|:--|"]
    for one in feedback.checked:
        match = "feedback.match.yes" if one.answer == one.expected else "feedback.match.no"
        label = plain(dimension_words(words, one.dimension)[0])
        mine, expected = answer_words(words, one.answer), answer_words(words, one.expected)
        # in words as well: colour is never the only signal
        lines.append(f"| {label} | {mine} | {visit.say(match, answer=expected)} |")
    return "\n".join(lines)


def _why(visit: Visit, one: Checked) -> str:
    label = plain(dimension_words(visit.wording, one.dimension)[0])
    which = visit.say(f"why.{one.expected}", label=label)
    if one.expected == "same":
        return which
    return f"{which} {visit.wording.get(f'why.{one.dimension.code}', visit.wording['why.own'])}"
