"""Peak memory of an import depends neither on how many videos there are nor on how long they are."""

import subprocess
import sys
from pathlib import Path

from tests.samples.small_protocol import write_protocol
from tests.videos import PRINT_PEAK_KIB, make_video

CODE = """
import sys
from univg_bench.cli import run
print(run(["-q", "import", *sys.argv[1:], "--workers", "1"]))
"""


def peak_kib(folder: Path, items: int, frames: int) -> int:
    write_protocol(folder, items)
    video = make_video(folder / "one.mp4", frames, size=(160, 120), options={"preset": "ultrafast"})
    (folder / "videos").mkdir()
    for i in range(items):
        (folder / "videos" / f"v{i:03d}.mp4").write_bytes(video.read_bytes())
    options = ["small.yaml", "--model", "m", "--from", "videos", "--data", "data", "--dest", "runs"]
    done = subprocess.run(
        [sys.executable, "-c", CODE + PRINT_PEAK_KIB, *options], cwd=folder, capture_output=True, text=True, check=True
    )
    code, peak = done.stdout.split()[-2:]
    assert code == "0", done.stderr
    return int(peak)


def test_peak_memory_grows_neither_with_the_number_nor_with_the_length_of_videos(tmp_path: Path) -> None:
    few = peak_kib(tmp_path / "few", 8, 12)
    many = peak_kib(tmp_path / "many", 64, 12)
    # 64 videos of 12 frames are 44 MB of RGB, one of 600 frames is 35 MB
    long = peak_kib(tmp_path / "long", 1, 600)
    assert many - few < 8 * 1024
    assert long - few < 8 * 1024
    # the command itself with PyAV, NumPy and pydantic; no torch
    assert max(few, many, long) < 300 * 1024
