"""The demo generates, scores beside real videos and a still image, and ends with a page; a second run reuses all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.generation.model_doubles import HERE
from tests.generation.shown_runs import PROTOCOL
from univg_bench.cli import run
from univg_bench.demo import FROZEN, HELD_OUT, PARTS
from univg_bench.model import model_names
from univg_bench.protocol_files import load_protocol


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    (folder / "five.yaml").write_text(PROTOCOL)
    text = PROTOCOL.replace("moving-shapes-ti2v-tiny", "moving-shapes-t2v-tiny").replace("id: five", "id: words")
    (folder / "words.yaml").write_text(text)
    return folder


def demo(folder: Path, *flags: str) -> int:
    protocols = [part for name in ("words", "five") for part in ("--protocol", str(folder / f"{name}.yaml"))]
    where = ["--model", f"{HERE}:Noise", "--dest", str(folder / "demo"), "--workers", "1"]
    return run([*flags, "demo", *protocols, *where])


def test_it_ends_with_tables_floor_previews_and_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo(folder, "-q") == 0
    said = capsys.readouterr().out
    assert said.count(f"| **{HELD_OUT}**") == said.count("| **noise**") == 2
    assert said.count(f"| **{FROZEN}**") == 1, "without an image nothing can stand still"
    assert said.count("n = 5. The floor, FVD between two sets of real videos: of the same captions") == 2
    assert "$ univg-bench run" in said
    page = (folder / "demo" / "page.html").read_text()
    assert page.index("<h2>Text to video</h2>") < page.index("<h2>Text and image to video</h2>")
    assert {path.name for path in (folder / "demo" / "previews").iterdir()} == {"five@1", "words@1"}


def test_a_second_run_makes_and_computes_nothing_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "demo" / "page.html").read_bytes()
    table = (folder / "demo" / "table.md").read_bytes()
    assert demo(folder, "-q", "--json") == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [one["cost"]["features_computed"] for one in record["records"]] == [0] * 5
    assert [floor[0]["n"] for floor in record["floor"].values()] == [5, 5]
    assert (folder / "demo" / "page.html").read_bytes() == before
    assert (folder / "demo" / "table.md").read_bytes() == table


def test_weights_that_are_missing_are_said_before_any_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reference_models.adapters.SHIPPED", folder / "nowhere")
    assert run(["-q", "demo", "--dest", str(folder / "other"), "--workers", "1"]) == 2
    assert "found no shipped weights for base of univg-hg in" in capsys.readouterr().err
    assert not (folder / "other").exists()


def test_a_still_image_has_no_motion_and_begins_as_it_should(folder: Path) -> None:
    record = json.loads((folder / "demo" / "runs" / "five@1" / FROZEN / "results.json").read_bytes())
    values = {metric["id"]: metric["value"] for metric in record["metrics"]}
    assert (values["motion"], values["first-frame"], values["consistency"]) == (0.0, 60.0, pytest.approx(1.0))


def test_the_shipped_parts_are_tasks_of_one_world_and_models_that_exist() -> None:
    protocols = [load_protocol(part.protocol) for part in PARTS]
    assert [protocol.task for protocol in protocols] == ["t2v", "i2v", "ti2v"]
    assert len({protocol.data.model_dump_json() for protocol in protocols}) == 1
    assert {model for part in PARTS for model in part.models} <= set(model_names())
    shared = [
        {name: value for name, value in protocol.generation.params.items() if name not in ("w_T", "w_I", "sr_w_T")}
        for protocol in protocols
    ]
    assert shared[0] == shared[1] == shared[2], "how the tiny family is sampled stands in one place"
