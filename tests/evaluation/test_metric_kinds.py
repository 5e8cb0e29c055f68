"""Laws of the metric kinds on eight captions: what a frozen, a perfect and a noisy model score, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.study import Study
from univg_bench.cli import run
from univg_bench.console import Console
from univg_bench.datasets import load_items
from univg_bench.encode import write_lossless
from univg_bench.ladder import RUNGS, write_ladder
from univg_bench.protocol_files import load_protocol
from univg_bench.records import Record, load_record
from univg_bench.video import read_frames

HEAD = """\
schema: univg-bench/protocol/1
extends: moving-shapes-tiny
id: kinds
version: 1
title: Kinds of metrics, for tests
data: {count: 8}
intervals: {replicates: 10}
table: [{label: motion, metric: motion, direction: neither, digits: 2}]
wide: []
"""
ALL = "frames: {sampling: all}"
BOTH = f"{ALL}, reference_frames: {{sampling: all}}"
FEW = "frames: {sampling: first, frames: 4}"  # block matching is slow
# whole videos on both sides, so that equal sets have equal features
SETS = f"""\
metrics:
  - {{id: fvd, kind: fvd, recipe: tiny, weights: tiny-i3d, {BOTH}}}
  - {{id: kvd, kind: kvd, recipe: tiny, weights: tiny-i3d, {BOTH}}}
  - {{id: precision, kind: manifold, quantity: precision, recipe: tiny, weights: tiny-i3d, {BOTH}}}
  - {{id: coverage, kind: manifold, quantity: coverage, recipe: tiny, weights: tiny-i3d, {BOTH}}}
  - {{id: consistency, kind: consistency, recipe: tiny, weights: tiny-clip, {BOTH}}}
  - {{id: motion, kind: motion, recipe: motion, {FEW}, reference_{FEW}}}
  - {{id: flicker, kind: flicker, recipe: flicker, {FEW}, reference_{FEW}}}
  - {{id: spectral, kind: spectral, recipe: spectrum, {BOTH}}}
"""
# nothing here needs a network
PIXELS = f"""\
metrics:
  - {{id: motion, kind: motion, recipe: motion, {FEW}, reference_{FEW}}}
  - {{id: psnr, kind: fidelity, quantity: psnr, recipe: fidelity, {ALL}}}
  - {{id: ssim, kind: fidelity, quantity: ssim, recipe: fidelity, {ALL}}}
"""
IMAGED = f"""\
task: ti2v
conditions: {{text: true, image: SOURCE}}
metrics:
  - {{id: motion, kind: motion, recipe: motion, {FEW}}}
  - {{id: first, kind: first-frame, quantity: psnr, recipe: fidelity}}
  - {{id: alignment, kind: image-alignment, quantity: min, recipe: tiny, weights: tiny-clip, {ALL}}}
"""
GIVEN = "{source: folder, pattern: '{item_id}.png', made_by: nobody}"


class Kinds:
    """Evaluates folders of videos under one protocol, and keeps the features of all of them."""

    def __init__(self, folder: Path, study: Study, metrics: str) -> None:
        (folder / "kinds.yaml").write_text(HEAD + metrics)
        self.folder, self.study = folder, study._replace(protocol=folder / "kinds.yaml")

    def take(self, model: str, videos: Path, *options: str) -> int:
        return self.study.import_into(self.folder, *options, videos=videos, model=model)

    def evaluate(self, model: str, *options: str) -> int:
        return run(["-q", "evaluate", str(self.path(model)), "--workers", "1", *options])

    def path(self, model: str) -> Path:
        return self.folder / "kinds@1" / model

    def record(self, model: str, videos: Path, *options: str) -> Record:
        assert self.take(model, videos, *options) == 0
        assert self.evaluate(model) == 0
        return load_record(self.path(model))


def value(record: Record, metric: str) -> float:
    found = record.metric(metric)
    assert found is not None
    return found.value


@pytest.fixture(scope="module")
def damaged(study: Study, tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a rung of the ladder over the study's real videos."""
    items = load_items(load_protocol(study.protocol), study.data)
    folders = write_ladder(items, tmp_path_factory.mktemp("rungs"), RUNGS, console=Console(quiet=True))
    return folders.__getitem__


@pytest.fixture(scope="module")
def real(study: Study) -> Path:
    return next(study.data.glob("*/rendering-0"))


@pytest.fixture(scope="module")
def sets(study: Study, tmp_path_factory) -> Kinds:
    return Kinds(tmp_path_factory.mktemp("sets"), study, SETS)


@pytest.fixture(scope="module")
def perfect(sets: Kinds, real: Path) -> Record:
    return sets.record("perfect", real)


@pytest.fixture
def pixels(study: Study, tmp_path: Path) -> Kinds:
    return Kinds(tmp_path, study, PIXELS)


def test_identical_sets_have_no_distance(perfect: Record) -> None:
    assert value(perfect, "fvd") == pytest.approx(0, abs=1e-9)
    assert value(perfect, "spectral") == pytest.approx(0, abs=1e-9)
    assert value(perfect, "precision") == value(perfect, "coverage") == 1
    assert value(perfect, "kvd") == pytest.approx(0, abs=1e-6)  # the kernel's values are some 10⁵ here


def test_the_real_videos_themselves_are_like_real_videos(perfect: Record) -> None:
    for name in ("consistency", "motion", "flicker"):
        metric = perfect.metric(name)
        assert metric is not None
        assert metric.details["ratio_to_real"] == pytest.approx(1, abs=1e-12)


def test_a_frozen_model_wins_consistency_and_flicker_and_its_motion_says_why(sets: Kinds, perfect: Record, damaged):
    frozen = sets.record("frozen", damaged("frozen"))
    assert value(frozen, "motion") == value(frozen, "flicker") == 0
    assert value(frozen, "consistency") == pytest.approx(1, abs=1e-12)
    assert value(frozen, "consistency") > value(perfect, "consistency")
    assert value(perfect, "motion") > 0.05
    motion = frozen.metric("motion")
    assert motion is not None
    assert motion.direction == "neither"
    assert motion.weights is None


def test_blur_has_a_spectral_distance_that_says_which_frequencies_are_gone(sets: Kinds, damaged) -> None:
    blurred = sets.record("blurred", damaged("blur-1"))
    spectral = blurred.metric("spectral")
    assert spectral is not None
    assert spectral.value > 5
    assert spectral.details["high_frequencies"] < -5


def test_a_number_per_video_stands_in_the_parquet_file(sets: Kinds, perfect: Record) -> None:
    table = pd.read_parquet(sets.path("perfect") / "per_video.parquet")
    for name in ("consistency", "motion", "flicker"):
        assert table[name].mean() == pytest.approx(value(perfect, name), abs=1e-15)


def test_the_index_names_every_gathered_row_and_what_made_it(sets: Kinds, perfect: Record) -> None:
    folder = sets.path("perfect") / "features"
    index = json.loads((folder / "index.json").read_text())
    assert index["schema"] == "univg-bench/features/1"
    assert index["protocol_digest"] == perfect.protocol.digest
    assert index["manifest_digest"] == perfect.status.manifest_digest
    assert set(index["metrics"]) == {metric.id for metric in perfect.metrics}
    for name, entry in index["metrics"].items():
        for role, files in entry["roles"].items():
            rows = np.load(folder / f"{name}.{role}.npy")
            assert len(rows) == len(files["names"]) * files["rows_per_name"]
            assert len(files["clusters"]) == len(files["names"])
    fvd, kvd = (index["metrics"][name] for name in ("fvd", "kvd"))
    assert fvd["roles"]["samples"]["names"] == [f"test-{i:05d}-s0" for i in range(8)]
    assert fvd["extractor"] == kvd["extractor"]


def test_equal_rows_of_two_metrics_are_one_file(sets: Kinds, perfect: Record) -> None:
    folder = sets.path("perfect") / "features"
    assert (folder / "fvd.samples.npy").samefile(folder / "kvd.samples.npy")
    assert not (folder / "fvd.samples.npy").samefile(folder / "consistency.samples.npy")


def test_more_noise_is_less_fidelity_and_none_is_the_cap(pixels: Kinds, real: Path, damaged) -> None:
    names = {"real": real, "noise-8": damaged("noise-8"), "noise-20": damaged("noise-20")}
    records = [pixels.record(name, videos) for name, videos in names.items()]
    psnr, ssim = ([value(record, metric) for record in records] for metric in ("psnr", "ssim"))
    assert psnr[0] == 60
    assert ssim[0] == 1
    assert psnr == sorted(psnr, reverse=True)
    assert ssim == sorted(ssim, reverse=True)
    assert psnr[1] == pytest.approx(20 * np.log10(255 / 8), abs=0.5)  # what noise of that deviation must give


@pytest.mark.parametrize(
    ("frames", "scale", "sentence"),
    [
        (24, 2, "has 24 frames of 112x64, its reference test-00000 24 frames of 56x32"),
        (20, 1, "has 20 frames of 56x32"),
    ],
)
def test_fidelity_refuses_videos_that_are_unlike_their_reference(
    study: Study, tmp_path: Path, real: Path, capsys, frames: int, scale: int, sentence: str
) -> None:
    kinds = Kinds(tmp_path, study, PIXELS + "generation: {fixed: []}\n")
    videos = tmp_path / "videos"
    for path in real.glob("*.mp4"):
        taken = read_frames(path, range(frames)).repeat(scale, axis=2).repeat(scale, axis=3)
        write_lossless(videos / path.name, taken, 8)
    assert kinds.take("model", videos) == 0
    assert kinds.evaluate("model") == 3
    assert sentence in capsys.readouterr().err
    assert not (kinds.path("model") / "results.json").exists()


def test_a_video_that_stands_still_on_its_condition_image_is_perfectly_aligned(
    study: Study, tmp_path: Path, damaged
) -> None:
    kinds = Kinds(tmp_path, study, IMAGED.replace("SOURCE", "{source: reference, frame: 0}"))
    frozen = kinds.record("frozen", damaged("frozen"))
    assert value(frozen, "first") == 60
    assert value(frozen, "alignment") == pytest.approx(1, abs=1e-6)
    noisy = kinds.record("noisy", damaged("noise-40"))
    assert value(noisy, "first") < 25
    assert value(noisy, "alignment") < 0.99


def test_images_named_at_import_are_what_videos_are_held_against(study: Study, tmp_path: Path, real: Path, capsys):
    kinds = Kinds(tmp_path, study, IMAGED.replace("SOURCE", GIVEN))
    images = tmp_path / "images"
    images.mkdir()
    for path in real.glob("*.mp4"):
        first = Image.fromarray(read_frames(path, [0])[0].transpose(1, 2, 0))
        first.resize((560, 320), Image.Resampling.NEAREST).save(images / f"{path.stem}.png")
    assert kinds.take("model", real) == 0
    assert kinds.evaluate("model") == 2
    assert "metric first compares with the condition images, but the run was imported without them" in (
        capsys.readouterr().err
    )
    record = kinds.record("model", real, "--images", str(images))
    assert value(record, "first") > 35  # ten times the size and back
    assert value(record, "alignment") < 1
    moved = tmp_path / "moved"
    shutil.move(images, moved)
    capsys.readouterr()
    assert kinds.evaluate("model") == 2
    assert f"found no folder {images}" in capsys.readouterr().err
    assert kinds.evaluate("model", "--images", str(moved)) == 0
    assert load_record(kinds.path("model")).cost.features_computed == 0
    shutil.copy(moved / "test-00001.png", moved / "test-00002.png")
    assert kinds.evaluate("model", "--images", str(moved)) == 3
    assert "found 1 condition images that are not those of the import (test-00002)" in capsys.readouterr().err


def test_a_frame_that_no_real_video_has_is_no_condition(study: Study, tmp_path: Path, real: Path, capsys) -> None:
    kinds = Kinds(tmp_path, study, IMAGED.replace("SOURCE", "{source: reference, frame: 24}"))
    assert kinds.take("model", real) == 0
    assert kinds.evaluate("model") == 3
    assert "found no frame 24 in 8 real videos" in capsys.readouterr().err


def test_too_few_videos_for_their_neighbours_are_one_sentence(study: Study, tmp_path: Path, real: Path, capsys) -> None:
    many = SETS.replace("quantity: coverage", "quantity: coverage, neighbours: 8")
    kinds = Kinds(tmp_path, study, many)
    assert kinds.take("model", real) == 0
    assert kinds.evaluate("model") == 2
    assert "found 8 generated and 8 real videos and 8 neighbours" in capsys.readouterr().err


def test_damaged_features_are_named_and_not_scored(pixels: Kinds, real: Path, capsys) -> None:
    pixels.record("model", real)
    cache = pixels.folder / ".features"
    for path in cache.rglob("*.npy"):
        np.save(path, np.full_like(np.load(path), np.nan))
    assert pixels.evaluate("model") == 2
    said = capsys.readouterr().err
    assert "found NaN or infinity in the features of test-00000-s0" in said
    assert str(cache) in said


def test_runs_of_a_repeated_fvd_are_all_heard(study: Study, tmp_path: Path, real: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(real, videos)
    shutil.copy(videos / "test-00006.mp4", videos / "test-00007.mp4")  # the second run has a double, the first has none
    repeated = SETS.splitlines()[1].replace("kind: fvd,", "kind: fvd, repeats: {count: 2, size: 4},")
    kinds = Kinds(tmp_path, study, "metrics:\n" + repeated + "\n" + PIXELS.splitlines()[1] + "\n")
    fvd = kinds.record("model", videos).metric("fvd")
    assert fvd is not None
    assert fvd.details["repeats"] == 2
    assert fvd.details["n_unique"] == 3
    assert fvd.details["mean_part"] + fvd.details["trace_part"] == pytest.approx(fvd.value, rel=1e-12)
    assert any(text.startswith("1 of 2 runs: 1 of 4 generated videos have the features") for text in fvd.warnings)
    assert any(text.startswith("only 4 videos for 37 dimensions") for text in fvd.warnings)
