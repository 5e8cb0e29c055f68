"""From what was clicked to G, S, B: nothing of a submission is taken on trust but the clicks themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from human_eval_app.refusals import RefusedError

Answer = Literal["left", "same", "right"]
Side = Literal["left", "right"]
ANSWERS: tuple[Answer, ...] = ("left", "same", "right")
MAX_SECONDS = 86_400.0  # a pair that stood open for more than a day measures no attention


@dataclass(frozen=True)
class Submission:
    """One pair, answered. answers: dimension -> what was clicked. seconds, watched: None where they make no sense."""

    client_uuid: str
    answers: Mapping[str, Answer]
    seconds: float | None = None
    watched: float | None = None


def choice_of(answer: str, side: str) -> str:
    """Return G, S or B for the click `answer` when our method stood on `side`."""
    assert answer in ANSWERS
    assert side in ("left", "right")
    return "S" if answer == "same" else "G" if answer == side else "B"


def parse_submission(
    *, client_uuid: object, answers: object, asked: tuple[str, ...], seconds: object = None, watched: object = None
) -> Submission:
    """Return a submission that answers exactly the questions `asked`.

    Times come from the annotator's own clock: one that is no number, negative, or longer than a day is dropped, and
    the answers are kept. Raises RefusedError for anything else that does not fit.
    """
    if not isinstance(client_uuid, str) or not re.fullmatch(r"[0-9a-f-]{32,36}", client_uuid):
        raise RefusedError("bad_answers", "the submission has no valid UUID of the client; reload the page")
    if not isinstance(answers, Mapping):
        raise RefusedError("bad_answers", "expected one answer per question; reload the page")
    missing = [code for code in asked if code not in answers]
    unknown = [str(code)[:40] for code in answers if code not in asked]
    if missing or unknown:
        raise RefusedError(
            "bad_answers",
            f"expected answers to {', '.join(asked)}; missing {', '.join(missing) or 'none'}, "
            f"unknown {', '.join(unknown) or 'none'}. Answer every question and save again",
        )
    for code in asked:
        if answers[code] not in ANSWERS:
            raise RefusedError(
                "bad_answers", f"the answer to {code} is none of {', '.join(ANSWERS)}; choose one of them"
            )
    return Submission(
        client_uuid, {code: answers[code] for code in asked}, _within(seconds, MAX_SECONDS), _within(watched, 1.0)
    )


def _within(value: object, high: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= high else None
