"""The page of one pair. Answers go to POST /api/ratings from the browser; the script only says which pair is next."""

from __future__ import annotations

import hashlib

import streamlit as st

from human_eval_app.handing_out import Handed
from human_eval_app.pages import pause
from human_eval_app.player.component import mount
from human_eval_app.rated_before import place_of, rated_before
from human_eval_app.rating_data import Place, rating_data
from human_eval_app.serving import Serving
from human_eval_app.storage import Annotator, Store
from human_eval_app.videos import timeline_of
from human_eval_app.wording import Wording
from univg_bench.errors import SampleError

REVISING = "rating_revises"  # in the session: the assignment whose answers are being changed


def show(serving: Serving, annotator: Annotator, wording: Wording, handed: Handed) -> None:
    """Show the open pair `handed`, or the one before it where somebody went back to change their answers."""
    store = serving.store
    before = rated_before(store, annotator.id)
    revising = before.last is not None and st.session_state.get(REVISING) == before.last.id
    pair = before.last if revising and before.last is not None else handed
    place = place_of(store.study, handed.kind, before)
    data = rating_data(
        pair, store.study, wording,
        fps=_fps(store, pair),
        place=Place(max(1, place.number - 1), place.total) if revising else place,
        owner=owner_of(serving, annotator),
        can_undo=before.last is not None and not revising,
        revised=before.answers if revising else None,
    )  # fmt: skip
    asked = mount("rating.js", data, key="rating", triggers=("advance", "undo", "break"))
    if asked["undo"] and before.last is not None and not revising:
        st.session_state[REVISING] = before.last.id
        st.rerun()
    if asked["advance"] and revising:
        st.session_state.pop(REVISING, None)
        st.rerun()
    if asked["break"]:
        pause.ask()
        st.rerun()


def _fps(store: Store, pair: Handed) -> float:
    try:
        return timeline_of(store, pair.pair_id).fps
    except SampleError:
        # the screen will say which video is missing, and whoever sees it can report it and go on
        return 1.0


def owner_of(serving: Serving, annotator: Annotator) -> str:
    """Return a word that stands for the annotator in the storage of a browser that several people may use."""
    key = hashlib.sha256(serving.folder.pepper).digest()
    return hashlib.blake2b(f"{annotator.id}|{annotator.alias}".encode(), key=key, digest_size=8).hexdigest()
