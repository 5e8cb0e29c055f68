"""What browsers send is stored once or refused in a sentence; nothing that they can send ends in an exception."""

import json
import sqlite3
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from human_eval_app import sessions
from human_eval_app.export import check
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.prolific import login_prolific, reveal
from human_eval_app.storage import DAY_MS, Annotator
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, AUDIT, EVENT, RATING, SUBMISSION
from tests.app.app_served import Web, served_study
from tests.app.app_study import Clock

ANSWERS = {"PS": "left", "AM": "same", "OL": "right"}
PROLIFIC = "prolific: {completion_code: C1234567}\n"
PID = {"pid": "5f1e2d3c4b5a69788796a5b4", "study": "60aa11bb22cc33dd44ee55ff", "session": "60aa11bb22cc33dd44ee5500"}


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study"))


@pytest.fixture
def prolific(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study", more=PROLIFIC), clock=Clock())


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


# ---------------------------------------------------------------------------------------------------------- sessions


def test_a_code_becomes_a_cookie_that_scripts_and_other_sites_never_see(web: Web) -> None:
    (code,) = web.store.issue_codes(1, who="test")
    reply = web.client().post("/api/session", json={"code": f" {code.lower()} "})
    assert (reply.status_code, reply.content) == (204, b"")
    cookie = reply.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "expires=" not in cookie.lower(), "the browser's clock may be wrong"
    assert code.replace("-", "") not in cookie
    secure = web.client(base_url="https://testserver").post("/api/session", json={"code": code})
    assert "Secure" in secure.headers["set-cookie"].split("; ")


def test_logging_out_takes_the_cookie_back(web: Web) -> None:
    client, _, pair = open_pair(web)
    assert client.delete("/api/session").status_code == 204
    assert refused(client.post("/api/ratings", json=rating(pair))) == (401, "no_session", False)


@pytest.mark.parametrize("code", ["", "AAAA-BBBB-CCCC", "x" * 5000, "' OR 1=1 --", "ÄÖÜ"])
def test_a_wrong_code_lets_nobody_in(web: Web, code: str) -> None:
    reply = web.client().post("/api/session", json={"code": code})
    assert refused(reply) == (401, "unknown_code", True)
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("body", [{}, {"code": None}, {"code": 5}, {"code": ["A"]}, {"prolific": "x"}])
def test_a_login_of_another_form_is_refused(web: Web, body: dict[str, Any]) -> None:
    assert refused(web.client().post("/api/session", json=body))[:2] == (400, "bad_request")


def test_an_expired_code_lets_nobody_in_and_who_is_in_may_finish(tmp_path: Path) -> None:
    clock = Clock()
    web = Web(served_study(tmp_path / "study", more="code_days: 1\n"), clock=clock)
    (code,) = web.store.issue_codes(1, who="test")
    clock.seconds += 86_399
    client = web.client(code)
    clock.seconds += 3600
    assert refused(web.client().post("/api/session", json={"code": code})) == (401, "expired_code", True)
    pair = next_pair(web.store, 1)
    assert isinstance(pair, Handed)
    assert client.post("/api/ratings", json=rating(pair)).status_code == 200


def test_many_wrong_codes_from_one_place_must_wait_and_right_ones_never_count(web: Web) -> None:
    codes = web.store.issue_codes(20, who="test")
    client = web.client()
    for code in codes:  # a class behind one address
        assert client.post("/api/session", json={"code": code}).status_code == 204
    for _ in range(10):
        assert client.post("/api/session", json={"code": "0000-0000-0000"}).status_code == 401
    reply = client.post("/api/session", json={"code": codes[0]})
    assert refused(reply) == (429, "too_many", False)
    assert int(reply.headers["retry-after"]) > 0
    other = web.client(client=("203.0.113.9", 50000))
    assert other.post("/api/session", json={"code": codes[0]}).status_code == 204


# ---------------------------------------------------------------------------------------------------------- Prolific


def test_a_person_from_prolific_is_made_once(prolific: Web) -> None:
    first, second = prolific.client(), prolific.client()
    for client, session in ((first, "a" * 24), (second, "b" * 24)):
        ids = PID | {"session": session}
        assert client.post("/api/session", json={"prolific": ids}).status_code == 204
    assert count(prolific, ANNOTATOR) == 1
    pepper = prolific.folder.pepper
    read = {
        sessions.read(pepper, c.cookies.get(sessions.COOKIE), prolific.store.now_ms() / 1000) for c in (first, second)
    }
    assert len(read) == 1
    third = prolific.client()
    assert third.post("/api/session", json={"prolific": PID | {"pid": "f" * 24}}).status_code == 204
    assert count(prolific, ANNOTATOR) == 2


def test_the_id_of_prolific_is_on_the_disk_in_no_readable_form(prolific: Web) -> None:
    prolific.client().post("/api/session", json={"prolific": PID})
    with prolific.store.database.read() as connection:
        row = connection.execute(sa.select(ANNOTATOR)).one()
    assert row.source == "prolific"
    assert reveal(prolific.folder.pepper, row.external_id_enc) == PID
    for path in prolific.folder.path.rglob("*"):
        if path.is_file():
            assert PID["pid"].encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "ids", [{}, PID | {"pid": None}, PID | {"pid": ""}, PID | {"pid": "a b c d e f g h"}, PID | {"pid": "x" * 65},
            PID | {"study": ["5"]}, {"pid": PID["pid"]}]
)  # fmt: skip
def test_a_link_from_prolific_that_is_not_whole_is_refused(prolific: Web, ids: dict[str, Any]) -> None:
    assert refused(prolific.client().post("/api/session", json={"prolific": ids})) == (401, "unknown_code", True)
    assert count(prolific, ANNOTATOR) == 0


def test_a_study_without_prolific_takes_nobody_from_there(web: Web) -> None:
    assert refused(web.client().post("/api/session", json={"prolific": PID})) == (403, "not_offered", True)


def test_a_closed_study_takes_nobody_new(prolific: Web) -> None:
    prolific.store.close(who="test")
    assert refused(prolific.client().post("/api/session", json={"prolific": PID})) == (403, "study_closed", True)
    assert count(prolific, ANNOTATOR) == 0


def test_a_person_from_prolific_comes_back_until_their_time_is_over(prolific: Web) -> None:
    clock = prolific.store._clock
    assert isinstance(clock, Clock)
    assert prolific.client().post("/api/session", json={"prolific": PID}).status_code == 204
    clock.seconds += prolific.store.study.code_days * DAY_MS / 1000
    assert refused(prolific.client().post("/api/session", json={"prolific": PID})) == (401, "expired_code", True)


def test_one_address_cannot_make_people_without_end(prolific: Web) -> None:
    client = prolific.client()
    replies = [client.post("/api/session", json={"prolific": PID | {"pid": f"{k:024d}"}}) for k in range(61)]
    assert [r.status_code for r in replies] == [204] * 60 + [429]
    assert count(prolific, ANNOTATOR) == 60


def test_two_clicks_at_once_make_one_person(prolific: Web) -> None:
    made: list[bool] = []

    def click() -> None:
        made.append(login_prolific(prolific.store, prolific.folder.pepper, **PID)[1])

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 5 + [True]
    assert count(prolific, ANNOTATOR) == 1


# ----------------------------------------------------------------------------------------------------------- ratings


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
    headers = {} if cookie is None else {"Cookie": f"{sessions.COOKIE}={cookie}"}
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


# ------------------------------------------------------------------------------------------------------------ events


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


# ----------------------------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://testserver:81"},
     {"Origin": "http://testserver.evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
     {"Host": "evil.example"}, {"Host": "testserver@evil.example"}, {"Host": ""}],
)  # fmt: skip
def test_other_sites_cannot_post_though_the_cookie_is_there(web: Web, headers: dict[str, str]) -> None:
    client, _, pair = open_pair(web)
    for path in ("/api/ratings", "/api/flag", "/api/events", "/api/session"):
        assert refused(client.post(path, json=rating(pair), headers=headers)) == (403, "cross_site", True)
    assert count(web, SUBMISSION) == 0


@pytest.mark.parametrize("headers", [{"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}, {}])
def test_our_own_page_can_post(web: Web, headers: dict[str, str]) -> None:
    client, _, pair = open_pair(web)
    assert client.post("/api/ratings", json=rating(pair), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"]
)
def test_what_a_form_of_another_site_can_send_is_not_read(web: Web, kind: str) -> None:
    client, _, pair = open_pair(web)
    reply = client.post("/api/ratings", content=json.dumps(rating(pair)), headers={"Content-Type": kind})
    assert refused(reply) == (400, "bad_request", True)


def test_oversized_posts_are_refused_with_and_without_a_length(web: Web) -> None:
    client, _, pair = open_pair(web)
    big = json.dumps(rating(pair) | {"x": "y" * 70_000}).encode()
    headers = {"Content-Type": "application/json"}
    assert refused(client.post("/api/ratings", content=big, headers=headers)) == (413, "too_large", True)
    parts = (big[k : k + 1000] for k in range(0, len(big), 1000))
    assert refused(client.post("/api/ratings", content=parts, headers=headers)) == (413, "too_large", True)
    assert count(web, SUBMISSION) == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe{}", b"[" * 60_000, b'{"assignment": NaN}', b'{"a": "\\ud800"}',
     b'{"assignment": 1e999}', b'{"assignment": true}', b'{"assignment": -1}',
     b'{"assignment": 99999999999999999999999}',
     b'{"assignment": "1"}', b'{"assignment": [1]}', b'{"assignment": 1.0}', b'{"assignment": 1, "revise": "yes"}',
     b"1" * 5000, b'{"assignment": ' + b"9" * 5000 + b"}"],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_a_body_that_is_none_is_a_sentence(web: Web, body: bytes) -> None:
    client, _, _ = open_pair(web)
    for path in ("/api/ratings", "/api/flag", "/api/events"):
        reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert refused(reply) == (400, "bad_request", True) or b"revise" in body


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


EVENTS = st.dictionaries(st.sampled_from(["t", "kind", "value"]), JUNK)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.fixed_dictionaries(
        {},
        optional={
            "client_uuid": JUNK, "answers": JUNK | st.dictionaries(st.sampled_from(list(ANSWERS)), JUNK),
            "seconds": JUNK, "watched": JUNK, "reason": JUNK, "events": JUNK | st.lists(EVENTS),
        },
    ),
    path=st.sampled_from(["/api/ratings", "/api/flag", "/api/events"]),
)  # fmt: skip
def test_no_types_are_strange_enough_for_an_exception(web: Web, facts: dict[str, Any], path: str) -> None:
    client, _, pair = open_pair(web) if not hasattr(web, "opened") else web.opened
    web.opened = (client, None, pair)  # type: ignore[attr-defined]
    try:
        body = json.dumps({"assignment": pair.id, **facts}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        body = json.dumps({"assignment": pair.id, **facts}).encode()
    reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code < 500, reply.text
    if reply.status_code >= 400:
        refused(reply)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(web: Web, method: str) -> None:
    client, _, _ = open_pair(web)
    assert refused(client.request(method, "/api/ratings")) == (405, "not_allowed", True)
    if method != "GET":
        assert refused(client.request(method, "/video/AAAAAAAAAAAAAAAA.mp4")) == (405, "not_allowed", True)


def test_an_address_that_does_not_exist_is_404_in_json(web: Web) -> None:
    assert refused(web.client().get("/api/other")) == (404, "not_found", True)
    assert refused(web.client().post("/api/ratings/5", json={})) == (404, "not_found", True)


def test_an_error_of_ours_is_a_sentence_and_a_line_in_the_log(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, _, pair = open_pair(web)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(web.store, "submit", broken)
    reply = client.post("/api/ratings", json=rating(pair))
    assert refused(reply) == (500, "internal", False)
    assert "secret" not in reply.text
    assert "a secret detail" in caplog.text


# ------------------------------------------------------------------------------------------------- database and clock


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
