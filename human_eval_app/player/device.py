"""What the device of an annotator can do, measured in the browser."""

from __future__ import annotations

from typing import Any

from human_eval_app.player.component import mount
from human_eval_app.wording import Wording


def device(wording: Wording, key: str = "device") -> dict[str, Any] | None:
    """Return {width, height, touch, decodes, agent} in the run that follows a measurement, else None.

    It measures once when it appears and again whenever the window has changed its size. touch: there is nothing but a
    finger to point with. decodes: a second of H.264 was really shown.
    """
    found = mount("device.js", {"words": {"text": wording["device.text"]}}, key=key, triggers=("measured",))["measured"]
    return dict(found) if isinstance(found, dict) else None
