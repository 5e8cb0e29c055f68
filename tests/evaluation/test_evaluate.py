"""From videos to a record: the numbers depend on the videos alone, and nothing that is not fit is ever scored."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.study import Study, numbers
from univg_bench.cli import run
from univg_bench.records import load_record

TWO_METRICS = """\
metrics:
  - id: fvd
    kind: fvd
    recipe: tiny
    weights: tiny-i3d
    frames: {sampling: random_sorted, frames: 16, seed: 0}
    reference_frames: {sampling: random_sorted, frames: 16, seed: 0}
  - {id: clipsim, kind: clipsim, recipe: tiny, weights: tiny-clip, frames: {sampling: all}}
table:
  - {label: FVD (tiny), metric: fvd, direction: lower, digits: 1}
wide: []
"""


def test_a_record_says_everything_that_a_number_needs(evaluated: Path) -> None:
    record = load_record(evaluated)
    assert record.status.complete
    assert (record.status.expected, record.status.scored, record.status.references_scored) == (8, 8, 8)
    assert record.samples.num_frames == {"24": 8}
    assert record.samples.sizes == {"56x32": 8}
    fvd, clipsim = record.metric("fvd"), record.metric("clipsim")
    assert fvd is not None
    assert clipsim is not None
    for metric in (fvd, clipsim):
        assert (metric.n, metric.n_reference) == (8, 8)
        assert metric.interval is not None
        assert metric.interval.low <= metric.value <= metric.interval.high
        assert len(metric.weights.sha256) == 64
        assert len(metric.recipe["digest"]) == 64
    assert -1 <= clipsim.value <= 1
    assert any("8 videos for 37 dimensions" in warning for warning in fvd.warnings)
    assert record.environment["packages"]["torch"]


def test_equal_bits_for_one_and_two_workers_and_for_a_warm_cache(study: Study, evaluated: Path, tmp_path: Path) -> None:
    assert study.import_into(tmp_path) == 0
    again = tmp_path / "eight@1" / "model"
    assert study.evaluate(tmp_path, workers=2) == 0
    cold = load_record(again).cost
    # of each of 16 videos I3D, CLIP, motion, flicker and spectrum, and 8 captions
    assert (cold.features_computed, cold.features_reused) == (88, 0)
    assert numbers(again) == numbers(evaluated)
    assert study.evaluate(tmp_path) == 0
    assert load_record(again).cost.features_computed == 0
    assert numbers(again) == numbers(evaluated)


def test_the_real_videos_themselves_are_at_ratio_one(study: Study, tmp_path: Path) -> None:
    real = next(study.data.glob("*/rendering-0"))
    assert study.import_into(tmp_path, videos=real) == 0
    assert study.evaluate(tmp_path) == 0
    record = load_record(tmp_path / "eight@1" / "model")
    clipsim = record.metric("clipsim")
    assert clipsim is not None
    assert clipsim.details["ratio_to_real"] == pytest.approx(1.0, abs=1e-12)


def test_per_video_values_are_what_the_metric_is_the_mean_of(evaluated: Path) -> None:
    record, table = load_record(evaluated), pd.read_parquet(evaluated / "per_video.parquet")
    assert list(table["item_id"]) == [f"test-{i:05d}" for i in range(8)]
    clipsim = record.metric("clipsim")
    assert clipsim is not None
    assert table["clipsim"].mean() == pytest.approx(clipsim.value, abs=1e-15)
    assert table["clipsim_real"].mean() == pytest.approx(clipsim.details["real"], abs=1e-15)
    features = np.load(evaluated / "features" / "fvd.samples.npy")
    assert features.shape == (8, 37)
    assert list(table["fvd_row"]) == list(range(8))


@pytest.fixture
def broken(study: Study, tmp_path: Path) -> Path:
    """The model's videos with one of each kind of trouble among good ones."""
    folder = tmp_path / "broken"
    shutil.copytree(study.videos, folder)
    names = sorted(folder.glob("*.mp4"))
    names[0].unlink()
    names[1].write_bytes(b"")
    names[2].write_bytes(names[2].read_bytes()[: names[2].stat().st_size // 2])
    names[3].write_text("this is no video")
    return folder


def test_unfit_samples_are_named_and_counted_and_stop_the_evaluation(
    study: Study, broken: Path, tmp_path: Path, capsys
) -> None:
    assert study.import_into(tmp_path / "runs", videos=broken) == 3
    assert study.evaluate(tmp_path / "runs") == 3
    said = capsys.readouterr().err
    assert "found 4 of 8 samples of model fit to be scored" in said
    for name in ("test-00000-s0", "test-00001-s0", "test-00002-s0", "test-00003-s0"):
        assert name in said
    assert "--allow-missing" in said
    assert not (tmp_path / "runs" / "eight@1" / "model" / "results.json").exists()


def test_allowed_to_be_missing_they_are_still_never_scored_and_the_record_says_incomplete(
    study: Study, broken: Path, evaluated: Path, tmp_path: Path
) -> None:
    fewer = tmp_path / "eight.yaml"  # four videos have no five neighbours
    fewer.write_text(study.protocol.read_text() + TWO_METRICS)
    study = study._replace(protocol=fewer)
    study.import_into(tmp_path / "runs", videos=broken)
    assert study.evaluate(tmp_path / "runs", "--allow-missing") == 0
    record = load_record(tmp_path / "runs" / "eight@1" / "model")
    assert not record.status.complete
    assert (record.status.expected, record.status.scored) == (8, 4)
    assert sorted(name for names in record.status.excluded.values() for name in names) == [
        f"test-0000{i}-s0" for i in range(4)
    ]
    clipsim = record.metric("clipsim")
    assert clipsim is not None
    whole = pd.read_parquet(evaluated / "per_video.parquet")
    assert clipsim.n == 4
    assert clipsim.value == pytest.approx(whole["clipsim"][4:].mean(), abs=1e-15)


def test_json_is_one_record_and_lists_every_unfit_sample(study: Study, broken: Path, tmp_path: Path, capsys) -> None:
    study.import_into(tmp_path / "runs", videos=broken)
    capsys.readouterr()
    path = str(tmp_path / "runs" / "eight@1" / "model")
    assert run(["--json", "evaluate", path, "--data", str(study.data), "--workers", "1"]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 3
    assert len(record["items"]) == 4


def test_other_prompts_than_those_of_the_import_are_refused(
    study: Study, evaluated: Path, tmp_path: Path, capsys
) -> None:
    run_folder = tmp_path / "eight@1" / "model"
    shutil.copytree(evaluated, run_folder)
    facts = json.loads((run_folder / "run.json").read_text())
    facts["items_digest"] = "0" * 64
    (run_folder / "run.json").write_text(json.dumps(facts))
    assert study.evaluate(tmp_path) == 2
    assert "are not those the samples were imported for" in capsys.readouterr().err


def test_missing_references_stop_the_evaluation(study: Study, tmp_path: Path, capsys) -> None:
    data = tmp_path / "data"
    shutil.copytree(study.data, data)
    next(data.glob("*/rendering-0/test-00005.mp4")).unlink()
    assert study.import_into(tmp_path) == 0
    assert study._replace(data=data).evaluate(tmp_path) == 3
    assert "test-00005" in capsys.readouterr().err
    assert study._replace(data=data).evaluate(tmp_path, "--allow-missing") == 0
    record = load_record(tmp_path / "eight@1" / "model")
    assert not record.status.complete
    fvd = record.metric("fvd")
    assert fvd is not None
    assert (fvd.n, fvd.n_reference) == (8, 7)


def test_missing_weights_say_how_to_get_them_before_any_work(study: Study, tmp_path: Path, capsys) -> None:
    protocol = tmp_path / "real.yaml"
    protocol.write_text(
        study.protocol.read_text().replace("id: eight", "id: real")
        + "metrics:\n  - id: fvd\n    kind: fvd\n    recipe: univg\n    weights: i3d-kinetics400\n"
        + "    frames: {sampling: random_sorted, frames: 16}\n"
        + "    reference_frames: {sampling: random_sorted, frames: 16}\n"
        + "table: [{label: FVD, metric: fvd, direction: lower, digits: 1}]\nwide: []\n"
    )
    real = study._replace(protocol=protocol)
    assert real.import_into(tmp_path) == 0
    path = str(tmp_path / "real@1" / "model")
    (tmp_path / "empty").mkdir()
    code = run(["evaluate", path, "--data", str(study.data), "--weights", str(tmp_path / "empty")])
    assert code == 2
    said = capsys.readouterr().err
    assert "found no weights 'i3d-kinetics400' among 0 weights files" in said
    assert "univg-bench weights import" in said
    assert not (tmp_path / ".features").exists()


def test_no_run_and_no_data_are_one_sentence_each(study: Study, evaluated: Path, tmp_path: Path, capsys) -> None:
    assert run(["evaluate", str(tmp_path), "--data", str(study.data)]) == 2
    assert "found no run in" in capsys.readouterr().err
    assert run(["evaluate", str(evaluated), "--data", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_the_table_of_evaluated_runs_shows_their_numbers(evaluated: Path, capsys) -> None:
    assert run(["table", str(evaluated), "--published", "univg_table1"]) == 0
    text = capsys.readouterr().out
    assert "| measured " in text
    assert "UniVG-LG (T+I)" in text
    assert f"{load_record(evaluated).metric('clipsim').value:.3f}" in text


@pytest.mark.parametrize("named", [True, False])
def test_condition_images_are_recorded_or_their_absence_is_said(study: Study, tmp_path: Path, named: bool) -> None:
    protocol = tmp_path / "imaged.yaml"
    protocol.write_text(
        study.protocol.read_text().replace("id: eight", "id: imaged")
        + "task: ti2v\nconditions: {text: true, image: {source: folder, pattern: '{item_id}.png', made_by: SDXL 1.0}}\n"
    )
    images = tmp_path / "images"
    images.mkdir()
    for number in range(8):
        (images / f"test-{number:05d}.png").write_bytes(b"image %d" % number)
    imaged = study._replace(protocol=protocol)
    assert imaged.import_into(tmp_path, *(["--images", str(images)] if named else [])) == 0
    path = tmp_path / "imaged@1" / "model"
    assert run(["-q", "evaluate", str(path), "--workers", "1"]) == 0
    record = load_record(path)
    assert (record.model.conditions_sha256 is not None) == named
    assert any("which condition images (SDXL 1.0) were used is not recorded" in note for note in record.notes) != named
    if named:
        before = record.model.conditions_sha256
        (images / "test-00003.png").write_bytes(b"another image")
        assert imaged.import_into(tmp_path, "--images", str(images)) == 0
        assert run(["-q", "evaluate", str(path), "--workers", "1"]) == 0
        assert load_record(path).model.conditions_sha256 != before


def test_a_result_of_other_samples_is_not_shown(study: Study, evaluated: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(evaluated.parent, tmp_path / "eight@1")
    path = tmp_path / "eight@1" / "model"
    assert run(["table", str(path)]) == 0
    real = next(study.data.glob("*/rendering-0"))
    assert study.import_into(tmp_path, videos=real) == 0
    capsys.readouterr()
    assert run(["table", str(path)]) == 2
    assert "are not those its results.json was made from; run `univg-bench evaluate" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["gone", "shorter"])
def test_a_sample_that_changed_is_refused_though_its_features_are_cached(
    study: Study, evaluated: Path, tmp_path: Path, damage: str, capsys
) -> None:
    assert study.import_into(tmp_path) == 0
    assert study.evaluate(tmp_path) == 0
    sample = next((tmp_path / "eight@1" / "model" / "samples").rglob("test-00002-s0.mp4"))
    if damage == "gone":
        sample.unlink()
    else:
        sample.write_bytes(sample.read_bytes()[:-1])
    assert study.evaluate(tmp_path) == 3
    assert "test-00002-s0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "before", "after", "sentence"),
    [
        ("run.json", '"model":', '"modle":', "lacks fields or has others"),
        ("run.json", '"expected": 8', '"expected": "8"', "found expected = '8', expected int"),
        ("index.json", '"count": 8', '"count": null', "found count = None, expected int"),
        ("manifest/00000.jsonl", '"frames":24', '"frames":"24"', "cannot be read as a part of a manifest"),
        ("manifest/00000.jsonl", '"seconds":"3"', '"seconds":"1/0"', "cannot be read as a part of a manifest"),
        ("manifest/00000.jsonl", '"name":"test-00001-s0"', '"name":"test-00000-s0"', "found test-00000-s0 twice"),
        ("manifest/00000.jsonl", '"name":"test-00001-s0"', '"name":"test-00099-s0"', "test-00001-s0, test-00099-s0"),
    ],
)
def test_a_run_edited_by_hand_is_refused_with_a_sentence(
    study: Study, evaluated: Path, tmp_path: Path, capsys, file: str, before: str, after: str, sentence: str
) -> None:
    path = tmp_path / "eight@1" / "model"
    shutil.copytree(evaluated, path)
    text = (path / file).read_text()
    assert before in text
    (path / file).write_text(text.replace(before, after, 1))
    assert study.evaluate(tmp_path) in (2, 3)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("device", ["foo", "meta", "cuda:x"])
def test_an_unknown_device_is_refused_before_any_work(study: Study, evaluated: Path, capsys, device: str) -> None:
    assert run(["evaluate", str(evaluated), "--device", device]) == 2
    assert f"found --device {device}, expected cpu, cuda or cuda:<number>" in capsys.readouterr().err


def test_two_evaluations_of_one_protocol_take_turns_at_the_references(
    study: Study, evaluated: Path, tmp_path: Path
) -> None:
    for model in ("a", "b"):
        assert study.import_into(tmp_path, model=model) == 0
    command = [sys.executable, "-m", "univg_bench", "-q", "evaluate", "--workers", "1"]
    both = [subprocess.Popen([*command, str(tmp_path / "eight@1" / model)]) for model in ("a", "b")]
    assert [process.wait() for process in both] == [0, 0]
    records = [load_record(tmp_path / "eight@1" / model) for model in ("a", "b")]
    assert records[0].metrics == records[1].metrics == load_record(evaluated).metrics


def test_items_of_one_cluster_have_values_but_no_interval(study: Study, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(study.videos, data / "real")
    rows = [f"{path.stem},a red star,one" for path in sorted((data / "real").glob("*.mp4"))]
    (data / "prompts.csv").write_text("\n".join(["item_id,prompt,cluster", *rows]) + "\n")
    protocol = tmp_path / "one.yaml"
    protocol.write_text(
        "schema: univg-bench/protocol/1\nextends: moving-shapes-tiny\nid: one\nversion: 1\ntitle: One cluster\n"
        "data: {source: folder, prompts: prompts.csv, cluster_column: cluster, references: 'real/{item_id}.mp4',"
        " expect: {items: 8}}\n"
    )
    assert study._replace(protocol=protocol, data=data).import_into(tmp_path, videos=data / "real") == 0
    assert run(["-q", "evaluate", str(tmp_path / "one@1" / "model"), "--workers", "1"]) == 0
    for metric in load_record(tmp_path / "one@1" / "model").metrics:
        if metric.kind == "kvd":
            continue  # it takes the videos for independent then, and says so
        assert metric.interval is None
        reason = "no interval" if metric.kind == "manifold" else "all videos are of one cluster"
        assert any(reason in warning for warning in metric.warnings), metric.id
