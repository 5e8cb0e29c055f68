"""The doctor finds what would stop a run before it starts, and says what to do."""

import json
from pathlib import Path

import pytest

from univg_bench import diagnosis
from univg_bench.cli import run
from univg_bench.diagnosis import diagnose, num_samples
from univg_bench.protocol_files import load_protocol


def findings(protocol: str | None, tmp_path: Path, workers: int = 1):
    loaded = load_protocol(protocol) if protocol else None
    return {f.topic: f for f in diagnose(loaded, dest=tmp_path / "a" / "b", weights=None, workers=workers)}


def test_the_decoder_of_this_machine_is_exact(tmp_path: Path) -> None:
    assert findings(None, tmp_path)["decoder"].ok


def test_missing_weights_are_a_problem_with_the_way_to_get_them(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    found = findings("msrvtt-t2v-2990", tmp_path)["weights"]
    assert not found.ok
    assert "get ViT-B-32.pt from" in found.sentence


def test_a_full_disk_and_too_little_memory_are_problems(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(diagnosis.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 10}))
    monkeypatch.setattr(diagnosis, "_memory_bytes", lambda: (8 << 30, 1 << 30))
    found = findings("msrvtt-t2v-2990", tmp_path, workers=4)
    assert not found["disk"].ok
    assert "name a larger disk with --dest" in found["disk"].sentence
    assert not found["memory"].ok
    assert "use fewer --workers" in found["memory"].sentence


def test_more_workers_than_cpus_are_a_problem(tmp_path: Path) -> None:
    assert not findings(None, tmp_path, workers=10_000)["threads"].ok


@pytest.mark.parametrize(
    ("protocol", "count"),
    [("msrvtt-t2v-59800", 59_800), ("msrvtt-t2v-2990", 2_990), ("fetv-slice", 22), ("moving-shapes-tiny", 64)],
)
def test_the_size_of_a_run_is_known_without_its_data(protocol: str, count: int) -> None:
    assert num_samples(load_protocol(protocol)) == count


def test_exit_code_and_json_say_the_same(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    assert run(["--json", "doctor", "msrvtt-t2v-2990", "--dest", str(tmp_path), "--workers", "1"]) == 2
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 2
    assert {f["topic"] for f in record["findings"] if not f["ok"]} >= {"weights"}


def test_a_place_that_can_never_be_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    found = findings(None, tmp_path)["disk"]
    assert not found.ok
    assert "is a file" in found.sentence
