"""`univg-bench prepare msrvtt` says what is here, what is missing, and where people get it; it downloads nothing."""

import json
from pathlib import Path

import pytest

from tests.datasets import msrvtt_copies as copies
from univg_bench.cli import run

Out = pytest.CaptureFixture[str]
IDS = range(7010, 7030)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    copies.write_2016(tmp_path / "data", copies.annotations(IDS, captions=2))
    text = "extends: msrvtt-t2v-2990\nid: small\ndata: {expect: {videos: 20, captions: 41}}\n"
    (tmp_path / "small.yaml").write_text(text)
    return tmp_path


def prepare(root: Path, *before: str) -> int:
    return run([*before, "prepare", "msrvtt", "--data", str(root / "data"), "--protocol", str(root / "small.yaml")])


def test_a_complete_copy_is_exit_0(root: Path, capsys: Out) -> None:
    copies.add_videos(root / "data" / "videos", IDS)
    assert prepare(root) == 0
    out = capsys.readouterr().out
    assert "test_videodatainfo.json: sha256 " in out
    assert "captions: 40\n" in out
    assert "note: found 40 captions, nominal 41\n" in out
    assert f"videos: 20 of 20; small@1 can be evaluated with --data {root}/data\n" in out


def test_missing_videos_are_exit_3_ten_are_shown_and_all_are_in_the_record(root: Path, capsys: Out) -> None:
    copies.add_videos(root / "data" / "videos", range(7025, 7030))
    assert prepare(root) == 3
    out = capsys.readouterr().out
    assert "videos: 5 of 20; missing: video7010, video7011," in out
    assert "video7019 and 5 more (all of them with --json)\n" in out
    assert "docs/datasets.md" in out
    assert prepare(root, "--json") == 3
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 3
    assert list(record["missing"]) == [f"video{number}" for number in range(7010, 7025)]
    assert record["facts"]["videos"] == 20
    assert record["notes"] == ["found 40 captions, nominal 41"]


def test_missing_or_wrong_annotations_are_exit_2(root: Path, capsys: Out) -> None:
    (root / "data" / "test_videodatainfo.json").unlink()
    copies.add_videos(root / "data", IDS)
    assert prepare(root) == 2
    assert "error: found no annotations of MSR-VTT below" in capsys.readouterr().err
    copies.write_2016(root / "data", copies.annotations(range(7010, 7029)))
    assert prepare(root, "--json") == 2
    captured = capsys.readouterr()
    assert f"{root}/small.yaml:3:25: found 19 videos of split test" in captured.err
    assert json.loads(captured.out)["exit_code"] == 2


def test_without_a_protocol_the_2990_test_videos_are_expected(root: Path, capsys: Out) -> None:
    assert run(["prepare", "msrvtt", "--data", str(root / "data")]) == 2
    assert "found 20 videos of split test in test_videodatainfo.json, expected 2990" in capsys.readouterr().err
    assert run(["prepare", "msrvtt", "--data", str(root / "none")]) == 2
    assert "found no folder" in capsys.readouterr().err
