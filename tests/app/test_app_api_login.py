"""Codes and Prolific ids become sessions, and nothing else does."""

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from human_eval_app import sessions
from human_eval_app.forgetting import forget
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.prolific import login_prolific, reveal
from human_eval_app.storage import DAY_MS
from human_eval_app.tables import ANNOTATOR
from tests.app.app_requests import PID, PROLIFIC, count, open_pair, rating, refused
from tests.app.app_served import Web, served_study
from tests.app.app_study import Clock


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study"))


@pytest.fixture
def prolific(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study", more=PROLIFIC), clock=Clock())


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


def test_a_person_from_prolific_is_made_once(prolific: Web) -> None:
    first, second = prolific.client(), prolific.client()
    for client, session in ((first, "a" * 24), (second, "b" * 24)):
        ids = PID | {"session": session}
        assert client.post("/api/session", json={"prolific": ids}).status_code == 204
    assert count(prolific, ANNOTATOR) == 1
    pepper, name = prolific.folder.pepper, sessions.cookie_name(prolific.folder.slug)
    read = {sessions.read(pepper, c.cookies.get(name), prolific.store.now_ms() / 1000) for c in (first, second)}
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
    assert prolific.client().post("/api/session", json={"prolific": PID}).status_code == 204
    prolific.store.close(who="test")
    stranger = PID | {"pid": "f" * 24}
    assert refused(prolific.client().post("/api/session", json={"prolific": stranger})) == (403, "study_closed", True)
    # their completion code may still be waiting
    assert prolific.client().post("/api/session", json={"prolific": PID}).status_code == 204
    assert count(prolific, ANNOTATOR) == 1


def test_who_withdrew_does_not_come_in_from_prolific_as_somebody_new(prolific: Web) -> None:
    who, _ = login_prolific(prolific.store, prolific.folder.pepper, **PID)
    prolific.store.withdraw(who.id, who="test")
    assert refused(prolific.client().post("/api/session", json={"prolific": PID})) == (403, "withdrawn", True)
    # forgetting means that nobody can tell any more
    forget(prolific.store, [who.id], who="test")
    assert prolific.client().post("/api/session", json={"prolific": PID}).status_code == 204


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


def test_two_studies_on_one_host_do_not_throw_each_others_people_out(tmp_path: Path) -> None:
    # a browser sends every cookie of a host to each of its ports
    one = Web(served_study(tmp_path / "one"))
    text = (tmp_path / "one" / "study.yaml").read_text().replace("id: pilot", "id: second")
    other = Web(served_study(tmp_path / "other", text=text))
    client, _, pair = open_pair(one)
    second, _ = other.annotator()
    client.cookies.update(second.cookies)
    assert len(client.cookies) == 2
    assert client.post("/api/ratings", json=rating(pair)).status_code == 200
