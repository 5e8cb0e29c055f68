"""The device check: does this browser play our videos, is the window large enough, is there a keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from human_eval_app import progress
from human_eval_app.pages.visit import Visit
from human_eval_app.player.device import device
from human_eval_app.study import Presentation

ROUND = "device.round"  # a new key measures anew


def show(visit: Visit) -> None:
    """Measure, and go on by itself where the device is good; otherwise say in words what is missing."""
    wanted = visit.study.presentation
    st.title(visit.wording["device.title"], anchor=False)
    # the component measures when it appears and when the window changes, and says that it does
    measured = _facts(device(visit.wording, key=f"device.{st.session_state.get(ROUND, 0)}"))
    if measured is not None:
        progress.keep_device(visit.store, visit.known.id, measured, ok=not refusals(wanted, measured))
        st.rerun()
    known = visit.known.device
    if known is not None:
        _show_refusals(visit, known)


def _show_refusals(visit: Visit, facts: Mapping[str, Any]) -> None:
    wanted = visit.study.presentation
    st.header(visit.wording["device.refused.title"], anchor=False)
    width, height = wanted.min_viewport
    for reason in refusals(wanted, facts):
        st.markdown(
            visit.say(
                f"device.refused.{reason}", width=facts["width"], height=facts["height"], min_width=width,
                min_height=height,
            )
        )  # fmt: skip
    st.markdown(visit.wording["device.refused.kept"])
    if st.button(visit.wording["device.again"], type="primary", key="again"):
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
        st.rerun()


def refusals(wanted: Presentation, facts: Mapping[str, Any]) -> list[str]:
    """Return why a device does not do, as keys of the wording (`device.refused.*`); an empty list when it does."""
    width, height = wanted.min_viewport
    found = []
    if not facts["decodes"]:
        found.append("decodes")
    if facts["touch"] and wanted.touch == "refuse":
        found.append("touch")
    if facts["width"] < width or facts["height"] < height:
        found.append("small")
    return found


def _facts(measured: object) -> dict[str, Any] | None:
    """Return what the component measured, in the form that is stored; None before it has, or for anything else."""
    if not isinstance(measured, Mapping):
        return None
    sides = [measured.get("width"), measured.get("height")]
    width, height = (int(side) if isinstance(side, int | float) and 0 <= side < 1e5 else None for side in sides)
    if width is None or height is None:
        return None
    return {
        "width": width, "height": height, "touch": bool(measured.get("touch")),
        "decodes": bool(measured.get("decodes")), "agent": str(measured.get("agent", ""))[:300],
    }  # fmt: skip
