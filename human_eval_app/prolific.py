"""People who come from Prolific: each becomes an annotator once, under an alias like everybody else.

Their id at Prolific is needed to pay them and for nothing else. It stands encrypted in one column; it is found again
by a keyed hash, which cannot be turned back without the pepper. Whoever knows an id can come in as that person:
Prolific hands the id over in the address of the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets

from cryptography.fernet import Fernet
from sqlalchemy import Connection, insert, select

from human_eval_app.refusals import RefusedError
from human_eval_app.storage import DAY_MS, Annotator, Store, audit
from human_eval_app.tables import ANNOTATOR

# 24 hexadecimal digits today; what is certain is that they are short and plain
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def login_prolific(
    store: Store, pepper: bytes, *, pid: object, study: object, session: object
) -> tuple[Annotator, bool]:
    """Return the annotator of a Prolific id, and whether they are new. Raises RefusedError.

    study, session: Prolific's own ids, stored beside the first, encrypted too.
    """
    if store.study.prolific is None:
        raise RefusedError("not_offered", "this study takes nobody from Prolific; use the code that you were given")
    ids = {"pid": pid, "study": study, "session": session}
    if not all(isinstance(value, str) and _ID.fullmatch(value) for value in ids.values()):
        raise RefusedError("unknown_code", "the link from Prolific is not whole; open the study from Prolific again")
    code_hash = hashlib.blake2b(f"prolific|{pid}".encode(), key=pepper[:64], digest_size=32).hexdigest()
    hidden = _cipher(pepper).encrypt(json.dumps(ids).encode()).decode()
    now, closed = store.now_ms(), store.closed()

    def work(connection: Connection) -> tuple[Annotator, bool]:
        mine = (ANNOTATOR.c.code_hash == code_hash) & (ANNOTATOR.c.study_id == store.study_id)
        row = connection.execute(select(ANNOTATOR).where(mine)).one_or_none()
        if row is None:
            if closed:  # who is in already may come back for their completion code
                raise RefusedError("study_closed", "this study is closed; thank you, nobody can begin any more")
            alias = f"p-{secrets.token_hex(5)}"
            key = connection.execute(
                insert(ANNOTATOR).values(
                    study_id=store.study_id, alias=alias, code_hash=code_hash, status="active", created_ms=now,
                    expires_ms=now + store.study.code_days * DAY_MS, source="prolific", external_id_enc=hidden,
                )
            ).inserted_primary_key  # fmt: skip
            assert key is not None
            audit(connection, now, alias, "prolific", store.slug)
            return Annotator(key[0], alias), True
        if row.status == "withdrawn":
            raise RefusedError("withdrawn", "this participation was withdrawn; write to the contact of the study")
        if now >= row.expires_ms:
            raise RefusedError("expired_code", "the time for this study is over; return it on Prolific")
        return Annotator(row.id, row.alias), False

    return store.database.write(work)


def reveal(pepper: bytes, external_id_enc: str) -> dict[str, str]:
    """Return the ids at Prolific (`pid`, `study`, `session`) of an annotator, for payment."""
    ids: dict[str, str] = json.loads(_cipher(pepper).decrypt(external_id_enc.encode()))
    return ids


def _cipher(pepper: bytes) -> Fernet:
    # a key of its own: what hashes codes must not also encrypt
    return Fernet(base64.urlsafe_b64encode(hashlib.blake2b(b"external ids", key=pepper[:64], digest_size=32).digest()))
