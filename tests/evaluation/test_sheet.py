"""A contact sheet shows the frames it says, in order, unsmoothed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from univg_bench.encode import write_lossless
from univg_bench.errors import InputError
from univg_bench.sheet import GAP, LABEL_WIDTH, write_sheet


def test_frames_stand_in_order_and_keep_their_pixels(tmp_path: Path) -> None:
    frames = np.stack([np.full((3, 8, 14), 10 * i, dtype=np.uint8) for i in range(24)])
    write_lossless(tmp_path / "v.mp4", frames, 8)
    write_sheet([("a", tmp_path / "v.mp4"), ("b", tmp_path / "v.mp4")], tmp_path / "sheet.png", columns=3, width=28)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * (16 + GAP) + GAP, LABEL_WIDTH + 3 * (28 + GAP), 3)
    for row in range(2):
        line = sheet[GAP + row * (16 + GAP) + 8]
        assert [int(line[LABEL_WIDTH + column * (28 + GAP) + 14, 0]) for column in range(3)] == [40, 120, 200]


def test_no_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no videos for a contact sheet"):
        write_sheet([], tmp_path / "sheet.png")
