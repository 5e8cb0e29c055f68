"""Answers, flags and events are stored once or refused in a sentence."""

import json
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from human_eval_app import sessions
from human_eval_app.export import check
from human_eval_app.handing_out import next_pair
from human_eval_app.tables import AUDIT, EVENT, RATING, SUBMISSION
from tests.app.app_requests import ANSWERS, count, open_pair, rating, refused
from tests.app.app_served import Web, served_study


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study"))


def test_answers_are_saved_once_however_often_they_are_sent(web: Web) -> None:
    client, _, pair = open_pair(web)
    body = rating(pair)
    replies = [client.post("/api/ratings", json=body) for _ in range(3)]
    assert [r.status_code for r in replies] == [200] * 3
    assert [r.json() for r in replies] == [
        {"revision": 0, "duplicate": False}, {"revision": 0, "duplicate": True}, {"revision": 0, "duplicate": True}
    ]  # fmt: skip
    assert (count(web, SUBMISSION), count(web, RATING)) == (1, 3)
    assert check(web.store) == []


def test_a_second_tab_shows_the_same_pair_and_its_other_answers_are_refused(web: Web) -> None:
    client, who, pair = open_pair(web)
    assert next_pair(web.store, who.id) == pair
    assert client.post("/api/ratings", json=rating(pair)).status_code == 200
    other_tab = rating(pair, answers=dict.fromkeys(ANSWERS, "right"))
    assert refused(client.post("/api/ratings", json=other_tab)) == (409, "already_answered", True)
    assert next_pair(web.store, who.id) != pair, "and it goes on"
    with web.store.database.read() as connection:
        clicked = connection.execute(sa.select(RATING.c.dimension, RATING.c.answer)).all()
    assert {row.dimension: row.answer for row in clicked} == ANSWERS


def test_a_revision_is_kept_beside_the_first(web: Web) -> None:
    client, _, pair = open_pair(web)
    client.post("/api/ratings", json=rating(pair))
    again = client.post("/api/ratings", json=rating(pair, revise=True, answers=dict.fromkeys(ANSWERS, "same")))
    assert again.json() == {"revision": 1, "duplicate": False}
    assert count(web, RATING) == 6


def test_nobody_answers_for_somebody_else(web: Web) -> None:
    _, _, pair = open_pair(web)
    other, _ = web.annotator()
    assert refused(other.post("/api/ratings", json=rating(pair))) == (403, "not_yours", True)
    assert (
        refused(other.post("/api/flag", json={"assignment": pair.id, "client_uuid": "x", "reason": "broken"}))[0] == 403
    )
    sent = {"assignment": pair.id, "events": [{"t": 1, "kind": "play", "value": None}]}
    assert refused(other.post("/api/events", json=sent)) == (403, "not_yours", True)
    assert count(web, SUBMISSION) == count(web, EVENT) == 0


@pytest.mark.parametrize("path", ["/api/ratings", "/api/flag", "/api/events"])
@pytest.mark.parametrize(
    "cookie", [None, "", "nonsense", "1.1.99999999999.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
)
def test_without_a_session_answers_wait_in_the_browser(web: Web, path: str, cookie: str | None) -> None:
    _, _, pair = open_pair(web)
    headers = {} if cookie is None else {"Cookie": f"{sessions.cookie_name(web.folder.slug)}={cookie}"}
    assert refused(web.client().post(path, json=rating(pair), headers=headers)) == (401, "no_session", False)


def test_closing_and_withdrawing_end_it_with_a_reason(web: Web) -> None:
    client, who, pair = open_pair(web)
    web.store.withdraw(who.id, who="test")
    assert refused(client.post("/api/ratings", json=rating(pair))) == (403, "withdrawn", True)
    client, _, pair = open_pair(web)
    web.store.close(who="test")
    assert refused(client.post("/api/ratings", json=rating(pair))) == (403, "study_closed", True)


def test_a_flag_is_kept_once(web: Web) -> None:
    client, who, pair = open_pair(web)
    body = {"assignment": pair.id, "client_uuid": str(uuid.uuid4()), "reason": "the left one is black <b>\0</b>"}
    assert [client.post("/api/flag", json=body).status_code for _ in range(3)] == [200] * 3
    with web.store.database.read() as connection:
        details = connection.execute(sa.select(AUDIT.c.detail).where(AUDIT.c.what == "flag")).scalars().all()
    assert [json.loads(d)["reason"] for d in details] == ["the left one is black <b></b>"]
    assert next_pair(web.store, who.id) != pair


def test_events_are_kept_and_those_without_sense_are_dropped(web: Web) -> None:
    client, who, pair = open_pair(web)
    good = [{"t": 0, "kind": "shown", "value": None}, {"t": 12.7, "kind": "seek", "value": 0.5},
            {"t": 90, "kind": "answer", "value": "PS\0=left"}]  # fmt: skip
    bad = [
        {"t": -1, "kind": "play"},
        {"t": 1e12, "kind": "play"},
        {"t": "1", "kind": "play"},
        {"t": True, "kind": "play"},
        {"t": 1, "kind": "hack"},
        {"t": 1, "kind": ["play"]},
        {"t": 1},
        5,
        None,
        [],
        {"t": 1, "kind": "play", "value": {}},
    ]
    reply = client.post("/api/events", json={"assignment": pair.id, "events": good + bad})
    assert (reply.status_code, reply.content) == (204, b"")
    with web.store.database.read() as connection:
        rows = connection.execute(sa.select(EVENT).order_by(EVENT.c.id)).all()
    assert [(r.t_ms, r.kind, r.value) for r in rows] == [
        (0, "shown", None),
        (12, "seek", "0.5"),
        (90, "answer", "PS=left"),
    ]
    assert {r.annotator_id for r in rows} == {who.id}


def test_a_flood_of_events_ends_at_the_cap(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("human_eval_app.events.MAX_PER_ASSIGNMENT", 100)
    client, _, pair = open_pair(web)
    for _ in range(4):
        events = [{"t": k, "kind": "seek", "value": k} for k in range(60)]
        assert client.post("/api/events", json={"assignment": pair.id, "events": events}).status_code == 204
    assert count(web, EVENT) == 100


def test_events_that_are_no_list_are_refused(web: Web) -> None:
    client, _, pair = open_pair(web)
    assert refused(client.post("/api/events", json={"assignment": pair.id, "events": "play"}))[:2] == (
        400,
        "bad_request",
    )
