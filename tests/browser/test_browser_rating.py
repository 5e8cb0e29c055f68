"""What people do on the rating screen that could lose or double an answer, against the real server and its database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from human_eval_app.study_folder import StudyFolder
from human_eval_app.wording import load_wording
from tests.browser.browser_study import SUBMISSIONS, rows

WORDS = load_wording("en")


def past_practice(one: Any) -> None:
    for button in ("next", "rating"):
        one.sees("rating")
        one.rate("111")
        one.sees("practice_feedback")
        one.press_button(WORDS[f"feedback.button.{button}"])


def test_a_reload_in_the_middle_finds_the_same_pair_and_its_draft(person: Callable[..., Any]) -> None:
    one = person(instructed=True).come()
    shown = one.sees_pair()
    one.answer("31")
    one.page.reload()
    assert one.sees_pair() == shown
    assert one.given() == {"PS": "right", "AM": "left"}
    one.answer("2")
    assert one.given() == {"PS": "right", "AM": "left", "OL": "same"}


def test_three_times_enter_on_every_pair_undo_and_a_report(person: Callable[..., Any], study: StudyFolder) -> None:
    one = person(instructed=True).come()
    page = one.page
    past_practice(one)
    one.sees("rating")

    def save() -> None:
        for _ in range(3):
            page.keyboard.press("Enter")

    first, second = one.rate("123", save), one.rate("321", save)
    # z shows the pair before with its answers, and saving adds a revision
    third = one.sees_pair(after=second)
    page.keyboard.press("z")
    assert one.sees_pair(after=third) == second
    assert one.given() == {"PS": "right", "AM": "same", "OL": "left"}
    page.keyboard.press("2")
    one.rate("", save)
    assert one.sees_pair(after=second) == third
    # back once more, and nothing is changed
    page.keyboard.press("z")
    assert one.sees_pair(after=third) == second
    one.tab_to(WORDS["rating.cancel_change"])
    page.keyboard.press("Enter")
    assert one.sees_pair(after=second) == third
    page.keyboard.press("b")
    one.tab_to(WORDS["rating.report_note"])
    page.keyboard.type("bzzz 123?")  # what is written into a field is no key of the screen
    one.tab_to(WORDS["rating.report"])
    page.keyboard.press("Enter")
    fourth = one.sees_pair(after=third)
    found = [row for row in rows(study, SUBMISSIONS, one.id) if row[1] != "practice"]
    assert [(row[0], row[4], row[5]) for row in found] == [
        (first, "done", 0), (second, "done", 0), (second, "done", 1), (third, "flagged", None),
        (fourth, "pending", None),
    ]  # fmt: skip
    kept = rows(study, "SELECT answer FROM rating WHERE assignment_id = ? ORDER BY revision, rowid", second)
    assert sorted(kept[3:]) == sorted([("same",), ("same",), ("left",)])
    ((reason,),) = rows(study, "SELECT detail FROM audit WHERE what LIKE 'flag%' ORDER BY id DESC LIMIT 1")
    assert "does_not_play: bzzz 123?" in reason


def test_two_tabs_show_one_pair_and_the_second_answer_is_refused_in_words(
    person: Callable[..., Any], study: StudyFolder
) -> None:
    one = person(instructed=True).come()
    first = one.page
    shown = one.sees_pair()
    one.page = one.open_tab()
    one.come()
    assert one.sees_pair() == shown
    second = one.page
    first.bring_to_front()
    one.page = first
    one.rate("111")
    one.sees("practice_feedback")
    second.bring_to_front()
    one.page = second
    one.answer("333")
    second.keyboard.press("Enter")
    expect(one.screen("refused")).to_be_visible()
    expect(one.status()).to_have_text(WORDS["rating.refused_already_answered"])
    one.tab_to(WORDS["rating.go_on"])
    second.keyboard.press("Enter")
    one.leaves(shown)
    assert rows(study, "SELECT DISTINCT answer FROM rating WHERE assignment_id = ?", shown) == [("left",)]
    assert len(rows(study, "SELECT 1 FROM submission WHERE assignment_id = ?", shown)) == 1


def test_help_lies_over_the_screen_and_swallows_its_keys(person: Callable[..., Any]) -> None:
    one = person(instructed=True).come()
    one.sees_pair()
    one.page.keyboard.press("?")
    expect(one.page.get_by_test_id("help")).to_be_visible()
    one.answer("111")
    one.page.keyboard.press("Escape")
    expect(one.page.get_by_test_id("help")).to_have_count(0)
    assert one.given() == {}
    one.answer("1")
    assert one.given() == {"PS": "left"}
