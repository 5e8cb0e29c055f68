"""What the app says no to, as one class with a reason that pages can look up in their own language."""

from __future__ import annotations

from typing import Literal

from univg_bench.errors import InputError

Reason = Literal[
    "unknown_code", "expired_code", "withdrawn", "study_closed", "unknown_token", "not_yours", "already_answered",
    "bad_answers",
]  # fmt: skip


class RefusedError(InputError):
    """A request of an annotator that is not granted; nothing was changed. `reason` is stable, the sentence is not."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
