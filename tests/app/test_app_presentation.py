"""Presentation copies: what the policy makes equal is equal in the files, and nothing in them tells the method."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from human_eval_app.encoding import MODIFIED, Job, look, make_copy
from human_eval_app.presentation import TICKS, Copy, SourceFacts, plan_copies
from human_eval_app.study import Presentation
from univg_bench.encode import write_lossless
from univg_bench.video import decode, probe


def facts(*, fps: Fraction = Fraction(8), frames: int = 16, size: tuple[int, int] = (64, 48)) -> SourceFacts:
    return SourceFacts("0" * 64, *size, tuple(k / fps for k in range(frames)), frames / fps)


def write(path: Path, *, frames: int = 8, fps: float = 8, size: tuple[int, int] = (48, 36), shade: int = 0) -> Path:
    """A video whose frame k is grey 20 k + shade."""
    made = np.stack([np.full((3, size[1], size[0]), 20 * k + shade, np.uint8) for k in range(frames)])
    write_lossless(path, made, fps)
    return path


def copied(path: Path, dest: Path, policy: Presentation, **others: Path) -> Path:
    looked = {"this": look(path), **{name: look(other) for name, other in others.items()}}
    known = {name: found.facts for name, found in looked.items() if found.facts is not None}
    make_copy(Job(path, dest, plan_copies(known, policy)["this"]))
    return dest


rates = st.sampled_from([Fraction(8), Fraction(24000, 1001), Fraction(25), Fraction(10, 3), Fraction(60)])


@given(
    a=rates, b=rates, n=st.integers(2, 99), m=st.integers(2, 99),
    common=st.sampled_from([None, 8.0, 23.976, 24.0, 30.0]), height=st.sampled_from([None, 32, 256]),
)  # fmt: skip
def test_copies_are_as_equal_as_the_policy_says(
    a: Fraction, b: Fraction, n: int, m: int, common: float | None, height: int | None
) -> None:
    policy = Presentation(
        duration="trim_to_shortest", fps=common, resolution="fit_height" if height else "native", height=height
    )
    sources = {"ours": facts(fps=a, frames=n, size=(65, 47)), "other": facts(fps=b, frames=m, size=(320, 200))}
    one, two = plan_copies(sources, policy).values()
    assert one.ticks == two.ticks == round(min(n / a, m / b) * TICKS)
    assert not height or one.height == two.height == height
    assert common is None or (one.fps == two.fps and one.starts == two.starts)
    for copy, source in zip((one, two), sources.values(), strict=True):
        assert sum(copy.durations) == copy.ticks
        assert min(copy.durations) > 0
        assert copy.width % 2 == copy.height % 2 == 0
        assert list(copy.indices) == sorted(copy.indices)
        assert 0 <= copy.indices[0] <= copy.indices[-1] < len(source.times)


def test_native_keeps_every_frame_once(tmp_path: Path) -> None:
    plan = plan_copies({"ours": facts()}, Presentation())["ours"]
    assert plan == Copy(64, 48, (64, 48), "no", Fraction(8), tuple(range(16)), 2 * TICKS)


def test_a_common_rate_shows_at_each_moment_what_was_there() -> None:
    plan = plan_copies({"ours": facts(fps=Fraction(8), frames=8)}, Presentation(fps=24))["ours"]
    assert plan.indices == tuple(k // 3 for k in range(24))
    slower = plan_copies({"ours": facts(fps=Fraction(24), frames=24)}, Presentation(fps=8))["ours"]
    assert slower.indices == tuple(3 * k + 1 for k in range(8))


def test_an_uneven_video_keeps_its_rhythm() -> None:
    times = tuple(Fraction(t, 10) for t in (0, 1, 2, 6))
    source = SourceFacts("0" * 64, 64, 48, times, Fraction(7, 10))
    plan = plan_copies({"ours": source}, Presentation())["ours"]
    assert (plan.fps, plan.indices) == (10, (0, 1, 2, 2, 2, 2, 3))


def test_a_copy_looks_like_its_source(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", frames=9, fps=8, size=(49, 35))
    facts_ = probe(copied(source, tmp_path / "copy.mp4", Presentation()))
    assert (facts_.frames, facts_.width, facts_.height, facts_.seconds) == (9, 50, 36, Fraction(9, 8))
    for index, frame in enumerate(decode(tmp_path / "copy.mp4")):
        assert frame.time == Fraction(index, 8)
        assert abs(frame.rgb.astype(int) - 20 * index).max() <= 3


def test_colours_survive(tmp_path: Path) -> None:
    colour = np.array([200, 40, 90], np.uint8)
    write_lossless(tmp_path / "a.mp4", np.broadcast_to(colour[None, :, None, None], (4, 3, 32, 48)), 8)
    copied(tmp_path / "a.mp4", tmp_path / "copy.mp4", Presentation(resolution="fit_height", height=64))
    rgb = next(iter(decode(tmp_path / "copy.mp4"))).rgb
    assert abs(rgb.astype(int) - colour[:, None, None]).max() <= 3
    with av.open(str(tmp_path / "copy.mp4")) as file:
        coder = file.streams.video[0].codec_context
        assert (coder.colorspace, coder.color_primaries, coder.color_trc, coder.color_range) == (1, 1, 1, 1)


def test_a_box_makes_every_size_the_same(tmp_path: Path) -> None:
    policy = Presentation(resolution="fit_box", width=80, height=40)
    write(tmp_path / "wide.mp4", size=(120, 30), shade=60)
    write(tmp_path / "tall.mp4", size=(30, 60), shade=60)
    for name in ("wide", "tall"):
        facts_ = probe(copied(tmp_path / f"{name}.mp4", tmp_path / f"{name}-copy.mp4", policy))
        assert (facts_.width, facts_.height) == (80, 40)
    corner = next(iter(decode(tmp_path / "tall-copy.mp4"))).rgb[:, 0, 0]
    assert abs(corner.astype(int) - 128).max() <= 3


def test_trimmed_files_have_equal_lengths_on_the_disk(tmp_path: Path) -> None:
    a = write(tmp_path / "a.mp4", frames=12, fps=23.976)
    b = write(tmp_path / "b.mp4", frames=7, fps=10)
    policy = Presentation(duration="trim_to_shortest")
    lengths = set()
    for path, other in ((a, b), (b, a)):
        copied(path, tmp_path / "copy.mp4", policy, other=other)
        with av.open(str(tmp_path / "copy.mp4")) as file:
            stream = file.streams.video[0]
            assert stream.duration is not None
            assert stream.time_base is not None
            lengths.add((stream.duration * stream.time_base, file.duration))
    assert len(lengths) == 1


def test_a_file_tells_nothing_but_its_pictures(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4")
    tagged = tmp_path / "secret-method.mp4"
    with av.open(str(source)) as file, av.open(str(tagged), "w") as out:
        out.metadata["comment"] = "made by SecretMethod"
        stream = out.add_stream_from_template(file.streams.video[0])
        stream.metadata["handler_name"] = "SecretHandler"
        for packet in file.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert b"SecretMethod" in tagged.read_bytes()
    one = copied(tagged, tmp_path / "1.mp4", Presentation())
    two = copied(source, tmp_path / "2.mp4", Presentation())
    content = one.read_bytes()
    # the same pictures give the same bytes, so whatever else the source carried is gone
    assert content == two.read_bytes()
    for word in (b"Secret", b"x264", b"Lavf", b"Lavc", b"crf=", b"comment"):
        assert word not in content
    assert one.stat().st_mtime == two.stat().st_mtime == MODIFIED
    with av.open(str(one)) as file:
        assert file.metadata.keys() <= {"major_brand", "minor_version", "compatible_brands"}
        assert [s.type for s in file.streams] == ["video"]
        keys = [packet.is_keyframe for packet in file.demux(video=0) if packet.size]
        assert keys == [True] + [False] * 7
    # the index first: playing begins before the whole file is there
    assert content.index(b"moov") < content.index(b"mdat")


def test_equal_frames_give_equal_files_every_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_lossless(tmp_path / "a.mp4", rng.integers(0, 256, (13, 3, 118, 150), dtype=np.uint8), 8)
    policy = Presentation(resolution="fit_height", height=96)
    made = {copied(tmp_path / "a.mp4", tmp_path / "copy.mp4", policy).read_bytes() for _ in range(8)}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello, no video", "does not begin as any video does"),
        (None, "no such file"),
    ],
)
def test_what_cannot_be_watched_is_said(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    assert reason in look(tmp_path / "a.mp4").problem


def test_a_still_picture_is_no_video(tmp_path: Path) -> None:
    assert "1 frame, expected at least 2" in look(write(tmp_path / "a.mp4", frames=1)).problem


def test_a_cut_off_video_is_no_video(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-400])
    assert "cut off" in look(path).problem
