"""One FVD under every recipe: the numbers are those of the recipes, and each knob does what is said of it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.study import Study
from tests.videos import bar_code, make_video, truncated
from univg_bench.cli import run
from univg_bench.explain import in_small, recipes_of, settings
from univg_bench.features.cache import FeatureCache
from univg_bench.features.video_features import load_video_features
from univg_bench.features.weights import find_weights
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.recipes import FVD_RECIPES
from univg_bench.records import load_record
from univg_bench.statistics import moments_of
from univg_bench.video import read_frames

TINY = FVD_RECIPES["tiny"]


def explained(capsys: pytest.CaptureFixture[str], *arguments: str | Path, workers: int = 1) -> dict[str, Any]:
    capsys.readouterr()
    code = run(["--json", "-q", "explain", *map(str, arguments), "--workers", str(workers)])
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == code
    return record


def by_name(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["recipe"]["name"]: row for row in record["recipes"]}


def noisy(seed: int, *, frames: int, size: tuple[int, int], strength: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    width, height = size
    pictures = [bar_code(seed + i, width=width, height=height) for i in range(frames)]
    return [np.clip(p + strength * rng.standard_normal(p.shape), 0, 255).astype(np.uint8) for p in pictures]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three generated videos and four real ones of other length and size, under names that people give."""
    root = tmp_path_factory.mktemp("folders")
    for i, name in enumerate(["a cat, running.mp4", "sub/käse.mp4", "plain.mp4"]):
        make_video(root / "made" / name, noisy(i, frames=20, size=(96, 64), strength=30))
    for i in range(4):
        make_video(root / "real" / f"{i}.mp4", noisy(10 * i, frames=12 + i, size=(72, 40), strength=3))
    (root / "real" / "README.txt").write_text("no video")
    return root / "made", root / "real"


OF_FOLDERS = ("--i3d", "tiny-i3d", "--frames", "12")


def test_the_first_row_of_a_run_is_the_number_in_its_record(
    evaluated: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    record = explained(capsys, evaluated, "--data", study.data, "--recipes", "stylegan-v,tats")
    fvd = load_record(evaluated).metric("fvd")
    assert fvd is not None
    assert record["baseline"] == fvd.recipe["name"] == "tiny"
    first = record["recipes"][0]
    assert (first["value"], first["relative"], first["alone"]) == (fvd.value, None, {})
    assert (first["mean_part"], first["trace_part"]) == (fvd.details["mean_part"], fvd.details["trace_part"])
    assert (record["n"], record["n_reference"], record["weights"]["name"]) == (8, 8, "tiny-i3d")
    assert record["features_reused"] >= 16  # those of the evaluation


def test_each_row_is_the_distance_of_features_made_by_its_recipe(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path)
    rows = by_name(record)
    assert list(rows) == [recipe.name for recipe in recipes_of(TINY)]
    weights = find_weights("tiny-i3d")
    for name in ("videogpt", "cd-fvd-128"):
        recipe = in_small(FVD_RECIPES[name], TINY)
        extractor = load_video_features(recipe, weights)
        sets = [
            np.stack([extractor(read_frames(path, range(12))) for path in sorted(folder.rglob("*.mp4"))])
            for folder in folders
        ]
        generated, real = (moments_of(rows).gaussian(ddof=recipe.ddof) for rows in sets)
        assert rows[f"tiny/{name}"]["value"] == pytest.approx(frechet_distance(generated, real), rel=1e-4)


def test_a_knob_alone_is_the_recipe_that_differs_in_that_knob_alone(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = by_name(explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path))
    base = rows["tiny"]["value"]
    geometry, eps, ddof = rows["tiny/common-metrics-styleganv"], rows["tiny/tats"], rows["tiny/stylegan-v"]
    assert (set(geometry["alone"]), set(eps["alone"]), set(ddof["alone"])) == ({"geometry"}, {"bn_eps"}, {"ddof"})
    for row in (geometry, eps, ddof):
        (only,) = row["alone"].values()
        assert (only["value"], only["relative"]) == (row["value"], row["relative"])
        assert row["relative"] == pytest.approx(row["value"] / base - 1)
    both = rows["tiny/videogpt"]["alone"]
    assert both["geometry"]["value"] == geometry["value"]
    assert both["bn_eps"]["value"] == eps["value"]
    assert set(rows["tiny/cd-fvd-256"]["alone"]) == {"geometry", "bn_eps", "ddof"}
    assert rows["tiny/common-metrics-videogpt"]["value"] == rows["tiny/videogpt"]["value"]
    assert len({row["recipe"]["digest"] for row in rows.values()}) == len(rows)


def test_with_equal_n_ddof_scales_the_trace_part_alone(
    evaluated: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = by_name(explained(capsys, evaluated, "--data", study.data, "--recipes", "stylegan-v"))
    one, zero = rows["tiny"], rows["tiny/stylegan-v"]
    assert zero["mean_part"] == pytest.approx(one["mean_part"])
    assert zero["trace_part"] == pytest.approx(one["trace_part"] * 7 / 8)


def test_every_video_is_decoded_once_whatever_the_recipes(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from univg_bench import video

    read: list[str] = []

    def counted(path: Path, indices: Any) -> np.ndarray:
        read.append(path.name)
        return read_frames(path, indices)

    monkeypatch.setattr(video, "read_frames", counted)
    record = explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path, "--recipes", "tf-original,videogpt")
    assert record["features_computed"] == 7 * 5  # squash, TF1 and crop, of which squash and crop with both epsilons
    assert len(read) == 7


def test_an_interrupted_call_goes_on_and_ends_with_equal_bits(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--recipes", "tf-original")
    whole = explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path / "whole", *few, workers=2)
    save, saved = FeatureCache.save, []

    def stop(self: FeatureCache, key: str, features: np.ndarray) -> None:
        if len(saved) == 5:
            raise KeyboardInterrupt
        saved.append(key)
        save(self, key, features)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureCache, "save", stop)
        assert explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path / "cut", *few)["exit_code"] == 130
    again = explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path / "cut", *few)
    assert (again["features_computed"], again["features_reused"]) == (9, 5)
    assert again["recipes"] == whole["recipes"]
    assert explained(capsys, *folders, *OF_FOLDERS, "--cache", tmp_path / "cut", *few)["features_computed"] == 0


def test_a_folder_against_itself_is_zero_under_every_recipe(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = explained(capsys, folders[0], folders[0], *OF_FOLDERS, "--cache", tmp_path, "--recipes", "videogpt")
    assert all(row["value"] == pytest.approx(0, abs=1e-6) for row in record["recipes"])


def test_the_table_says_recipe_difference_and_settings(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [*map(str, folders), *OF_FOLDERS, "--cache", str(tmp_path), "--recipes", "cd-fvd-192,stylegan-v"]
    dest = tmp_path / "table.csv"
    record = explained(capsys, *common)
    assert run(["explain", *common, "--workers", "1"]) == 0
    out = capsys.readouterr()
    lines = out.out.splitlines()
    assert lines[1] == "n = 3/4; frames: first 12; weights: tiny-i3d"
    shown = {line.split()[0]: line for line in lines if line.startswith("tiny")}
    assert list(shown) == ["tiny", "tiny/cd-fvd-192", "tiny/stylegan-v"]
    difference = f"{100 * record['recipes'][2]['relative']:+.2f} %"
    assert shown["tiny/stylegan-v"].count(difference) == 2  # of the whole recipe, and of its one knob
    assert "crop 55, floor, squash" in shown["tiny/cd-fvd-192"]  # 192 of 224 are 55 of 64
    assert "compares with nothing else" in out.err
    assert "1 files in" in out.err
    assert "README.txt" in out.err
    assert run(["-q", "explain", *common, "--format", "csv", "--dest", str(dest), "--workers", "1"]) == 0
    rows = list(csv.DictReader(dest.read_text().splitlines()))
    assert [float(row["value"]) for row in rows] == [row["value"] for row in record["recipes"]]
    assert [row["digest"] for row in rows] == [row["recipe"]["digest"] for row in record["recipes"]]


def test_recipes_that_share_all_settings_are_one_line_unless_asked_for() -> None:
    univg = FVD_RECIPES["univg"]
    assert recipes_of(univg)[0] is univg
    assert {recipe.name for recipe in recipes_of(univg)} >= {"tf-original", "videogpt", "tats", "cd-fvd-256"}
    assert "tiny" not in {recipe.name for recipe in recipes_of(univg)}
    assert all(settings(recipe) != settings(TINY) for recipe in recipes_of(TINY)[1:])
    assert [recipe.name for recipe in recipes_of(TINY, ["tiny/univg"])] == ["tiny", "tiny/univg"]
    videogpt = FVD_RECIPES["videogpt"]
    assert "common-metrics-videogpt" not in {recipe.name for recipe in recipes_of(videogpt)}


def test_in_small_only_sizes_change() -> None:
    for recipe in recipes_of(FVD_RECIPES["univg"]):
        small = in_small(recipe, TINY)
        kept = replace(small, name=recipe.name, source=recipe.source, size=224, network="i3d", through=recipe.through)
        assert kept == recipe
    first = in_small(FVD_RECIPES["cd-fvd-256"], TINY).through
    assert first is not None
    assert first.size == 73


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["made", "empty"], 2, "found 0 videos in {empty}, expected at least 2"),
        (["made", "one"], 2, "found 1 videos in {one} beside 1 other files, expected at least 2"),
        (["made", "nowhere"], 2, "found no folder {nowhere}"),
        (["made", "real", "--frames", "8"], 2, "found 8 frames, expected at least 9"),
        (["made", "real", "--sampling", "all", "--frames", "9"], 2, "sampling `all` takes every frame"),
        (["made", "broken"], 3, "1 of 3 videos in {broken} cannot be compared: cut.mp4 (truncated"),
        (["made", "short"], 3, "2 of 2 videos in {short} cannot be compared: 0.mp4 (short: has 10 frames"),
        (["made", "blink", "--sampling", "all"], 3, "blink.mp4 (short: has 5 frames, I3D takes at least 9)"),
        (["made", "real", "--recipes", "stylegan"], 2, "found the recipe 'stylegan', expected one of univg"),
        (["made", "real", "--metric", "fvd"], 2, "found --metric; such options only go with a run"),
        (["made", "real", "short"], 2, "found 3 folders, expected a RUN, or SAMPLES and REFERENCES"),
        (["made", "--frames", "12"], 2, "found --frames; such options only go with two folders"),
        (["made"], 2, "found no run in {made}"),
        (["made", "real", "--i3d", "i3d-kinetics400"], 2, "found no weights 'i3d-kinetics400'"),
        (["made", "real", "--i3d", "resnet"], 2, "found weights 'resnet', expected one of"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    arguments: list[str], code: int, sentence: str, folders: tuple[Path, Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    places = {name: tmp_path / name for name in ("empty", "one", "nowhere", "broken", "short", "blink")}
    places |= {"made": folders[0], "real": folders[1]}
    places["empty"].mkdir()
    whole = make_video(places["one"] / "a.mp4", 20)
    (places["one"] / "notes.txt").write_text("")
    for name in ("a", "b"):
        make_video(places["broken"] / f"{name}.mp4", 20)
    truncated(whole, places["broken"] / "cut.mp4")
    for i in range(2):
        make_video(places["short"] / f"{i}.mp4", 10)
        make_video(places["blink"] / f"{'blink' if i else 'long'}.mp4", 5 if i else 20)
    given = [str(places.get(name, name)) for name in arguments]
    common = [] if len(arguments) == 1 or arguments[1] == "--frames" or "--i3d" in arguments else ["--i3d", "tiny-i3d"]
    record = explained(capsys, *given, *common, "--cache", tmp_path / "cache")
    assert record["exit_code"] == code
    assert sentence.format(**places) in record["error"]


def test_short_videos_are_dropped_and_counted_when_asked(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (*folders, "--i3d", "tiny-i3d", "--frames", "14", "--short", "drop", "--recipes", "stylegan-v")
    record = explained(capsys, *common, "--cache", tmp_path)
    assert (record["n"], record["n_reference"], record["dropped_short"]) == (3, 2, ["0", "1"])
