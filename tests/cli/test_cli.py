"""The command line: help without heavy imports, one sentence per mistake, the exit code it promises."""

import json
import subprocess
import sys

import click
import pytest

from univg_bench import __version__
from univg_bench.cli import VERBS, cli, run
from univg_bench.console import Console
from univg_bench.errors import InfrastructureError, InputError, SampleError


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_says_what_it_does(verb: str, capsys) -> None:
    assert run([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: univg-bench {verb}")
    assert "Options:" in text or "Commands:" in text


def test_help_lists_every_verb_and_the_version_is_the_packages(capsys) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {verb} " in text for verb in VERBS)
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evalute"], "No such command 'evalute'"),
        (["evaluate"], "Missing argument 'RUNS...'"),
        (["evaluate", ".", "--workers", "0"], "0 is not in the range x>=1"),
        (["table"], "found nothing to show; name the folders of evaluated runs"),
        (["table", "--protocol", "msrvtt-t2v-59800", "--published", "table9"], "found no published table 'table9'"),
        (["demo", "--protocol", "msrvtt-t2v-2990"], "expected one on moving-shapes"),
        (["doctor", "no-such-protocol"], "found no shipped protocol 'no-such-protocol'"),
        (["ladder", "moving-shapes-tiny", "--dest", "x"], "found no --data"),
        (["ladder", "moving-shapes-tiny", "--dest", "x", "--data", ".", "--rung", "fog"], "found the rung 'fog'"),
    ],
)
def test_bad_usage_is_exit_2_with_one_sentence(arguments: list[str], sentence: str, capsys, monkeypatch) -> None:
    monkeypatch.delenv("UNIVG_DATA", raising=False)
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert run(["--json", *arguments]) == 2
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 2
    assert sentence in record["error"]


@pytest.mark.parametrize(
    ("error", "code", "items"),
    [
        (InputError("found a, expected b"), 2, None),
        (SampleError("found 1 of 2", {"v-s0": "missing"}), 3, {"v-s0": "missing"}),
        (InfrastructureError("a worker died"), 5, None),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: BaseException, code: int, items, capsys, monkeypatch) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(type(cli), "get_command", lambda self, ctx, name: fail)
    assert run(["--json", "anything"]) == code
    said = capsys.readouterr()
    record = json.loads(said.out)
    assert record["exit_code"] == code
    assert record.get("items") == items
    assert "\nerror: " in f"\n{said.err}"


def test_a_reader_that_stops_early_is_no_error() -> None:
    # a reader that is gone before the first line, so that the outcome does not hang on who is faster
    command = f"{sys.executable} -m univg_bench protocol list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_keeps_stdout_for_the_record_and_quiet_keeps_warnings(capsys) -> None:
    console = Console(json=True)
    console.say("for people")
    console.finish({"exit_code": 0})
    assert capsys.readouterr().out == '{"exit_code": 0}\n'
    quiet = Console(quiet=True)
    quiet.note("about the work")
    quiet.warn("mind this")
    assert capsys.readouterr().err == "warning: mind this\n"


def test_progress_yields_everything_and_prints_nothing_into_a_pipe(capsys) -> None:
    assert list(Console().progress(range(5), total=5, title="t", unit="u")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "--protocol", "msrvtt-t2v-59800", "--published", "univg_table1", "--dest", "afile/x.md"],
        ["table", "--protocol", "msrvtt-t2v-59800", "--published", "univg_table1", "--dest", "folder"],
        ["prepare", "moving-shapes", "moving-shapes-tiny", "--dest", "afile/x"],
        ["demo", "--dest", "afile"],
        ["protocol", "schema", "--dest", "nowhere/x.json"],
    ],
)
def test_a_path_of_the_wrong_kind_is_one_sentence(arguments: list[str], tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("")
    (tmp_path / "folder").mkdir()
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
