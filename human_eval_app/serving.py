"""What this process serves: one study. Routes get it handed down; the Streamlit script, which is run rather than
called, asks `current()`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from human_eval_app.storage import Store
from human_eval_app.study_folder import StudyFolder


@dataclass(frozen=True)
class Serving:
    """A study and its open database. scratch: a folder of this process, whose name says nothing."""

    folder: StudyFolder
    store: Store
    scratch: Path


_serving: Serving | None = None


def current() -> Serving:
    """Return what this process serves."""
    assert _serving is not None, "build_app comes first"
    return _serving


def serve_from_now(serving: Serving) -> None:
    """Let `current()` return `serving`."""
    global _serving
    _serving = serving
