"""Every page that an annotator can see, looked at by axe-core in both themes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from human_eval_app import progress
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.study_folder import StudyFolder
from human_eval_app.wording import load_wording
from tests.app.app_served import running
from tests.browser.browser_study import ITEMS, STUDY, arrive, cookie_of, import_study, issue_code

pytest.importorskip("axe_playwright_python", reason="needs axe-core: pip install 'univg-bench[dev]'")

WORDS = load_wording("en")


def test_no_page_of_the_way_has_a_violation(person: Callable[..., Any], study: StudyFolder) -> None:
    from tests.browser.browser_axe import violations, violations_in_both_themes

    found: list[str] = []
    one = person().come()
    page = one.page

    def look(where: str) -> None:
        found.extend(violations_in_both_themes(page, where))

    one.sees("login")
    page.get_by_test_id("code").fill("AAAA-AAAA-AAAA")
    page.get_by_test_id("login").click()
    expect(page.get_by_test_id("login-error")).not_to_be_empty()
    look("login, refused")
    page.get_by_test_id("code").fill(issue_code(study))
    page.get_by_test_id("login").click()
    one.arrived = True
    one.sees("welcome")
    look("welcome")
    one.press_button(WORDS["welcome.button"])
    one.sees("consent")
    look("consent")
    page.get_by_role("button", name=WORDS["consent.decline"]).click()
    expect(page.get_by_text(WORDS["consent.declined.text"])).to_be_visible()
    look("declined")
    one.press_button(WORDS["consent.declined.back"])
    page.set_viewport_size({"width": 900, "height": 700})
    one.press_button(WORDS["consent.agree"])
    expect(page.get_by_text(WORDS["device.refused.kept"])).to_be_visible()
    look("device, refused")
    page.set_viewport_size({"width": 1366, "height": 768})
    for number in range(6):
        one.sees("instructions", number)
        if number not in (2, 3):  # pages of questions look alike
            look(f"instructions {number + 1}")
        one.press_button(WORDS["instructions.begin.practice" if number == 5 else "common.next"])
    one.sees_pair()
    page.keyboard.press("1")
    look("rating")
    spoilt = page.locator("[data-question=PS] .label")
    spoilt.evaluate("(e) => { e.style.color = '#d0d0d0'; }")
    assert "color-contrast" in violations(page)[0]  # it looks into shadow roots
    spoilt.evaluate("(e) => { e.style.color = ''; }")
    page.keyboard.press("?")
    look("help")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    look("report")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("1")
    look("rating, all answered")
    page.keyboard.press("Enter")
    for button in ("next", "rating"):
        one.sees("practice_feedback")
        look(f"feedback before {button}")
        one.press_button(WORDS[f"feedback.button.{button}"])
        if button == "next":
            one.rate("111")
    one.rate("111")
    one.sees_pair()
    page.get_by_test_id("break").click()
    one.sees("break")
    look("break")
    assert found == [], "\n".join(found)


def test_no_page_at_the_end_of_a_way_has_a_violation(
    person: Callable[..., Any], study: StudyFolder, tmp_path: Path
) -> None:
    from tests.browser.browser_axe import violations_in_both_themes

    found: list[str] = []
    one = person(instructed=True)
    store = study.store()
    progress.finish(store, one.id)
    store.database.close()
    one.come()
    one.sees("done")
    found += violations_in_both_themes(one.page, "done")
    # a study with room for one: everybody else comes later, until it is closed
    about = STUDY["about"] | {"consent": {"en": "consent.md"}}
    (tmp_path / "narrow").mkdir()
    narrow = import_study(
        tmp_path / "narrow",
        STUDY | {"items": ITEMS[:1], "ratings_per_pair": 1, "about": about},
        {"consent.md": "Agreed?"},
    )
    store = narrow.store()
    assert isinstance(next_pair(store, arrive(narrow).id), Handed)
    second, fresh = arrive(narrow), arrive(narrow, instructed=False)
    progress.choose_language(store, fresh.id, "en")
    (narrow.path / "consent.md").unlink()

    def visit(state: str, annotator_id: int) -> None:
        one.context.clear_cookies()
        one.context.add_cookies([cookie_of(narrow, annotator_id, one.address)])
        one.come()
        one.sees(state)
        found.extend(violations_in_both_themes(one.page, f"{state} of {annotator_id}"))

    with running(narrow.path) as server:
        one.address = f"http://127.0.0.1:{server.port}"
        visit("later", second.id)
        visit("error", fresh.id)
        (narrow.path / "consent.md").write_text("Agreed?")
        one.press_button(WORDS["error.button"])
        one.sees("consent")
        store.close(who="test")
        visit("refused", second.id)
        visit("refused", 999)  # nobody
    store.database.close()
    assert found == [], "\n".join(found)
