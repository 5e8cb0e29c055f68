"""Somebody in front of a browser, who has a keyboard and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

WAIT_MS = 60_000
SIZE = {"width": 1366, "height": 768}
# what has the focus, looked for inside shadow roots too
FOCUSED = """() => {
    let found = document.activeElement;
    while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
    if (!found || found === document.body) return '';
    return (found.getAttribute('aria-label') || found.innerText || found.id || '').trim();
}"""
# the component lives in a shadow root
SCREEN = "const find = (node) => node.querySelector('[data-testid=rating]') ?? [...node.querySelectorAll('*')]"
SCREEN += ".map((e) => e.shadowRoot && find(e.shadowRoot)).find((e) => e) ?? null; const screen = find(document);"


class Person:
    """One browser with its own storage. `page` is the tab in front."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address = context, address
        self.arrived = True  # by a load of the page: then nothing has the focus yet
        self.id = 0  # of the annotator, where the test logged in for them
        self.said: list[str] = []  # errors of scripts, and what a script would pop up
        self.page = self.open_tab()

    def open_tab(self) -> Page:
        """Return a further tab."""
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        return page

    def come(self, query: str = "") -> Person:
        self.page.goto(f"{self.address}/{query}")
        self.arrived = True
        return self

    # ------------------------------------------------------------------------------------------------- reading pages

    def sees(self, state: str, page: int | None = None) -> None:
        """Wait for a page of this state, all of it; where it followed another one its heading gets the focus."""
        root = self.page.locator("html")
        expect(root).to_have_attribute("data-state", state)
        if page is not None:
            expect(root).to_have_attribute("data-page", str(page))
        expect(self.page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
        if state != "rating" and not self.arrived:
            expect(self.page.locator(".stMain h1")).to_be_focused()
        self.arrived = False

    def tab_to(self, name: str) -> None:
        """Press Tab until what is called `name` has the focus."""
        for _ in range(40):
            if self.page.evaluate(FOCUSED) == name:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {name!r}; it stops at {self.page.evaluate(FOCUSED)!r}")

    def press_button(self, name: str) -> None:
        """Press a button of a reading page by the keyboard."""
        expect(self.page.get_by_role("button", name=name, exact=True)).to_be_visible()
        self.tab_to(name)
        self.page.keyboard.press("Enter")

    def log_in(self, code: str) -> None:
        self.sees("login")
        expect(self.page.get_by_test_id("code")).to_be_visible()
        self.tab_to("code")
        self.page.keyboard.type(code.replace("-", "").lower())
        self.page.keyboard.press("Enter")
        self.arrived = True

    # -------------------------------------------------------------------------------------------------- rating screen

    def screen(self, state: str = "open") -> Locator:
        return self.page.locator(f"[data-testid=rating][data-state={state}]")

    def sees_pair(self, *, after: int | None = None) -> int:
        """Wait for a pair with both videos, another one than `after`; return its assignment."""
        other = "" if after is None else f":not([data-assignment='{after}'])"
        shown = self.page.locator(f"[data-testid=rating][data-state=open]{other}")
        expect(shown.locator(".stage[data-state=ready]")).to_be_visible()
        self.arrived = False
        return int(shown.get_attribute("data-assignment") or 0)

    def answer(self, keys: str = "111") -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def status(self) -> Locator:
        return self.page.get_by_test_id("status")

    def given(self) -> dict[str, str]:
        """Return the answers on the screen."""
        found = self.page.locator(".row:has([aria-checked=true])")
        return {
            str(row.get_attribute("data-question")): str(
                row.locator("[aria-checked=true]").get_attribute("data-answer")
            )
            for row in found.all()
        }

    def rate(self, keys: str = "111", save: Callable[[], None] | None = None) -> int:
        """Answer the pair on the screen and save it; return its assignment once another page has come."""
        shown = self.sees_pair()
        self.answer(keys)
        expect(self.page.locator("[data-testid=save][aria-disabled=false]")).to_be_visible()
        (save or (lambda: self.page.keyboard.press("Enter")))()
        self.leaves(shown)
        return shown

    def leaves(self, assignment: int) -> None:
        expect(self.page.locator(f"[data-testid=rating][data-assignment='{assignment}']")).to_have_count(0)

    def outside(self) -> Any:
        """Return what of the rating screen lies outside of the window, and how far one could scroll it."""
        return self.page.evaluate(f"""() => {{ {SCREEN}
            const clipped = (e) => {{
                for (let p = e.parentElement; p && p !== screen; p = p.parentElement) {{
                    const seen = getComputedStyle(p);
                    if (seen.overflow === 'hidden') return true;
                }}
                return false;
            }};
            const far = [...screen.querySelectorAll('*')].filter((e) => !clipped(e)).filter((e) => {{
                const r = e.getBoundingClientRect();
                return r.left < 0 || r.top < 0 || r.right > innerWidth || r.bottom > innerHeight;
            }}).map((e) => e.outerHTML.slice(0, 200));
            const top = document.scrollingElement;
            const inside = screen.scrollHeight - screen.clientHeight;
            return [far, top.scrollWidth - innerWidth, top.scrollHeight - innerHeight, inside];
        }}""")
