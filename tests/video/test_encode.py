"""Encoding: lossless means equal pixels and equal bytes, and a file is there in full or not at all."""

import errno
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from univg_bench.encode import write_lossless, write_preview
from univg_bench.errors import InfrastructureError, InputError
from univg_bench.video import decode, probe, read_frames


def noise(frames: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (frames, 3, height, width), dtype=np.uint8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40), st.sampled_from([8, 29.97, Fraction(24000, 1001)]))
def test_lossless_there_and_back_is_exact(
    tmp_path: Path, frames: int, height: int, width: int, fps: float | Fraction
) -> None:
    video = noise(frames, height, width, seed=frames * height * width)
    path = tmp_path / "a.mp4"
    write_lossless(path, video, fps)
    np.testing.assert_array_equal(read_frames(path, range(frames)), video)
    exact = Fraction(2997, 100) if fps == 29.97 else Fraction(fps)
    assert [frame.time for frame in decode(path)] == [i / exact for i in range(frames)]
    assert probe(path).fps == exact


@pytest.mark.parametrize("write", [write_lossless, write_preview])
@pytest.mark.parametrize("size", [(50, 82), (238, 298)])
def test_equal_frames_give_equal_bytes(tmp_path: Path, write: object, size: tuple[int, int]) -> None:
    # smooth frames with a little noise are those where rate control with `crf` gave up to 19 files in 40 encodes
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    rng = np.random.default_rng(0)
    video = np.stack(
        [
            np.stack([128 + 100 * np.sin(x / 9 + i / 3), 128 + 90 * np.cos(y / 7 + i / 2), (x + y + 4.0 * i) % 256])
            for i in range(12)
        ]
    )
    video = (video + rng.normal(0, 3, video.shape)).clip(0, 255).astype(np.uint8)
    path, contents = tmp_path / "a.mp4", set()
    for _ in range(8):
        write(path, video, 8)  # type: ignore[operator]
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_a_preview_is_for_browsers(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_preview(path, noise(4, 33, 57), 8)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "a browser can play before it has all"
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, stream.width, stream.height) == ("h264", "yuv420p", 58, 34)
    assert probe(path).frames == 4


def test_frames_may_come_one_by_one(tmp_path: Path) -> None:
    video = noise(5, 16, 16)
    write_lossless(tmp_path / "a.mp4", video, 8)
    write_lossless(tmp_path / "b.mp4", (frame for frame in video), 8)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (noise(2, 8, 8).astype(np.float32), "float32"),
        (noise(2, 8, 8).transpose(0, 2, 3, 1), r"expected uint8 \(3, H, W\)"),
        (noise(2, 8, 8)[:0], "no frames"),
        ([noise(1, 8, 8)[0], noise(1, 8, 10)[0]], "is 10x8, the first was 8x8"),
    ],
)
def test_other_frames_are_refused_and_leave_no_file(tmp_path: Path, frames: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_lossless(tmp_path / "a.mp4", frames, 8)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_no_rate_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 0"):
        write_lossless(tmp_path / "a.mp4", noise(1, 8, 8), 0)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    write_lossless(path, noise(2, 8, 8), 8)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InfrastructureError, match="No space left on device"):
        write_lossless(path, noise(3, 8, 8), 8)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
