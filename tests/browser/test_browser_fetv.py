"""A real study, imported by the command line and rated to its last pair by keyboard: ModelScopeT2V against ZeroScope.

python -m pytest -m slow -s tests/browser/test_browser_fetv.py     prints its figures as JSON
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from human_eval_app.study_folder import StudyFolder, write_pepper
from human_eval_app.wording import load_wording
from tests.app.app_served import running
from tests.browser.browser_study import SUBMISSIONS, issue_code, rows
from univg_bench.cli import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FETV = Path(__file__).parents[3] / "shared" / "data" / "fetv"
OURS, OTHER = "modelscope-t2v", "zeroscope"
WORDS = load_wording("en")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Both models over all prompts, as the same pictures at the same rate and length."""
    if not (FETV / "prompts.csv").exists():
        pytest.skip(f"needs {FETV}: the slice of FETV that is not part of the project enables it")
    folder = tmp_path_factory.mktemp("fetv") / "study"
    with (FETV / "prompts.csv").open(newline="") as file:
        items = [{"id": row["item_id"], "prompt": row["prompt"]} for row in csv.DictReader(file)]
    folder.mkdir()
    (folder / "study.yaml").write_text(json.dumps({
        "schema": "univg-bench/study/1", "id": "fetv", "version": 1, "title": "ModelScopeT2V against ZeroScope",
        "methods": [{"id": OURS}, {"id": OTHER}], "ours": OURS, "others": [OTHER], "items": items,
        "ratings_per_pair": 1, "session": {"pairs": 11, "minutes": 600}, "analysis": {"primary": "OL"},
        "presentation": {
            "resolution": "fit_box", "width": 456, "height": 256, "fps": 10, "duration": "trim_to_shortest",
        },
    }))  # fmt: skip
    words = [f"--method={method}={FETV / 'videos' / method}" for method in (OURS, OTHER)]
    write_pepper(folder / "pepper")  # `init` would; here the study file was written by hand
    assert run(["-q", "human", "import", str(folder), *words]) == 0
    return StudyFolder.open(folder)


@pytest.fixture
def context(browser: Browser) -> Iterator[Any]:
    found = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-US")
    yield found
    found.close()


@pytest.mark.slow
def test_every_pair_of_fetv_is_rated_by_keyboard(study: StudyFolder, context: Any) -> None:
    from tests.browser.browser_person import Person

    saved: list[float] = []  # milliseconds, from the request to the end of the reply, in the browser
    between: list[float] = []  # seconds from Enter to the next pair, both videos loaded
    with running(study.path) as server:
        one = Person(context, f"http://127.0.0.1:{server.port}")

        def note(request: Any) -> None:
            if request.url.endswith("/api/ratings"):
                saved.append(request.timing["responseEnd"] - request.timing["requestStart"])

        one.page.on("requestfinished", note)
        one.come().log_in(issue_code(study))
        one.sees("welcome")
        one.press_button(WORDS["welcome.button"])
        one.sees("consent")
        one.press_button(WORDS["consent.agree"])
        number = 0
        while True:
            one.sees("instructions", number)
            last = one.page.get_by_role("button", name=WORDS["instructions.begin.rating"], exact=True).count() == 1
            one.press_button(WORDS["instructions.begin.rating" if last else "common.next"])
            number += 1
            if last:
                break
        keys = "12312321"  # eight questions of text to video
        shown = one.sees_pair()
        pressed = 0.0
        for pair in range(22):
            assert one.outside() == [[], 0, 0, 0]
            for key in keys[pair % 3 :] + keys[: pair % 3]:
                one.page.keyboard.press(key)
            pressed = time.monotonic()
            one.page.keyboard.press("Enter")
            one.leaves(shown)
            if pair == 10:
                one.sees("break")
                one.press_button(WORDS["break.button"])
                shown = one.sees_pair()
            elif pair < 21:
                shown = one.sees_pair(after=shown)
                between.append(time.monotonic() - pressed)
        one.sees("done")
        assert one.said == []
        assert "Traceback" not in server.log()
    found = rows(study, SUBMISSIONS, 1)
    assert len(found) == 22
    assert len({row[7] for row in found}) == 22
    assert Counter(row[2] for row in found) == {"left": 11, "right": 11}
    ratings = rows(study, "SELECT answer, count(*) FROM rating GROUP BY answer")
    assert sum(count for _, count in ratings) == 22 * 8
    assert len(saved) == 22
    print(json.dumps({
        "pairs": len(found), "ratings": sum(count for _, count in ratings), "answers": dict(ratings),
        "left and right": Counter(row[2] for row in found),
        "submit, ms": {"median": statistics.median(saved), "largest": max(saved)},
        "to the next pair, s": {"median": statistics.median(between), "largest": max(between)},
        "events": rows(study, "SELECT kind, count(*) FROM event GROUP BY kind"),
    }))  # fmt: skip
