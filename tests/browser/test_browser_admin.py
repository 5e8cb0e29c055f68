"""The researcher's page in Chromium: in, what is hidden while a study is open, closing it, and taking results home."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from human_eval_app.admin.server import open_desk
from human_eval_app.study_folder import StudyFolder
from tests.app.app_admin import PASSWORD, admin_folder, rated
from tests.app.app_served import ROOT
from tests.browser.browser_study import rows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'univg-bench[dev]'")
pytest.importorskip("axe_playwright_python", reason="needs axe-core: pip install 'univg-bench[dev]'")

PROGRAM = """
import sys
from pathlib import Path
from human_eval_app.admin.server import open_desk, serve
from human_eval_app.study_folder import StudyFolder

desk = open_desk(StudyFolder.open(Path(sys.argv[1])))
serve(desk, host="127.0.0.1", port=0, started=lambda address: print(address, flush=True))
"""
SLUG = "moving-shapes@1"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple[StudyFolder, str]]:
    """A study that four people have rated, one of them carelessly, and the address of its admin page."""
    del browser
    folder = admin_folder(tmp_path_factory.mktemp("admin") / "study", items=6, target=3)
    opened = open_desk(folder)
    rated(opened, honest=3, careless=1, flag=0.05)
    opened.store.database.close()
    log = (folder.path / "admin.log").open("w")
    with log:
        words = [sys.executable, "-c", PROGRAM, str(folder.path)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, (folder.path / "admin.log").read_text()
    yield folder, address
    process.terminate()
    process.wait(timeout=60)
    process.stdout.close()
    assert "Traceback" not in (folder.path / "admin.log").read_text()


def settled(page: Page) -> None:
    from playwright.sync_api import expect

    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def go(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).first.click()
    settled(page)


def test_from_the_login_to_the_results_without_a_violation(
    browser: Browser, desk: tuple[StudyFolder, str], tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    from tests.browser.browser_axe import violations_in_both_themes

    folder, address = desk
    found: list[str] = []
    context = browser.new_context(viewport={"width": 1366, "height": 900}, color_scheme="light", accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    def look(where: str) -> None:
        found.extend(violations_in_both_themes(page, where))

    page.goto(address)
    page.get_by_label("Password", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not the password")).to_be_visible()
    look("login, refused")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Complete pairs")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first).to_be_visible()
    settled(page)
    look("overview")
    go(page, "Annotators")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    look("annotators")
    go(page, "Results")
    expect(page.get_by_text("Results are hidden until the study is closed")).to_be_visible()
    expect(page.get_by_text("Win rates")).to_have_count(0)
    look("results, hidden")

    go(page, "Study and exports")
    expect(page.get_by_text("Ratings can be taken home once the study is closed")).to_be_visible()
    expect(page.get_by_role("button", name="Ratings CSV")).to_have_count(0)
    look("study, open")
    name = page.get_by_label("to close it")
    name.fill("moving-shapes")
    page.get_by_role("button", name="Close for good").click()
    expect(page.get_by_text("Nothing was changed")).to_be_visible()
    assert rows(folder, "SELECT status FROM study") == [("open",)]
    name.fill(SLUG)
    page.get_by_role("button", name="Close for good").click()
    expect(page.get_by_text("The study is closed. It takes no more answers")).to_be_visible()
    assert rows(folder, "SELECT status FROM study") == [("closed",)]
    with page.expect_download() as coming:
        page.get_by_role("button", name="Ratings CSV").click()
    coming.value.save_as(tmp_path / "ratings.csv")
    look("study, closed")
    check_export(tmp_path / "ratings.csv", folder)

    go(page, "Results")
    expect(page.get_by_role("heading", name="Win rates")).to_be_visible()
    expect(page.get_by_role("heading", name="Agreement")).to_be_visible()
    settled(page)
    look("results")
    go(page, "Log")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    look("log")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password", exact=True)).to_be_visible()
    expect(page.get_by_text("Complete pairs")).to_have_count(0)
    context.close()
    assert errors == []
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []
    assert found == [], "\n".join(found)


def check_export(path: Path, folder: StudyFolder) -> None:
    """Compare the rows of a download with the database: of known pairs only the known answer is a row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines: list[dict[str, Any]] = list(csv.DictReader(file))
    stored = rows(folder, """
        SELECT p.item, n.alias, p.other, r.dimension, r.choice FROM rating r
        JOIN assignment a ON a.id = r.assignment_id JOIN pair p ON p.id = a.pair_id
        JOIN annotator n ON n.id = a.annotator_id
        WHERE a.kind <> 'gold' OR r.dimension = 'AM'
    """)  # fmt: skip
    keys = ("item", "annotator", "other", "dimension", "choice")
    assert sorted(tuple(line[key] for key in keys) for line in lines) == sorted(stored)
    assert len(stored) > 300
