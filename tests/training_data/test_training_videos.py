"""Clips out of videos: the frames that a player shows at those times, through either reader, or a sentence."""

from __future__ import annotations

import itertools
import json
import pickle
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from reference_models.data.cutting import Cut, chosen_indices, framed
from reference_models.data.readers import READERS, Reader, chosen_frames
from reference_models.data.source import BrokenClip
from reference_models.data.survey import survey
from reference_models.data.video_lists import video_folder, webvid
from reference_models.data.videos import Videos
from reference_models.stages.pixels import fitted, to_uint8
from tests.training_data.made_data import GROUPS, make_folder
from tests.videos import cut_copy, damaged, make_video, read_bar_codes, truncated
from univg_bench.datasets.moving_shapes import render, scene
from univg_bench.errors import InputError
from univg_bench.video import decode

AS_STORED = Cut(48, 80)  # the size of the made videos: nothing is scaled, so bar codes can be read


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("videos"))


@pytest.mark.parametrize("reader", READERS)
def test_frames_are_an_eighth_of_a_second_apart(folder: Path, reader: Reader) -> None:
    source = Videos(video_folder(folder), AS_STORED, reader)
    firsts = set()
    for seed in range(12):
        clip = source.clip(1, num_frames=8, rng=rng(seed))
        assert (clip.pixels.shape, clip.pixels.dtype, clip.caption) == ((8, 3, 48, 80), np.uint8, "a bar code, video 1")
        shown = read_bar_codes(clip.pixels)
        # 30 frames a second: frame k is the one shown k/8 seconds later, 3 or 4 frames on
        assert [index - shown[0] for index in shown] == [int(k * 30 / 8) for k in range(8)]
        firsts.add(shown[0])
    assert len(firsts) > 6
    assert min(firsts) >= 0
    assert max(firsts) <= 60 - 1 - int(7 * 30 / 8)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("b_frames.mp4", {"options": GROUPS}),
        ("long_groups.mp4", {"options": {"g": "250", "bf": "3"}}),
        ("variable.mp4", {"options": GROUPS, "times": [Fraction(i * i + 40 * i, 4000) for i in range(60)]}),
        ("late.mp4", {"options": GROUPS, "times": [Fraction(i, 10) + 2 for i in range(60)]}),
        ("clip.mkv", {"options": GROUPS}),
        ("clip.webm", {"codec": "libvpx-vp9"}),
        ("older.webm", {"codec": "libvpx"}),
        ("ten_bits.mp4", {"options": GROUPS, "pixels": "yuv420p10le"}),
        ("odd.mp4", {"size": (81, 49), "pixels": "yuv444p"}),
        ("rgb.mp4", {"codec": "libx264rgb", "pixels": "rgb24", "options": {"qp": "0"}}),
        (
            "closed.mp4",
            {"codec": "libx265", "options": {"x265-params": "keyint=20:open-gop=0:log-level=none:pools=none"}},
        ),
        ("clip.avi", {"codec": "mpeg4"}),
        ("parts.mp4", {"options": GROUPS, "muxer": {"movflags": "frag_keyframe+empty_moov"}}),
        ("upside_down.mp4", {"options": GROUPS, "rotation": 180}),
        ("with_sound.mp4", {"options": GROUPS, "audio": True}),
    ],
)
def test_decord_returns_the_exact_readers_bits(tmp_path: Path, name: str, fields: dict[str, object]) -> None:
    pytest.importorskip("decord", reason="needs decord, built for x86-64 Linux: run there after pip install decord")
    path = make_video(tmp_path / name, 60, **fields)  # type: ignore[arg-type]
    exact = list(decode(path))
    found = survey(path)
    assert not found.no_jumps
    assert found.times == pytest.approx([float(frame.time - exact[0].time) for frame in exact], abs=1e-6)
    for chosen in ([0, 1, 2], [37, 5, 59], [12, 13, 14, 15], [58, 59]):
        want = np.stack([exact[i].rgb for i in chosen])
        assert np.array_equal(chosen_frames(path, chosen, found=found, reader="decord"), want)
        assert np.array_equal(chosen_frames(path, chosen, found=found, reader="pyav"), want)


def test_what_decord_gets_wrong_is_refused_and_pyav_reads_it(tmp_path: Path) -> None:
    decord = pytest.importorskip(
        "decord", reason="needs decord, built for x86-64 Linux: run there after pip install decord"
    )
    whole = make_video(tmp_path / "whole.mp4", 100, options=GROUPS)
    open_groups = "keyint=20:min-keyint=20:open-gop=1:bframes=3:scenecut=0"
    cases = {
        "edit list": cut_copy(whole, tmp_path / "cut.mp4", start=Fraction(35, 10)),
        "open": make_video(tmp_path / "open.mp4", 100, options={"x264-params": open_groups}),
        # x265 makes open groups unless told not to
        "are open": make_video(
            tmp_path / "h265.mp4", 100, codec="libx265",
            options={"x265-params": "keyint=20:min-keyint=20:scenecut=0:log-level=none:pools=none"},
        ),
    }  # fmt: skip
    for reason, path in cases.items():
        exact = np.stack([frame.rgb for frame in decode(path)])
        indices = [len(exact) - 1, *range(0, len(exact), 3)]
        given = decord.VideoReader(str(path), num_threads=1).get_batch(indices).asnumpy().transpose(0, 3, 1, 2)
        assert not np.array_equal(given, exact[indices]), f"decord reads {reason} well now: drop the refusal"
        found = survey(path)
        assert reason in found.no_jumps
        with pytest.raises(BrokenClip, match="--reader pyav"):
            chosen_frames(path, indices, found=found, reader="decord")
        assert np.array_equal(chosen_frames(path, indices, found=found, reader="pyav"), exact[indices])


def test_decord_refuses_what_it_turns_wrong(tmp_path: Path) -> None:
    pytest.importorskip("decord", reason="needs decord, built for x86-64 Linux: run there after pip install decord")
    path = make_video(tmp_path / "turned.mp4", 30, rotation=90)
    with pytest.raises(BrokenClip, match="--reader pyav"):
        chosen_frames(path, [3], found=survey(path), reader="decord")
    assert chosen_frames(path, [3], found=survey(path), reader="pyav").shape == (1, 3, 80, 48)


def test_a_stride_counts_frames(folder: Path) -> None:
    source = Videos(video_folder(folder), Cut(48, 80, fps=None, stride=5), "pyav")
    shown = read_bar_codes(source.clip(0, num_frames=6, rng=rng()).pixels)
    assert [b - a for a, b in itertools.pairwise(shown)] == [5] * 5
    first = Videos(video_folder(folder), Cut(48, 80, fps=None, stride=5, where="first"), "pyav")
    assert read_bar_codes(first.clip(0, num_frames=6, rng=rng()).pixels) == list(range(0, 30, 5))


def test_every_start_where_a_clip_fits_is_drawn_and_no_other(folder: Path) -> None:
    found = survey(folder / "v0.mp4")
    starts = set()
    for seed in range(400):
        indices = chosen_indices(Cut(48, 80), found, num_frames=15, rng=rng(seed), name="v0")
        assert indices[-1] < 60
        starts.add(indices[0])
    # 15 frames at 8 a second reach 1.75 s on; the 60 frames of 30 a second last 2 s
    assert starts == set(range(8))


def test_a_clip_of_the_right_rate_and_size_is_the_file_itself(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 24, fps=8)
    (tmp_path / "a.txt").write_text("bars")
    clip = Videos(video_folder(tmp_path), AS_STORED, "pyav").clip(0, num_frames=24, rng=rng())
    assert np.array_equal(clip.pixels, np.stack([frame.rgb for frame in decode(path)]))


def test_equal_generators_give_equal_bits_and_others_other_clips(folder: Path) -> None:
    source = Videos(video_folder(folder), Cut(32, 56), "pyav")
    one, two = (source.clip(2, num_frames=8, rng=rng(3)).pixels for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, source.clip(2, num_frames=8, rng=rng(5)).pixels)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - what worker processes do
    assert copy.identity == source.identity
    assert np.array_equal(copy.clip(2, num_frames=8, rng=rng(3)).pixels, one)


@pytest.mark.parametrize("size", [(32, 56), (72, 128), (90, 70), (40, 40), (60, 200)])
def test_frames_are_cut_as_condition_images_are(size: tuple[int, int]) -> None:
    pixels = render(scene("train", 1), height=72, width=128)[::8]
    made = framed(pixels, Cut(*size))
    exact = [to_uint8(fitted(torch.from_numpy(frame), height=size[0], width=size[1])).numpy() for frame in pixels]
    error = np.abs(made.astype(int) - np.stack(exact))
    # the region is the same: any other would be tens of levels off at the shapes' edges
    assert error.mean() < 0.3
    assert error.max() <= 3
    if size == (72, 128):
        assert np.array_equal(made, pixels)


def test_too_short_and_too_slow_are_told_apart(tmp_path: Path) -> None:
    make_video(tmp_path / "short.mp4", 20, fps=30)
    make_video(tmp_path / "slow.mp4", 30, fps=5)
    for name in ("short", "slow"):
        (tmp_path / f"{name}.txt").write_text(name)
    source = Videos(video_folder(tmp_path), AS_STORED, "pyav")
    with pytest.raises(BrokenClip, match=r"short\.mp4 has 20 frames in 0\.667 seconds, expected 0\.875") as short:
        source.clip(0, num_frames=8, rng=rng())
    with pytest.raises(BrokenClip, match=r"slow\.mp4 has 5 frames per second, expected 8 or more") as slow:
        source.clip(1, num_frames=8, rng=rng())
    assert (short.value.fault, slow.value.fault) == ("too short", "too slow")


@pytest.mark.parametrize("reader", READERS)
def test_every_kind_of_broken_clip_has_its_sentence(tmp_path: Path, reader: Reader) -> None:
    whole = make_video(tmp_path / "made" / "w.mp4", 60, fps=30, options=GROUPS, muxer={"movflags": "+faststart"})
    root = tmp_path / "data"
    root.mkdir()
    truncated(whole, root / "cut.mp4")
    damaged(whole, root / "damaged.mp4", at=0.6, length=300)
    (root / "empty.mp4").touch()
    (root / "page.mp4").write_text("<html>404</html>")
    (root / "mute.mp4").write_bytes(whole.read_bytes())
    (root / "latin.mp4").write_bytes(whole.read_bytes())
    rows = [("cut.mp4", "c"), ("damaged.mp4", "c"), ("empty.mp4", "c"), ("page.mp4", "c"), ("gone.mp4", "c")]
    table = "\n".join(json.dumps({"file": file, "caption": caption}) for file, caption in [*rows, ("mute.mp4", " ")])
    latin = b'\n{"file": "latin.mp4", "caption": "caf\xe9"}\n'
    (root / "captions.jsonl").write_bytes(table.encode() + latin)
    source = Videos(video_folder(root), AS_STORED, reader)
    told = {}
    for index, name in enumerate(source.listed.files):
        with pytest.raises(BrokenClip, match=name.removesuffix(".mp4")) as caught:
            source.clip(index, num_frames=15, rng=rng())
        told[name.removesuffix(".mp4")] = caught.value.fault
    assert told == {
        "cut": "truncated", "damaged": "corrupt", "empty": "unreadable", "page": "unreadable", "gone": "missing",
        "mute": "no caption", "latin": "not UTF-8",
    }  # fmt: skip


def test_webvid_takes_its_three_columns_and_leaves_the_others(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "webvid"
    (root / "000001_000050").mkdir(parents=True)
    (root / "000001_000050" / "21179416.mp4").write_bytes((folder / "v0.mp4").read_bytes())
    table = tmp_path / "results_2M_train.csv"
    table.write_text(
        "videoid,contentUrl,duration,page_dir,name,rating\n"
        '21179416,https://example.org/a.mp4,PT00H00M11S,000001_000050,"Aerial shot, a winter forest",5\n'
    )
    listed = webvid(table, root)
    assert list(listed.files) == ["000001_000050/21179416.mp4"]
    clip = Videos(listed, AS_STORED, "pyav").clip(0, num_frames=8, rng=rng())
    assert (clip.caption, clip.name) == ("Aerial shot, a winter forest", "000001_000050/21179416.mp4")
    table.write_text("videoid,page_dir\n1,a\n")
    with pytest.raises(InputError, match=r"train\.csv:1: found no column 'name'"):
        webvid(table, root)


@pytest.mark.parametrize("file", ["../v0.mp4", "/etc/passwd", "a/../../v0.mp4"])
def test_no_path_of_a_table_leaves_its_folder(tmp_path: Path, file: str) -> None:
    (tmp_path / "captions.csv").write_text(f"file,caption\n{file},a\n")
    with pytest.raises(InputError, match="expected a path below"):
        video_folder(tmp_path)


def test_captions_stand_beside_videos_or_in_one_table(folder: Path, tmp_path: Path) -> None:
    for name in ("v0.mp4", "v1.mp4"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "v0.txt").write_text("one")
    (tmp_path / "v1.json").write_text(json.dumps({"caption": "two", "fps": 3}))
    assert list(video_folder(tmp_path).captions) == ["one", "two"]
    (tmp_path / "captions.csv").write_text("file,other,caption\nv1.mp4,x,eins\nv1.mp4,y,zwei\n")
    assert [*video_folder(tmp_path).files, *video_folder(tmp_path).captions] == ["v1.mp4", "v1.mp4", "eins", "zwei"]
    (tmp_path / "captions.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="expected one of them"):
        video_folder(tmp_path)


def test_identity_is_names_captions_and_the_cut(folder: Path, tmp_path: Path) -> None:
    def identity(root: Path, cut: Cut = AS_STORED, reader: Reader = "pyav") -> str:
        return Videos(video_folder(root), cut, reader).identity

    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in folder.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    assert identity(moved) == identity(folder)
    assert identity(folder, Cut(48, 80, fps=10)) != identity(folder)
    (moved / "v1.txt").write_text("another caption")
    assert identity(moved) != identity(folder)


def test_a_missing_decord_is_said_and_never_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(InputError, match=r"decord cannot be imported here.*`--reader pyav`"):
        Videos(video_folder(folder), AS_STORED)
    assert len(Videos(video_folder(folder), AS_STORED, "pyav")) == 3
