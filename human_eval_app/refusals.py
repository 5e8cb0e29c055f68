"""What the app says no to, as one class with a reason that pages can look up in their own language."""

from __future__ import annotations

from typing import Literal

from univg_bench.errors import InputError

Reason = Literal[
    "unknown_code", "expired_code", "withdrawn", "study_closed", "unknown_token", "not_yours", "already_answered",
    "bad_answers", "not_offered", "no_session", "bad_request", "too_large", "too_many", "cross_site", "not_found",
    "not_allowed",
]  # fmt: skip

# what the web server answers (RFC 9110, 15.5); whatever is not listed was asked for wrongly
STATUS: dict[Reason, int] = {
    "unknown_code": 401, "expired_code": 401, "no_session": 401, "withdrawn": 403, "study_closed": 403,
    "not_offered": 403, "not_yours": 403, "cross_site": 403, "unknown_token": 404, "not_found": 404,
    "not_allowed": 405, "already_answered": 409, "too_large": 413, "bad_answers": 422, "too_many": 429,
    "bad_request": 400,
}  # fmt: skip
# the same request may succeed later, so a browser keeps what it wanted to say
NOT_FINAL: frozenset[Reason] = frozenset({"no_session", "too_many"})


class RefusedError(InputError):
    """A request of an annotator that is not granted; nothing was changed. `reason` is stable, the sentence is not."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
