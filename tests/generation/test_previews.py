"""Previews show what they say, side by side, in equal bytes each time, and leave the samples alone."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from tests.generation.shown_runs import write_world
from univg_bench.cli import run
from univg_bench.encode import write_lossless
from univg_bench.preview import PANEL_WIDTH, read_clip
from univg_bench.samples import Run
from univg_bench.sheet import GAP, TEXT_SIZE, wrapped
from univg_bench.video import decode, probe


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The protocol with two imported runs: the real videos again, and those of another rendering."""
    folder = tmp_path_factory.mktemp("previews")
    file = str(write_world(folder))
    data = str(folder / "data")
    assert run(["-q", "prepare", "moving-shapes", file, "--dest", data, "--rendering", "1"]) == 0
    for model, rendering in (("same", 0), ("other", 1)):
        source = str(folder / "data" / "test-32x56" / f"rendering-{rendering}")
        arguments = ["--model", model, "--from", source, "--data", data, "--dest", str(folder / "runs")]
        assert run(["-q", "import", file, *arguments]) == 0
    return folder


def preview(world: Path, dest: str, *models: str) -> int:
    paths = [str(world / "runs" / "five@1" / model) for model in models]
    return run(["-q", "preview", *paths, "--dest", str(world / dest), "--items", "2"])


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_runs_give_the_same_bytes_and_samples_stay(world: Path) -> None:
    before = digests(world / "runs" / "five@1" / "same" / "samples")
    assert preview(world, "once", "same", "other") == 0
    own = digests(world / "runs" / "five@1" / "same" / "previews")
    assert preview(world, "again", "same", "other") == 0
    assert digests(world / "once") == digests(world / "again")
    assert len(digests(world / "once")) == 6
    assert digests(world / "runs" / "five@1" / "same" / "previews") == own
    assert sorted(own) == ["test-00000-s0.mp4", "test-00001-s0.mp4"]
    assert digests(world / "runs" / "five@1" / "same" / "samples") == before
    assert run(["-q", "check", str(world / "runs" / "five@1" / "same"), "--deep"]) == 0


def test_panels_stand_in_order_and_move_together(world: Path) -> None:
    assert preview(world, "panels", "same", "other") == 0
    video = world / "panels" / "five@1" / "items" / "test-00000.mp4"
    facts = probe(video)
    assert (facts.frames, float(facts.fps)) == (24, 8.0)
    shown = np.stack([frame.rgb for frame in decode(video)]).astype(int)  # (F, 3, H, W)
    rows = slice(40, 150)
    condition, real, same, other = (
        shown[:, :, rows, GAP + k * (PANEL_WIDTH + GAP) :][..., :PANEL_WIDTH] for k in range(4)
    )
    # the encoder rounds, so panels of equal videos are alike, not equal
    assert np.abs(real - same).mean() < 3 < np.abs(real - other).mean()
    assert np.abs(condition[0] - condition[-1]).mean() < 3 < np.abs(real[0] - real[-1]).mean()
    assert np.abs(condition[0] - real[0]).mean() < 3


def test_runs_of_one_name_and_runs_without_samples_are_refused(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview(world, "twice", "same", "same") == 2
    assert "found runs of one name under five@1" in capsys.readouterr().err
    assert preview(world, "none", "nobody") == 2
    assert "found no run in" in capsys.readouterr().err


def test_a_clip_ends_after_its_seconds_and_holds_its_last_frame(tmp_path: Path) -> None:
    frames = np.stack([np.full((3, 8, 8), 10 * i, dtype=np.uint8) for i in range(20)])
    write_lossless(tmp_path / "v.mp4", frames, 5)
    clip = read_clip(tmp_path / "v.mp4", seconds=2)
    assert (len(clip.frames), clip.end, clip.fps) == (10, 2.0, 5.0)
    assert read_clip(tmp_path / "v.mp4", longest=4).frames.shape == (20, 3, 4, 4)
    assert [int(clip.at(t)[0, 0, 0]) for t in (0, 0.19, 0.2, 0.39, 1.99, 7)] == [0, 0, 10, 10, 90, 90]


def test_words_wrap_and_what_does_not_fit_becomes_dots() -> None:
    font = ImageFont.load_default(TEXT_SIZE)
    text = "a red circle slides right on tiles it is small and plain"
    lines = wrapped(text, font, 120, most=9)
    assert " ".join(lines) == text
    assert all(font.getlength(line) <= 120 for line in lines)
    assert wrapped(text, font, 120, most=2)[-1].endswith(" …")
    assert wrapped("", font, 120, most=2) == []


def test_sheets_hold_a_row_per_video_below_prompt_and_image(world: Path) -> None:
    assert preview(world, "sheets", "same", "other") == 0
    home = world / "sheets" / "five@1"
    with Image.open(home / "items" / "test-00000.png") as sheet, Image.open(home / "runs" / "same.png") as own:
        row = round(32 * 168 / 56)
        assert sheet.height == (2 * GAP + row) + 3 * (row + GAP) + GAP
        assert own.height == 2 * (row + GAP) + GAP
    assert len(list(Run.open(world / "runs" / "five@1" / "same").rows())) == 5
