"""The server as it runs: what it says about itself, whom it lets in, how it stops; pages fail in a sentence."""

import http.client
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from human_eval_app.streamlit_settings import SETTINGS
from tests.app.app_rater import Rater
from tests.app.app_served import ROOT, Server, running, served_study
from tests.app.app_study import write_study

PAGE = """
import streamlit as st
st.write("a page")
if st.query_params.get("fail"):
    raise ZeroDivisionError("the secret of the folder")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("served")
    script = place / "page.py"
    script.write_text(PAGE)
    served_study(place / "study")
    with running(place / "study", script=script) as server:
        yield server


def get(server: Server, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def handshake(server: Server, **facts: object) -> int:
    """Return the status of a websocket's handshake."""
    try:
        with connect(f"ws://127.0.0.1:{server.port}/_stcore/stream", subprotocols=["streamlit"], **facts):  # type: ignore
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_it_is_healthy_and_shows_a_page(server: Server) -> None:
    assert get(server, "/healthz")[2] == b'{"ok":true}'
    status, headers, body = get(server, "/")
    assert status == 200
    assert b"<title>" in body
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_a_page_can_connect_to_nobody_but_us(server: Server) -> None:
    policy = get(server, "/")[1]["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src" not in policy, "connections fall under default-src"
    assert "http:" not in policy
    assert "https:" not in policy
    assert "*" not in policy


def test_streamlit_is_told_to_send_no_statistics(server: Server) -> None:
    rater = Rater(server.port, keep=True)
    rater.open()
    rater.close()
    (started,) = [m.new_session for m in rater.messages if m.WhichOneof("type") == "new_session"]
    assert not started.config.gather_usage_stats
    assert not started.config.allow_run_on_save
    assert SETTINGS["runner.postScriptGC"] is False
    assert SETTINGS["server.fileWatcherType"] == "none"


def test_the_path_of_the_script_tells_neither_user_nor_study(server: Server) -> None:
    rater = Rater(server.port, keep=True)
    rater.open()
    rater.close()
    (path,) = [m.new_session.main_script_path for m in rater.messages if m.WhichOneof("type") == "new_session"]
    assert path.startswith("/tmp/app-")
    assert path.endswith("/app.py")
    assert len(Path(path).parts) == 4


def test_a_page_that_fails_is_a_sentence_for_people_and_a_trace_for_us(server: Server) -> None:
    rater = Rater(server.port, keep=True)
    rater.open("fail=1")
    rater.close()
    sent = b"".join(message.SerializeToString() for message in rater.messages)
    assert b"Something went wrong on our side" in sent
    assert b"ZeroDivisionError" not in sent
    assert b"secret" not in sent
    assert "ZeroDivisionError: the secret of the folder" in server.log()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:1", "null"])
def test_another_site_gets_no_websocket(server: Server, origin: str) -> None:
    assert handshake(server, origin=origin) == 403


def test_our_own_page_gets_a_websocket(server: Server) -> None:
    assert handshake(server, origin=f"http://127.0.0.1:{server.port}") == 101


def test_another_site_cannot_read_even_what_streamlit_serves(server: Server) -> None:
    status, _, body = get(server, "/_stcore/host-config", Origin="https://evil.example")
    assert (status, json.loads(body)["reason"]) == (403, "cross_site")


@pytest.mark.parametrize("path", ["metrics", "agent/openapi.json", "agent/interact", "agent/mcp"])
def test_streamlit_counts_nothing_aloud_and_takes_no_programs(server: Server, path: str) -> None:
    status, _, body = get(server, f"/_stcore/{path}")
    assert (status, json.loads(body)["reason"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_nothing_can_be_uploaded(server: Server, method: str) -> None:
    address = f"http://127.0.0.1:{server.port}/_stcore/upload_file/a/b"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(address, data=b"x" * 100, method=method))
    with caught.value as reply:
        assert reply.code == 405
        assert json.load(reply)["reason"] == "not_allowed"


def test_an_oversized_message_ends_the_connection_and_not_the_server(server: Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/_stcore/stream", subprotocols=["streamlit"]) as socket_:  # type: ignore
        socket_.send(b"\0" * (2 * 2**20))
        with pytest.raises(ConnectionClosed):
            socket_.recv(timeout=10)
    assert get(server, "/healthz")[0] == 200


# ------------------------------------------------------------------------------------------------------- the command


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "univg_bench", "human", "serve", *words], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_command_says_where_it_is_and_stops_on_request(tmp_path: Path) -> None:
    served_study(tmp_path / "study")
    with command(str(tmp_path / "study"), "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("pilot@1 is at http://127.0.0.1:"), line
        address = line.split()[3].rstrip(";")
        with urllib.request.urlopen(f"{address}/healthz") as reply:
            assert reply.status == 200
        # the name that it listens on, and no other: a foreign name that points here is an attack
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(f"{address}/", headers={"Host": "evil.example"}))
        caught.value.close()
        assert caught.value.code == 403
        process.terminate()
        rest = process.communicate(timeout=30)
    assert process.returncode in (0, -15), rest
    assert "Traceback" not in rest[1]


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    served_study(tmp_path / "study")
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = command(str(tmp_path / "study"), "--port", str(other.getsockname()[1]))
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot listen on 127.0.0.1, port" in errors
    assert "choose another --port" in errors


def test_a_folder_without_a_study_or_videos_is_said(tmp_path: Path) -> None:
    _, errors = command(str(tmp_path)).communicate(timeout=60)
    assert "found no study.yaml" in errors
    write_study(tmp_path)
    _, errors = command(str(tmp_path)).communicate(timeout=60)
    assert "pepper" in errors
