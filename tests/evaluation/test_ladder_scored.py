"""The scored ladder does the whole job, says which commands it stands for, and a second run reuses the first."""

import json
from pathlib import Path

import pytest

from univg_bench.cli import run
from univg_bench.demo_ladder import HELD_OUT
from univg_bench.ladder import RUNGS

PROTOCOL = """\
schema: univg-bench/protocol/1
extends: moving-shapes-tiny
id: sixteen
version: 1
title: Sixteen captions, for tests
data: {count: 16}
intervals: {replicates: 5}
"""


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    (folder / "sixteen.yaml").write_text(PROTOCOL)
    return folder


def score(folder: Path, *options: str) -> int:
    where = [str(folder / "sixteen.yaml"), "--score", "--dest", str(folder / "ladder"), "--workers", "1"]
    return run([*options, "ladder", *where])


def test_it_ends_with_a_table_of_every_rung_and_a_picture(scored: Path, capsys) -> None:
    assert score(scored, "--quiet") == 0
    said = capsys.readouterr().out
    for name in (HELD_OUT, *(rung.name for rung in RUNGS)):
        assert f"| **{name}**" in said
    assert "$ univg-bench evaluate" in said
    assert "The floor, FVD between two sets of real videos: of the same captions" in said
    assert sorted(path.name for path in (scored / "ladder").iterdir() if path.is_file()) == [
        "ladder.png", "table.csv", "table.md", "table_wide.md"
    ]  # fmt: skip


def test_a_second_run_computes_no_feature_again_and_gives_the_same_numbers(scored: Path, capsys) -> None:
    first = (scored / "ladder" / "table.csv").read_text()
    assert score(scored, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert [one["cost"]["features_computed"] for one in record["records"]] == [0] * (len(RUNGS) + 1)
    assert (scored / "ladder" / "table.csv").read_text() == first
    assert record["floor"][0]["n"] == 16


def test_what_the_scored_ladder_would_pass_over_is_refused(scored: Path, capsys) -> None:
    arguments = [str(scored / "sixteen.yaml"), "--score", "--dest", str(scored / "other"), "--rung", "frozen"]
    assert run(["ladder", *arguments]) == 2
    assert "found --rung or --seed beside --score" in capsys.readouterr().err
