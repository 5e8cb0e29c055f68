"""The way of an annotator through the pages, in both languages, with every refusal and every return."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from human_eval_app import progress
from human_eval_app.tables import ANNOTATOR
from human_eval_app.wording import LANGUAGES, load_wording
from tests.app.app_study import PRACTICE
from tests.app.app_way import GOOD_DEVICE, Way

BOTH = "languages: [en, zh]\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_way_up_to_the_first_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    words = load_wording(language)
    way = Way(tmp_path, monkeypatch, more=BOTH + PRACTICE)
    way.reload(query={"lang": language})
    assert way.title() == words["welcome.title"]
    way.press("begin")
    assert way.title() == words["consent.title"]
    way.press("agree")
    assert way.title() == words["device.title"]
    way.measured = GOOD_DEVICE
    way.page.run()
    titles = []
    while way.state() == "instructions":
        titles.append(way.title())
        way.press("next")
    groups = [words[f"group.{group}"] for group in ("VQ", "MQ", "OL")]
    practice = words["instructions.practice.title"]
    assert titles == [words["instructions.how.title"], *groups, words["instructions.keys.title"], practice]
    assert [handed.kind for handed in way.shown] == ["practice"]


def test_nobody_is_asked_for_a_code_twice_and_the_component_gets_no_more_than_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way(tmp_path, monkeypatch, come_in=False, more=BOTH)
    assert way.title() == load_wording("en")["login.title"]
    way.reload(query={"lang": "zh"})
    assert way.title() == load_wording("zh")["login.title"]
    # nothing of the study reaches a stranger but its words for them
    assert "ours" not in str(way.page.main)
    assert "a red ball" not in str(way.page.main)


def test_prolific_is_let_in_only_where_the_study_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = {"PROLIFIC_PID": "a" * 24, "STUDY_ID": "b" * 24, "SESSION_ID": "c" * 24}
    given: list[Any] = []
    monkeypatch.setattr("human_eval_app.pages.login.login", lambda words, prolific, key: given.append(prolific))
    Way(tmp_path, monkeypatch, come_in=False).reload(query=query)
    (tmp_path / "b").mkdir()
    way = Way(tmp_path / "b", monkeypatch, come_in=False, more="prolific: {completion_code: C1}")
    way.reload(query=query)
    assert given[-1] == {"pid": "a" * 24, "study": "b" * 24, "session": "c" * 24}
    assert load_wording("en")["login.prolific"] in way.text()
    way.reload(query={"PROLIFIC_PID": "a" * 24})
    assert given[:-2] == [None] * (len(given) - 2)
    assert given[-1] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reload_brings_everybody_back_in_their_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    words = load_wording(language)
    way = Way(tmp_path, monkeypatch, more=BOTH)
    progress.choose_language(way.store, way.me.id, language)
    steps: list[tuple[str, Callable[[], None]]] = [
        ("consent.title", lambda: progress.give_consent(way.store, way.me.id, digest="0" * 64)),
        ("device.title", lambda: progress.keep_device(way.store, way.me.id, GOOD_DEVICE, ok=True)),
        ("instructions.how.title", lambda: progress.finish_instructions(way.store, way.me.id)),
    ]
    for title, step in steps:
        way.reload()
        assert way.title() == words[title]
        step()
    way.reload()
    assert len(way.shown) == 1
    way.reload()
    assert [handed.id for handed in way.shown] == [way.shown[0].id] * 2, "the same open pair"


def test_the_language_can_be_changed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch, more=BOTH)
    way.press("begin")
    way.page.get("segmented_control")[0].set_value("zh")
    way.page.run()
    assert way.title() == load_wording("zh")["consent.title"]
    way.reload()
    assert way.title() == load_wording("zh")["consent.title"]


def test_one_language_offers_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch)
    way.reload(query={"lang": "zh"})
    assert way.title() == load_wording("en")["welcome.title"]
    assert not way.page.get("segmented_control")


def test_the_consent_text_that_was_shown_is_the_one_that_was_agreed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way(tmp_path, monkeypatch, more="about: {consent: {en: consent.md}}")
    (tmp_path / "study" / "consent.md").write_text("We keep *everything* in a safe.\n")
    way.press("begin")
    assert "We keep *everything* in a safe." in way.text()
    way.press("agree")
    with way.store.database.read() as connection:
        digest = connection.execute(select(ANNOTATOR.c.consent_digest)).scalar_one()
    assert digest == hashlib.sha256(b"We keep *everything* in a safe.\n").hexdigest()


def test_to_decline_is_a_polite_end_that_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch)
    way.press("begin")
    way.press("decline")
    assert way.title() == words["consent.declined.title"]
    assert way.state() == "consent"
    way.press("back")
    assert way.title() == words["consent.title"]


def test_a_consent_text_that_is_gone_lets_nobody_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch, more="about: {consent: {en: consent.md}}")
    way.press("begin")
    assert way.title() == load_wording("en")["error.title"]
    assert str(tmp_path) not in way.text(), "no path of the server on a page"


def test_a_device_is_refused_in_words_and_may_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch)
    way.press("begin")
    way.press("agree")
    way.measured = {"width": 800.0, "height": 500, "touch": True, "decodes": False, "agent": "x" * 5000}
    way.page.run()
    for said in ("800 x 500", "1000 x 600", "could not play", "mouse or a touchpad"):
        assert said in way.text()
    assert way.state() == "device"
    way.reload()
    assert "800 x 500" in way.text(), "the reason is still there after a reload"
    way.press("again")
    way.measured = GOOD_DEVICE
    way.page.run()
    assert way.state() == "instructions"


def test_touch_is_fine_where_the_study_allows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(tmp_path, monkeypatch, more="presentation: {touch: allow, min_viewport: [300, 300]}")
    way.press("begin")
    way.press("agree")
    way.measured = {"width": 390, "height": 700, "touch": True, "decodes": True, "agent": "a phone"}
    way.page.run()
    assert way.state() == "instructions"


@pytest.mark.parametrize("measured", [{"width": "wide", "height": 1}, {"width": -1, "height": 5}, "no", {}, []])
def test_nonsense_from_a_browser_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: Any
) -> None:
    way = Way(tmp_path, monkeypatch)
    way.press("begin")
    way.press("agree")
    way.measured = measured
    way.page.run()
    assert way.title() == load_wording("en")["device.title"]
    assert way.state() == "device"


def test_feedback_says_in_words_what_was_expected_and_names_no_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch, more=PRACTICE)
    way.go_to_practice()
    handed = way.rate("same")
    assert way.title() == words["feedback.title"]
    differs = words["feedback.match.no"].format(answer=words[f"answer.{handed.side}"])
    assert f"| {words['dimension.AM.label']} | {words['answer.same']} | {differs} |" in way.text()
    assert words["why.AM"] in way.text()
    assert words["feedback.others"] in way.text()
    assert not any(name in str(way.page.main) for name in ("ours", "theirs", "frozen"))
    way.press("next")
    handed = way.rate()
    assert words["feedback.right"] in way.text()
    assert words["feedback.round.passed"] in way.text()
    way.press("next")
    assert way.shown[-1].kind == "main"


def test_a_study_can_say_why_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = PRACTICE.replace("expected: {AM: G}}", "expected: {AM: G}, why: {en: 'Only one ball *moves*.'}}")
    way = Way(tmp_path, monkeypatch, more=own)
    way.go_to_practice()
    way.rate()
    assert r"Only one ball \*moves\*." in way.text(), "as it stands, whatever Markdown makes of it"


def test_failing_the_practice_twice_ends_politely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch, more=PRACTICE)
    way.go_to_practice()
    for number in range(4):
        way.rate("same")
        if number == 1:
            again = words["feedback.round.again"].format(right=0, pairs=2, needed=1)
            assert again in way.text()
        way.press("next")
    assert way.title() == words["refused.practice_failed.title"]
    way.reload()
    # the last feedback once more, then the same end
    way.press("next")
    assert way.title() == words["refused.practice_failed.title"]


def test_a_break_and_the_end_with_a_code_and_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = load_wording("en")
    more = "session: {pairs: 2}\nabout: {completion_code: C0DE-42, contact: 'ask [me] *here*'}"
    way = Way(tmp_path, monkeypatch, items=3, more=more)
    way.go_to_practice()
    way.rate()
    way.rate()
    assert way.title() == words["break.title"]
    assert words["break.text"].format(done=2) in way.text()
    way.press("resume")
    way.rate()
    assert way.title() == words["done.title"]
    assert way.page.code[0].value == "C0DE-42"
    way.page.text_area[0].set_value("It was fine.")
    way.page.button[0].click()
    way.page.run()
    assert words["done.comment.thanks"] in way.text()
    way.reload()
    assert way.page.text_area[0].value == "It was fine."


def test_a_break_can_be_asked_for_and_never_interrupts_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = load_wording("en")
    way = Way(tmp_path, monkeypatch, items=4, more="session: {minutes: 5}")
    way.go_to_practice()
    way.rate()
    way.clock.seconds += 400
    way.page.run()
    assert way.title() == "", "the pair on the screen stays"
    way.rate()
    assert way.title() == words["break.title"]
    way.press("resume")
    assert way.title() == ""
    way.page.session_state["pause.asked"] = True
    way.page.run()
    assert way.title() == words["break.title"]
    way.press("resume")
    assert way.title() == ""
