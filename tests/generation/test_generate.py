"""Generation: seeds decide, workers and interruptions do not, and samples of two models are never mixed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.generation.model_doubles import HERE
from tests.samples.small_protocol import everything, import_videos, manifest, rows, write_protocol, write_videos
from univg_bench.cli import run
from univg_bench.encode import write_lossless
from univg_bench.errors import SampleError
from univg_bench.plan import seed_of
from univg_bench.records import load_record
from univg_bench.samples import Run
from univg_bench.video import decode


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A protocol of four items, v000 to v003."""
    write_protocol(tmp_path)
    return tmp_path


def generate(folder: Path, *options: str, model: str = "Noise", runs: str = "runs") -> int:
    """Run `univg-bench generate` on the protocol in `folder`; return the exit code."""
    common = ["--data", str(folder / "data"), "--dest", str(folder / runs)]
    return run(["-q", "generate", str(folder / "small.yaml"), "--model", f"{HERE}:{model}", *common, *options])


def path_of(folder: Path, name: str = "noise", runs: str = "runs") -> Path:
    return folder / runs / "small@1" / name


def asked(log: Path) -> list[str]:
    """Return the samples that a model was asked for since the last look."""
    found = log.read_text().split() if log.is_file() else []
    log.unlink(missing_ok=True)
    return found


def test_a_run_holds_every_sample_with_its_record(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world) == 0
    assert "4 of 4 samples are there" in capsys.readouterr().out
    found = Run.open(path_of(world))
    assert (found.facts.origin, found.facts.model, found.facts.source) == ("generate", "noise", f"{HERE}:Noise")
    for index, row in enumerate(found.rows()):
        assert (row.name, row.frames, row.height, row.width, row.fps) == (f"v00{index}-s0", 10, 32, 48, 10)
        record = json.loads(found.path_of(row).with_suffix(".json").read_bytes())
        assert record["seed"] == seed_of("small@1", f"v00{index}", 0)
        assert record["conditions"] == {"prompt": f"prompt number {index}", "image": None}
        assert record["made_with"] == {"weights": "a"}
    card = json.loads((path_of(world) / "model.json").read_bytes())["card"]
    assert (card["name"], len(card["weights"]["all"])) == ("noise", 64)
    assert run(["-q", "check", str(path_of(world)), "--deep"]) == 0


def test_what_is_stored_is_what_the_model_made(world: Path) -> None:
    from tests.generation.model_doubles import Noise
    from univg_bench.model import Request

    assert generate(world) == 0
    found = Run.open(path_of(world))
    row = list(found.rows())[2]
    wanted = Noise(device="cpu", dtype="float32").generate(
        [Request("any", seed_of("small@1", "v002", 0), "prompt number 2")], {}
    )
    stored = np.stack([frame.rgb for frame in decode(found.path_of(row))])
    assert np.array_equal(stored, wanted[0].frames)


def test_a_seed_depends_on_protocol_item_number_and_base_seed_and_is_the_same_everywhere() -> None:
    seeds = [
        seed_of(protocol, item, k, base_seed=base)
        for protocol in ("p@1", "p@2")
        for item in ("a", "b")
        for k in (0, 1)
        for base in (0, 1)
    ]
    assert len(set(seeds)) == 16
    assert all(0 <= seed < 2**63 for seed in seeds)
    # printf 'p@1|0|a|0' | sha256sum | cut -c 1-16
    assert seeds[0] == 0x9CB3498AAA710B8B >> 1


@pytest.mark.parametrize("options", [("--workers", "2"), ("--workers", "3")])
def test_workers_do_not_change_a_byte(world: Path, options: tuple[str, ...]) -> None:
    assert generate(world) == 0
    assert generate(world, *options, runs="others") == 0
    assert everything(path_of(world)) == everything(path_of(world, runs="others"))


def test_a_sample_does_not_depend_on_the_other_items(world: Path) -> None:
    assert generate(world) == 0
    before = rows(path_of(world))
    write_protocol(world, 2)
    assert generate(world, runs="others") == 0
    after = rows(path_of(world, runs="others"))
    assert list(after) == ["v000-s0", "v001-s0"]
    assert all(after[name] == before[name] for name in after)


def test_samples_of_one_item_differ(tmp_path: Path) -> None:
    write_protocol(tmp_path, 2, samples=3)
    assert generate(tmp_path) == 0
    found = rows(path_of(tmp_path))
    assert list(found) == [f"v00{i}-s{k}" for i in range(2) for k in range(3)]
    assert len({str(row["rgb_sha256"]) for row in found.values()}) == 6


def test_what_is_there_is_not_made_again(world: Path) -> None:
    log = world / "log"
    options = ("--option", f"log={log}")
    log.touch()
    assert generate(world, *options) == 0
    assert asked(log) == [f"v00{i}-s0" for i in range(4)]
    log.touch()
    before = everything(path_of(world))
    assert generate(world, *options) == 0
    assert asked(log) == []
    assert everything(path_of(world)) == before


@pytest.mark.parametrize("lost", ["mp4", "json", "half an mp4", "half a json"])
def test_a_sample_that_was_lost_is_made_again_to_the_same_bytes(world: Path, lost: str) -> None:
    assert generate(world) == 0
    before = everything(path_of(world))
    victim = next((path_of(world) / "samples").rglob(f"v001-s0.{lost.split()[-1]}"))
    if lost.startswith("half"):
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    else:
        victim.unlink()
    assert generate(world) == 0
    assert everything(path_of(world)) == before


@pytest.mark.parametrize(
    "options", [("--option", "weights=b"), ("--dtype", "bfloat16"), ("--option", "wait=0.001")], ids=str
)
def test_other_weights_options_or_numbers_make_every_sample_anew(world: Path, options: tuple[str, ...]) -> None:
    log = ("--option", f"log={world / 'log'}")
    (world / "log").touch()
    assert generate(world, *log) == 0
    keys = {record["key"] for record in records(world)}
    asked(world / "log")
    (world / "log").touch()
    assert generate(world, *log, *options) == 0
    assert len(asked(world / "log")) == 4
    assert not keys & {record["key"] for record in records(world)}


def records(world: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted((path_of(world) / "samples").rglob("*.json"))]


def test_weights_that_moved_are_the_same_weights(world: Path) -> None:
    """The option `log` names a file, so it counts by the digests of the card, as a folder of weights does."""
    for name in ("one", "two"):
        (world / name).touch()
        assert generate(world, "--option", f"log={world / name}") == 0
    assert (len(asked(world / "one")), len(asked(world / "two"))) == (4, 0)


def test_a_manifest_never_mixes_two_models(world: Path) -> None:
    assert generate(world) == 0
    assert generate(world, "--option", "weights=b", "--limit", "2") == 0
    status = [row["status"] for row in rows(path_of(world)).values()]
    assert status == ["ok", "ok", "missing", "missing"], "the other two are there, but of weights a"
    assert generate(world, "--option", "weights=b") == 0
    mixed = everything(path_of(world))
    assert generate(world, "--option", "weights=b", runs="fresh") == 0
    assert everything(path_of(world, runs="fresh")) == mixed


def test_a_trial_of_the_first_samples_can_be_completed(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world, "--limit", "3") == 0
    assert "3 of 4 samples are there" in capsys.readouterr().out
    assert run(["-q", "check", str(path_of(world))]) == 3
    assert generate(world) == 0
    assert generate(world, runs="whole") == 0
    assert everything(path_of(world)) == everything(path_of(world, runs="whole"))


def test_shards_make_the_whole_run_together(tmp_path: Path) -> None:
    write_protocol(tmp_path, 7)
    for shard in ("2/3", "1/3"):
        assert generate(tmp_path, "--shard", shard) == 0
    with pytest.raises(SampleError, match="was not finished"):
        list(Run.open(path_of(tmp_path)).rows())
    assert len(records(tmp_path)) == 5
    assert generate(tmp_path, "--shard", "3/3") == 0
    (tmp_path / "log").touch()
    assert generate(tmp_path, "--option", f"log={tmp_path / 'log'}") == 0
    assert asked(tmp_path / "log") == [], "the last command only writes the manifest"
    assert generate(tmp_path, runs="whole") == 0
    mine, whole = everything(path_of(tmp_path)), everything(path_of(tmp_path, runs="whole"))
    assert mine.pop("model.json") != whole.pop("model.json"), "it says with which options the last command ran"
    assert mine == whole


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0", "1/2/3"])
def test_a_shard_that_is_none_is_said(world: Path, shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world, "--shard", shard) == 2
    assert "expected i/n" in capsys.readouterr().err


def test_another_base_seed_is_another_run(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world) == 0
    before = everything(path_of(world))
    assert generate(world, "--base-seed", "1") == 2
    assert "base seed 0" in capsys.readouterr().err
    assert everything(path_of(world)) == before
    assert generate(world, "--base-seed", "1", "--name", "again") == 0
    first, second = rows(path_of(world)), rows(path_of(world, "again"))
    assert all(first[name]["rgb_sha256"] != second[name]["rgb_sha256"] for name in first)


def test_imported_and_generated_samples_do_not_mix(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world) == 0
    videos = write_videos(world / "videos")
    assert import_videos(world, videos, model="noise") == 2
    assert "origin generate there, import now" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_never_touched(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = path_of(world) / "samples" / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    assert generate(world) == 2
    assert "no run of ours" in capsys.readouterr().err
    assert precious.read_text() == "mine"


def test_what_the_protocol_asks_for_reaches_the_model(tmp_path: Path) -> None:
    asks = ", num_frames: 12, fps: 12, height: 40, width: 64, fixed: [num_frames, steps], params: {steps: 7}"
    write_protocol(tmp_path, generation=asks)
    assert generate(tmp_path) == 0
    found = Run.open(path_of(tmp_path))
    for row in found.rows():
        assert (row.frames, row.fps, row.height, row.width) == (12, 12, 40, 64)
    assert {record["made_with"]["steps"] for record in records(tmp_path)} == {7}


def test_a_setting_that_the_model_does_not_know_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_protocol(tmp_path, generation=", params: {guidance: 7.5}")
    assert generate(tmp_path) == 2
    assert "found the settings ['guidance']" in capsys.readouterr().err
    assert not list((path_of(tmp_path) / "samples").rglob("*.mp4"))


IMAGES = """\
conditions: {text: true, image: IMAGE}
"""


def with_images(folder: Path, image: str, data: str = "") -> None:
    path = write_protocol(folder, 2)
    text = path.read_text().replace("conditions: {text: true}\n", IMAGES.replace("IMAGE", image))
    path.write_text(text.replace("task: t2v", "task: ti2v").replace("prompts.csv", f"prompts.csv{data}"))


def test_given_images_are_conditions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_images(tmp_path, '{source: folder, pattern: "{item_id}.png", made_by: a painter}')
    assert generate(tmp_path) == 2
    assert "name their folder with --images" in capsys.readouterr().err
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(2):
        Image.new("RGB", (8, 6), (i, 2, 3)).save(pictures / f"v00{i}.png")
    given = ("--images", str(pictures))
    assert generate(tmp_path, *given) == 0
    before = rows(path_of(tmp_path))
    assert Run.open(path_of(tmp_path)).facts.images == str(pictures)
    Image.new("RGB", (8, 6), (9, 9, 9)).save(pictures / "v001.png")
    assert generate(tmp_path, *given) == 0
    after = rows(path_of(tmp_path))
    assert after["v000-s0"] == before["v000-s0"], "its image is what it was"
    assert after["v001-s0"]["rgb_sha256"] != before["v001-s0"]["rgb_sha256"]


def test_a_frame_of_the_real_video_is_a_condition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_images(tmp_path, "{source: reference, frame: 1}", ', references: "real/{item_id}.mp4"')
    for i in range(2):
        frames = np.full((3, 3, 16, 16), i, np.uint8)
        frames[1] = 77
        write_lossless(tmp_path / "data" / "real" / f"v00{i}.mp4", frames, 10)
    assert generate(tmp_path) == 0
    images = [record["conditions"]["image"] for record in records(tmp_path)]
    assert [image["frame"] for image in images] == [1, 1]
    (tmp_path / "data" / "real" / "v001.mp4").unlink()
    assert generate(tmp_path, runs="others") == 3
    assert "v001" in capsys.readouterr().err


def test_json_prints_one_record(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--data", str(world / "data"), "--dest", str(world / "runs")]
    assert run(["--json", "generate", str(world / "small.yaml"), "--model", f"{HERE}:Noise", *common]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["made"], record["reused"], record["complete"], record["model"]) == (4, 0, True, "noise")


def test_the_manifest_is_of_the_form_that_import_writes(world: Path) -> None:
    """The same files, imported, give the same rows but for where they came from."""
    assert generate(world) == 0
    source = world / "videos"
    source.mkdir()
    for path in (path_of(world) / "samples").rglob("*.mp4"):
        shutil.copyfile(path, source / path.name.replace("-s0", ""))
    assert import_videos(world, source, model="theirs") == 0
    imported = rows(path_of(world, "theirs"))
    for row in imported.values():
        for field in ("source_path", "source_bytes", "source_mtime_ns"):
            del row[field]
    assert imported == rows(path_of(world))
    assert manifest(path_of(world))


def test_a_generated_run_is_evaluated_and_its_result_names_the_weights(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(world) == 0
    path = path_of(world)
    assert run(["-q", "evaluate", str(path), "--workers", "1"]) == 0
    model = load_record(path).model
    assert (model.name, model.origin, model.generated is not None) == ("noise", "generate", True)
    assert model.generated is not None
    assert model.generated.weights == {"all": hashlib.sha256(b"a").hexdigest()}
    assert (model.generated.dtype, model.generated.base_seed) == ("float32", 0)
    facts = json.loads((path / "model.json").read_bytes())
    del facts["card"]["weights"]
    (path / "model.json").write_text(json.dumps(facts))
    assert run(["-q", "evaluate", str(path), "--workers", "1"]) == 2
    assert "model.json is damaged; run the same generate again" in capsys.readouterr().err
    assert generate(world) == 0
    assert run(["-q", "evaluate", str(path), "--workers", "1"]) == 0
