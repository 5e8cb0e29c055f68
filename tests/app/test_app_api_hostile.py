"""Nothing that a browser can send ends in an exception, and other sites can send nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from human_eval_app.tables import SUBMISSION
from tests.app.app_requests import ANSWERS, count, open_pair, rating, refused
from tests.app.app_served import Web, served_study


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study"))


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
