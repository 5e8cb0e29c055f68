"""The form for the code, and the way in from Prolific."""

from __future__ import annotations

from collections.abc import Mapping

from human_eval_app.player.component import mount
from human_eval_app.wording import Wording


def login(wording: Wording, prolific: Mapping[str, str] | None = None, key: str = "login") -> None:
    """Show the form; with `prolific` (pid, study, session) log in at once. The page reloads itself when it worked."""
    words = {name: wording[f"login.{name}"] for name in ("label", "button", "prolific")}
    start = "login.error."
    words |= {f"error_{name[len(start) :]}": text for name, text in wording.items() if name.startswith(start)}
    mount("login.js", {"words": words, "prolific": None if prolific is None else dict(prolific)}, key=key)
