"""`univg-bench protocol`: people read lines, programs read one JSON record, exit codes say the rest."""

import json
from pathlib import Path

import pytest
import yaml

from tests.protocol.protocol_texts import VALID, written
from univg_bench.cli import run
from univg_bench.protocol_files import load_protocol, shipped_ids

Out = pytest.CaptureFixture[str]


def test_list_names_every_shipped_protocol(capsys: Out) -> None:
    assert run(["protocol", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped_ids())
    digest = load_protocol("msrvtt-t2v-2990").digest
    (line,) = [line for line in lines if line.startswith("msrvtt-t2v-2990@1 ")]
    assert line.split()[:4] == ["msrvtt-t2v-2990@1", "t2v", "2990", digest[:12]]
    assert run(["--json", "protocol", "list"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 0
    assert [row["id"] for row in record["protocols"]] == shipped_ids()


def test_show_prints_a_whole_protocol_that_means_the_same(tmp_path: Path, capsys: Out) -> None:
    for name in shipped_ids():
        assert run(["protocol", "show", name]) == 0
        path = tmp_path / f"{name}.yaml"
        path.write_text(capsys.readouterr().out)
        assert load_protocol(path).digest == load_protocol(name).digest


def test_show_meaning_prints_what_the_digest_is_taken_of(capsys: Out) -> None:
    assert run(["protocol", "show", "msrvtt-i2v", "--meaning"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert "title" not in shown
    assert len(shown["metrics"][0]["recipe"]["digest"]) == 64
    assert run(["--json", "protocol", "show", "msrvtt-i2v"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["meaning"] == shown
    assert record["digest"] == load_protocol("msrvtt-i2v").digest


def test_validate_takes_files_and_ids_and_lists_every_fault(tmp_path: Path, capsys: Out) -> None:
    good = written(tmp_path)
    bad = written(tmp_path, VALID, ("fps: 8,", "fps: no,"), ("id: mine", "id: Mine"), name="bad.yaml")
    assert run(["protocol", "validate", str(good), "msrvtt-i2v"]) == 0
    assert f"{good}: valid, mine@1, digest" in capsys.readouterr().out
    assert run(["protocol", "validate", str(good), str(bad), "msrvtt-none"]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines()[:2] == [
        f"{bad}:2:5: found 'Mine', expected a name of lower-case letters, digits and '-', at most 80",
        f"{bad}:14:35: found the text 'no', expected a number",
    ]
    assert "found no shipped protocol 'msrvtt-none'" in captured.err
    assert run(["--json", "protocol", "validate", str(bad)]) == 2
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["exit_code"] == 2
    assert len(record["faults"][str(bad)]) == 2


def test_validate_warns_of_a_file_that_borrows_a_shipped_name(tmp_path: Path, capsys: Out) -> None:
    path = written(tmp_path, VALID, ("id: mine", "id: msrvtt-i2v"))
    assert run(["protocol", "validate", str(path)]) == 0
    assert "is called msrvtt-i2v@1 like a shipped protocol but means something else" in capsys.readouterr().err


def test_a_broken_file_is_exit_2_for_every_verb(tmp_path: Path, capsys: Out) -> None:
    bad = written(tmp_path, VALID, ("version: 1", "version: one"))
    for arguments in (["show", str(bad)], ["diff", str(bad), "msrvtt-i2v"], ["diff", "msrvtt-i2v", str(bad)]):
        assert run(["protocol", *arguments]) == 2
        assert f"error: {bad}:3:10: found the text 'one', expected a whole number" in capsys.readouterr().err


def test_diff_says_field_by_field_what_moves_the_number(tmp_path: Path, capsys: Out) -> None:
    first = written(tmp_path)
    second = written(
        tmp_path, VALID, ("fps: 8,", "fps: 4,"), ("title: A protocol of my own", "title: B"), name="b.yaml"
    )
    assert run(["protocol", "diff", str(first), str(second)]) == 0
    assert capsys.readouterr().out == "generation.fps: 8.0 -> 4.0\n"
    third = written(tmp_path, VALID, ("sources: [a paper]", "sources: [b]"), name="c.yaml")
    assert run(["protocol", "diff", str(first), str(third)]) == 0
    assert capsys.readouterr().out == f"same meaning: mine@1 and mine@1, digest {load_protocol(first).digest[:12]}\n"
    assert run(["--json", "protocol", "diff", str(first), str(second)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["same"], record["differences"]) == (False, {"generation.fps": {"a": 8.0, "b": 4.0}})


def test_schema_is_printed_or_written(tmp_path: Path, capsys: Out) -> None:
    assert run(["protocol", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    dest = tmp_path / "schema.json"
    assert run(["protocol", "schema", "--dest", str(dest)]) == 0
    assert json.loads(dest.read_text()) == printed


@pytest.mark.parametrize("arguments", [["protocol"], ["protocol", "list"], ["prepare"], ["prepare", "msrvtt"]])
def test_help_is_there(arguments: list[str], capsys: Out) -> None:
    assert run([*arguments, "--help"]) == 0
    assert "Usage: univg-bench" in capsys.readouterr().out
