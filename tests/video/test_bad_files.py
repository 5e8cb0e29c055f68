"""What is no whole, undamaged video is named as what it is; what is one is never called anything else."""

import os
import re
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.videos import PRINT_PEAK_KIB, bar_code, cut_copy, damaged, make_gif, make_video, truncated
from univg_bench.containers import UnreadableVideo
from univg_bench.video import decode, probe

FETV = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "fetv" / "videos"


def problem_of(path: Path) -> tuple[str, str]:
    with pytest.raises(UnreadableVideo) as caught:
        probe(path)
    return caught.value.problem, caught.value.reason


def problem_or_none(path: Path) -> str | None:
    try:
        probe(path)
    except UnreadableVideo as error:
        return error.problem
    return None


NAMED = {None, "unreadable", "truncated", "corrupt"}
MAKERS = {
    "index_first.mp4": {"muxer": {"movflags": "+faststart"}},
    "index_last.mp4": {},
    "b_frames.mp4": {"options": {"bf": "3", "g": "250"}, "muxer": {"movflags": "+faststart"}},
    "sound.mp4": {"audio": True, "muxer": {"movflags": "+faststart"}},
    "fragmented.mp4": {"options": {"g": "12"}, "muxer": {"movflags": "+frag_keyframe+empty_moov"}},
    "vfr.mp4": {"times": [Fraction(i * i + i, 100) for i in range(60)], "muxer": {"movflags": "+faststart"}},
    "plain.mov": {},
    "plain.mkv": {},
    "plain.webm": {"codec": "libvpx-vp9"},
    "live.webm": {"codec": "libvpx-vp9", "muxer": {"live": "1"}},
    "plain.avi": {"codec": "mpeg4"},
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """60 noisy frames in every container, so that most bytes of a file are frames."""
    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    pictures = [(bar_code(i) + rng.integers(0, 24, (48, 80, 3))).astype(np.uint8) for i in range(60)]
    made = {name: make_video(folder / name, pictures, **fields) for name, fields in MAKERS.items()}  # type: ignore[arg-type]
    source = make_video(folder / "source.mp4", pictures, options={"g": "30", "bf": "2", "sc_threshold": "0"})
    made["cut.mp4"] = cut_copy(source, folder / "cut.mp4", start=Fraction(17, 10), end=Fraction(5))
    made["plain.gif"] = make_gif(folder / "plain.gif", [Image.fromarray(picture) for picture in pictures])
    return made


@pytest.mark.parametrize("name", [*MAKERS, "cut.mp4", "plain.gif"])
def test_whole_files_pass(good: dict[str, Path], name: str) -> None:
    assert probe(good[name]).frames == (33 if name == "cut.mp4" else 60)


@pytest.mark.parametrize("keep", [0.99, 0.7, 0.4])
@pytest.mark.parametrize("name", [*MAKERS, "cut.mp4", "plain.gif"])
def test_a_file_without_its_end_is_called_truncated(
    good: dict[str, Path], tmp_path: Path, name: str, keep: float
) -> None:
    path = truncated(good[name], tmp_path / name, keep=keep)
    problem, reason = problem_of(path)
    assert problem == "truncated"
    assert reason.startswith("the file is cut off")


def test_the_last_byte_counts(good: dict[str, Path], tmp_path: Path) -> None:
    for name in ("index_first.mp4", "plain.mkv", "plain.gif", "plain.avi", "live.webm"):
        path = tmp_path / name
        path.write_bytes(good[name].read_bytes()[:-1])
        assert problem_of(path)[0] == "truncated", name


def test_a_cut_between_fragments_is_a_whole_shorter_file(good: dict[str, Path], tmp_path: Path) -> None:
    # a known limit, stated in the documentation: nothing in such a file says that there was more
    content = good["fragmented.mp4"].read_bytes()
    path = tmp_path / "shorter.mp4"
    path.write_bytes(content[: content.rindex(b"moof") - 4])
    assert 0 < probe(path).frames < 60


def test_bytes_after_the_end_do_no_harm(good: dict[str, Path], tmp_path: Path) -> None:
    for name in ("index_first.mp4", "index_last.mp4", "plain.gif", "plain.mkv"):
        path = tmp_path / name
        path.write_bytes(good[name].read_bytes() + b"\x00" * 100)
        assert probe(path) == probe(good[name])


@pytest.mark.parametrize(
    ("name", "codec", "least"), [("a.mp4", "libx264", 20), ("a.mkv", "libx264", 20), ("a.webm", "libvpx-vp9", 0)]
)
def test_damage_inside_is_nearly_always_noticed_in_h264(tmp_path: Path, name: str, codec: str, least: int) -> None:
    # 64 wrong bytes at 25 places; what still decodes cannot be noticed in a foreign file, and VP9 decodes nearly all
    rng = np.random.default_rng(0)
    pictures = [
        (bar_code(i, width=320, height=240) + rng.integers(0, 24, (240, 320, 3))).astype(np.uint8) for i in range(12)
    ]
    source = make_video(tmp_path / f"whole-{name}", pictures, codec=codec)
    places = np.linspace(0.15, 0.9, 25)
    found = [problem_or_none(damaged(source, tmp_path / name, at=float(at))) for at in places]
    assert set(found) <= {"corrupt", None}
    assert found.count("corrupt") >= least, found.count("corrupt")


def test_frames_that_a_demuxer_steps_over_are_missed(good: dict[str, Path], tmp_path: Path) -> None:
    # FFmpeg skips a damaged Matroska cluster without a word; counting blocks in the file shows what is gone
    content = good["plain.webm"].read_bytes()
    # a simple block: its id, its length in one or two bytes, track 1
    blocks = [match.start() for match in re.finditer(rb"\xa3(?:[\x80-\xff]|[\x40-\x7f].)\x81", content, re.DOTALL)]
    assert len(blocks) >= 60
    for at in blocks[10:40:6]:
        broken = bytearray(content)
        broken[at] = 0xAC  # another id for the block, of the same length
        problem, _ = problem_of(write(tmp_path / "a.webm", bytes(broken)))
        assert problem == "corrupt"


def test_nothing_but_named_errors_comes_out_of_noise(good: dict[str, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, source in good.items():
        content = source.read_bytes()
        for _ in range(12):
            broken = bytearray(content)
            # heads and indices are where parsers break, so half of the damage goes there
            limit = len(content) if rng.random() < 0.5 else 1200
            for at in rng.integers(0, limit, 8):
                broken[int(at) % len(broken)] = int(rng.integers(256))
            assert problem_or_none(write(tmp_path / name, bytes(broken))) in NAMED


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def image_bytes(tmp_path: Path, form: str) -> bytes:
    path = tmp_path / f"image.{form}"
    Image.fromarray(bar_code(1)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"not a video\n" * 50, "does not begin as any video does"),
        (b"PK\x03\x04" + b"\0" * 50, "a zip archive"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "does not begin as any video does"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://localhost/a.ts\n", "does not begin as any video does"),
        ("png", "a PNG image"),
        ("jpeg", "a JPEG image"),
        ("webp", "a WebP image"),
        ("avif", "a HEIF/AVIF image"),
        ("bmp", "a BMP image"),
    ],
)
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes | str, words: str) -> None:
    data = content if isinstance(content, bytes) else image_bytes(tmp_path, content)
    problem, reason = problem_of(write(tmp_path / "video.mp4", data))
    assert problem == "unreadable"
    assert words in reason


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    mp4 = make_video(tmp_path / "a.mp4", 3)
    assert probe(mp4.rename(tmp_path / "a.gif")).frames == 3


def test_no_index_at_all_is_said(tmp_path: Path) -> None:
    content = make_video(tmp_path / "a.mp4", 20).read_bytes()
    at = content.index(b"moov") - 4
    problem, reason = problem_of(write(tmp_path / "b.mp4", content[:at]))
    assert problem == "truncated"
    assert "it has no index" in reason


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))
    assert problem_of(path) == ("unreadable", "the file has no video stream")


def test_folders_pipes_and_nothing_are_named_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert problem_of(tmp_path / "pipe.mp4")[1].startswith("this is no file")
    assert problem_of(tmp_path / "folder.mp4")[1].startswith("this is no file")
    assert problem_of(tmp_path / "nothing.mp4")[1] == "there is no such file"


def test_a_dangling_box_length_does_not_loop(tmp_path: Path) -> None:
    # a box that claims 0 to 7 bytes would keep a careless reader at the same place for ever
    content = struct.pack(">I4s", 3, b"ftyp") + b"isom" * 8
    assert problem_of(write(tmp_path / "a.mp4", content))[0] == "truncated"


def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    content = bytearray(make_gif(tmp_path / "a.gif", [Image.fromarray(bar_code(i)) for i in range(3)]).read_bytes())
    content[6:10] = struct.pack("<HH", 9000, 8000)
    assert "9000x8000" in problem_of(write(tmp_path / "b.gif", bytes(content)))[1]


def test_a_one_frame_video_is_a_video(tmp_path: Path) -> None:
    facts = probe(make_video(tmp_path / "one.mp4", 1, fps=10))
    assert (facts.frames, facts.seconds, facts.motion) == (1, Fraction(1, 10), 0)


def test_an_error_crosses_to_another_process_whole() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(UnreadableVideo("corrupt", "frame 3 is damaged")))  # noqa: S301
    assert (error.problem, error.reason, str(error)) == ("corrupt", "frame 3 is damaged", "frame 3 is damaged")


@pytest.mark.skipif(not FETV.is_dir(), reason="lay the project's shared/ beside the checkout to enable this")
def test_no_real_video_is_called_damaged() -> None:
    paths = sorted(FETV.glob("*/*.mp4"))
    assert len(paths) == 109
    frames = [sum(1 for _ in decode(path)) for path in paths]
    assert min(frames) >= 16


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    # 600 frames of 320x240 are 138 MB of RGB; a pass may hold a few frames, so 8 MB more than for 30 is ample
    def peak(frames: int) -> int:
        path = tmp_path / f"{frames}.mp4"
        make_video(path, frames, size=(320, 240), options={"preset": "ultrafast"})
        code = (
            "import sys; from pathlib import Path; from univg_bench.video import probe, read_frames\n"
            "path = Path(sys.argv[1]); n = probe(path).frames; read_frames(path, [0, n - 1])\n" + PRINT_PEAK_KIB
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert peak(600) - peak(30) < 8 * 1024
