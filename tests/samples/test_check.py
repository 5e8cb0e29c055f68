"""`check` and the classes of problems: each is found, failing ones make exit 3, suspicious ones are only named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.samples.small_protocol import import_videos, run_path, write_protocol, write_videos
from tests.videos import make_video
from univg_bench.cli import run
from univg_bench.frames import FramePolicy
from univg_bench.problems import FAILING, SUSPICIOUS, Needs, failing, find_problems, problems, suspicious
from univg_bench.protocol_files import load_protocol
from univg_bench.samples import Row

GOOD = Row(
    name="a", status="ok", path="a.mp4", rgb_sha256="00", frames=16, height=32, width=56, seconds="2",
    brightest=200, contrast=200, motion=100,
)  # fmt: skip
SIXTEEN = (FramePolicy(sampling="random_sorted", frames=16),)
FIXED = Needs(policies=SIXTEEN, num_frames=16, fps=8.0, height=32, width=56)


def kinds(row: Row, needs: Needs = FIXED) -> list[str]:
    return [problem.kind for problem in find_problems([row], needs)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"status": "missing"}, ["missing"]),
        ({"status": "unreadable"}, ["unreadable"]),
        ({"status": "truncated"}, ["truncated"]),
        ({"status": "corrupt"}, ["corrupt"]),
        ({"frames": 15, "seconds": "15/8"}, ["short"]),
        ({"frames": 17, "seconds": "17/8"}, ["wrong-frames"]),
        ({"width": 57}, ["wrong-size"]),
        ({"height": 31}, ["wrong-size"]),
        ({"seconds": "16/10"}, ["wrong-fps"]),
        ({"seconds": "2001/1000"}, []),  # 7.996 fps: time stamps in milliseconds
        ({"contrast": 4, "brightest": 16}, ["black"]),
        ({"contrast": 4, "brightest": 17}, ["constant"]),
        ({"motion": 4}, ["frozen"]),
        ({"motion": 5}, []),
        ({"contrast": 0, "motion": 0}, ["constant"]),
        ({"width": 57, "motion": 0}, ["wrong-size", "frozen"]),
    ],
)
def test_every_class_is_found(changes: dict[str, object], expected: list[str]) -> None:
    assert kinds(replace(GOOD, **changes)) == expected  # type: ignore[arg-type]
    assert all(kind in FAILING or kind in SUSPICIOUS for kind in expected)


def test_what_the_protocol_does_not_fix_is_as_the_model_likes() -> None:
    other = replace(GOOD, frames=33, height=240, width=240, seconds="33/10")
    assert kinds(other, Needs(policies=SIXTEEN)) == []


def test_a_policy_that_drops_or_repeats_short_videos_has_decided_about_them() -> None:
    short = replace(GOOD, frames=9)
    for rule, expected in (("error", ["short"]), ("drop", []), ("loop", [])):
        policy = FramePolicy(sampling="first", frames=10, short=rule)  # type: ignore[arg-type]
        assert kinds(short, Needs(policies=(policy,))) == expected


def test_fps_matched_counts_time_not_frames() -> None:
    needs = Needs(policies=(FramePolicy(sampling="fps_matched", fps=8, frames=16),))
    assert kinds(replace(GOOD, frames=60, seconds="2"), needs) == []
    assert kinds(replace(GOOD, frames=60, seconds="15/8"), needs) == ["short"]


def test_equal_pixels_under_several_names_are_all_named() -> None:
    rows = [replace(GOOD, name=name, rgb_sha256=pixels) for name, pixels in (("a", "01"), ("b", "02"), ("c", "01"))]
    found = problems(rows, FIXED)
    assert found == {"duplicated": ["a", "c"]}
    assert suspicious(found) == found
    assert failing(found) == {}


def test_needs_come_from_what_the_protocol_fixes(tmp_path: Path) -> None:
    given = ", num_frames: 24, fps: 8, height: 32, width: 56"
    free = load_protocol(write_protocol(tmp_path / "a", generation=given))
    fixed = load_protocol(write_protocol(tmp_path / "b", generation=given + ", fixed: [num_frames, fps, width]"))
    assert Needs.of_samples(free) == Needs(policies=(free.metrics[0].frames,))
    assert Needs.of_samples(fixed) == Needs(policies=(fixed.metrics[0].frames,), num_frames=24, fps=8, width=56)
    assert Needs.of_references(free) == Needs()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write_protocol(tmp_path, 15, generation=", height: 48, fixed: [height]")
    videos = write_videos(tmp_path / "videos", 12)
    black = [np.zeros((48, 80, 3), np.uint8)] * 9
    make_video(videos / "v012.mp4", black)
    make_video(videos / "v013.mp4", [np.full((48, 80, 3), 90, np.uint8)] * 9)
    make_video(videos / "v014.mp4", 9, size=(80, 64))
    (videos / "v001.mp4").write_bytes((videos / "v000.mp4").read_bytes())
    return tmp_path


def test_check_names_classes_and_exits_3_for_failing_ones(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_videos(world, world / "videos") == 3
    capsys.readouterr()
    assert run(["check", str(run_path(world))]) == 3
    out = capsys.readouterr().out
    assert "14 of 15 samples are good" in out
    assert "wrong-size (another height or width than the protocol fixes; failing): 1: v014-s0" in out
    assert "duplicated (equal pixels under several names; suspicious, scored): 2: v000-s0, v001-s0" in out
    assert "black (every frame is black; suspicious, scored): 1: v012-s0" in out
    assert "constant (every frame is of one colour; suspicious, scored): 1: v013-s0" in out


def test_suspicious_ones_alone_exit_0(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_video(world / "videos" / "v014.mp4", 9)
    assert import_videos(world, world / "videos") == 0
    capsys.readouterr()
    assert run(["check", str(run_path(world))]) == 0
    assert "black" in capsys.readouterr().out


def test_text_shows_ten_names_and_json_all(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(12):
        (world / "videos" / f"v{i:03d}.mp4").unlink()
    assert import_videos(world, world / "videos") == 3
    capsys.readouterr()
    assert run(["check", str(run_path(world))]) == 3
    assert "v009-s0 and 2 more" in capsys.readouterr().out
    assert run(["--json", "check", str(run_path(world))]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 3
    assert len(record["runs"][0]["problems"]["missing"]) == 12
    assert record["runs"][0]["problems"]["wrong-size"] == {"v014-s0": "is 80x64, the protocol fixes 80x48"}
    assert (record["runs"][0]["good"], record["runs"][0]["expected"]) == (2, 15)


def test_deep_finds_what_changed_in_the_store(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_video(world / "videos" / "v014.mp4", 9)
    assert import_videos(world, world / "videos") == 0
    stored = sorted(path for path in (run_path(world) / "samples").rglob("*.mp4"))
    content = bytearray(stored[0].read_bytes())
    content[-1] ^= 1
    stored[0].write_bytes(bytes(content))
    stored[1].unlink()
    assert run(["check", str(run_path(world))]) == 0, "without --deep no video is read"
    capsys.readouterr()
    assert run(["check", str(run_path(world)), "--deep"]) == 3
    out = capsys.readouterr().out
    assert "changed (the stored file is no longer the one that was imported; failing): 2:" in out
    assert stored[0].stem in out
    assert stored[1].stem in out


def test_an_unfinished_import_is_said_and_the_other_runs_are_checked_too(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video(world / "videos" / "v014.mp4", 9)
    assert import_videos(world, world / "videos") == 0
    assert import_videos(world, world / "videos", model="theirs") == 0
    index = run_path(world) / "index.json"
    index.write_text(index.read_text().replace('"complete": true', '"complete": false'))
    capsys.readouterr()
    assert run(["check", str(run_path(world)), str(run_path(world, "theirs"))]) == 3
    out = capsys.readouterr().out
    assert "was not finished" in out
    assert "theirs: 15 of 15 samples are good" in out


def test_a_folder_without_a_run_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(tmp_path)]) == 2
    assert "found no run in" in capsys.readouterr().err
