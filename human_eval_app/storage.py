"""The one writer of a study: people, submissions, flags. Every public call is one transaction or none.

An acknowledgement (a `Receipt`) means that the submission is on the disk. Sent again with the same client UUID it is
acknowledged again and stored once; with another UUID it is refused, unless it is meant as a revision.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, insert, select, update

from human_eval_app.answers import Submission, choice_of, parse_submission
from human_eval_app.database import Database
from human_eval_app.refusals import RefusedError
from human_eval_app.study import Study
from human_eval_app.study_files import stored_study
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, AUDIT, PAIR, RATING, STUDY, SUBMISSION
from univg_bench.errors import InputError

# no I, L, O, U: what is read aloud or typed from paper must not be mistaken (Crockford's base 32)
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12  # 60 bits
DAY_MS = 86_400_000
# answers only grow, so nobody may make them grow without end; who changes a pair more often is a program
MAX_REVISIONS = 50


@dataclass(frozen=True)
class Annotator:
    id: int
    alias: str


@dataclass(frozen=True)
class Receipt:
    """revision: 0 is the first. duplicate: this very submission had been stored before."""

    assignment_id: int
    revision: int
    duplicate: bool


class Store:
    """A study in a database. `pepper` keys the hashes of codes and stays out of the database and its backups."""

    def __init__(self, database: Database, slug: str, *, pepper: bytes, clock: Callable[[], float] = time.time) -> None:
        """Open the study `slug` (`id@version` of its file). Raises InputError when there is none."""
        assert len(pepper) >= 16, "a pepper that can be guessed protects nothing"
        self.database, self.slug, self._pepper, self._clock = database, slug, pepper, clock
        with database.read() as connection:
            row = connection.execute(select(STUDY).where(STUDY.c.slug == slug)).one_or_none()
        if row is None:
            raise InputError(f"the database holds no study {slug}; create it from its study file first")
        self.study_id: int = row.id
        self.study: Study = stored_study(row.config)
        self._items = {item.id: item for item in self.study.items}

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    # ------------------------------------------------------------------------------------------------------ people

    def issue_codes(self, count: int, *, who: str) -> list[str]:
        """Return `count` new codes, each a new annotator; they are shown this once, the database keeps hashes."""
        codes = ["".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)) for _ in range(count)]
        now = self.now_ms()
        expires = now + self.study.code_days * DAY_MS

        def work(connection: Connection) -> None:
            for code in codes:
                connection.execute(
                    insert(ANNOTATOR).values(
                        study_id=self.study_id, alias=f"p-{secrets.token_hex(5)}", code_hash=self._hash(code),
                        expires_ms=expires, status="active", created_ms=now,
                    )
                )  # fmt: skip
            audit(connection, now, who, "codes", f"{count} for {self.slug}")

        self.database.write(work)
        return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]

    def login(self, code: str) -> Annotator:
        """Return whose code this is; hyphens, spaces and case do not matter. Raises RefusedError."""
        plain = re.sub(r"[\s-]", "", code[:64]).upper()
        if not re.fullmatch(f"[{CODE_LETTERS}]{{{CODE_LENGTH}}}", plain):
            raise RefusedError(
                "unknown_code", "this is no code of ours; it has three groups of four letters and digits"
            )
        with self.database.read() as connection:
            mine = (ANNOTATOR.c.code_hash == self._hash(plain)) & (ANNOTATOR.c.study_id == self.study_id)
            row = connection.execute(select(ANNOTATOR).where(mine)).one_or_none()
        if row is None:
            raise RefusedError("unknown_code", "this code is not known; check it letter by letter")
        if self.now_ms() >= row.expires_ms:
            raise RefusedError("expired_code", "this code has expired; ask the contact of the study for a new one")
        return Annotator(row.id, row.alias)

    def withdraw(self, annotator_id: int, *, who: str) -> None:
        """Leave out all ratings of this annotator from now on; the rows stay, and the code leads nowhere any more."""
        now = self.now_ms()

        def work(connection: Connection) -> None:
            mine = ANNOTATOR.c.id == annotator_id
            connection.execute(update(ANNOTATOR).where(mine).values(status="withdrawn"))
            # a hash of nothing: the code that tied the alias to a person is gone. An id at Prolific is kept for payment
            # until `forget`, so its hash stays too, and the same person does not come in again as somebody new.
            nothing = {"code_hash": f"withdrawn-{secrets.token_hex(16)}"}
            connection.execute(update(ANNOTATOR).where(mine, ANNOTATOR.c.source == "code").values(nothing))
            open_ones = (ASSIGNMENT.c.annotator_id == annotator_id) & (ASSIGNMENT.c.status == "pending")
            connection.execute(update(ASSIGNMENT).where(open_ones).values(status="released", position=None))
            audit(connection, now, who, "withdraw", f"annotator {annotator_id}")

        self.database.write(work)

    def _hash(self, code: str) -> str:
        return hashlib.blake2b(code.encode(), key=self._pepper[:64], digest_size=32).hexdigest()

    # ----------------------------------------------------------------------------------------------------- answers

    def submit(
        self, annotator_id: int, assignment_id: int, *,
        client_uuid: object, answers: object, seconds: object = None, watched: object = None, revise: bool = False,
    ) -> Receipt:  # fmt: skip
        """Store the answers to one pair and return the receipt. Raises RefusedError, or InfrastructureError.

        An expired lease is no reason to refuse: somebody has done the work. seconds, watched: as the browser says.
        """
        now = self.now_ms()

        def work(connection: Connection) -> Receipt:
            # the assignment first: two submissions of one pair wait for each other here
            row = self._assignment(connection, annotator_id, assignment_id)
            asked = tuple(d.code for d in self.study.questions(self._items[row.item]))
            submission = parse_submission(
                client_uuid=client_uuid, answers=answers, asked=asked, seconds=seconds, watched=watched
            )
            same = select(SUBMISSION).where(SUBMISSION.c.client_uuid == submission.client_uuid)
            before = connection.execute(same).one_or_none()
            if before is not None:
                if before.assignment_id != assignment_id:
                    raise RefusedError("bad_answers", "these answers were saved for another pair; reload the page")
                return Receipt(assignment_id, before.revision, True)
            self._check_open(connection, row, revise)
            revision = self._insert(connection, row, submission, now)
            if revision:
                audit(connection, now, row.alias, "revise", f"assignment {assignment_id}, revision {revision}")
            return Receipt(assignment_id, revision, False)

        return self.database.write(work)

    def flag(self, annotator_id: int, assignment_id: int, *, reason: str) -> None:
        """Note that a video of the pair is broken; the pair counts as seen by this annotator and as rated by nobody."""
        now = self.now_ms()

        def work(connection: Connection) -> None:
            row = self._assignment(connection, annotator_id, assignment_id)
            if row.status == "flagged":
                return
            if row.status != "pending":
                raise RefusedError("already_answered", "this pair is not open any more; go on with the next one")
            self._check_study(connection)
            connection.execute(update(ASSIGNMENT).where(ASSIGNMENT.c.id == assignment_id).values(status="flagged"))
            audit(connection, now, row.alias, "flag", json.dumps({"assignment": assignment_id, "reason": reason[:500]}))

        self.database.write(work)

    def find_token(self, token: str) -> tuple[int, str]:
        """Return (pair id, method) of the video of a token, which is never a path. Raises RefusedError."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{16}", token):
            raise RefusedError("unknown_token", "there is no such video")
        with self.database.read() as connection:
            here = (ASSIGNMENT.c.token_left == token) | (ASSIGNMENT.c.token_right == token)
            row = connection.execute(
                select(ASSIGNMENT.c.token_left, ASSIGNMENT.c.side, PAIR.c.id, PAIR.c.method, PAIR.c.other)
                .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
                .where(here, PAIR.c.study_id == self.study_id)
            ).one_or_none()
        if row is None:
            raise RefusedError("unknown_token", "there is no such video")
        ours = (row.side == "left") == (row.token_left == token)
        return row.id, row.method if ours else row.other

    def close(self, *, who: str) -> None:
        """Take no more answers; results may be looked at from now on."""
        now = self.now_ms()

        def work(connection: Connection) -> None:
            connection.execute(update(STUDY).where(STUDY.c.id == self.study_id).values(status="closed"))
            audit(connection, now, who, "close", self.slug)

        self.database.write(work)

    def closed(self) -> bool:
        with self.database.read() as connection:
            return self._status(connection) == "closed"

    def _status(self, connection: Connection) -> str:
        return str(connection.execute(select(STUDY.c.status).where(STUDY.c.id == self.study_id)).scalar_one())

    def _assignment(self, connection: Connection, annotator_id: int, assignment_id: int) -> Row[tuple[object, ...]]:
        row = connection.execute(
            select(ASSIGNMENT, PAIR.c.item, ANNOTATOR.c.alias, ANNOTATOR.c.status.label("annotator_status"))
            .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
            .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
            .where(ASSIGNMENT.c.id == assignment_id, ASSIGNMENT.c.annotator_id == annotator_id)
            .where(ANNOTATOR.c.study_id == self.study_id)
            .with_for_update(of=ASSIGNMENT)
        ).one_or_none()
        if row is None:
            raise RefusedError("not_yours", "this pair was not given to you; reload the page")
        return row

    def _check_open(self, connection: Connection, row: Row[tuple[object, ...]], revise: bool) -> None:
        if row.annotator_status == "withdrawn":
            raise RefusedError("withdrawn", "this participation was withdrawn; nothing was saved")
        self._check_study(connection)
        if row.status == "done" and not revise:
            raise RefusedError("already_answered", "this pair was answered already; the first answers are kept")
        # after feedback an answer to practice says nothing
        if row.status == "done" and row.kind == "practice":
            raise RefusedError("already_answered", "practice answers cannot be changed; go on with the next pair")

    def _check_study(self, connection: Connection) -> None:
        if self._status(connection) == "closed":
            raise RefusedError("study_closed", "this study is closed; thank you, no more answers are taken")

    def _insert(self, connection: Connection, row: Row[tuple[object, ...]], submission: Submission, now_ms: int) -> int:
        last = select(func.max(SUBMISSION.c.revision)).where(SUBMISSION.c.assignment_id == row.id)
        previous = connection.execute(last).scalar_one()
        revision = 0 if previous is None else int(previous) + 1
        if revision > MAX_REVISIONS:
            raise RefusedError("already_answered", "this pair was changed too often; the last answers are kept")
        connection.execute(
            insert(SUBMISSION).values(
                assignment_id=row.id, revision=revision, client_uuid=submission.client_uuid,
                num_ratings=len(submission.answers), seconds=submission.seconds, watched=submission.watched,
                created_ms=now_ms,
            )
        )  # fmt: skip
        rows = [
            {"assignment_id": row.id, "revision": revision, "dimension": code, "answer": answer,
             "choice": choice_of(answer, str(row.side))}
            for code, answer in submission.answers.items()
        ]  # fmt: skip
        connection.execute(insert(RATING), rows)
        position = row.position
        if position is None:  # it was released and is answered late: it takes its place at the end
            taken = select(func.max(ASSIGNMENT.c.position)).where(ASSIGNMENT.c.annotator_id == row.annotator_id)
            position = 1 + (connection.execute(taken).scalar_one() or 0)
        connection.execute(update(ASSIGNMENT).where(ASSIGNMENT.c.id == row.id).values(status="done", position=position))
        return revision


def pepper_check(pepper: bytes) -> str:
    """Return what a database keeps to know its pepper again; the pepper cannot be computed from it."""
    return hashlib.blake2b(b"is this the pepper", key=pepper[:64], digest_size=32).hexdigest()


def audit(connection: Connection, at_ms: int, who: str, what: str, detail: str) -> None:
    """Add a line to the log, in the caller's transaction: the deed and its line stand or fall together."""
    connection.execute(insert(AUDIT).values(at_ms=at_ms, who=who, what=what, detail=detail))
