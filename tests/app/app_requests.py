"""What the tests of the addresses send, and how they read a refusal."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa
from starlette.testclient import TestClient

from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Annotator
from tests.app.app_served import Web

ANSWERS = {"PS": "left", "AM": "same", "OL": "right"}
PROLIFIC = "prolific: {completion_code: C1234567}\n"
PID = {"pid": "5f1e2d3c4b5a69788796a5b4", "study": "60aa11bb22cc33dd44ee55ff", "session": "60aa11bb22cc33dd44ee5500"}


def open_pair(web: Web) -> tuple[TestClient, Annotator, Handed]:
    client, who = web.annotator()
    pair = next_pair(web.store, who.id)
    assert isinstance(pair, Handed)
    return client, who, pair


def rating(pair: Handed, **more: Any) -> dict[str, Any]:
    return {"assignment": pair.id, "client_uuid": str(uuid.uuid4()), "answers": ANSWERS, "seconds": 12.5,
            "watched": 1.0, "revise": False} | more  # fmt: skip


def count(web: Web, table: sa.Table) -> int:
    with web.store.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def refused(reply: Any) -> tuple[int, str, bool]:
    """Return status, reason and finality, having checked the form of the refusal."""
    body = reply.json()
    assert set(body) == {"reason", "message", "final"}
    assert len(body["message"]) > 10
    assert "Traceback" not in reply.text
    return reply.status_code, body["reason"], body["final"]
