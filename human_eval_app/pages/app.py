"""The script that Streamlit runs for annotators: from where somebody stands to the page that they see."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import streamlit as st

from human_eval_app import progress, sessions
from human_eval_app.pages import (
    consent,
    device,
    ending,
    failure,
    frame,
    instructions,
    login,
    pause,
    practice_feedback,
    rating,
    welcome,
)
from human_eval_app.pages.visit import Visit
from human_eval_app.serving import Serving, current
from human_eval_app.wording import load_wording

LOG = logging.getLogger("human_eval_app")

PAGES: dict[progress.Name, Callable[[Visit], None]] = {
    "login": login.show,
    "welcome": welcome.show,
    "consent": consent.show,
    "device": device.show,
    "instructions": instructions.show,
    "practice_feedback": practice_feedback.show,
    "rating": lambda visit: rating.show(visit.serving, visit.annotator, visit.wording, visit.handed),
    "break": pause.show,
    "later": ending.show_later,
    "done": ending.show_done,
    "refused": ending.show_refused,
}


def run(serving: Serving, annotator_id: int | None) -> None:
    """Show the page of an annotator; None is somebody who has not come in yet."""
    language = frame.chosen_language(serving.store.study, None)
    try:
        person = None if annotator_id is None else progress.find_person(serving.store, annotator_id)
        language = frame.chosen_language(serving.store.study, person)
        seen = st.session_state.get(practice_feedback.SEEN)
        state = progress.state(serving.store, annotator_id, feedback_seen=seen)
        state = pause.adjust(state)
        visit = Visit(serving, person, state, language, load_wording(language))
        frame.begin(visit)
        PAGES[state.name](visit)
    except Exception:
        # whatever it is, a locked database or a fault of ours: nothing that was saved is lost, and the page says so
        LOG.exception("a page failed")
        failure.show(load_wording(language), language)


def main() -> None:
    serving = current()
    cookie = st.context.cookies.to_dict().get(sessions.cookie_name(serving.folder.slug))
    run(serving, sessions.read(serving.folder.pepper, cookie, time.time()))


if __name__ == "__main__":
    main()
