"""The whole way of an annotator in Chromium, by keyboard alone, and what the database holds afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from human_eval_app.study_folder import StudyFolder
from human_eval_app.wording import load_wording
from tests.browser.browser_study import COMPLETION_CODE, SHORT, SUBMISSIONS, issue_code, rows

SIDES = {"1": "left", "2": "same", "3": "right"}


def test_a_whole_way_by_keyboard_alone_leaves_exactly_its_rows(person: Callable[..., Any], study: StudyFolder) -> None:
    words = load_wording("en")
    one = person().come()
    page = one.page
    before = rows(study, "SELECT count(*) FROM submission")[0][0]
    one.log_in(issue_code(study))
    one.sees("welcome")
    one.press_button(words["welcome.button"])
    one.sees("consent")
    one.press_button(words["consent.agree"])
    # the device check goes on by itself
    for number in range(6):
        one.sees("instructions", number)
        one.press_button(words["instructions.begin.practice" if number == 5 else "common.next"])

    rated: dict[int, str] = {}
    for button in ("next", "rating"):
        one.sees("rating")
        rated[one.rate("111")] = "111"
        one.sees("practice_feedback")
        expect(page.get_by_text(words["feedback.why"])).to_be_visible()
        one.press_button(words[f"feedback.button.{button}"])
    for session in (1, 2):
        for number in range(6):
            one.sees("rating")
            keys = ("123", "321", "222", "311", "113", "331")[number]
            rated[one.rate(keys)] = keys
        if session == 1:
            one.sees("break")
            expect(page.get_by_text(words["break.text"].format(done=6))).to_be_visible()
            one.press_button(words["break.button"])
    one.sees("done")
    expect(page.get_by_text(COMPLETION_CODE)).to_be_visible()
    expect(page.get_by_text(words["done.text"].format(done=12))).to_be_visible()
    one.tab_to(words["done.comment"])
    page.keyboard.type("It was fun.")
    one.press_button(words["done.comment.button"])
    expect(page.get_by_text(words["done.comment.thanks"])).to_be_visible()

    (person_id, language, comment, breaks, consented, finished), = rows(
        study, "SELECT id, language, comment, breaks, consent_ms, finished_ms FROM annotator ORDER BY id DESC LIMIT 1"
    )  # fmt: skip
    assert (language, comment, breaks) == ("en", "It was fun.", 1)
    assert consented < finished
    found = rows(study, SUBMISSIONS, person_id)
    assert [row[0] for row in found] == list(rated)
    assert rows(study, "SELECT count(*) FROM submission")[0][0] - before == 14
    assert all((status, revision, num) == ("done", 0, 3) for *_, status, revision, num, _, _, _ in found)
    assert Counter(row[1] for row in found) == {"practice": 2, "main": 8, "gold": 2, "repeat": 2}
    assert Counter(row[2] for row in found if row[1] == "main") == {"left": 4, "right": 4}
    assert {row[7] for row in found if row[1] == "main"} == {f"i{k}" for k in range(8)}
    main = {row[7]: row[2] for row in found if row[1] == "main"}
    assert all(side != main[item] for _, kind, side, *_, item, _, _ in found if kind == "repeat")
    for assignment, _, side, *_ in found:
        kept = dict(rows(study, "SELECT dimension, answer FROM rating WHERE assignment_id = ?", assignment))
        assert kept == {code: SIDES[key] for code, key in zip(SHORT, rated[assignment], strict=True)}
        derived = dict(rows(study, "SELECT dimension, choice FROM rating WHERE assignment_id = ?", assignment))
        assert derived == {code: "S" if kept[code] == "same" else "G" if kept[code] == side else "B" for code in kept}


def test_the_way_is_there_in_chinese(person: Callable[..., Any]) -> None:
    words = load_wording("zh")
    one = person(instructed=False, locale="zh-CN").come()
    page = one.page
    one.sees("welcome")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    one.press_button(words["welcome.button"])
    one.sees("consent")
    one.press_button(words["consent.agree"])
    for number in range(6):
        one.sees("instructions", number)
        one.press_button(words["instructions.begin.practice" if number == 5 else "common.next"])
    one.sees_pair()
    expect(page.get_by_test_id("question")).to_contain_text(words["dimension.PS.question"])
    expect(page.locator("[data-question=OL] .label")).to_have_text(words["dimension.OL.label"])
    assert one.outside() == [[], 0, 0, 0]
    page.keyboard.press("?")
    expect(page.get_by_test_id("help")).to_contain_text(words["rating.help_save"])
    page.keyboard.press("Escape")
    one.rate("222")
    one.sees("practice_feedback")
    expect(page.get_by_text(words["feedback.why"])).to_be_visible()
