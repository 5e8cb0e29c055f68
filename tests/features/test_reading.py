"""Reading ahead changes when frames are decoded, and nothing else: not the features, nor their order, nor an error."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.videos import make_video
from univg_bench.errors import SampleError
from univg_bench.features import extract
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Chunk, Extractor, extract_chunk
from univg_bench.features.plan import FeaturePlan, ScoredVideo
from univg_bench.features.reading import Counterpart, one_ahead
from univg_bench.frames import FramePolicy
from univg_bench.recipes_frames import FIDELITY_RECIPES, FLICKER_RECIPES, MOTION_RECIPES

FLICKER, MOTION, PAIR = (
    Extractor(next(iter(recipes.values())), None, "cpu")
    for recipes in (FLICKER_RECIPES, MOTION_RECIPES, FIDELITY_RECIPES)
)
ALL, NINE, TIMED = (
    FramePolicy(sampling="all"), FramePolicy(sampling="first", frames=9), FramePolicy(sampling="fps_matched", fps=5),
)  # fmt: skip


def waiting_readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("reading")]


def test_the_same_things_come_in_the_same_order() -> None:
    with one_ahead(iter(range(7))) as ready:
        assert list(ready) == list(range(7))
    with one_ahead(iter([])) as ready:
        assert list(ready) == []
    assert not waiting_readers()


def test_the_next_thing_is_made_while_this_one_is_used_and_no_more_than_one() -> None:
    made = [threading.Event() for _ in range(5)]

    def things() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    with one_ahead(things()) as ready:
        for number in ready:
            if number + 1 < len(made):
                assert made[number + 1].wait(20), "nobody makes the next one while this one is used"
            if number + 2 < len(made):
                assert not made[number + 2].wait(0.05), "two lie ready"


def test_an_error_comes_in_its_turn() -> None:
    def things() -> Iterator[int]:
        yield 0
        yield 1
        raise SampleError("the third is damaged")

    with one_ahead(things()) as ready:
        assert [next(ready), next(ready)] == [0, 1]
        with pytest.raises(SampleError, match="the third is damaged"):
            next(ready)
    assert not waiting_readers()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SampleError("damaged")])
def test_whatever_ends_the_use_ends_the_thread(error: BaseException) -> None:
    def use() -> None:
        with one_ahead(iter(range(9))) as ready:
            next(ready)
            raise error

    with pytest.raises(type(error)):
        use()
    assert not waiting_readers()


def scored(path: Path, *, seed: int, name: str = "", frames: int = 12) -> ScoredVideo:
    """A video of noise; equal seeds give equal pixels."""
    noise = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (frames, 32, 48, 3), dtype=np.uint8)
    make_video(path, list(noise))
    return ScoredVideo(
        name=name or path.stem, cluster="a", path=path, file_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        rgb_sha256=f"{seed:064d}", num_frames=frames, seconds=Fraction(frames, 10), size=(32, 48),
    )  # fmt: skip


def planned(videos: list[ScoredVideo], cache: Path) -> Chunk:
    """A chunk with every kind of want: two choices of known frames, frames by time, a pair; and a lone image."""
    plan = FeaturePlan.empty(FeatureCache(cache))
    for video in videos:
        plan.want_video(video, FLICKER, ALL)
        plan.want_video(video, MOTION, NINE)
        plan.want_video(video, MOTION, TIMED)
        plan.want_pair(video, PAIR, NINE, videos[0])
    plan.want_image(Counterpart("frame", videos[0].path, videos[0].file_sha256, tuple(range(9))), FLICKER)
    return Chunk(tuple(plan.extractors), plan.cache, tuple(plan.videos.values()), tuple(plan.images.values()))


def stored(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(cache.rglob("*.npy"))}


def test_features_are_those_of_reading_when_needed_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = [scored(tmp_path / f"{i}.mp4", seed=i) for i in range(3)]
    ahead = extract_chunk(planned(videos, tmp_path / "ahead"))
    monkeypatch.setattr(extract, "one_ahead", nullcontext)
    assert extract_chunk(planned(videos, tmp_path / "plain")) == ahead == 13
    assert stored(tmp_path / "ahead") == stored(tmp_path / "plain")
    assert len(stored(tmp_path / "ahead")) == 13


def test_what_comes_before_a_damaged_video_is_kept(tmp_path: Path) -> None:
    videos = [scored(tmp_path / f"{i}.mp4", seed=i) for i in range(3)]
    chunk = planned(videos, tmp_path / "cache")
    videos[2].path.write_bytes(b"other bytes")
    with pytest.raises(SampleError, match=r"2\.mp4 \(2\) changed since it was imported"):
        extract_chunk(chunk)
    assert set(stored(tmp_path / "cache")) == {f"{want.key}.npy" for job in chunk.videos[:2] for want in job.wants}


def test_equal_pixels_are_computed_once_though_read_ahead(tmp_path: Path) -> None:
    first, copy = (scored(tmp_path / f"{name}.mp4", seed=1) for name in ("first", "copy"))
    plan = FeaturePlan.empty(FeatureCache(tmp_path / "cache"))
    for video in (first, copy):
        plan.want_video(video, FLICKER, ALL)
    copy.path.unlink()  # it need not be read
    (chunk,) = plan.chunks()
    assert len(chunk.videos) == 2
    assert extract_chunk(chunk) == 1


def test_a_chunk_that_is_done_reads_nothing(tmp_path: Path) -> None:
    video = scored(tmp_path / "a.mp4", seed=1)
    chunk = planned([video], tmp_path / "cache")
    assert extract_chunk(chunk) > 0
    video.path.unlink()
    assert extract_chunk(chunk) == 0


def test_an_interrupt_while_features_are_computed_surfaces_and_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = planned([scored(tmp_path / f"{i}.mp4", seed=i) for i in range(2)], tmp_path / "cache")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(extract, "_features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract_chunk(chunk)
    assert not waiting_readers()
