"""The studies on random networks: every cell is there, nothing is made twice, baselines are what they are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from reference_models.stages.pixels import enlarged, to_uint8
from reference_models.studies import acceptance, baselines, figure6, figures, table3
from reference_models.studies.bench import Bench, prepare
from reference_models.studies.table3_rows import ARMS, F_A, F_SR, STUDIES, Arm, Study
from tests.studies.small_studies import ITEMS, write_protocols, write_weights
from univg_bench.console import Console
from univg_bench.made import loaded
from univg_bench.model import Request
from univg_bench.video import decode

QUIET = Console(quiet=True, json=True)


def some_of(study: Study, *names: str) -> Study:
    """Return a study with a few of its rows, and the differences of them and baselines."""
    known = {*names, *(f"baseline:{name}" for name in study.baselines)}
    contrasts = tuple(one for one in study.contrasts if set(one.weights) <= known)
    return replace(study, rows=tuple(row for row in study.rows if row.name in names), contrasts=contrasts)


SOME = some_of(F_A, "bgn-plain", "no-bgn-plain", "no-bgn-consistent")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with protocols and the weights of a family and of two seeds of both arms."""
    folder = tmp_path_factory.mktemp("studies")
    write_protocols(folder / "protocols")
    for part, preset in (("base", "tiny-fb"), ("animation", "tiny-fa"), ("super-resolution", "tiny-fsr")):
        write_weights(folder / "family" / part, preset)
    for study, preset in ((F_A, "tiny-fa"), (F_SR, "tiny-fsr")):
        for number, (seed, arm) in enumerate((seed, arm) for seed in (0, 1) for arm in ARMS):
            write_weights(folder / study.stage / f"{arm}-{seed}", preset, seed=number)
    return folder


def arms(root: Path, study: Study) -> dict[tuple[Arm, int], Path]:
    return {(arm, seed): root / study.stage / f"{arm}-{seed}" for seed in (0, 1) for arm in ARMS}


def protocol(root: Path, kind: str) -> str:
    return str(root / "protocols" / f"small-{kind}.yaml")


def pixels(path: Path) -> np.ndarray:
    return np.stack([frame.rgb for frame in decode(path)])


@pytest.fixture(scope="module")
def scored(root: Path) -> table3.Table3:
    """Return F_A's table on a few items."""
    return table3.score(Bench(root / "fa", 1, QUIET), SOME, arms(root, F_A), protocol=protocol(root, "fa"))


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_two_by_two_has_all_cells_and_its_contrasts_sum_to_nothing(study: Study) -> None:
    cells = {(row.arm, row.settings.get("sampler", "plain")) for row in study.rows}
    assert cells == {(arm, sampler) for arm in ARMS for sampler in ("plain", "consistent")}
    known = {row.name for row in study.rows} | {f"baseline:{name}" for name in study.baselines}
    for contrast in study.contrasts:
        assert sum(contrast.weights.values()) == 0
        assert set(contrast.weights) <= known
        # the difference that once read as a gain by BGN was that of two things at once
        assert set(contrast.weights) != {"bgn-consistent", "no-bgn-plain"}


def test_every_row_and_baseline_is_scored_on_the_same_items(root: Path, scored: table3.Table3) -> None:
    rows = {row.name for row in SOME.rows}
    assert set(scored.runs) == rows | {f"baseline:{name}" for name in F_A.baselines}
    assert all(len(found) == (2 if name in rows else 1) for name, found in scored.runs.items())
    names = {one.items for metrics in scored.values.values() for found in metrics.values() for one in found}
    assert len(names) == 1
    for name, found in scored.runs.items():
        for metric in F_A.metrics:
            part = found[0].record.metric(metric)
            assert part is not None
            assert scored.values[name][metric][0].value == pytest.approx(part.value, rel=1e-6, abs=1e-6), (name, metric)


def test_without_bgn_the_plain_cell_begins_as_with_it(root: Path) -> None:
    # so the two plain cells differ in weights alone, and the two samplers do differ
    request = Request("test-00000-s0", 3, "a red circle", np.full((3, 32, 56), 90, dtype=np.uint8), num_frames=8)

    def made(name: str) -> bytes:
        row = next(row for row in F_A.rows if row.name == name)
        model = loaded(table3.row_call(F_A, row, root / "animation" / "bgn-0", None))
        return model.generate([request], {"w": 1, "steps": 2})[0].frames.tobytes()

    assert made("bgn-plain") == made("no-bgn-plain")
    assert made("bgn-consistent") == made("no-bgn-consistent") != made("bgn-plain")
    assert made("no-bgn-from-noise") != made("no-bgn-plain")


def test_the_same_command_again_makes_nothing_and_says_the_same(root: Path, scored: table3.Table3) -> None:
    bench, weights = Bench(root / "fa", 1, QUIET), arms(root, F_A)
    before = {path: path.stat().st_mtime_ns for path in sorted((root / "fa").rglob("*.mp4"))}
    assert len(before) > 9 * ITEMS
    page, data, sheet = table3.write(bench, SOME, scored, weights, root / "page")
    first = page.read_text().partition("## What was trained")[0], sheet.read_bytes()
    # as if killed: one sample and all records are gone
    gone = next(path for path in before if "no-bgn-consistent-seed1" in str(path))
    gone.unlink()
    again = table3.score(bench, SOME, weights, protocol=protocol(root, "fa"))
    now = {path: path.stat().st_mtime_ns for path in sorted((root / "fa").rglob("*.mp4"))}
    assert set(now) == set(before)
    assert [path for path in now if now[path] != before[path] and "samples" in str(path)] == [gone]
    page, data, sheet = table3.write(bench, SOME, again, weights, root / "page")
    assert (page.read_text().partition("## What was trained")[0], sheet.read_bytes()) == first
    facts = json.loads(data.read_bytes())
    assert set(facts["values"]) == set(scored.runs)
    assert all(spent > 0 for spent in facts["cpu_seconds"].values())


def test_the_frozen_baseline_is_the_first_frame_to_the_bit(root: Path, scored: table3.Table3) -> None:
    for item in scored.scene.items.items:
        folder = root / "fa" / "baselines" / scored.scene.protocol.name / "frozen"
        real, still = pixels(item.reference), pixels(folder / f"{item.item_id}.mp4")  # type: ignore[arg-type]
        assert (still == real[0]).all()
        assert still.shape == real.shape
    frozen, ceiling = (scored.values[f"baseline:{name}"] for name in ("frozen", "vae"))
    assert frozen["first-frame"][0].value > ceiling["first-frame"][0].value
    assert frozen["motion"][0].value < scored.values["baseline:held-out"]["motion"][0].value


def test_bicubic_enlarges_the_input_that_rows_are_given_and_rows_notice_another_one(root: Path) -> None:
    bench = Bench(root / "fsr", 1, QUIET)
    one = {key: path for key, path in arms(root, F_SR).items() if key[1] == 0}
    some = some_of(F_SR, "bgn-plain", "no-bgn-from-500")
    made = table3.score(bench, some, one, protocol=protocol(root, "fsr"))
    folder = bench.work / "baselines" / made.scene.protocol.name
    for item in made.scene.items.items:
        low, large = (pixels(folder / name / f"{item.item_id}.mp4") for name in ("low", "bicubic"))
        assert low.shape == (24, 3, 14, 24)
        assert (to_uint8(enlarged(torch.from_numpy(low)[None], height=32, width=56)[0]).numpy() == large).all()
    assert len({found[0].record.samples.digest for found in made.runs.values()}) == len(made.runs)
    row, weights = F_SR.rows[0], arms(root, F_SR)["bgn", 0]
    call = table3.row_call(F_SR, row, weights, folder / "low")
    settings = loaded(call).card.settings
    assert {key: settings[key] for key in row.settings} == dict(row.settings)
    (folder / "low" / "low.json").write_text("{}")
    assert loaded(call).card.settings["low"] != settings["low"]
    assert made.effects["BGN, plain, against bicubic"]["psnr"].value < 0  # random weights paint nothing of the target


def test_low_quality_input_depends_on_the_item_alone(root: Path) -> None:
    scene = prepare(Bench(root / "fsr", 1, QUIET), protocol(root, "fsr"))
    again = baselines.low_quality(Bench(root / "elsewhere", 1, QUIET), scene)
    first = root / "fsr" / "baselines" / scene.protocol.name / "low"
    for item in scene.items.items:
        assert (again / f"{item.item_id}.mp4").read_bytes() == (first / f"{item.item_id}.mp4").read_bytes()


def test_acceptance_has_a_line_for_every_target_and_random_weights_reach_little(root: Path) -> None:
    kinds = {"T": "t2v", "I": "i2v", "T+I": "ti2v", "F_A": "fa", "F_SR": "fsr"}
    bench = Bench(root / "acceptance", 1, QUIET)
    made = acceptance.accept(
        bench, root / "family", protocols={run: protocol(root, kind) for run, kind in kinds.items()}
    )
    assert len(made.targets) == 10
    reached = {one.what: one.reached for one in made.targets}
    assert not reached["F_A: first frame, PSNR in dB"]
    assert not reached["F_B from T: CLIPSIM, share of real"]
    real = {one.name: one.value for one in made.accuracies["real"]}
    assert real["colour"] == real["background"] == 1  # the network knows real videos
    page, data = acceptance.write(bench, made, root / "results")
    assert page.read_text().count("not reached") == sum(not one for one in reached.values())
    assert json.loads(data.read_bytes())["n"] == ITEMS


def test_the_grid_has_one_noise_and_its_files_repeat(root: Path) -> None:
    bench = Bench(root / "grid", 1, QUIET)
    cells, real = figure6.evaluate(
        bench, root / "family" / "base", protocol=protocol(root, "grid"), text_weights=(0.0, 2.0),
        image_weights=(1.0,),
    )  # fmt: skip
    assert {(cell.w_T, cell.w_I) for cell in cells} == {(0, 1), (2, 1)}
    assert len({cell.run.record.samples.digest for cell in cells}) == 2
    assert len({cell.run.record.protocol.digest for cell in cells}) == 1
    files = figure6.write(bench, cells, real, root / "six")
    first = {file: file.read_bytes() for file in files}
    figure6.write(bench, cells, real, root / "six")
    assert {file: file.read_bytes() for file in files} == first
    page = (root / "six" / "README.md").read_text()
    assert all(f"]({name})" in page for name in ("figure6.svg", "grid.png"))


def test_figure_5_draws_equal_numbers_to_equal_bytes(tmp_path: Path) -> None:
    rows = [
        {"given": given, "step": step, "metric": metric, "value": v, "low": v - 1, "high": v + 1, "real": 0.5, "n": 4}
        for given in figures.CURVES
        for metric in ("fvd", "clipsim")
        for step, v in ((100, 5.0), (200, 3.0))
    ]
    panels = (("fvd", "FVD"), ("clipsim", "CLIPSIM"))
    made = []
    for name in ("a", "b"):
        frame = pd.DataFrame(rows)
        files = figures.write_figure(figures.over_training(frame, panels), tmp_path / name, frame)
        made.append([file.read_bytes() for file in files])
        assert [file.suffix for file in files] == [".svg", ".png", ".csv"]
    assert made[0] == made[1]
    text = made[0][0].decode()
    assert all(word in text for word in ("training steps", "T+I", "CLIPSIM"))
