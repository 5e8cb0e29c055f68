"""An import says what is wrong before it writes, is all there or not at all, and changes nothing when repeated."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from human_eval_app.creation import VideoRow, held_videos
from human_eval_app.encoding import MODIFIED, digest_of_file
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.sources import Folder
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import AUDIT, PAIR
from tests.app.app_folder import bring_in, make_folder, make_sources, write_video
from tests.app.app_study import GOLD, PRACTICE, people
from univg_bench.cli import run
from univg_bench.errors import InputError, SampleError
from univg_bench.video import decode, probe

ROOT = Path(__file__).parents[2]


def videos(folder: StudyFolder) -> dict[tuple[str, str], VideoRow]:
    store = folder.store()
    with store.database.read() as connection:
        return held_videos(connection, store.study_id)


def state(folder: StudyFolder) -> dict[str, tuple[str, float]]:
    """Name -> (digest, time of change) of every copy that carries its final name."""
    files = folder.presentation.glob("[0-9a-f]*.mp4")
    return {path.name: (digest_of_file(path), path.stat().st_mtime) for path in files}


def test_an_import_fills_the_study(tmp_path: Path, url: str) -> None:
    folder = make_folder(tmp_path, more=PRACTICE + GOLD)
    folder = StudyFolder.open(folder.path, url)
    done = bring_in(folder, make_sources(tmp_path / "videos"))
    rows = videos(folder)
    assert (len(done.survey.kept), done.encoded, done.changed) == (8, 12, True)
    assert set(rows) == {(f"i{k}", m) for k in range(4) for m in ("ours", "theirs", "frozen")}
    for row in rows.values():
        path = folder.presentation / str(row.path)
        assert (row.sha256, row.bytes) == (digest_of_file(path), path.stat().st_size)
        assert (row.width, row.height, row.fps, row.frames, row.seconds) == (32, 24, 8, 6, 0.75)
        assert path.stat().st_mtime == MODIFIED
        assert not any(word in path.name for word in ("ours", "theirs", "frozen", "i0"))
    store = folder.store()
    with store.database.read() as connection:
        assert set(connection.execute(sa.select(PAIR.c.video_seconds)).scalars()) == {0.75}
    assert isinstance(next_pair(store, people(store, 1)[0].id), Handed)


def test_a_repeated_import_changes_nothing(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    bring_in(folder, sources)
    before, rows = state(folder), videos(folder)
    again = bring_in(folder, {})  # the folders are remembered
    assert (again.encoded, again.changed) == (0, False)
    assert (state(folder), videos(folder)) == (before, rows)


def test_workers_make_the_same_files(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    bring_in(folder, sources)
    before = state(folder)
    for path in folder.presentation.glob("*.mp4"):
        path.unlink()
    assert bring_in(folder, sources, workers=2).encoded == 8
    assert state(folder) == before


def test_missing_and_unplayable_videos_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    (tmp_path / "videos" / "ours" / "i0.mp4").unlink()
    (tmp_path / "videos" / "theirs" / "i1.mp4").write_bytes(b"no video")
    write_video(tmp_path / "videos" / "theirs" / "i2.mp4", frames=1)
    with pytest.raises(SampleError, match=r"1 of 4 pairs can be shown.*Nothing was written") as caught:
        bring_in(folder, sources)
    assert caught.value.exit_code == 3
    assert caught.value.items["i0/ours"] == "there is no file for it"
    assert "does not begin as any video does" in caught.value.items["i1/theirs"]
    assert "1 frame, expected at least 2" in caught.value.items["i2/theirs"]
    assert state(folder) == {}
    assert not (folder.path / "study.db").exists()

    done = bring_in(folder, sources, allow_missing=True)
    assert [pair.item for pair in done.survey.kept] == ["i3"]
    assert {key: row.status for key, row in videos(folder).items()} == {
        ("i0", "ours"): "missing", ("i1", "theirs"): "unplayable", ("i2", "theirs"): "unplayable",
        ("i3", "ours"): "ok", ("i3", "theirs"): "ok",
    }  # fmt: skip
    with folder.store().database.read() as connection:
        (entry,) = connection.execute(sa.select(AUDIT.c.detail)).scalars()
    assert json.loads(entry)["left_out"] == 3
    # repaired before anybody rates: the pairs come back
    sources = make_sources(tmp_path / "videos")
    assert len(bring_in(folder, sources).survey.kept) == 4


def test_a_study_that_lost_its_gold_pairs_is_refused(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path, more=GOLD), make_sources(tmp_path / "videos")
    shutil.rmtree(tmp_path / "videos" / "frozen")
    write_video(tmp_path / "videos" / "frozen" / "i9.mp4")
    write_video(tmp_path / "videos" / "frozen" / "i0.mp4")
    with pytest.raises(SampleError, match=r"0 gold pairs can be shown, and gold.per_session of the study needs 1"):
        bring_in(folder, sources, allow_missing=True)


def test_what_somebody_was_shown_is_not_changed(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    bring_in(folder, sources)
    store = folder.store()
    next_pair(store, people(store, 1)[0].id)
    before, rows = state(folder), videos(folder)
    write_video(tmp_path / "videos" / "ours" / "i0.mp4", shade=99)
    with pytest.raises(InputError, match="somebody has begun to rate pilot@1"):
        bring_in(folder, sources)
    assert videos(folder) == rows
    assert before.items() <= state(folder).items()
    # a copy that got lost is made again, with the same bytes
    make_sources(tmp_path / "videos")
    lost = folder.presentation / str(rows["i0", "ours"].path)
    lost.unlink()
    assert bring_in(folder, sources).changed is False
    assert digest_of_file(lost) == rows["i0", "ours"].sha256


def test_before_the_first_rating_a_changed_study_takes_the_place_of_the_old(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    bring_in(folder, sources)
    before = state(folder)
    changed = make_folder(tmp_path, more="presentation: {resolution: fit_height, height: 16}\n")
    with pytest.raises(InputError, match=r"study.yaml was changed after the import of pilot@1"):
        changed.store()
    bring_in(changed, sources)
    assert {row.height for row in videos(changed).values()} == {16}
    # the copies of before are gone: nothing shows them any more
    assert not before.keys() & state(changed).keys()


def test_sizes_lengths_and_rates_that_still_differ_are_counted(tmp_path: Path) -> None:
    sources = make_sources(tmp_path / "videos")
    for k in range(4):
        write_video(tmp_path / "videos" / "theirs" / f"i{k}.mp4", size=(64, 24), fps=10, frames=9, shade=k)
    done = bring_in(make_folder(tmp_path), sources)
    assert done.survey.differing() == {"aspect": 4, "size": 4, "frame rate": 4, "length": 4}
    policy = "presentation: {resolution: fit_box, width: 48, height: 32, fps: 10, duration: trim_to_shortest}\n"
    equal = make_folder(tmp_path, more=policy)
    done = bring_in(equal, sources)
    assert done.survey.differing() == {"aspect": 4, "size": 0, "frame rate": 0, "length": 0}
    facts = {probe(path) for path in equal.presentation.glob("*.mp4")}
    assert len({(f.frames, f.width, f.height, f.seconds) for f in facts}) == 1


def test_files_of_an_item_can_be_made_equally_long(tmp_path: Path) -> None:
    sources = make_sources(tmp_path / "videos")
    write_video(tmp_path / "videos" / "theirs" / "i0.mp4", frames=12, shade=3)
    native = make_folder(tmp_path)
    bring_in(native, sources)
    plain = videos(native)
    assert plain["i0", "ours"].bytes != plain["i0", "theirs"].bytes
    folder = make_folder(tmp_path, more="presentation: {bytes: equal}\n")
    bring_in(folder, sources)
    rows = videos(folder)
    for k in range(4):
        one, other = rows[f"i{k}", "ours"], rows[f"i{k}", "theirs"]
        assert one.bytes == other.bytes == max(plain[f"i{k}", m].bytes or 0 for m in ("ours", "theirs")) + 8
    for key, row in rows.items():
        path = folder.presentation / str(row.path)
        assert (path.stat().st_size, path.stat().st_mtime) == (row.bytes, MODIFIED)
        assert digest_of_file(path) == row.sha256
        # to a player it is the same video, index first
        assert probe(path).frames == plain[key].frames
        assert len(list(decode(path))) == plain[key].frames
        assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat") < path.read_bytes().rindex(b"free")
    assert bring_in(folder, {}).changed is False
    assert bring_in(folder, {}).encoded == 0


def test_padding_does_not_touch_what_somebody_was_shown(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path, more="presentation: {bytes: equal}\n"), make_sources(tmp_path / "videos")
    bring_in(folder, sources)
    store = folder.store()
    next_pair(store, people(store, 1)[0].id)
    before, rows = state(folder), videos(folder)
    # a longer partner would make the file of the other method longer, too
    write_video(tmp_path / "videos" / "theirs" / "i0.mp4", frames=12)
    with pytest.raises(InputError, match="somebody has begun to rate pilot@1"):
        bring_in(folder, sources)
    assert before.items() <= state(folder).items()
    # lost files come back with the same bytes, also without what they were made from
    make_sources(tmp_path / "videos")
    shutil.rmtree(folder.presentation)
    assert bring_in(folder, sources).changed is False
    assert before.items() <= state(folder).items()
    assert videos(folder) == rows


def test_a_killed_import_leaves_nothing_half_and_goes_on(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path, items=12), make_sources(tmp_path / "videos", items=12)
    named = [f"--method={name}={source.path}" for name, source in sources.items()]
    program = [sys.executable, "-m", "univg_bench", "-q", "human", "import", str(folder.path), "--workers=1", *named]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(state(folder)) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    left = state(folder)
    assert 3 <= len(left) < 24
    assert not (folder.path / "study.db").exists()
    for name in left:
        assert probe(folder.presentation / name).frames == 6
    done = bring_in(folder, sources)
    assert done.encoded == 24 - len(left)
    assert left.items() <= state(folder).items()
    assert {path.name for path in folder.presentation.iterdir()} == {*state(folder), ".lock"}
    assert {row.path for row in videos(folder).values()} == state(folder).keys()


def test_a_folder_without_a_video_of_any_item_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "a" / "video1.mp4")
    folder = make_folder(tmp_path, items=1)
    for path, sentence in (
        (tmp_path / "a", "found no file in .* for any of the 1 items"),
        (tmp_path / "nowhere", "found no folder"),
    ):
        with pytest.raises(InputError, match=sentence):
            bring_in(folder, {"ours": Folder(path), "theirs": Folder(path)})


def test_a_video_that_lies_outside_of_its_folder_is_refused(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    link = tmp_path / "videos" / "ours" / "i0.mp4"
    link.unlink()
    link.symlink_to(write_video(tmp_path / "elsewhere.mp4"))
    with pytest.raises(InputError, match="leads out of"):
        bring_in(folder, sources)


def test_condition_images_are_copied_to_where_the_study_says(tmp_path: Path) -> None:
    from PIL import Image

    folder, sources = make_folder(tmp_path, items=2), make_sources(tmp_path / "videos", items=2)
    text = (folder.path / "study.yaml").read_text().replace("id: i0,", "id: i0, image: images/one.png,")
    (folder.path / "study.yaml").write_text(text)
    folder = StudyFolder.open(folder.path)
    with pytest.raises(SampleError) as caught:
        bring_in(folder, sources)
    assert caught.value.items == {"i0": "it has no condition image"}
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "i0.png")
    bring_in(folder, sources, images=tmp_path / "images")
    assert (folder.path / "images" / "one.png").read_bytes() == (tmp_path / "images" / "i0.png").read_bytes()


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, sources = make_folder(tmp_path), make_sources(tmp_path / "videos")
    words = ["-q", "human", "import", str(folder.path), "--workers", "1"]
    assert run([*words, "--method", "ours=nowhere"]) == 2
    assert "nothing says where the videos of theirs are" in capsys.readouterr().err
    assert run([*words, "--method", "hers=nowhere"]) == 2
    assert "expected one of the methods of the study: frozen, ours, theirs" in capsys.readouterr().err
    named = [word for name, source in sources.items() for word in ("--method", f"{name}={source.path}")]
    assert run([*words, *named]) == 0
    out = capsys.readouterr().out
    assert "ours    4       4     0        0           32x24, 8 fps, 0.75 s  32x24, 8 fps, 0.75 s" in out
    assert "pilot@1: 4 pairs can be shown; 8 copies were made now" in out
    (tmp_path / "videos" / "ours" / "i0.mp4").unlink()
    assert run([*words, *named]) == 3
    assert "3 of 4 pairs can be shown; these stand in the way: i0/ours" in capsys.readouterr().err
