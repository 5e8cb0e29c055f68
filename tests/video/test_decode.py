"""Decoding is exact: the frames a player shows, in their order, with their times, whatever the container does."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.videos import bar_code, cut_copy, make_gif, make_video, read_bar_codes
from univg_bench.containers import UnreadableVideo
from univg_bench.frames import FramePolicy
from univg_bench.video import decode, probe, read_chosen, read_frames


def codes(path: Path) -> list[int]:
    return read_bar_codes(frame.rgb for frame in decode(path))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("b_frames.mp4", {"options": {"g": "250", "bf": "3"}}),
        ("index_last.mp4", {}),
        ("index_first.mp4", {"muxer": {"movflags": "+faststart"}}),
        ("fragmented.mp4", {"options": {"g": "12"}, "muxer": {"movflags": "+frag_keyframe+empty_moov"}}),
        ("sound.mp4", {"audio": True}),
        ("plain.mov", {}),
        ("plain.mkv", {}),
        ("plain.webm", {"codec": "libvpx-vp9"}),
        ("plain.avi", {"codec": "mpeg4"}),
        ("hevc.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
        ("ten_bit.mp4", {"pixels": "yuv420p10le"}),
        ("lossless.mkv", {"codec": "ffv1", "pixels": "bgr0"}),
    ],
)
def test_every_frame_comes_out_once_in_order(tmp_path: Path, name: str, fields: dict[str, object]) -> None:
    path = make_video(tmp_path / name, 40, fps=10, **fields)  # type: ignore[arg-type]
    frames = list(decode(path))
    assert read_bar_codes(frame.rgb for frame in frames) == list(range(40))
    assert [frame.time - frames[0].time for frame in frames] == [Fraction(i, 10) for i in range(40)]
    facts = probe(path)
    assert (facts.frames, facts.height, facts.width) == (40, 48, 80)
    assert facts.fps == 10


@pytest.mark.parametrize(("start", "end"), [(Fraction(17, 10), None), (Fraction(35, 10), Fraction(7))])
def test_frames_outside_an_edit_list_are_not_shown(tmp_path: Path, start: Fraction, end: Fraction | None) -> None:
    source = make_video(tmp_path / "whole.mp4", 100, fps=10, options={"g": "30", "bf": "2", "sc_threshold": "0"})
    path = cut_copy(source, tmp_path / "cut.mp4", start=start, end=end)
    with av.open(str(path)) as file:
        packets = sum(packet.size > 0 for packet in file.demux(video=0))
    shown = codes(path)
    assert shown == list(range(int(start * 10), int(end * 10) if end else 100))
    assert packets > len(shown), "the cut hides frames that are in the file, or this test shows nothing"


def test_a_variable_rate_keeps_every_frame_with_its_time(tmp_path: Path) -> None:
    times = [Fraction(i * i + i, 100) for i in range(20)]
    path = make_video(tmp_path / "vfr.mp4", 20, times=times)
    frames = list(decode(path))
    assert read_bar_codes(frame.rgb for frame in frames) == list(range(20))
    assert [frame.time for frame in frames] == times
    assert [frame.duration for frame in frames[:-1]] == [b - a for a, b in itertools.pairwise(times)]
    chosen = read_chosen(path, FramePolicy(sampling="fps_matched", fps=1, frames=4), video_id="v", num_frames=20)
    assert chosen is not None
    nearest = [min(range(20), key=lambda i: (abs(times[i] - second), i)) for second in range(4)]
    assert read_bar_codes(chosen) == nearest


@pytest.mark.parametrize("size", [(81, 49), (80, 49), (1, 1), (3, 2)])
def test_odd_sizes_stay_odd(tmp_path: Path, size: tuple[int, int]) -> None:
    facts = probe(make_video(tmp_path / "odd.mp4", 3, size=size, pixels="yuv444p"))
    assert (facts.width, facts.height) == size


@pytest.mark.parametrize(("angle", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3), (-90, 3)])
def test_rotation_in_the_metadata_is_applied(tmp_path: Path, angle: int, turns: int) -> None:
    plain = make_video(tmp_path / "plain.mp4", 2)
    turned = make_video(tmp_path / "turned.mp4", 2, rotation=angle)
    with av.open(str(turned)) as file:
        # PyAV names the angle counter-clockwise, as np.rot90 counts
        assert next(file.decode(video=0)).rotation % 360 == angle % 360
    for a, b in zip(decode(plain), decode(turned), strict=True):
        np.testing.assert_array_equal(np.rot90(a.rgb, turns, axes=(1, 2)), b.rgb)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [((-1, 0, 0, 1), lambda x: x[:, :, ::-1]), ((1, 0, 0, -1), lambda x: x[:, ::-1]), ((0, 1, 1, 0), None)],
)
def test_mirroring_in_the_metadata_is_applied(tmp_path: Path, matrix: tuple[int, ...], expected: object) -> None:
    plain = make_video(tmp_path / "plain.mp4", 2)
    mirrored = tmp_path / "mirrored.mp4"
    mirrored.write_bytes(with_matrix(plain.read_bytes(), matrix))
    for a, b in zip(decode(plain), decode(mirrored), strict=True):
        wanted = expected(a.rgb) if callable(expected) else a.rgb.transpose(0, 2, 1)
        np.testing.assert_array_equal(wanted, b.rgb)


def with_matrix(content: bytes, matrix: tuple[int, ...]) -> bytes:
    """Write another display matrix (a, b, c, d) into the track header of an mp4 (ISO/IEC 14496-12, 8.3.2)."""
    at = content.index(b"tkhd") + 4 + 4 + 20 + 16  # version and flags, version 0 fields, reserved to volume
    a, b, c, d = (value * 65536 for value in matrix)
    words = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return content[:at] + b"".join(word.to_bytes(4, "big", signed=True) for word in words) + content[at + 36 :]


def test_a_tilted_picture_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "tilted.mp4", 2, rotation=45)
    with pytest.raises(UnreadableVideo, match="no quarter turn"):
        probe(path)


def test_rgb_is_what_pyav_gives_by_default(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (48, 80, 3), dtype=np.uint8) for _ in range(4)]
    for name, pixels in [("a.mp4", "yuv420p"), ("b.mp4", "yuv444p"), ("c.mp4", "yuv420p10le"), ("d.mp4", "yuvj420p")]:
        path = make_video(tmp_path / name, pictures, pixels=pixels)
        with av.open(str(path)) as file:
            expected = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        for frame, rgb in zip(decode(path), expected, strict=True):
            assert frame.rgb.dtype == np.uint8
            np.testing.assert_array_equal(frame.rgb, rgb.transpose(2, 0, 1))


def test_gifs_are_composited_as_pillow_does(tmp_path: Path) -> None:
    pictures = [Image.fromarray(bar_code(i)).quantize(16) for i in range(6)]
    path = make_gif(tmp_path / "plain.gif", pictures, duration=[100, 200, 100, 50, 100, 100], disposal=1)
    frames = list(decode(path))
    assert read_bar_codes(frame.rgb for frame in frames) == list(range(6))
    assert [frame.time for frame in frames] == [Fraction(t, 100) for t in (0, 10, 30, 40, 45, 55)]
    with Image.open(path) as gif:
        for i, frame in enumerate(frames):
            gif.seek(i)
            np.testing.assert_array_equal(frame.rgb.transpose(1, 2, 0), np.asarray(gif.convert("RGB")))


@pytest.mark.parametrize("disposal", [1, 2])
def test_what_is_transparent_lies_on_white(tmp_path: Path, disposal: int) -> None:
    pictures = []
    for i in range(4):
        picture = Image.new("RGBA", (80, 48), (0, 0, 0, 0))
        picture.paste((200, 30, 60, 255), (10 * i, 8, 10 * i + 20, 28))
        pictures.append(picture)
    path = make_gif(tmp_path / "clear.gif", pictures, disposal=disposal)
    with Image.open(path) as gif:
        for i, frame in enumerate(decode(path)):
            gif.seek(i)
            on_white = Image.new("RGBA", gif.size, "white")
            on_white.alpha_composite(gif.convert("RGBA"))
            np.testing.assert_array_equal(frame.rgb.transpose(1, 2, 0), np.asarray(on_white.convert("RGB")))


def test_of_several_streams_the_default_one_is_taken(tmp_path: Path) -> None:
    first = make_video(tmp_path / "first.webm", 3, codec="libvpx-vp9")
    second = make_video(tmp_path / "second.webm", 7, codec="libvpx-vp9")
    for default, expected in ((0, 3), (1, 7)):
        path = tmp_path / f"both{default}.webm"
        with av.open(str(first)) as a, av.open(str(second)) as b, av.open(str(path), "w") as out:
            packets = []
            for index, file in enumerate((a, b)):
                copy = out.add_stream_from_template(file.streams.video[0])
                copy.disposition = av.stream.Disposition.default if index == default else av.stream.Disposition(0)
                packets += [(packet.dts, index, packet, copy) for packet in file.demux(video=0) if packet.size]
            for _, _, packet, copy in sorted(packets, key=lambda one: one[:2]):
                packet.stream = copy
                out.mux(packet)
        assert probe(path).frames == expected


def test_the_hash_is_of_the_pixels_not_of_the_file(tmp_path: Path) -> None:
    lossless = {"codec": "libx264rgb", "pixels": "rgb24", "options": {"qp": "0"}}
    mp4 = make_video(tmp_path / "a.mp4", 5, **lossless)  # type: ignore[arg-type]
    mkv = make_video(tmp_path / "a.mkv", 5, fps=25, **lossless)  # type: ignore[arg-type]
    assert probe(mp4).rgb_sha256 == probe(mkv).rgb_sha256
    fewer = make_video(tmp_path / "b.mp4", 4, **lossless)  # type: ignore[arg-type]
    # twice as wide and half as high is the same run of bytes, but not the same video
    pictures = [bar_code(i).reshape(24, 160, 3) for i in range(5)]
    reshaped = make_video(tmp_path / "c.mp4", pictures, **lossless)  # type: ignore[arg-type]
    assert len({probe(path).rgb_sha256 for path in (mp4, fewer, reshaped)}) == 3


def test_decoding_again_gives_the_same_bytes(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 60, options={"g": "250", "bf": "3"}, size=(160, 96))
    assert len({probe(path).rgb_sha256 for _ in range(3)}) == 1


def test_wanted_frames_come_in_the_order_asked_and_may_repeat(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 30)
    video = read_frames(path, [7, 0, 29, 7])
    assert video.shape == (4, 3, 48, 80)
    assert video.dtype == np.uint8
    assert read_bar_codes(video) == [7, 0, 29, 7]
    with pytest.raises(UnreadableVideo, match=r"frame 30 was asked for, but a\.mp4 ends after 30 frames"):
        read_frames(path, [3, 30])


def test_policies_read_what_they_choose(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 30)
    policy = FramePolicy(sampling="random_sorted", frames=16)
    chosen = read_chosen(path, policy, video_id="v", num_frames=30)
    assert chosen is not None
    assert tuple(read_bar_codes(chosen)) == policy.indices(num_frames=30, video_id="v")
    dropped = FramePolicy(sampling="first", frames=31, short="drop")
    assert read_chosen(path, dropped, video_id="v", num_frames=30) is None


def test_looks_are_measured(tmp_path: Path) -> None:
    def facts(pictures: list[np.ndarray]) -> tuple[int, int, int]:
        found = probe(make_video(tmp_path / "a.mkv", pictures, codec="ffv1", pixels="bgr0"))
        return found.brightest, found.contrast, found.motion

    black, red = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), (250, 10, 10), np.uint8)
    assert facts([black, black]) == (0, 0, 0)
    assert facts([red, red]) == (250, 0, 0), "one colour has no contrast, though its channels differ"
    assert facts([black, red]) == (250, 0, 250)
    assert facts([bar_code(5), bar_code(5)]) == (224, 192, 0)


def test_a_change_of_size_is_refused(tmp_path: Path) -> None:
    parts = [
        make_video(tmp_path / f"{size[0]}.webm", 3, codec="libvpx-vp9", size=size) for size in ((80, 48), (160, 96))
    ]
    path = tmp_path / "both.webm"
    with av.open(str(path), "w") as out:
        copy = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as file:
                copy = copy or out.add_stream_from_template(file.streams.video[0])
                for packet in file.demux(video=0):
                    if packet.size:
                        packet.pts = packet.dts = (packet.pts or 0) + 300 * number
                        packet.stream = copy
                        out.mux(packet)
    with pytest.raises(UnreadableVideo, match="size changes from 80x48 to 160x96 at frame 3"):
        probe(path)
