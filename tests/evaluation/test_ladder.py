"""Each rung damages videos as it says, depends on its own video only, and keeps its place among the items."""

from pathlib import Path

import numpy as np
import pytest

from univg_bench.console import Console
from univg_bench.datasets import Item, ItemSet
from univg_bench.encode import write_lossless
from univg_bench.errors import InputError
from univg_bench.ladder import RUNGS, write_ladder
from univg_bench.video import decode

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def items(tmp_path_factory) -> ItemSet:
    folder = tmp_path_factory.mktemp("real")
    rows = []
    for number in range(3):
        frames = np.random.Generator(np.random.PCG64(number)).integers(40, 200, (12, 3, 16, 20), dtype=np.uint8)
        write_lossless(folder / f"v{number}.mp4", frames, 8)
        path = folder / f"v{number}.mp4"
        rows.append(Item(f"v{number}", "a caption", cluster=f"v{number}", reference_id=f"v{number}", reference=path))
    return ItemSet((*rows, Item("v3", "no real video", cluster="v3")))


def frames_of(path: Path) -> np.ndarray:
    return np.stack([frame.rgb for frame in decode(path)]).astype(int)


@pytest.fixture(scope="module")
def ladder(items: ItemSet, tmp_path_factory) -> dict[str, Path]:
    return write_ladder(items, tmp_path_factory.mktemp("ladder"), RUNGS, console=QUIET)


def test_every_rung_has_every_item_that_has_a_real_video(ladder) -> None:
    assert set(ladder) == {rung.name for rung in RUNGS}
    for folder in ladder.values():
        assert sorted(path.name for path in folder.iterdir()) == ["v0.mp4", "v1.mp4", "v2.mp4"]


@pytest.mark.parametrize("deviation", [8, 20, 40])
def test_noise_has_the_deviation_it_says(ladder, items: ItemSet, deviation: int) -> None:
    apart = frames_of(ladder[f"noise-{deviation}"] / "v0.mp4") - frames_of(items.items[0].reference)
    assert apart.mean() == pytest.approx(0, abs=1.0)
    assert apart.std() == pytest.approx(deviation, rel=0.05)


def test_blur_takes_contrast_and_more_blur_takes_more(ladder, items: ItemSet) -> None:
    spread = [
        frames_of(path).std()
        for path in (items.items[0].reference, *(ladder[n] / "v0.mp4" for n in ("blur-1", "blur-2")))
    ]
    assert spread[0] > 2 * spread[1] > 3 * spread[2]


def test_time_is_frozen_shuffled_and_reversed(ladder, items: ItemSet) -> None:
    real = frames_of(items.items[1].reference)
    assert np.array_equal(frames_of(ladder["frozen"] / "v1.mp4"), np.repeat(real[:1], 12, axis=0))
    assert np.array_equal(frames_of(ladder["reversed"] / "v1.mp4"), real[::-1])
    shuffled = frames_of(ladder["shuffled"] / "v1.mp4")
    assert not np.array_equal(shuffled, real)
    assert sorted(frame.tobytes() for frame in shuffled) == sorted(frame.tobytes() for frame in real)


def test_wrong_captions_are_real_videos_of_other_items(ladder, items: ItemSet) -> None:
    for item, other in [(0, 1), (1, 2), (2, 0)]:
        found = frames_of(ladder["wrong-captions"] / f"v{item}.mp4")
        assert np.array_equal(found, frames_of(items.items[other].reference))


def test_damage_depends_on_the_video_alone(ladder, items: ItemSet, tmp_path: Path) -> None:
    fewer = ItemSet(items.items[1:])
    rung = next(rung for rung in RUNGS if rung.name == "noise-8")
    again = write_ladder(fewer, tmp_path, [rung], console=QUIET)
    assert (again["noise-8"] / "v1.mp4").read_bytes() == (ladder["noise-8"] / "v1.mp4").read_bytes()


def test_a_ladder_needs_two_real_videos(items: ItemSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 1 items with a real video, expected at least 2"):
        write_ladder(ItemSet(items.items[2:]), tmp_path, RUNGS, console=QUIET)
