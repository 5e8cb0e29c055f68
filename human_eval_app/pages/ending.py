"""Where a way ends for now or for good: no pair is free, done, refused."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.markdown import plain
from human_eval_app.pages.visit import Visit
from human_eval_app.study import Prolific

# https://researcher-help.prolific.com, "How do I redirect participants back": the completion URL
PROLIFIC_RETURN = "https://app.prolific.com/submissions/complete?cc={code}"


def show_later(visit: Visit) -> None:
    """All that is left lies with others, whose leases may run out."""
    st.title(visit.wording["later.title"], anchor=False)
    st.markdown(visit.say("later.text", minutes=visit.study.lease_minutes))
    again, over = st.columns(2)
    if again.button(visit.wording["later.again"], type="primary", key="again", width="stretch"):
        st.rerun()
    # who has rated something need not wait for others to get their completion code
    if visit.known.rated and over.button(visit.wording["later.finish"], key="finish", width="stretch"):
        progress.finish(visit.store, visit.known.id)
        st.rerun()


def show_done(visit: Visit) -> None:
    """Thanks, the way back to where somebody came from, and room for a comment."""
    person = visit.known
    st.title(visit.wording["done.title"], anchor=False)
    st.markdown(visit.say("done.text", done=person.rated) if person.rated else visit.wording["done.text.none"])
    _show_way_back(visit)
    with st.form("comment", border=False):
        comment = st.text_area(
            visit.wording["done.comment"],
            value=person.comment or "",
            max_chars=progress.MAX_COMMENT,
            key="comment.text",
        )
        if st.form_submit_button(visit.wording["done.comment.button"]):
            progress.keep_comment(visit.store, person.id, comment)
            st.success(visit.wording["done.comment.thanks"])
    st.caption(visit.wording["done.close"])


def show_refused(visit: Visit) -> None:
    """Why nothing goes on, in words, and that nothing saved is lost."""
    reason = visit.state.reason
    st.title(visit.wording[f"refused.{reason}.title"], anchor=False)
    st.markdown(visit.wording[f"refused.{reason}.text"])
    if reason in ("study_closed", "practice_failed"):
        _show_way_back(visit)
    if visit.study.about.contact is not None:
        st.markdown(visit.say("common.contact", contact=plain(visit.study.about.contact)))


def prolific_code(codes: Prolific, *, reason: str | None, rated: int) -> str | None:
    """Return the code of the link back to Prolific, None where the study has none for this end.

    reason: of a refusal. Who rated something is paid for it, whoever closed the study meanwhile.
    """
    if reason == "practice_failed":
        return codes.screened_out_code
    return codes.completion_code if rated else codes.no_work_code


def _show_way_back(visit: Visit) -> None:
    """Show the completion code or the link to Prolific; who has rated nothing gets no code that says they did."""
    study, person = visit.study, visit.known
    if person.source == "prolific" and study.prolific is not None:
        code = prolific_code(study.prolific, reason=visit.state.reason, rated=person.rated)
        if code is None:
            st.markdown(visit.wording["done.prolific.return"])
            return
        st.markdown(visit.wording["done.prolific"])
        address = PROLIFIC_RETURN.format(code=quote(code, safe=""))
        st.link_button(visit.wording["done.prolific.link"], address, type="primary")
    elif person.rated and study.about.completion_code is not None:
        st.markdown(visit.wording["done.code"])
        st.code(study.about.completion_code, language=None)
