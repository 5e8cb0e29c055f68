"""`univg-bench weights`: what is listed, what is verified, and with which exit code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from univg_bench.cli import run
from univg_bench.commands import weights as command
from univg_bench.features import weights as module

FVD = b"\x00" * 8 + b"{fvd"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    checksum = "sha256:" + hashlib.sha256(FVD).hexdigest()
    table = tuple(
        dataclasses.replace(k, checksum=checksum) if k.file == "i3d_pretrained_400.pt" else k
        for k in module.KNOWN_WEIGHTS
    )
    for place in (module, command):
        monkeypatch.setattr(place, "KNOWN_WEIGHTS", table)
    monkeypatch.setattr(module, "DEFAULT_FOLDER", tmp_path / "cache")
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    tiny = tmp_path / "tiny.safetensors"  # in place of the shipped ones, which this is no test of
    tiny.write_bytes(b"\x00" * 8 + b"{}")
    monkeypatch.setattr("univg_bench.features.tiny.weights_path", lambda name: tiny)
    (tmp_path / "w").mkdir()
    return tmp_path / "w"


def test_list_says_what_is_needed_where_to_get_it_and_what_is_here(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.pt").write_bytes(FVD)
    (folder / "b.pt").write_bytes(b"\x00" * 8 + b"{other")
    assert run(["weights", "list", "--weights", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"found: {folder / 'a.pt'}" in out
    assert "github.com/SongweiGe/TATS" in out
    assert "openai-vit-b32" in out
    assert "not found" in out
    assert f"{folder / 'b.pt'}: unknown to this table; a protocol can pin it as sha256:" in out


def test_list_as_json_is_one_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "weights", "list", "--weights", str(folder)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in record["weights"]} == set(module.names())


def test_verify_says_ok_with_the_digest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.pt").write_bytes(FVD)
    for arguments in (["i3d-kinetics400"], []):
        assert run(["weights", "verify", *arguments, "--weights", str(folder)]) == 0
        out = capsys.readouterr().out
        assert f"ok  i3d-kinetics400  {folder / 'a.pt'}" in out
        assert hashlib.sha256(FVD).hexdigest() in out


def test_verify_of_what_is_missing_is_exit_2_with_the_way_to_get_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["weights", "verify", "openai-vit-b32", "--weights", str(folder)]) == 2
    assert "get ViT-B-32.pt from openaipublic" in capsys.readouterr().err


def test_verify_of_a_spoilt_file_is_exit_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ViT-B-32.pt").write_bytes(b"\x00" * 8 + b"{cut")
    assert run(["weights", "verify", "--weights", str(folder)]) == 2
    assert "has the name of published weights but not their content" in capsys.readouterr().err
