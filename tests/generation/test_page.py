"""The page is one file without scripts, escapes what came from outside, and says n, floor, digests and intervals."""

from __future__ import annotations

import base64
import html.parser
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.generation.shown_runs import run_verb, write_world
from univg_bench.cli import run
from univg_bench.floor import floors
from univg_bench.page_figures import Dot, Mark, dot_plot, nice_ticks
from univg_bench.records import load_record
from univg_bench.samples import Run

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated run `quiet`, whose card's note is markup, and real videos again as `held-out`, both evaluated."""
    folder = tmp_path_factory.mktemp("page")
    file, data, runs = str(write_world(folder)), str(folder / "data"), str(folder / "runs")
    assert run(["-q", "prepare", "moving-shapes", file, "--dest", data, "--rendering", "1"]) == 0
    source = str(folder / "data" / "test-32x56" / "rendering-1")
    assert run(["-q", "import", file, "--model", "held-out", "--from", source, "--data", data, "--dest", runs]) == 0
    assert run(["-q", "evaluate", str(folder / "runs" / "five@1" / "held-out"), "--workers", "1"]) == 0
    assert run_verb(folder, "--items", "1", models=("Quiet",)) == 0
    return folder


def paths(world: Path) -> list[str]:
    return [str(world / "runs" / "five@1" / model) for model in ("quiet", "held-out")]


@pytest.fixture(scope="module")
def page(world: Path) -> str:
    dest = world / "page.html"
    assert run(["-q", "page", *paths(world), "--held-out", "held-out", "--items", "2", "--dest", str(dest)]) == 0
    return dest.read_text()


class Outline(html.parser.HTMLParser):
    """Every tag with its attributes, and whether all of them are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "line", "circle", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


def outline(page: str) -> list[tuple[str, dict[str, str | None]]]:
    found = Outline()
    found.feed(page)
    assert found.open == []
    return found.tags


def test_it_needs_nothing_but_itself_and_runs_nothing(page: str) -> None:
    tags = outline(page)
    assert not {"script", "link", "iframe", "object", "video"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    targets = [value or "" for _, a in tags for name, value in a.items() if name in ("src", "href", "srcset")]
    assert all(target.startswith(("data:image/webp;base64,", "#")) for target in targets)
    assert "url(" not in page
    assert "@import" not in page


def test_what_came_from_outside_is_text(page: str, world: Path) -> None:
    assert "Five items &lt;for tests&gt; &amp; no others" in page
    assert "&lt;b&gt;&amp;" in page  # the note of the model's card
    assert "<for tests>" not in page
    assert "test-32x56/rendering-1" in page  # where videos were taken in from, without whose folder that was
    assert str(world) not in page


def test_pictures_have_words_and_sizes_and_move_unless_held(page: str) -> None:
    images = [attributes for tag, attributes in outline(page) if tag == "img"]
    assert all(image["alt"] and int(image["width"] or 0) and int(image["height"] or 0) for image in images)
    frames = {}
    for image in images:
        with Image.open(io.BytesIO(base64.b64decode((image["src"] or "").partition(",")[2]))) as picture:
            frames.setdefault(image["class"], []).append(getattr(picture, "n_frames", 1))
    # two items, each: the given image; moving and still of the real video and of two runs
    assert frames[""] == [1, 1]
    assert frames["still"] == [1] * 6
    assert len(frames["moving"]) == 6
    assert all(count > 1 for count in frames["moving"])
    assert "prefers-reduced-motion:reduce" in page
    assert "#hold:checked" in page


def test_it_says_n_floor_intervals_recipes_and_digests(page: str, world: Path) -> None:
    quiet, held_out = (load_record(Path(path)) for path in paths(world))
    fvd, floor = quiet.metric("fvd"), held_out.metric("fvd")
    assert fvd is not None
    assert fvd.interval is not None
    assert floor is not None
    assert "n = 5 items" in page
    assert f"real videos against real ones have {floor.value:.0f} at n = 5" in page
    assert f"quiet has {fvd.value:.0f} ({fvd.interval.low:.0f} to {fvd.interval.high:.0f})" in page
    assert fvd.weights is not None
    model = json.loads((Path(paths(world)[0]) / "model.json").read_bytes())
    for digest in (
        quiet.protocol.digest, fvd.recipe["digest"], fvd.weights.sha256, model["card"]["weights"]["all"],
        quiet.samples.digest,
    ):  # fmt: skip
        assert f'title="{digest}"' in page
    assert "no number here compares with any published FVD or CLIPSIM" in page
    assert "5 videos are few" in page


def test_equal_runs_give_equal_bytes(page: str, world: Path) -> None:
    again = world / "again.html"
    assert run(["-q", "page", *paths(world), "--held-out", "held-out", "--items", "2", "--dest", str(again)]) == 0
    assert again.read_text() == page


def test_the_floor_is_the_fvd_of_real_videos_again(world: Path) -> None:
    path = Path(paths(world)[1])
    first = floors(Run.open(path).protocol(), path, held_out=True, least=4)[0]
    record = load_record(path).metric("fvd")
    assert record is not None
    assert (first.n, first.same_captions) == (5, pytest.approx(record.value, rel=1e-9))
    alone = floors(Run.open(path).protocol(), path, held_out=False, least=2)
    assert [(one.n, one.same_captions) for one in alone] == [(2, None)]


def test_samples_that_changed_since_are_refused(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = world / "copies" / "five@1" / "quiet"
    shutil.copytree(paths(world)[0], copy)
    record = json.loads((copy / "results.json").read_bytes())
    record["status"]["manifest_digest"] = "0" * 64
    (copy / "results.json").write_text(json.dumps(record))
    assert run(["-q", "page", str(copy), "--dest", str(world / "no.html")]) == 2
    assert "are not those its results.json was made from" in capsys.readouterr().err


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.05, 0.93), (71, 1789), (-4770, 182336), (0.988, 1.0)])
def test_ticks_are_round_and_enclose(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 7
    assert ticks[0] <= low < high <= ticks[-1]
    step = ticks[1] - ticks[0]
    assert all(round(tick / step, 6) == round(tick / step) for tick in ticks)


def test_a_figure_orders_its_dots_and_says_them_in_words() -> None:
    dots = [Dot("a<b", 1.0, 0.5, 1.5, "made"), Dot("c", 3.0, None, None, "base")]
    drawn = dot_plot(dots, title="T", direction="lower", digits=1, mark=Mark(2.0, "the floor"))
    places = [float(x) for x in re.findall(r'cx="([0-9.]+)"', drawn)]
    assert places == sorted(places)
    assert "a&lt;b" in drawn
    assert 'aria-label="T: a&lt;b 1.0, interval 0.5 to 1.5; c 3.0; dashed line: the floor 2.0"' in drawn
    assert 'class="mark"' in drawn
    equal = dot_plot([Dot("a", 0.0, 0.0, 0.0, "made")], title="T", direction="higher", digits=1)
    assert "nan" not in equal


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_held_still(page: str, world: Path, scheme: str) -> None:
    from playwright.sync_api import sync_playwright

    (world / "shown.html").write_text(page)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        shown = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
        shown.goto((world / "shown.html").as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
        assert shown.locator("img.moving").first.is_visible()
        shown.get_by_label("Hold the videos still").check()
        assert not shown.locator("img.moving").first.is_visible()
        assert shown.locator("img.still").first.is_visible()
        shown.emulate_media(reduced_motion="reduce")
        browser.close()
