"""One command from models to a table: it resumes, it ends with the code of the step that failed, it names its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.generation.shown_runs import run_verb, write_world
from univg_bench.cli import run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


def numbers(folder: Path, runs: str, model: str) -> dict[str, float]:
    record = json.loads((folder / runs / "five@1" / model / "results.json").read_bytes())
    return {metric["id"]: metric["value"] for metric in record["metrics"]}


def test_two_models_end_in_one_table_with_previews_and_a_page(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb(world, "--items", "2", models=("Noise", "Quiet"), runs="two") == 0
    said = capsys.readouterr().out
    assert said.index("| **noise**") < said.index("| **quiet**")
    home = world / "two"
    assert (home / "five@1.md").read_text() in said + "\n"
    assert "<h1>" in (home / "five@1.html").read_text()
    shown = sorted(str(p.relative_to(home)) for p in (home / "five@1-previews").rglob("*.*"))
    assert shown == [
        f"five@1-previews/five@1/{name}"
        for name in (
            "items/test-00000.mp4", "items/test-00000.png", "items/test-00001.mp4", "items/test-00001.png",
            "runs/noise.png", "runs/quiet.png",
        )
    ]  # fmt: skip


def test_a_second_run_makes_nothing_again_and_says_so_in_one_record(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb(world, runs="twice") == 0
    capsys.readouterr()
    assert run_verb(world, "--json", runs="twice") == 0
    record = json.loads(capsys.readouterr().out)
    (only,) = record["runs"]
    assert (record["exit_code"], only["made"], only["reused"]) == (0, 0, 5)
    assert only["record"]["cost"]["features_computed"] == 0
    assert all(Path(file).is_file() for file in record["files"])


def test_after_an_interruption_the_numbers_are_those_of_an_undisturbed_run(world: Path) -> None:
    assert run_verb(world, runs="whole") == 0
    # the model fails at the third sample: exit 5, two are there
    assert run_verb(world, models=("BreaksAtThird",), runs="broken") == 5
    assert len(list((world / "broken").rglob("*-s0.json"))) == 2
    assert not (world / "broken" / "five@1" / "noise" / "results.json").exists()
    assert run_verb(world, runs="broken") == 0
    assert numbers(world, "broken", "noise") == numbers(world, "whole", "noise")


def test_missing_samples_end_with_3_and_may_be_allowed(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb(world, "--limit", "3", runs="limited") == 3
    assert "found 3 of 5 samples" in capsys.readouterr().err
    assert run_verb(world, "--limit", "3", "--allow-missing", runs="limited") == 0
    assert "(incomplete: 3 of 5)" in capsys.readouterr().out
    assert run_verb(world, runs="limited") == 0
    assert "incomplete" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("models", "options", "sentence"),
    [
        (("Noise", "Noise"), (), "both called noise, expected models with names of their own"),
        (("Noise", "Quiet"), ("--name", "x"), "found --name x for 2 models"),
        (("Noise", "absent"), (), "found no callable 'absent'"),
        (("Noise",), ("--device", "tpu"), "expected cpu, cuda"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    world: Path, models: tuple[str, ...], options: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb(world, *options, models=models, runs="never") == 2
    assert sentence in capsys.readouterr().err
    assert not (world / "never").exists()


def test_without_data_it_says_what_to_name(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNIVG_DATA", raising=False)
    assert run(["run", str(world / "five.yaml"), "--model", "x"]) == 2
    assert "found no --data" in capsys.readouterr().err
