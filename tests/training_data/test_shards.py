"""Images out of tar shards: the samples that webdataset finds, any of them first; what is damaged is named."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reference_models.data.cutting import Cut
from reference_models.data.images import ShardImages
from reference_models.data.source import BrokenClip
from tests.training_data.made_data import image_bytes, make_shard, members
from tests.videos import bar_code, read_bar_codes
from univg_bench.errors import InputError, SampleError

AS_STORED = Cut(48, 80)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def images(shards: list[Path], index: Path, *, skip: bool = False) -> ShardImages:
    return ShardImages(shards, AS_STORED, index=index, skip_cut_off=skip)


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return [
        make_shard(tmp_path / "00000.tar", members(range(5))),
        make_shard(tmp_path / "00001.tar", members(range(5, 12))),
    ]


def test_every_image_is_found_with_its_caption_in_any_order(shards: list[Path], tmp_path: Path) -> None:
    source = images(shards, tmp_path / "index")
    assert len(source) == 12
    for i in (11, 0, 5, 4, 7):
        clip = source.clip(i, num_frames=1, rng=rng())
        assert (clip.pixels.shape, clip.caption) == ((1, 3, 48, 80), f"image {i}")
        assert clip.name == f"0000{int(i > 4)}.tar/{i:09d}.png"
        assert np.array_equal(clip.pixels[0], bar_code(i).transpose(2, 0, 1))


def test_samples_are_those_of_webdataset(tmp_path: Path) -> None:
    long = "x" * 140  # longer than a plain header holds
    shard = make_shard(
        tmp_path / "mixed.tar",
        [
            ("a/001.png", image_bytes(1)), ("a/001.txt", b"one"),
            ("b/001.PNG", image_bytes(2)), ("b/001.json", b'{"caption": "two"}'),
            ("notes/readme.md", b"no image"),
            (f"{long}.txt", b"three"), (f"{long}.jpg", image_bytes(3, kind="JPEG")),
            ("d.seg.png", b"another part"), ("d.png", image_bytes(4)), ("d.txt", b"four"), ("d.json", b"{}"),
            ("e.webp", image_bytes(5, kind="WEBP")), ("e.txt", b"five"),
        ],
    )  # fmt: skip
    source = images([shard], tmp_path / "index")
    clips = [source.clip(i, num_frames=1, rng=rng()) for i in range(len(source))]
    assert [(clip.caption, read_bar_codes(clip.pixels)[0]) for clip in clips] == [
        ("one", 1), ("two", 2), ("three", 3), ("four", 4), ("five", 5),
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import webdataset

        found = [
            sample["__key__"]
            for sample in webdataset.WebDataset(str(shard), shardshuffle=False)
            if any(extension.lower() in ("png", "jpg", "webp") for extension in sample)
        ]
    assert [clip.name.removeprefix("mixed.tar/").partition(".")[0] for clip in clips] == found


def test_a_shard_that_is_cut_off_is_named_with_what_is_readable(shards: list[Path], tmp_path: Path) -> None:
    content = shards[1].read_bytes()
    source = images(shards, tmp_path / "index")
    counts = set()
    for keep in (len(content) // 3, len(content) // 2 + 100, len(content) - 10240):
        shards[1].write_bytes(content[:keep])
        with pytest.raises(
            SampleError, match=r"1 of 2 shards cut off: .*00001\.tar .* after (\d) whole images"
        ) as error:
            images(shards, tmp_path / "index")
        assert list(error.value.items) == [str(shards[1])]
        some = images(shards, tmp_path / "index", skip=True)
        assert "00001.tar" in some.cut_off[0]
        assert 5 <= len(some) < 12
        assert some.identity != source.identity
        counts.add(len(some))
        for i in range(len(some)):
            assert read_bar_codes(some.clip(i, num_frames=1, rng=rng()).pixels) == [i]
    assert len(counts) > 1, "more of a file should hold more images"


def test_broken_images_and_captions_are_named(tmp_path: Path) -> None:
    noise = Image.fromarray(rng().integers(0, 256, (64, 64, 3), dtype=np.uint8))
    png, jpeg = io.BytesIO(), io.BytesIO()
    noise.save(png, "PNG")
    noise.save(jpeg, "JPEG")
    good = image_bytes(1)
    shard = make_shard(
        tmp_path / "bad.tar",
        [
            ("cut.png", png.getvalue()[:4000]), ("cut.txt", b"a"),
            ("half.jpg", jpeg.getvalue()[:1500]), ("half.txt", b"a"),
            ("none.png", b""), ("none.txt", b"a"),
            ("page.jpg", b"<html>"), ("page.txt", b"a"),
            ("silent.png", good),
            ("blank.png", good), ("blank.txt", b" \n"),
            ("latin.png", good), ("latin.txt", b"caf\xe9"),
            ("odd.png", good), ("odd.json", b"{caption}"),
        ],
    )  # fmt: skip
    source = images([shard], tmp_path / "index")
    told = []
    for i in range(len(source)):
        with pytest.raises(BrokenClip, match=r"bad\.tar/") as caught:
            source.clip(i, num_frames=1, rng=rng())
        told.append(caught.value.fault)
    assert told == ["corrupt", "corrupt", "unreadable", "unreadable", "no caption", "no caption", "not UTF-8",
                    "no caption"]  # fmt: skip


def test_images_are_shown_as_a_viewer_shows_them(tmp_path: Path) -> None:
    turned, clear = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(bar_code(37)[::-1, ::-1].copy()).save(turned, "PNG", exif=exif)
    Image.new("RGBA", (80, 48), (255, 0, 0, 0)).save(clear, "PNG")
    shard = make_shard(
        tmp_path / "s.tar",
        [("a.png", turned.getvalue()), ("a.txt", b"a"), ("b.png", clear.getvalue()), ("b.txt", b"b")],
    )
    source = images([shard], tmp_path / "index")
    assert read_bar_codes(source.clip(0, num_frames=1, rng=rng()).pixels) == [37]
    assert (source.clip(1, num_frames=1, rng=rng()).pixels == 255).all()


def test_an_index_is_made_once_and_again_when_the_shard_changes(shards: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "index"
    one = images(shards, folder)
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert images(shards, folder).identity == one.identity
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
    copy = pickle.loads(pickle.dumps(one))  # noqa: S301 - what worker processes do
    assert copy.clip(6, num_frames=1, rng=rng()).caption == "image 6"
    make_shard(shards[0], members(range(3)))
    assert len(images(shards, folder)) == 10


def test_what_is_no_shard_of_images_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "a.tar"
    packed.write_bytes(b"\x1f\x8b" + bytes(2000))
    with pytest.raises(InputError, match="no plain tar file"):
        images([packed], tmp_path / "index")
    with pytest.raises(InputError, match="found no shard"):
        images([tmp_path / "gone.tar"], tmp_path / "index")
    with pytest.raises(InputError, match="found no images in 1 shards"):
        images([make_shard(tmp_path / "text.tar", [("a.txt", b"a")])], tmp_path / "index")
    source = images([make_shard(tmp_path / "one.tar", members(range(1)))], tmp_path / "index")
    with pytest.raises(InputError, match="8 frames of an image"):
        source.clip(0, num_frames=8, rng=rng())
