"""The player's files as text: what they import exists, what they say has words, and nothing turns text into markup."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from human_eval_app.player import assets
from human_eval_app.wording import load_wording

SCRIPTS = {name: content.decode() for name, content in assets.files().items() if name.endswith(".js")}
ENTRIES = ("rating.js", "login.js", "device.js")
# words that are put together from a stable part and what a server, a key or a table says
JOINED = ("help_", "fault_", "refused_", "trouble_", "side_", "answer_")


@pytest.mark.parametrize("name", SCRIPTS)
def test_imports_lead_to_files_beside(name: str) -> None:
    for target in re.findall(r'from "(.+?)"', SCRIPTS[name]):
        assert target.startswith("./")
        assert target[2:] in SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_never_becomes_markup_or_code(name: str) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", SCRIPTS[name])


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_give_streamlit_a_function(name: str) -> None:
    assert "export default" in SCRIPTS[name]
    assert f"/player/{assets.digest()}/{name}" in assets.loader(name)


def test_every_word_of_the_screen_is_in_the_wording_and_every_word_there_is_used() -> None:
    code = "\n".join(text for name, text in SCRIPTS.items() if name not in ("login.js", "device.js"))
    used = set(re.findall(r"\bwords\.(\w+)", code)) | set(re.findall(r'"(help_\w+)"', code))
    there = {key.removeprefix("rating.") for key in load_wording("en") if key.startswith("rating.")}
    assert used - there == set()
    assert {word for word in there - used if not word.startswith(JOINED)} == set()


def test_nobody_outside_is_asked() -> None:
    for name, content in assets.files().items():
        hosts = set(re.findall(r"https?://([\w.-]+)", content.decode()))
        assert hosts <= {"www.w3.org"}, f"{name} names {hosts}"  # the name space of SVG, which nobody fetches


def test_the_route_serves_these_files_for_ever_and_nothing_else() -> None:
    client = TestClient(Starlette(routes=[assets.asset_route()]))
    for name, content in assets.files().items():
        reply = client.get(f"/player/{assets.digest()}/{name}")
        assert (reply.status_code, reply.content) == (200, content)
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["content-type"] == assets.TYPES["." + name.rpartition(".")[2]]
    here = assets.digest()
    for wrong in (f"{here}/assets.py", f"{here}/__init__.py", f"{here}/..%2fstorage.py", f"{'0' * 16}/rating.js"):
        assert client.get(f"/player/{wrong}").status_code == 404
