"""A condition image is read as a person sees it, whatever its file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from univg_bench.errors import SampleError
from univg_bench.features.reading import read_image


def test_an_image_is_one_frame_of_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert found.shape == (1, 3, 5, 7)
    assert np.array_equal(found[0].transpose(1, 2, 0), pixels)


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == 255).all()


def test_an_image_is_turned_as_its_file_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (6, 4))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held upright
    image.save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png").shape == (1, 3, 6, 4)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(SampleError, match=r"a\.png cannot be read as an image"):
        read_image(tmp_path / "a.png")
