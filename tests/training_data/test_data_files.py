"""The file that says what to learn from: sources by weight, frames and clips of the same videos, faults by line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from reference_models.data.data_files import load_data
from reference_models.data.reading import Wanted
from tests.training_data.made_data import make_folder, make_shard, members
from univg_bench.errors import InputError, SampleError

DATA = """\
videos:
  - {folder: own, weight: 3}
webvid:
  - {webvid: train.csv, root: downloaded}
images:
  - {shards: "laion/*.tar"}
reader: pyav
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_folder(tmp_path / "own", videos=2, frames=40)
    make_folder(tmp_path / "downloaded" / "000", videos=2, frames=40)
    (tmp_path / "train.csv").write_text("videoid,page_dir,name\nv0,000,first\nv1,000,second\n")
    make_shard(tmp_path / "laion" / "00000.tar", members(range(4)))
    (tmp_path / "data.yaml").write_text(DATA)
    return tmp_path


def wanted(numbers: range, *, frames: int = 1) -> Wanted:
    return Wanted(frames, tuple(numbers), tuple(numbers))


def test_every_kind_is_read_with_its_sources_by_weight(root: Path) -> None:
    made = load_data(root / "data.yaml", height=48, width=80, seed=0)
    assert list(made) == ["images", "frames", "videos"]
    clips = made["videos"].read(wanted(range(8), frames=8)).clips
    assert {clip.pixels.shape for clip in clips} == {(8, 3, 48, 80)}
    assert Counter("/" in clip.name for clip in clips) == {False: 6, True: 2}
    assert {clip.pixels.shape for clip in made["frames"].read(wanted(range(4))).clips} == {(1, 3, 48, 80)}
    assert sorted(clip.caption for clip in made["images"].read(wanted(range(4))).clips) == [
        f"image {i}" for i in range(4)
    ]
    orders = [[made[kind].order.at(k) for k in range(40)] for kind in ("frames", "videos")]
    assert orders[0] != orders[1]


def test_faults_of_the_file_are_named_with_their_place(root: Path) -> None:
    def refused(old: str, new: str) -> str:
        (root / "data.yaml").write_text(DATA.replace(old, new))
        with pytest.raises(InputError) as caught:
            load_data(root / "data.yaml", height=48, width=80, seed=0)
        return str(caught.value)

    assert "data.yaml:2:" in refused("weight: 3", "wieght: 3")
    assert "expected one of decord, pyav" in refused("pyav", "opencv")
    assert "found no shards" in refused("*.tar", "*.zip")
    assert "weight of 1 or more" in refused("weight: 3", "weight: 0")
    assert "found no folder" in refused("own", "other")
    assert "fps 8" in refused("reader: pyav", "reader: pyav\nstride: 2")
    (root / "data.yaml").write_text("reader: pyav\n")
    with pytest.raises(InputError, match="found no videos, webvid or images"):
        load_data(root / "data.yaml", height=48, width=80, seed=0)


def test_a_cut_off_shard_ends_the_run_unless_told_to_skip(root: Path) -> None:
    shard = root / "laion" / "00000.tar"
    shard.write_bytes(shard.read_bytes()[:8000])
    with pytest.raises(SampleError, match="cut off"):
        load_data(root / "data.yaml", height=48, width=80, seed=0)
    (root / "data.yaml").write_text(DATA + "on_broken: skip\n")
    assert 0 < load_data(root / "data.yaml", height=48, width=80, seed=0)["images"].order.sizes[0] < 4
