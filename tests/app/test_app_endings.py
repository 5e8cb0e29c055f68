"""Where the way of an annotator ends: done, later, refused; each with the code that fits, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from human_eval_app import progress
from human_eval_app.pages import ending
from human_eval_app.storage import Store
from human_eval_app.study import Prolific
from human_eval_app.tables import ANNOTATOR
from human_eval_app.wording import LANGUAGES, load_wording
from tests.app.app_study import people, rate_all
from tests.app.app_way import GOOD_DEVICE, Way
from univg_bench.errors import InfrastructureError


def test_who_came_from_prolific_gets_the_link_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch, items=1, more="prolific: {completion_code: 'A B&C'}")
    mine = ANNOTATOR.c.id == way.me.id
    way.store.database.write(lambda c: c.execute(ANNOTATOR.update().where(mine).values(source="prolific")))
    way.press("begin")
    assert load_wording("en")["consent.prolific"] in way.text()
    way.go_to_practice()
    way.rate()
    link = way.page.get("link_button")[0].proto.url
    assert link == "https://app.prolific.com/submissions/complete?cc=A%20B%26C"


@pytest.mark.parametrize(
    ("more", "reason", "rated", "shown"),
    [
        ("", None, 3, "C1"), ("", None, 0, None), ("", "study_closed", 2, "C1"), ("", "study_closed", 0, None),
        ("", "practice_failed", 0, None), ("no_work_code: N1", None, 0, "N1"),
        ("screened_out_code: S1", "practice_failed", 0, "S1"), ("screened_out_code: S1", None, 0, None),
    ],
)  # fmt: skip
def test_a_code_of_prolific_says_what_was_done(more: str, reason: str | None, rated: int, shown: str | None) -> None:
    codes = Prolific.model_validate({"completion_code": "C1", **yaml.safe_load(f"{{{more}}}")})
    assert ending.prolific_code(codes, reason=reason, rated=rated) == shown


def test_without_a_code_people_are_asked_to_return_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch, more="prolific: {completion_code: C1}")
    mine = ANNOTATOR.c.id == way.me.id
    way.store.database.write(lambda c: c.execute(ANNOTATOR.update().where(mine).values(source="prolific")))
    way.store.close(who="test")
    way.reload()
    assert way.title() == load_wording("en")["refused.study_closed.title"]
    assert load_wording("en")["done.prolific.return"] in way.text()
    assert not way.page.get("link_button")


def test_who_found_nothing_to_rate_is_told_no_completion_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch, items=1, target=1, more="about: {completion_code: THANKS}")
    (other,) = people(way.store, 1)
    rate_all(way.store, other)
    way.go_to_practice()
    assert way.title() == load_wording("en")["done.title"]
    assert not way.page.get("code")


def test_later_offers_another_look_and_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch, items=2, target=1)
    (other,) = people(way.store, 1)
    way.go_to_practice()
    for step in (
        lambda: progress.choose_language(way.store, other.id, "en"),
        lambda: agree_to_all(way.store, other.id),
    ):
        step()
    progress.state(way.store, other.id)
    way.rate()
    assert way.title() == words["later.title"]
    way.press("again")
    assert way.title() == words["later.title"]
    way.press("finish")
    assert way.title() == words["done.title"]


def agree_to_all(store: Store, annotator_id: int) -> None:
    progress.give_consent(store, annotator_id, digest="0" * 64)
    progress.keep_device(store, annotator_id, GOOD_DEVICE, ok=True)
    progress.finish_instructions(store, annotator_id)


def test_a_closed_study_thanks_and_still_gives_the_code_for_work_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch, more="about: {completion_code: C0DE}")
    way.go_to_practice()
    way.rate()
    way.store.close(who="test")
    way.page.run()
    assert way.title() == words["refused.study_closed.title"]
    assert way.page.code[0].value == "C0DE"


def test_who_withdrew_and_who_is_unknown_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch)
    way.store.withdraw(way.me.id, who="test")
    way.page.run()
    assert way.title() == words["refused.withdrawn.title"]
    way.annotator = type(way.me)(10**6, "p-0")
    way.reload()
    assert way.title() == words["refused.unknown_code.title"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_database_that_is_locked_becomes_a_page_that_says_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    words = load_wording(language)
    way = Way(tmp_path, monkeypatch, more="languages: [en, zh]\n")
    way.reload(query={"lang": language})

    def locked(*_: object, **__: object) -> None:
        raise InfrastructureError("the database is locked by /home/somebody/study.db")

    with monkeypatch.context() as broken:
        broken.setattr(progress, "find_person", locked)
        way.reload(query={"lang": language})
        assert way.title() == words["error.title"]
        assert words["error.text"] in way.text()
        assert "/home" not in str(way.page.main)
    way.press("retry")
    assert way.title() == words["welcome.title"]
