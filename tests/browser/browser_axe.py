"""What axe-core finds on a page, shadow roots included, in the light and in the dark."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

AXE = Axe()
GROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 24, 26)"}  # streamlit_settings.py
# a page that fades in has colours of its own for a moment
STILL = "() => document.getAnimations().every((a) => a.playState !== 'running' || a.effect.getTiming().iterations > 9)"


def violations(page: Page, *, only_colours: bool = False) -> list[str]:
    """Return every violation with what causes it."""
    for _ in range(100):
        if page.evaluate(STILL):
            break
        page.wait_for_timeout(50)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only_colours:
        options["runOnly"] = ["color-contrast"]
    found = AXE.run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found
        for node in one["nodes"]
    ]


def turn(page: Page, theme: str) -> None:
    """Let the operating system change its theme, and wait until the page has followed."""
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", GROUND[theme])


def violations_in_both_themes(page: Page, where: str) -> list[str]:
    """Return what is wrong in the light, and which colours are in the dark; ends in the light."""
    found = [f"{where}, light: {line}" for line in violations(page)]
    turn(page, "dark")
    found += [f"{where}, dark: {line}" for line in violations(page, only_colours=True)]
    turn(page, "light")
    return found
