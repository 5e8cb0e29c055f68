"""Chromium, studies that were imported once, and servers that serve them.

The browser belongs to a file of tests, not to the session: as long as Playwright runs, nothing else in its process can
use asyncio.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from human_eval_app.study_folder import StudyFolder
from tests.app.app_served import Server, running
from tests.browser.browser_study import WITH_KNOWN_PAIRS, arrive, cookie_of, copy_of, import_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.browser_person import Person

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# as root Chromium only starts without its sandbox; the rest keeps it from calling home
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium; apt-get install chromium fonts-noto-cjk enables it")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'univg-bench[dev]'")
    playwright.expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong
    with playwright.sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study with practice, gold and repeats that nobody has rated; copy it."""
    return import_study(tmp_path_factory.mktemp("imported"), WITH_KNOWN_PAIRS)


@pytest.fixture(scope="module")
def study(imported: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return copy_of(imported, tmp_path_factory.mktemp("served") / "study")


@pytest.fixture(scope="module")
def server(study: StudyFolder, browser: Browser) -> Iterator[Server]:
    """The server of `study`. A test that kills it starts it again."""
    del browser  # first: without one there is nothing to serve
    with running(study.path) as found:
        yield found
        assert "Traceback" not in found.log(), found.log()


@pytest.fixture
def person(browser: Browser, study: StudyFolder, server: Server) -> Iterator[Callable[..., Person]]:
    """Make people: `person()` has a browser and nothing else, `person(instructed=True)` is about to see a pair."""
    from tests.browser.browser_person import SIZE, Person

    made: list[Person] = []

    def new(*, instructed: bool | None = None, language: str = "en", **facts: Any) -> Person:
        address = f"http://127.0.0.1:{server.port}"
        options = {"viewport": SIZE, "locale": "en-US", "reduced_motion": "reduce", "color_scheme": "light"} | facts
        one = Person(browser.new_context(**options), address)
        if instructed is not None:
            one.id = arrive(study, instructed=instructed, language=language).id
            one.context.add_cookies([cookie_of(study, one.id, address)])
        made.append(one)
        return one

    yield new
    for one in made:
        one.context.close()
        assert one.said == []
