"""The player in a real Chromium: what it shows is read from screenshots, off the bar codes in the videos."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.videos import make_video, read_bar_code

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")

# as root Chromium only starts without its sandbox; the rest keeps it from calling home
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SIZE = (320, 192)
# JavaScript: the component lives in a shadow root, where selectors of the page do not look
ROOT = "const root = [...document.querySelectorAll('*')].find(e => e.shadowRoot?.querySelector('.bar')).shadowRoot;"


class Player:
    """A server with the rating screen alone, and pages of one browser that show it."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, query: str = "", **facts: Any) -> Any:
        context = self.browser.new_context(**{"viewport": {"width": 1366, "height": 768}} | facts)
        page = context.new_page()
        page.set_default_timeout(60_000)  # a busy machine is slow, not wrong
        page.goto(f"{self.address}/?{query}")
        page.wait_for_selector("[data-testid=rating][data-state=open] [data-state=ready] .bar")
        return page

    def stub(self, **values: Any) -> dict[str, Any]:
        """Set what the server does and return what it has seen."""
        body = json.dumps(values).encode() if values else None
        request = urllib.request.Request(f"{self.address}/stub", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as reply:
            found: dict[str, Any] = json.load(reply)
        return found


@pytest.fixture(scope="module")
def player_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("player")
    options = {"bf": "0", "g": "12"}  # as the import writes them
    make_video(folder / "24.mp4", 72, fps=24, size=SIZE, options=options)
    make_video(folder / "8.mp4", 16, fps=8, size=SIZE, options=options)
    (folder / "broken.mp4").write_bytes(b"this is no video" * 100)
    Image.new("RGB", SIZE, "teal").save(folder / "one.png")
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    program = Path(__file__).with_name("player_server.py")
    server = subprocess.Popen([sys.executable, str(program), str(folder), str(port)], env=os.environ)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/stub", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, "the server ended by itself"
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def player(player_server: str, browser: Any) -> Iterator[Player]:
    made = Player(browser, player_server)
    made.stub(fault=0, assignment=1, posts=[], events=[])
    yield made
    for context in browser.contexts:
        context.close()


def shown_frames(page: Any) -> list[int]:
    """Return the frame numbers that the left and the right video show on the screen."""
    numbers = []
    for side in ("left", "right"):
        box = page.locator(f"[data-side={side}] .surround").bounding_box()
        scale = min(box["width"] / SIZE[0], box["height"] / SIZE[1])
        width, height = SIZE[0] * scale, SIZE[1] * scale
        clip = {
            "x": box["x"] + (box["width"] - width) / 2, "y": box["y"] + (box["height"] - height) / 2,
            "width": width, "height": height,
        }  # fmt: skip
        picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
        numbers.append(read_bar_code(np.asarray(picture)))
    return numbers


def frame(page: Any) -> int:
    return int(page.locator(".bar").get_attribute("data-frame"))


def wait_for_frame(page: Any, k: int) -> None:
    page.wait_for_function(
        f"k => {{ {ROOT} return root.querySelector('.bar').dataset.frame == k"
        " && [...root.querySelectorAll('video')].every(video => !video.seeking && video.paused); }",
        arg=k,
    )


def assert_shown(page: Any, left: int, right: int) -> None:
    """Wait for these frames: the screen follows a seek that has ended by one or two of its own pictures."""
    for _ in range(20):
        if (found := shown_frames(page)) == [left, right]:
            return
        page.wait_for_timeout(50)
    assert found == [left, right]


def answer_all(page: Any, questions: int = 8) -> None:
    for _ in range(questions):
        page.keyboard.press("1")


def test_a_step_is_exactly_one_frame_at_8_and_at_24_fps(player: Player) -> None:
    page = player.open("videos=24,8&fps=24")
    page.keyboard.press("Home")  # plays, but what comes later wins
    page.locator("[data-testid=scrub]").fill("0")
    for k in range(8):
        wait_for_frame(page, k)
        assert_shown(page, k, k // 3)
        page.keyboard.press(".")
    page.locator("[data-testid=scrub]").fill("47")
    wait_for_frame(page, 47)
    assert_shown(page, 47, 15)
    # beyond its end the shorter one holds its last frame
    for k in (48, 49):
        page.keyboard.press(".")
        wait_for_frame(page, k)
        assert_shown(page, k, 15)
    for k in (48, 47, 46, 45, 44):
        page.keyboard.press(",")
        wait_for_frame(page, k)
        assert_shown(page, k, min(15, k // 3))


def test_a_pause_leaves_both_on_the_same_frame(player: Player) -> None:
    page = player.open("videos=24,24")
    page.wait_for_timeout(700)
    page.keyboard.press("Space")
    page.wait_for_selector(".bar[data-playing=false]")
    k = frame(page)
    wait_for_frame(page, k)
    assert k > 5
    assert_shown(page, k, k)


def test_videos_that_drift_apart_are_brought_together(player: Player) -> None:
    page = player.open("videos=24,24")
    drift = f"""push => {{ {ROOT}
        const [left, right] = root.querySelectorAll('video');
        if (push) right.currentTime += 0.6;
        return Math.abs(left.currentTime - right.currentTime); }}"""
    page.wait_for_timeout(300)
    page.evaluate(drift, True)
    page.wait_for_function(f"() => ({drift})(false) < 0.12")
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    page.wait_for_timeout(300)
    assert "resync" in {event["kind"] for event in player.stub()["events"]}


def test_a_reload_restores_the_draft_of_this_pair_and_no_other(player: Player) -> None:
    page = player.open()
    page.keyboard.press("1")
    page.keyboard.press("3")
    checked = "[role=radio][aria-checked=true]"
    assert page.locator(checked).count() == 2
    page.reload()
    page.wait_for_selector("[data-assignment='1'][data-state=open]")
    assert [one.get_attribute("data-answer") for one in page.locator(checked).all()] == ["left", "right"]
    player.stub(assignment=2)
    page.reload()
    page.wait_for_selector("[data-assignment='2'][data-state=open]")
    assert page.locator(checked).count() == 0


def test_three_times_enter_is_one_submission(player: Player) -> None:
    page = player.open()
    answer_all(page)
    for _ in range(3):
        page.keyboard.press("Enter")
    page.wait_for_selector("[data-assignment='2'][data-state=open]")
    posts = player.stub()["posts"]
    assert len(posts) == 1
    assert posts[0]["assignment"] == 1
    assert set(posts[0]["answers"].values()) == {"left"}
    assert page.locator("[role=radio][aria-checked=true]").count() == 0


def test_answers_survive_a_server_that_fails_and_a_reload_meanwhile(player: Player) -> None:
    page = player.open()
    answer_all(page)
    player.stub(fault=503)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-state=offline]")
    assert "kept in this browser" in page.locator("[data-testid=status]").inner_text()
    page.keyboard.press("3")  # locked
    page.reload()
    page.wait_for_selector("[data-assignment='1'][data-state=offline]")
    player.stub(fault=0)
    page.wait_for_selector("[data-assignment='2'][data-state=open]")
    posts = player.stub()["posts"]
    assert [set(post["answers"].values()) for post in posts] == [{"left"}]


def test_what_somebody_else_left_in_the_browser_is_neither_shown_nor_sent(player: Player) -> None:
    page = player.open("owner=anna")
    answer_all(page)
    player.stub(fault=503)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-state=offline]")
    page.goto(f"{player.address}/?owner=ben")
    page.wait_for_selector("[data-testid=rating][data-state=open]")
    assert page.locator("[role=radio][aria-checked=true]").count() == 0
    player.stub(fault=0)
    page.wait_for_timeout(2500)
    assert player.stub()["posts"] == []
    page.goto(f"{player.address}/?owner=anna")
    page.wait_for_selector("[data-assignment='2'][data-state=open]")
    assert len(player.stub()["posts"]) == 1


def test_nothing_is_saved_before_the_videos_are_there(player: Player) -> None:
    player.stub(fault=-1)
    page = player.browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(player.address)
    page.wait_for_selector("[data-side=left]:has-text('Connection lost')")
    answer_all(page)
    page.keyboard.press("Enter")
    assert "Loading" in page.locator("[data-testid=status]").inner_text()
    assert page.locator("[data-testid=rating]").get_attribute("data-state") == "open"
    player.stub(fault=0)
    page.wait_for_selector("[data-testid=save][aria-disabled=false]")


@pytest.mark.parametrize(("touch", "closed"), [("refuse", True), ("allow", False)])
def test_a_touch_screen_is_refused_where_the_study_says_so(player: Player, touch: str, closed: bool) -> None:
    page = player.open(f"touch={touch}", has_touch=True, is_mobile=True)
    assert page.locator("[data-testid=gate]").is_visible() == closed
    if not closed:
        page.locator("[data-question=PS] [data-answer=same]").tap()
        assert page.locator("[role=radio][aria-checked=true]").count() == 1


def test_a_window_that_is_too_small_says_so_until_it_is_large_enough(player: Player) -> None:
    page = player.open(viewport={"width": 999, "height": 700})
    assert "999 × 700" in page.locator("[data-testid=gate]").inner_text()
    page.keyboard.press("1")
    page.set_viewport_size({"width": 1000, "height": 700})
    page.wait_for_selector("[data-testid=gate]", state="detached")
    assert page.locator("[role=radio][aria-checked=true]").count() == 0


def test_a_final_refusal_is_said_in_words_and_work_goes_on(player: Player) -> None:
    page = player.open()
    answer_all(page)
    player.stub(fault=409)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-state=refused]")
    assert "answered already" in page.locator("[data-testid=status]").inner_text()
    player.stub(assignment=2, fault=0)
    page.locator("[data-testid=extra]").click()
    page.wait_for_selector("[data-assignment='2'][data-state=open]")


def test_a_video_that_cannot_be_decoded_is_said_and_can_be_reported(player: Player) -> None:
    page = player.browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{player.address}/?videos=24,broken")
    page.wait_for_selector("[data-side=right][data-state=broken]")
    assert "cannot be played" in page.locator("[data-side=right]").inner_text()
    page.keyboard.press("b")
    page.locator("[data-testid=report] textarea").fill("nothing but <b>grey</b>")
    page.locator("button[data-testid=report]").click()
    page.wait_for_selector("[data-assignment='2']")
    assert player.stub()["posts"][0]["reason"] == "does_not_play: nothing but <b>grey</b>"


@pytest.mark.parametrize("size", [(1366, 768), (1000, 600)])
def test_ten_questions_and_a_picture_fit_without_scrolling(player: Player, size: tuple[int, int]) -> None:
    page = player.open("item=both", viewport={"width": size[0], "height": size[1]})
    screen = page.locator("[data-testid=rating]")
    outside = "m => [...m.querySelectorAll('*')].map(e => [e.getBoundingClientRect(), e.outerHTML]).filter(([r]) =>"
    outside += " r.left < 0 || r.top < 0 || r.right > innerWidth || r.bottom > innerHeight).map(([, html]) => html)"
    assert screen.evaluate(outside) == []
    assert page.locator("[role=radio]").count() == 30
    heights = "m => [...m.querySelectorAll('button, select')].map(e => e.getBoundingClientRect().height).filter(h => h)"
    assert min(screen.evaluate(heights)) >= 34


def test_the_text_of_a_prompt_is_never_markup(player: Player) -> None:
    page = player.open("item=long")
    assert "<b>a cat</b>" in page.locator("[data-testid=prompt]").inner_text()
    assert page.locator("[data-testid=prompt] *").count() == 0


def test_saving_waits_until_enough_was_watched(player: Player) -> None:
    page = player.open("watch=1&videos=8,8", reduced_motion="reduce")
    assert page.locator(".bar").get_attribute("data-playing") == "false"  # less motion was asked for
    answer_all(page)
    page.keyboard.press("Enter")
    assert "100 %" in page.locator("[data-testid=status]").inner_text()
    assert player.stub()["posts"] == []
    page.keyboard.press("Space")
    page.wait_for_selector("[data-testid=save][aria-disabled=false]")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-assignment='2']")
    assert player.stub()["posts"][0]["watched"] == 1
