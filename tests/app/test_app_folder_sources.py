"""A sample run is as good a source as a folder: items, videos, condition images and reasons come from it."""

from pathlib import Path

import pytest
from PIL import Image

from human_eval_app.new_study import new_study
from human_eval_app.sources import Folder
from human_eval_app.study_folder import StudyFolder
from tests.app.app_folder import bring_in, make_folder, write_video
from tests.samples.small_protocol import import_videos, run_path, write_protocol, write_videos
from univg_bench.cli import run
from univg_bench.errors import InputError, SampleError


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Folder]:
    """Two runs of a small protocol of four items; the second lacks one video and has a broken one."""
    write_protocol(tmp_path)
    import_videos(tmp_path, write_videos(tmp_path / "a"), model="ours")
    theirs = write_videos(tmp_path / "b", frames=12)
    first, second, *_ = sorted(theirs.iterdir())
    first.unlink()
    second.write_bytes(b"no video")
    import_videos(tmp_path, theirs, "--allow-missing", model="theirs")
    return {name: Folder(run_path(tmp_path, name)) for name in ("ours", "theirs")}


def test_a_study_takes_items_and_videos_from_runs(tmp_path: Path, runs: dict[str, Folder]) -> None:
    new_study(tmp_path / "study", methods=["ours", "theirs"], items_from=runs["ours"].path)
    folder = StudyFolder.open(tmp_path / "study")
    assert len(folder.study.items) == 4
    assert all(item.prompt for item in folder.study.items)
    with pytest.raises(SampleError) as caught:
        bring_in(folder, runs)
    reasons = list(caught.value.items.values())
    assert reasons[0] == "there is no file for it"
    assert "does not begin as any video does" in reasons[1]
    done = bring_in(folder, runs, allow_missing=True)
    assert (len(done.survey.kept), done.encoded) == (2, 4)


def test_a_run_of_other_items_is_refused(tmp_path: Path, runs: dict[str, Folder]) -> None:
    with pytest.raises(InputError, match=r"holds none of the 4 items of pilot@1"):
        bring_in(make_folder(tmp_path), runs)


def test_a_folder_can_be_read_by_pattern_or_by_map(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, items=2)
    table = tmp_path / "map.csv"
    table.write_text("item_id,path\ni0,first.mp4\ni1,second.mp4\n")
    for k, name in enumerate(("first", "second")):
        write_video(tmp_path / "ours" / f"i{k}" / "0.mp4", shade=k)
        write_video(tmp_path / "theirs" / f"{name}.mp4", shade=9 + k)
    sources = {
        "ours": Folder(tmp_path / "ours", pattern="{item_id}/0.mp4"),
        "theirs": Folder(tmp_path / "theirs", table=table),
    }
    assert bring_in(folder, sources).encoded == 4
    # the way to read a folder is remembered with the folder
    assert bring_in(folder, {}).encoded == 0


def test_a_condition_image_that_is_none_is_said(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, items=1)
    text = (folder.path / "study.yaml").read_text().replace("id: i0,", "id: i0, image: images/i0.png,")
    (folder.path / "study.yaml").write_text(text)
    folder = StudyFolder.open(folder.path)
    sources = {m: Folder(write_video(tmp_path / m / "i0.mp4").parent) for m in ("ours", "theirs")}
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "i0.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "i0.png")
    with pytest.raises(InputError, match="found 2 images of i0"):
        bring_in(folder, sources, images=tmp_path / "images")
    (tmp_path / "images" / "i0.jpg").unlink()
    (tmp_path / "images" / "i0.png").write_bytes(b"no image")
    with pytest.raises(SampleError, match="cannot be read"):
        bring_in(folder, sources, images=tmp_path / "images")
    assert not (folder.path / "study.db").exists()


def test_a_second_import_waits_for_no_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from univg_bench.index import sole_writer

    folder = make_folder(tmp_path, items=1)
    with sole_writer(folder.presentation):
        assert run(["-q", "human", "import", str(folder.path), "--method", "ours=x", "--method", "theirs=y"]) == 5
    assert "another process is filling" in capsys.readouterr().err
