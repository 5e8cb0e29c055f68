"""A locked or full database and wrong clocks: a browser is told to come again, and nothing is lost."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from human_eval_app import sessions
from human_eval_app.export import check
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.tables import ASSIGNMENT, SUBMISSION
from tests.app.app_requests import count, open_pair, rating, refused
from tests.app.app_served import Web, served_study
from tests.app.app_study import Clock


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study"))


def test_a_locked_database_is_busy_and_loses_nothing(tmp_path: Path) -> None:
    web = Web(served_study(tmp_path / "study"), busy_seconds=0.02)
    client, _, pair = open_pair(web)
    body = rating(pair)
    other = sqlite3.connect(web.folder.database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        for path, sent in (
            ("/api/ratings", body),
            ("/api/flag", {"assignment": pair.id, "client_uuid": "x", "reason": "y"}),
            ("/api/events", {"assignment": pair.id, "events": [{"t": 1, "kind": "play"}]}),
        ):
            reply = client.post(path, json=sent)
            assert refused(reply) == (503, "busy", False)
            assert int(reply.headers["retry-after"]) > 0
        # who only looks is not in anybody's way
        assert client.get(f"/video/{pair.token_left}.mp4").status_code == 200
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert client.post("/api/ratings", json=body).json() == {"revision": 0, "duplicate": False}
    assert count(web, SUBMISSION) == 1


def test_a_full_disk_is_busy_and_loses_nothing(web: Web) -> None:
    client, _, pair = open_pair(web)
    body = rating(pair)
    limit = {"limit": True}

    @sa.event.listens_for(web.store.database.engine, "before_cursor_execute")
    def full(*_: Any) -> None:
        if limit["limit"] and _[2].startswith("INSERT INTO rating"):
            raise sqlite3.OperationalError("database or disk is full")

    assert refused(client.post("/api/ratings", json=body)) == (503, "busy", False)
    assert count(web, SUBMISSION) == 0, "half a submission is none"
    limit["limit"] = False
    assert client.post("/api/ratings", json=body).status_code == 200
    assert check(web.store) == []


def test_too_many_who_wait_are_told_to_come_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("human_eval_app.routes.context.MAX_WAITING", 0)
    client, _, pair = open_pair(web)
    assert refused(client.post("/api/ratings", json=rating(pair))) == (503, "busy", False)


@pytest.mark.parametrize("jump", [-365 * 86_400, -3600, 3600, 365 * 86_400])
def test_a_jump_of_the_clock_loses_nothing(tmp_path: Path, jump: int) -> None:
    clock = Clock()
    web = Web(served_study(tmp_path / "study"), clock=clock)
    (code,) = web.store.issue_codes(1, who="test")
    client, who = web.client(code), web.store.login(code)
    pair = next_pair(web.store, who.id)
    assert isinstance(pair, Handed)
    body = rating(pair)
    clock.seconds += jump
    reply = client.post("/api/ratings", json=body)
    if jump > sessions.LIFETIME_SECONDS:
        # the session seems over; the answers wait until the same person, or the clock, is back
        assert refused(reply) == (401, "no_session", False)
        clock.seconds -= jump
        reply = client.post("/api/ratings", json=body)
    assert reply.json() == {"revision": 0, "duplicate": False}
    assert count(web, SUBMISSION) == 1


@pytest.mark.parametrize("seconds", [-5, 1e300, "NaN", None, 86_401])
def test_the_clock_of_a_browser_may_say_what_it_likes(web: Web, seconds: object) -> None:
    client, _, pair = open_pair(web)
    assert client.post("/api/ratings", json=rating(pair, seconds=seconds, watched=seconds)).status_code == 200
    with web.store.database.read() as connection:
        row = connection.execute(sa.select(SUBMISSION)).one()
        assert connection.execute(sa.select(ASSIGNMENT.c.status)).scalar_one() == "done"
    assert (row.seconds, row.watched) == (None, None)
