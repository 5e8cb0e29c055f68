"""The hardest study to show: hostile texts, ten questions, pictures, small windows, fingers, videos to be watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from human_eval_app.study_folder import StudyFolder
from human_eval_app.wording import load_wording
from tests.browser.browser_study import STUDY, import_study, rows

WORDS = load_wording("en")
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)> **bold** $x^2$ {count} &amp; [a](javascript:alert(3))"
TEXTS = {
    "markup": MARKUP,
    "turned": "a cat \u202egod a\u202c and \u2067\u202eanother\u202c\u2069 \u200f\u0645\u0631\u062d\u0628\u0627 end",
    "long": ("x" * 400 + " one word without a break, then many words that go on and on ") * 4,
    "lines": "first\nsecond\tthird 汉字 \U0001f431",
}
HOSTILE: dict[str, Any] = STUDY | {
    "items": [{"id": key, "prompt": text[:2000], "image": f"images/{key}.png"} for key, text in TEXTS.items()],
    "presentation": {"must_watch": 0.9},
    "analysis": {"primary": "OL"},
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """In the place of the common study: the server of this file serves it."""
    return import_study(tmp_path_factory.mktemp("hostile"), HOSTILE)


def test_hostile_texts_are_shown_as_they_stand_and_nothing_leaves_the_window(
    person: Callable[..., Any], study: StudyFolder
) -> None:
    one = person(instructed=True, reduced_motion="no-preference").come()
    page = one.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen = set()
    for _ in TEXTS:
        shown = one.sees_pair()
        ((item,),) = rows(
            study, "SELECT p.item FROM assignment a JOIN pair p ON p.id = a.pair_id WHERE a.id = ?", shown
        )
        text = TEXTS[item][:2000]
        prompt = page.get_by_test_id("prompt")
        assert prompt.evaluate("(e) => e.textContent") == text
        assert prompt.locator("*").count() == 0
        assert one.outside() == [[], 0, 0, 0]
        assert page.get_by_role("radio").count() == 30
        if item == "long":
            one.tab_to(WORDS["rating.whole_prompt"])
            page.keyboard.press("Enter")
            dialog = page.get_by_test_id("whole-prompt")
            expect(dialog).to_contain_text(text[:300])
            box = dialog.bounding_box()
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 768
            assert dialog.evaluate("(e) => e.scrollWidth <= e.clientWidth")
            page.keyboard.press("Escape")
        seen.add(item)
        one.rate("1" * 10)
    assert seen == set(TEXTS)
    one.sees("done")
    assert [url for url in asked if not url.startswith(one.address) and not url.startswith("blob:")] == []


def test_saving_waits_until_enough_was_watched(person: Callable[..., Any], study: StudyFolder) -> None:
    one = person(instructed=True).come()  # less motion: nothing plays by itself
    shown = one.sees_pair()
    one.answer("1" * 10)
    one.page.keyboard.press("Enter")
    expect(one.status()).to_have_text(WORDS["rating.watch_more"].format(share=90))
    assert one.screen().is_visible()
    one.page.keyboard.press("Space")
    expect(one.page.locator("[data-testid=save][aria-disabled=false]")).to_be_visible()
    one.page.keyboard.press("Enter")
    one.leaves(shown)
    ((watched,),) = rows(study, "SELECT watched FROM submission WHERE assignment_id = ?", shown)
    assert watched >= 0.9


def test_a_window_that_became_too_small_says_so_and_keeps_the_draft(person: Callable[..., Any]) -> None:
    one = person(instructed=True).come()
    one.sees_pair()
    one.answer("13")
    one.page.set_viewport_size({"width": 900, "height": 500})
    gate = one.page.get_by_test_id("gate")
    expect(gate).to_contain_text("900 × 500")
    one.answer("222")
    one.page.set_viewport_size({"width": 1000, "height": 600})
    expect(gate).to_have_count(0)
    assert one.given() == {"PS": "left", "ROS": "right"}
    assert one.outside() == [[], 0, 0, 0]


def test_a_device_with_fingers_only_is_refused_politely_and_a_small_window_until_it_has_grown(
    person: Callable[..., Any],
) -> None:
    fingers = person(instructed=False, has_touch=True, is_mobile=True).come()
    fingers.sees("welcome")
    fingers.press_button(WORDS["welcome.button"])
    fingers.sees("consent")
    fingers.press_button(WORDS["consent.agree"])
    expect(fingers.page.get_by_text(WORDS["device.refused.touch"])).to_be_visible()
    expect(fingers.page.get_by_text(WORDS["device.refused.kept"])).to_be_visible()
    small = person(instructed=False, viewport={"width": 900, "height": 700}).come()
    small.sees("welcome")
    small.press_button(WORDS["welcome.button"])
    small.sees("consent")
    small.press_button(WORDS["consent.agree"])
    said = WORDS["device.refused.small"].format(width=900, height=700, min_width=1000, min_height=600)
    expect(small.page.get_by_text(said)).to_be_visible()
    small.page.set_viewport_size({"width": 1366, "height": 768})
    small.sees("instructions", 0)
