"""Import: what is good is committed, what is not is named, and the same command again does the rest."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.samples.small_protocol import (
    everything,
    import_videos,
    manifest,
    rows,
    run_path,
    write_protocol,
    write_videos,
)
from tests.videos import damaged, make_video, truncated
from univg_bench.errors import InfrastructureError, SampleError
from univg_bench.index import index_videos
from univg_bench.samples import Run
from univg_bench.video import probe


def test_a_run_holds_what_was_given(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_videos(world, world / "videos") == 0
    assert "4 of 4 samples are good" in capsys.readouterr().out
    run = Run.open(run_path(world))
    assert (run.facts.protocol_id, run.facts.model, run.facts.allow_missing) == ("small", "ours", False)
    assert run.facts.protocol_digest == run.protocol().digest
    found = list(run.rows())
    assert [row.name for row in found] == ["v000-s0", "v001-s0", "v002-s0", "v003-s0"]
    for row in found:
        stored = run.path_of(row)
        assert stored.read_bytes() == (world / "videos" / row.source_path).read_bytes()
        assert (row.frames, row.height, row.fps) == (10, 48, 10)
        assert row.rgb_sha256 == probe(stored).rgb_sha256
    assert len({row.rgb_sha256 for row in found}) == 4


def test_workers_do_not_change_a_byte(tmp_path: Path) -> None:
    write_protocol(tmp_path, 40)
    write_videos(tmp_path / "videos", 40, frames=9)
    (tmp_path / "videos" / "v007.mp4").write_bytes(b"")
    runs = []
    for workers in (1, 2):
        assert import_videos(tmp_path, tmp_path / "videos", "--workers", str(workers)) == 3
        runs.append(everything(run_path(tmp_path)))
        shutil.rmtree(tmp_path / "runs")
    assert runs[0] == runs[1]
    assert len([name for name in runs[0] if name.startswith("manifest/")]) == 3


def test_bad_files_among_good_ones_are_named_counted_and_not_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_protocol(tmp_path, 10)
    videos = write_videos(tmp_path / "videos", 10)
    good = make_video(tmp_path / "good.mp4", 40, size=(320, 240), muxer={"movflags": "+faststart"})
    (videos / "v001.mp4").unlink()
    (videos / "v002.mp4").write_bytes(b"")
    (videos / "v003.mp4").write_text("an error page")
    truncated(good, videos / "v004.mp4")
    damaged(good, videos / "v005.mp4", at=0.75, length=200)
    make_video(videos / "v006.mp4", 1)
    (videos / "v007.mp4").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    make_video(videos / "v008.mp4", 8)
    assert import_videos(tmp_path, videos, "--dest", str(tmp_path / "runs")) == 3
    error = capsys.readouterr().err
    assert "found 2 of 10 samples" in error
    assert "v001-s0 (missing: there is no file for it)" in error
    found = rows(run_path(tmp_path))
    status = {name: row["status"] for name, row in found.items()}
    assert [status[f"v00{i}-s0"] for i in range(10)] == [
        "ok", "missing", "unreadable", "unreadable", "truncated", "corrupt", "ok", "unreadable", "ok", "ok",
    ]  # fmt: skip
    stored = {path.name for path in (run_path(tmp_path) / "samples").rglob("*") if path.is_file()}
    assert stored == {"v000-s0.mp4", "v006-s0.mp4", "v008-s0.mp4", "v009-s0.mp4"}
    # short ones are whole videos, so they are stored, and fail all the same
    assert "v006-s0 (short: has 1 frames" in error
    assert "v008-s0 (short: has 8 frames" in error


def test_repaired_sources_complete_the_run_and_only_they_are_decoded(world: Path, decoded: list[str]) -> None:
    videos = world / "videos"
    whole = (videos / "v002.mp4").read_bytes()
    (videos / "v002.mp4").write_bytes(whole[:-50])
    assert import_videos(world, videos) == 3
    decoded.clear()
    assert import_videos(world, videos) == 3
    assert len(decoded) == 1, "a file that failed is tried again, a good one is not"
    (videos / "v002.mp4").write_bytes(whole)
    decoded.clear()
    assert import_videos(world, videos) == 0
    assert len(decoded) == 1
    decoded.clear()
    assert import_videos(world, videos) == 0
    assert decoded == []
    repaired = manifest(run_path(world))
    shutil.rmtree(world / "runs")
    assert import_videos(world, videos) == 0
    assert manifest(run_path(world)) == repaired


def test_a_changed_source_is_read_again(world: Path, decoded: list[str]) -> None:
    assert import_videos(world, world / "videos") == 0
    before = rows(run_path(world))["v001-s0"]
    make_video(world / "videos" / "v001.mp4", 12)
    decoded.clear()
    assert import_videos(world, world / "videos") == 0
    after = rows(run_path(world))["v001-s0"]
    assert len(decoded) == 1
    assert (before["frames"], after["frames"]) == (10, 12)
    assert (run_path(world) / str(after["path"])).read_bytes() == (world / "videos" / "v001.mp4").read_bytes()


def test_a_stored_file_that_was_lost_is_made_again(world: Path) -> None:
    assert import_videos(world, world / "videos") == 0
    before = everything(run_path(world))
    for name in ("v000-s0.mp4", "v003-s0.mp4"):
        next((run_path(world) / "samples").rglob(name)).unlink()
    assert import_videos(world, world / "videos") == 0
    assert everything(run_path(world)) == before


def test_the_run_is_what_the_last_import_gave(world: Path) -> None:
    assert import_videos(world, world / "videos") == 0
    (world / "videos" / "v003.mp4").unlink()
    (world / "videos" / "v002.mp4").rename(world / "videos" / "v002.m4v")
    assert import_videos(world, world / "videos") == 3
    stored = sorted(path.name for path in (run_path(world) / "samples").rglob("*") if path.is_file())
    assert stored == ["v000-s0.mp4", "v001-s0.mp4", "v002-s0.m4v"], "no sample of an earlier model is left behind"


def test_missing_samples_are_allowed_only_when_asked_and_the_run_says_so(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "videos" / "v003.mp4").unlink()
    assert import_videos(world, world / "videos") == 3
    assert not Run.open(run_path(world)).facts.allow_missing
    assert import_videos(world, world / "videos", "--allow-missing") == 0
    assert Run.open(run_path(world)).facts.allow_missing
    assert "marked incomplete; 1 samples are left out: v003-s0" in capsys.readouterr().err
    make_video(world / "videos" / "v003.mp4", 10)
    assert import_videos(world, world / "videos", "--allow-missing") == 0
    assert not Run.open(run_path(world)).facts.allow_missing, "nothing is missing, so there is nothing to allow"


@pytest.mark.parametrize("place", ["copy", "hardlink", "symlink", "in-place"])
def test_every_way_of_placing_gives_the_same_pixels(world: Path, place: str, decoded: list[str]) -> None:
    assert import_videos(world, world / "videos", "--place", place) == 0
    run = Run.open(run_path(world))
    for row in run.rows():
        stored, source = run.path_of(row), world / "videos" / row.source_path
        assert stored.read_bytes() == source.read_bytes()
        assert stored.is_symlink() == (place == "symlink")
        assert stored.samefile(source) == (place != "copy")
    assert (run.folder / "samples").exists() == (place != "in-place")
    decoded.clear()
    assert import_videos(world, world / "videos", "--place", place) == 0
    assert decoded == []


def test_another_way_of_placing_replaces_the_first(world: Path) -> None:
    assert import_videos(world, world / "videos", "--place", "symlink") == 0
    assert import_videos(world, world / "videos", "--place", "copy") == 0
    run = Run.open(run_path(world))
    assert not any(run.path_of(row).is_symlink() for row in run.rows())


def test_a_run_of_another_protocol_is_refused_and_says_what_differs(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_videos(world, world / "videos") == 0
    before = everything(run_path(world))
    write_protocol(world, frames="{sampling: first, frames: 9}")
    assert import_videos(world, world / "videos") == 2
    error = capsys.readouterr().err
    assert "holds another run: protocol digest" in error
    assert "raise its version" in error
    write_protocol(world, prompts=["other", "words", "in", "it"])
    assert import_videos(world, world / "videos") == 2
    assert "digest of the items" in capsys.readouterr().err
    assert everything(run_path(world)) == before


def test_another_model_in_the_folder_of_a_run_is_refused(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_videos(world, world / "videos") == 0
    run_path(world).rename(run_path(world, "theirs"))
    assert import_videos(world, world / "videos", model="theirs") == 2
    assert "model ours there, theirs now" in capsys.readouterr().err
    assert import_videos(world, world / "videos", model="../theirs") == 2
    assert "it becomes the name of a folder" in capsys.readouterr().err


def test_json_prints_one_record(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from univg_bench.cli import run

    (world / "videos" / "notes.mp4").write_bytes(b"")
    command = ["--json", "import", str(world / "small.yaml"), "--model", "ours", "--from", str(world / "videos")]
    options = ["--data", str(world / "data"), "--dest", str(world / "runs"), "--workers", "1"]
    assert run([*command, *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["good"], record["expected"], record["complete"]) == (4, 4, True)
    assert record["unmatched"] == ["notes.mp4"]
    (world / "videos" / "v001.mp4").unlink()
    assert run([*command, *options]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 3
    assert record["items"] == {"v001-s0": "missing: there is no file for it"}


def test_prompts_never_become_names_of_files(tmp_path: Path) -> None:
    prompts = ["a dog, running - fast", "un café", "x" * 300]
    write_protocol(tmp_path, prompts=[prompt.replace('"', "") for prompt in prompts], samples=2)
    for i, prompt in enumerate(prompts):
        for k in range(2):
            make_video(tmp_path / "videos" / f"{prompt[:200]}-{k}.mp4", 9, size=(80 + 4 * i + 2 * k, 48))
    assert import_videos(tmp_path, tmp_path / "videos", "--layout", "vbench") == 0
    stored = sorted(path.name for path in (run_path(tmp_path) / "samples").rglob("*") if path.is_file())
    assert stored == [f"v00{i}-s{k}.mp4" for i in range(3) for k in range(2)]
    found = rows(run_path(tmp_path))
    assert [found[f"v00{i}-s{k}"]["width"] for i in range(3) for k in range(2)] == [80, 82, 84, 86, 88, 90]


def test_a_map_and_numbers_work_from_the_command_line(world: Path) -> None:
    assert import_videos(world, world / "videos") == 0
    wanted = manifest(run_path(world))
    table = world / "map.csv"
    table.write_text("item_id,path\n" + "".join(f"v00{i},v00{i}.mp4\n" for i in range(4)))
    assert import_videos(world, world / "videos", "--map", str(table)) == 0
    assert manifest(run_path(world)) == wanted
    for i in range(4):
        (world / "videos" / f"v00{i}.mp4").rename(world / "videos" / f"000{i}.mp4")
    assert import_videos(world, world / "videos", "--layout", "evalcrafter") == 0
    assert [row["rgb_sha256"] for row in rows(run_path(world)).values()] == [
        json.loads(line)["rgb_sha256"] for line in wanted.splitlines()
    ]


def test_a_folder_that_is_no_run_is_never_touched(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = run_path(world) / "samples" / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    assert import_videos(world, world / "videos") == 2
    assert "no index of ours" in capsys.readouterr().err
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("fault", ["copy", "fsync"])
def test_a_full_disk_counts_nothing_half_written(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    calls = {"n": 0}
    real_copy, real_fsync = shutil.copyfile, os.fsync

    def full() -> None:
        calls["n"] += 1
        if calls["n"] > 4:
            raise OSError(errno.ENOSPC, "No space left on device")

    def copy(source: Path, dest: Path) -> Path:
        real_copy(source, dest)
        dest.write_bytes(dest.read_bytes()[:100])
        full()
        return real_copy(source, dest)

    def fsync(handle: int) -> None:
        full()
        real_fsync(handle)

    with monkeypatch.context() as patch:
        if fault == "copy":
            calls["n"] = 2
            patch.setattr("univg_bench.index.shutil.copyfile", copy)
        else:
            calls["n"] = -8
            patch.setattr("univg_bench.atomic.os.fsync", fsync)
        assert import_videos(world, world / "videos") == 5
    assert "No space left on device" in capsys.readouterr().err
    with pytest.raises(SampleError, match="was not finished"):
        list(Run.open(run_path(world)).rows())
    assert not list(run_path(world).rglob(".tmp-*"))
    assert import_videos(world, world / "videos") == 0
    after = everything(run_path(world))
    shutil.rmtree(world / "runs")
    assert import_videos(world, world / "videos") == 0
    assert everything(run_path(world)) == after


def test_two_imports_into_one_run_do_not_mix(world: Path) -> None:
    import fcntl

    assert import_videos(world, world / "videos") == 0
    with (run_path(world) / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InfrastructureError, match="another process is filling"):
            index_videos([], run_path(world), root=world)


def test_a_file_that_grows_while_it_is_read_is_not_taken(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def growing(path: Path) -> object:
        facts = probe(path)
        if path.name == "v001.mp4":
            with path.open("ab") as file:
                file.write(b"\0" * 8)
        return facts

    monkeypatch.setattr("univg_bench.index.probe", growing)
    assert import_videos(world, world / "videos", "--place", "in-place") == 3
    assert "changed while it was read" in str(rows(run_path(world))["v001-s0"]["error"])


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "/etc/passwd", "samples/../../x.mp4"])
def test_a_manifest_cannot_lead_out_of_its_folder(world: Path, path: str) -> None:
    assert import_videos(world, world / "videos") == 0
    part = run_path(world) / "manifest" / "00000.jsonl"
    lines = [json.loads(line) for line in part.read_bytes().splitlines()]
    lines[0]["path"] = path
    part.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = Run.open(run_path(world))
    with pytest.raises(SampleError, match="outside of"):
        run.path_of(next(run.rows()))


def test_a_stored_file_cannot_be_swapped_for_a_link_out_of_the_run(world: Path) -> None:
    assert import_videos(world, world / "videos") == 0
    run = Run.open(run_path(world))
    row = next(run.rows())
    stored = run.path_of(row)
    stored.unlink()
    stored.symlink_to(world / "videos" / "v000.mp4")
    with pytest.raises(SampleError, match="outside of"):
        run.path_of(row)
