"""Everything that the rating screen is told about a pair: a pure function, so that a test can read all of it.

What is not here cannot leak. The method, its files, the item, the pair, the side and the kind stay on the server; a
known answer looks like any other pair. Of practice the screen knows, because everybody else does too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from human_eval_app.handing_out import Handed
from human_eval_app.study import Study
from human_eval_app.wording import Wording, answer_words, dimension_words

PREFIX = "rating."


@dataclass(frozen=True)
class Place:
    """The how-many-eth pair of how many: of the practice, or of the session."""

    number: int
    total: int


def rating_data(
    handed: Handed, study: Study, wording: Wording, *,
    fps: float, place: Place, owner: str, can_undo: bool, revised: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return what the browser gets, ready for JSON.

    fps: of the timeline that both videos share. owner: stands for the annotator in the browser's storage and says
    nothing else. revised: the answers of a pair that is shown again to be changed.
    """
    item = next(item for item in study.items if item.id == handed.item)
    shown = study.presentation
    questions = [
        dict(zip(("label", "question", "group"), dimension_words(wording, d), strict=True), code=d.code)
        for d in study.questions(item)
    ]
    words = {name[len(PREFIX) :]: text for name, text in wording.items() if name.startswith(PREFIX)}
    words |= {f"answer_{answer}": answer_words(wording, answer) for answer in ("left", "same", "right")}
    return {
        "assignment": handed.id,
        "owner": owner,
        "prompt": item.prompt,
        # the token of the left video, whichever it is: it stands for the assignment
        "image": None if item.image is None else f"/image/{handed.token_left}",
        "videos": [f"/video/{token}.mp4" for token in (handed.token_left, handed.token_right)],
        "fps": fps,
        "position": place.number,
        "total": place.total,
        "practice": handed.kind == "practice",
        "questions": questions,
        "revise": revised is not None,
        "answers": dict(revised or {}),
        "undo": can_undo,
        # a practice is too short for one
        "pause": handed.kind != "practice" and revised is None,
        "settings": {
            "must_watch": shown.must_watch, "min_viewport": list(shown.min_viewport), "touch": shown.touch,
        },
        "words": words,
    }  # fmt: skip
