"""Where an annotator stands on the way through a study, from the database: a reload or another day changes nothing.

`state` decides, the other functions note one step each. The pages (pages/app.py) show what `state` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.refusals import RefusedError
from human_eval_app.storage import Store
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT

Name = Literal[
    "login", "welcome", "consent", "device", "instructions", "practice_feedback", "rating", "break", "later", "done",
    "refused",
]  # fmt: skip
MAX_COMMENT = 2000  # characters, as the column holds
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Person:
    """Somebody who takes part. device: measured last. rated: pairs answered or flagged, not practice."""

    id: int
    alias: str
    source: str
    language: str | None
    consented: bool
    device: Mapping[str, Any] | None
    instructed: bool
    finished: bool
    comment: str | None
    status: str
    session_started_ms: int | None
    breaks: int
    rated: int


@dataclass(frozen=True)
class State:
    """What to show. handed: of rating and break. assignment: the practice pair of the feedback. reason: of refused."""

    name: Name
    handed: Handed | None = None
    assignment: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class _Shown:
    """An assignment that was not released."""

    id: int
    kind: str
    status: str
    opened_ms: int


def find_person(store: Store, annotator_id: int) -> Person | None:
    """Return what is known of an annotator of this study, or None."""
    with store.database.read() as connection:
        found = _read(connection, store, annotator_id)
    return None if found is None else found[0]


def state(store: Store, annotator_id: int | None, *, feedback_seen: int | None = None) -> State:
    """Return what the annotator sees now. Hands out the next pair where it is time for one; otherwise reads only.

    feedback_seen: the practice pair whose feedback was left by its button; None after a reload, which shows it again.
    """
    if annotator_id is None:
        return State("login")
    with store.database.read() as connection:
        found = _read(connection, store, annotator_id)
    if found is None:
        return State("refused", reason="unknown_code")
    person, rows = found
    early = _before_rating(store, person)
    if early is not None:
        return early
    last = rows[-1] if rows else None
    if last is not None and (last.kind, last.status) == ("practice", "done") and last.id != feedback_seen:
        return State("practice_feedback", assignment=last.id)
    if person.status == "screened_out":
        return State("refused", reason="practice_failed")
    return _with_next_pair(store, person, rows)


def _before_rating(store: Store, person: Person) -> State | None:
    """Return the page that comes before any pair, or after all of them."""
    if person.status == "withdrawn":
        return State("refused", reason="withdrawn")
    if person.finished:
        return State("done")
    if store.closed():
        return State("refused", reason="study_closed")
    steps: tuple[tuple[bool, Name], ...] = (
        (person.language is not None, "welcome"),
        (person.consented, "consent"),
        (person.device is not None and person.device["ok"], "device"),
        (person.instructed, "instructions"),
    )
    return next((State(name) for passed, name in steps if not passed), None)


def _with_next_pair(store: Store, person: Person, rows: Sequence[_Shown]) -> State:
    now = store.now_ms()  # before the pair is opened: it belongs to a session that begins with it
    try:
        handed = next_pair(store, person.id)
    except RefusedError as error:
        return State("refused", reason=error.reason)
    if handed == "practice_failed":
        return State("refused", reason="practice_failed")
    if handed == "all_leased":
        return State("later")
    if not isinstance(handed, Handed):
        # who rated nothing may still be needed, when somebody withdraws
        if person.rated:
            finish(store, person.id)
        return State("done")
    if handed.kind == "practice":
        return State("rating", handed)
    if person.session_started_ms is None or _was_away(store, rows, now):
        _note(store, person.id, session_started_ms=now)
    elif _break_is_due(store, person.session_started_ms, rows, now):
        return State("break", handed)
    return State("rating", handed)


def _was_away(store: Store, rows: Sequence[_Shown], now: int) -> bool:
    """Whether the last pair was opened longer ago than a lease: who comes back from that has had a break."""
    last = max((row.opened_ms for row in rows), default=now)
    return bool(now - last > store.study.lease_minutes * MINUTE_MS)


def _break_is_due(store: Store, started: int, rows: Sequence[_Shown], now: int) -> bool:
    session = store.study.session
    done = sum(row.kind != "practice" and row.status != "pending" and row.opened_ms >= started for row in rows)
    return done >= session.pairs or (done > 0 and now - started >= session.minutes * MINUTE_MS)


# -------------------------------------------------------------------------------------------------------------- steps


def choose_language(store: Store, annotator_id: int, language: str) -> None:
    """Note the language; the first time this leaves the welcome page."""
    assert language in store.study.languages
    _note(store, annotator_id, language=language)


def give_consent(store: Store, annotator_id: int, *, digest: str) -> None:
    """Note that the text with this SHA-256 was agreed to."""
    _note(store, annotator_id, consent_ms=store.now_ms(), consent_digest=digest)


def keep_device(store: Store, annotator_id: int, facts: Mapping[str, object], *, ok: bool) -> None:
    """Note what the device check measured, and whether it is enough; a later check replaces it."""
    text = json.dumps({**facts, "ok": ok}, sort_keys=True)
    assert len(text) <= MAX_COMMENT, "the page sends five short facts"
    _note(store, annotator_id, device=text)


def finish_instructions(store: Store, annotator_id: int) -> None:
    _note(store, annotator_id, instructed_ms=store.now_ms())


def resume(store: Store, annotator_id: int) -> None:
    """Note that a break was taken and a new session begins."""

    def work(connection: Connection) -> None:
        connection.execute(
            update(ANNOTATOR)
            .where(ANNOTATOR.c.id == annotator_id)
            .values(session_started_ms=store.now_ms(), breaks=ANNOTATOR.c.breaks + 1)
        )

    store.database.write(work)


def finish(store: Store, annotator_id: int) -> None:
    _note(store, annotator_id, finished_ms=store.now_ms())


def keep_comment(store: Store, annotator_id: int, comment: str) -> None:
    """Note the free comment, its first 2,000 characters; an empty one takes it back."""
    # PostgreSQL stores no NUL
    _note(store, annotator_id, comment=comment.replace("\0", "").strip()[:MAX_COMMENT] or None)


def _note(store: Store, annotator_id: int, **values: object) -> None:
    mine = (ANNOTATOR.c.id == annotator_id) & (ANNOTATOR.c.study_id == store.study_id)
    store.database.write(lambda connection: connection.execute(update(ANNOTATOR).where(mine).values(**values)))


def _read(connection: Connection, store: Store, annotator_id: int) -> tuple[Person, Sequence[_Shown]] | None:
    """Return the person and their assignments that count or are open, in their order."""
    mine = (ANNOTATOR.c.id == annotator_id) & (ANNOTATOR.c.study_id == store.study_id)
    row = connection.execute(select(ANNOTATOR).where(mine)).one_or_none()
    if row is None:
        return None
    found = connection.execute(
        select(ASSIGNMENT.c.id, ASSIGNMENT.c.kind, ASSIGNMENT.c.status, ASSIGNMENT.c.opened_ms)
        .where(ASSIGNMENT.c.annotator_id == annotator_id, ASSIGNMENT.c.status != "released")
        .order_by(ASSIGNMENT.c.position)
    )
    rows = [_Shown(one.id, one.kind, one.status, one.opened_ms) for one in found]
    rated = sum(one.kind != "practice" and one.status != "pending" for one in rows)
    person = Person(
        id=row.id, alias=row.alias, source=row.source, language=row.language, consented=row.consent_ms is not None,
        device=None if row.device is None else json.loads(row.device),
        instructed=row.instructed_ms is not None, finished=row.finished_ms is not None, comment=row.comment,
        status=row.status, session_started_ms=row.session_started_ms, breaks=row.breaks, rated=rated,
    )  # fmt: skip
    return person, rows
