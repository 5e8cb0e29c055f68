"""Nobody sees the admin page without a password or a named account, and guessing is slow."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from human_eval_app.admin import providers
from human_eval_app.admin.passwords import (
    COST,
    FILE,
    FREE_TRIES,
    MAX_WAIT,
    Door,
    TooManyTriesError,
    load_password,
    set_password,
)
from human_eval_app.admin.providers import load_provider
from human_eval_app.admin.server import SCRIPT, Desk, open_desk, serve
from human_eval_app.study_folder import StudyFolder
from tests.app.app_admin import PASSWORD, admin_folder, copied_desk
from tests.app.app_study import Clock
from univg_bench.cli import run
from univg_bench.errors import InputError

SECRETS = """
[auth]
redirect_uri = "http://localhost:8502/oauth2callback"
cookie_secret = "forty characters that nobody else can know"
client_id = "x"
client_secret = "y"
server_metadata_url = "https://accounts.example.org/.well-known/openid-configuration"
"""


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hashing cost nothing; one test below takes the true cost."""
    monkeypatch.setitem(COST, "n", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> StudyFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COST, "n", 2)
        return admin_folder(tmp_path_factory.mktemp("login") / "study")


@pytest.fixture
def desk(made: StudyFolder, tmp_path: Path) -> Desk:
    return copied_desk(made, tmp_path / "study")


@pytest.fixture
def door(tmp_path: Path) -> Door:
    set_password(tmp_path, PASSWORD)
    loaded = load_password(tmp_path)
    assert loaded is not None
    return Door(loaded, clock=Clock())


def words(at: AppTest) -> str:
    return json.dumps([str(e.value) for e in (*at.markdown, *at.metric, *at.subheader, *at.title, *at.error)])


def log_in(at: AppTest, password: str) -> AppTest:
    at.text_input(key="password").input(password)
    return at.button[0].click().run()


def test_hash_is_for_its_owner_only_and_is_not_the_password(tmp_path: Path):
    path = set_password(tmp_path, PASSWORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()
    found = load_password(tmp_path)
    assert found is not None
    assert found.fits(PASSWORD)
    assert not found.fits(PASSWORD + " ")
    assert not found.fits("")
    assert list(tmp_path.iterdir()) == [path]  # nothing half-written stays


def test_the_same_password_has_another_hash_each_time(tmp_path: Path):
    first = set_password(tmp_path, PASSWORD).read_text()
    assert set_password(tmp_path, PASSWORD).read_text() != first


def test_guessing_costs_what_was_meant(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(COST, "n", 2**15)
    set_password(tmp_path, PASSWORD)
    found = load_password(tmp_path)
    assert found is not None
    assert (found.n, found.r, found.p) == (2**15, 8, 3)
    assert found.fits(PASSWORD)


def test_no_file_means_no_password(tmp_path: Path):
    assert load_password(tmp_path) is None


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_a_password_of_no_use_changes_nothing(tmp_path: Path, password: str):
    set_password(tmp_path, PASSWORD)
    with pytest.raises(InputError, match="expected at least 12"):
        set_password(tmp_path, password)
    found = load_password(tmp_path)
    assert found is not None
    assert found.fits(PASSWORD)


def test_a_hash_that_others_can_read_is_refused(tmp_path: Path):
    set_password(tmp_path, PASSWORD).chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        load_password(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({**COST, "salt": "no hex", "hash": "00"})])
def test_a_damaged_hash_is_a_sentence(tmp_path: Path, content: str):
    path = tmp_path / FILE
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(InputError, match="damaged; set the password again"):
        load_password(tmp_path)


def test_after_some_wrong_passwords_even_the_right_one_waits(door: Door):
    for _ in range(FREE_TRIES):
        assert not door.opens("a wrong password")
    with pytest.raises(TooManyTriesError, match="try again in 2 seconds"):
        door.opens(PASSWORD)
    door._clock.seconds += 2.1
    assert door.opens(PASSWORD)
    # a right password makes the slate clean
    assert not door.opens("a wrong password")
    assert door.opens(PASSWORD)


def test_waiting_doubles_and_has_an_end(door: Door):
    waits = []
    for _ in range(FREE_TRIES - 1):
        door.opens("wrong")
    for _ in range(8):
        assert not door.opens("wrong")
        with pytest.raises(TooManyTriesError):
            door.opens("wrong")
        waits.append(door._closed_until - door._clock())
        door._clock.seconds += waits[-1] + 0.001
    assert waits == pytest.approx([2, 4, 8, 16, 32, MAX_WAIT, MAX_WAIT, MAX_WAIT], abs=1e-3)


def test_without_a_way_in_the_page_refuses_to_start_and_says_how_to_make_one(tmp_path: Path, capsys):
    folder = admin_folder(tmp_path / "study")
    (folder.path / FILE).unlink()
    with pytest.raises(InputError, match="--set-password"):
        open_desk(folder)
    assert run(["human", "admin", str(folder.path)]) == 2
    assert "--set-password" in capsys.readouterr().err


def test_command_stores_a_password_that_opens(tmp_path: Path, monkeypatch):
    import click

    folder = admin_folder(tmp_path / "study")
    monkeypatch.setattr(click, "prompt", lambda *_, **options: "another long password" if options["hide_input"] else "")
    assert run(["-q", "human", "admin", str(folder.path), "--set-password"]) == 0
    found = load_password(folder.path)
    assert found is not None
    assert found.fits("another long password")
    assert not found.fits(PASSWORD)


def test_a_taken_port_is_a_sentence(desk: Desk):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another --port"):
            serve(desk, host="127.0.0.1", port=taken.getsockname()[1])


def test_nothing_but_the_login_is_drawn_before_it(desk: Desk):
    at = AppTest.from_file(SCRIPT).run(timeout=30)
    assert not at.exception
    assert [button.label for button in at.button] == ["Log in"]
    assert not at.metric
    assert not at.dataframe
    assert "plain" not in words(at)  # no method, no title


def test_a_wrong_password_lets_nobody_in_and_is_logged(desk: Desk):
    at = log_in(AppTest.from_file(SCRIPT).run(timeout=30), "a wrong password")
    assert [e.value for e in at.error] == ["This is not the password of this study."]
    assert not at.metric
    assert last_line(desk) == ("admin", "login refused")


def test_the_right_password_opens_and_signing_out_closes(desk: Desk):
    at = log_in(AppTest.from_file(SCRIPT).run(timeout=30), PASSWORD)
    assert not at.exception
    assert not at.error
    assert "Ratings of pairs" in [metric.label for metric in at.metric]
    assert last_line(desk) == ("admin", "login")
    at = next(button for button in at.button if button.label == "Sign out").click().run()
    assert [button.label for button in at.button] == ["Log in"]
    assert not at.metric


def test_another_visitor_is_not_logged_in_by_the_first(desk: Desk):
    log_in(AppTest.from_file(SCRIPT).run(timeout=30), PASSWORD)
    assert not AppTest.from_file(SCRIPT).run(timeout=30).metric


def test_guessing_is_answered_with_a_wait(desk: Desk):
    at = AppTest.from_file(SCRIPT).run(timeout=30)
    for _ in range(FREE_TRIES):
        log_in(at, "a wrong password")
    assert "too many wrong passwords" in log_in(at, PASSWORD).error[0].value
    assert not at.metric


def test_a_session_ends_after_its_time(desk: Desk):
    at = AppTest.from_file(SCRIPT)
    at.session_state["admin_session"] = ("admin", float("-inf"))
    assert not at.run(timeout=30).metric


def write_secrets(folder: Path, text: str) -> None:
    (folder / ".streamlit").mkdir(exist_ok=True)
    (folder / ".streamlit" / "secrets.toml").write_text(text)


def test_a_provider_without_names_of_people_is_refused(tmp_path: Path):
    write_secrets(tmp_path, SECRETS)
    with pytest.raises(InputError, match="who may come in"):
        load_provider(tmp_path)


@pytest.mark.parametrize("line", ["client_id", "redirect_uri", "cookie_secret"])
def test_a_half_configured_provider_is_refused(tmp_path: Path, line: str):
    write_secrets(tmp_path, "\n".join(row for row in SECRETS.splitlines() if not row.startswith(line)))
    with pytest.raises(InputError, match=line):
        load_provider(tmp_path)


def test_only_named_people_with_a_checked_address_are_admitted(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(providers, "find_spec", lambda _: object())  # as if Authlib were installed
    write_secrets(tmp_path, SECRETS + '[admin]\nemails = ["Me@example.org"]\n')
    provider = load_provider(tmp_path)
    assert provider is not None
    assert provider.names == ("",)
    assert provider.admits({"email": "me@Example.org", "email_verified": True})
    assert not provider.admits({"email": "me@example.org", "email_verified": False})
    assert not provider.admits({"email": "me@example.org"})
    assert not provider.admits({"email": "you@example.org", "email_verified": True})
    assert not provider.admits({})


def test_secrets_without_a_section_auth_are_no_provider(tmp_path: Path):
    write_secrets(tmp_path, 'other = "x"\n')
    assert load_provider(tmp_path) is None


def last_line(desk: Desk) -> tuple[str, str]:
    from sqlalchemy import select

    from human_eval_app.tables import AUDIT

    with desk.store.database.read() as connection:
        row = connection.execute(select(AUDIT).order_by(AUDIT.c.id.desc())).first()
    assert row is not None
    return row.who, row.what
