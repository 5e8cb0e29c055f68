"""Broken clips: an error, or skipped, counted, replaced the same way each time; batches ahead of time, equal bits."""

from __future__ import annotations

import os
import signal
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from reference_models.data.ahead import made_ahead
from reference_models.data.cutting import Cut
from reference_models.data.order import Order
from reference_models.data.reading import Read, Reading, Wanted
from reference_models.data.source import BrokenClip, Clip
from reference_models.data.video_lists import video_folder
from reference_models.data.videos import Videos
from tests.training_data.made_data import Numbers, make_folder
from univg_bench.errors import InfrastructureError, InputError


class Brittle(Numbers):
    """Every third clip is broken."""

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        if index % 3 == 0:
            raise BrokenClip("corrupt" if index % 2 else "too short", f"clip {index} is broken")
        return super().clip(index, num_frames=num_frames, rng=rng)


def wanted(step: int, *, clips: int = 4, frames: int = 2) -> Wanted:
    return Wanted(frames, tuple(range(step * clips, (step + 1) * clips)), tuple(1000 * step + i for i in range(clips)))


def facts(read: Read) -> list[tuple[str, bytes]]:
    return [(clip.name, clip.pixels.tobytes()) for clip in read.clips]


def reading(*, skip: bool = True) -> Reading:
    return Reading((Brittle(30),), Order((30,), (1,), seed=0), "skip" if skip else "error")


def test_a_broken_clip_is_an_error_unless_told_otherwise() -> None:
    with pytest.raises(BrokenClip, match="is broken"):
        reading(skip=False).read(wanted(0, clips=20))


def test_skipped_clips_are_counted_by_fault_and_replaced_by_whole_ones() -> None:
    broken = Counter[str]()
    names = []
    for step in range(60):
        read = reading().read(wanted(step))
        assert len(read.clips) == 4
        assert len(read.sentences) == min(5, sum(read.broken.values()))
        broken += read.broken
        names += [int(clip.name) for clip in read.clips]
    assert all(name % 3 for name in names)
    # 240 places are 8 epochs: 80 first choices are broken, and a third of those that replace them
    assert sum(broken.values()) == pytest.approx(120, abs=40)
    assert min(broken["corrupt"], broken["too short"]) > 30


def test_what_replaces_a_clip_depends_on_its_own_place_alone() -> None:
    whole = [facts(reading().read(wanted(step))) for step in range(8)]
    assert [facts(reading().read(wanted(step))) for step in reversed(range(8))] == whole[::-1]
    # four processes that read a quarter of each batch
    for rank in range(4):
        for step in range(8):
            all_of_it = wanted(step)
            part = Wanted(2, all_of_it.numbers[rank : rank + 1], all_of_it.seeds[rank : rank + 1])
            assert facts(reading().read(part)) == whole[step][rank : rank + 1]


def test_replacements_come_from_the_same_source() -> None:
    both = Reading((Brittle(30), Numbers(200)), Order((30, 200), (1, 1), seed=0), "skip")
    read = both.read(Wanted(1, tuple(range(100)), tuple(range(100))))
    firsts = [both.order.at(k)[0] for k in range(100)]
    # clips of the second source are never broken, so whatever was replaced is of the first
    for clip, source, k in zip(read.clips, firsts, range(100), strict=True):
        if source == 1:
            assert int(clip.name) == both.order.at(k)[1]
        else:
            assert int(clip.name) < 30


def test_a_hundred_broken_clips_in_a_row_end_the_run() -> None:
    class Hopeless(Numbers):
        def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
            raise BrokenClip("missing", f"found no file {index}.mp4")

    source = Reading((Hopeless(5),), Order((5,), (1,), seed=0), "skip")
    with pytest.raises(InputError, match=r"100 broken clips.*found no file \d\.mp4"):
        source.read(wanted(0))


def test_an_order_of_other_sources_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the same"):
        Reading((Numbers(3),), Order((4,), (1,), seed=0))


class MakeOrDie:
    """Reads, and at step 3 does something else."""

    def __init__(self, instead: str = "") -> None:
        self.reading, self.instead = reading(), instead

    def __call__(self, step: int) -> list[tuple[str, bytes]]:
        if step == 3 and self.instead == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if step == 3 and self.instead == "refuse":
            raise BrokenClip("corrupt", "clip 9.mp4 is broken")
        return facts(self.reading.read(wanted(step)))


def test_any_number_of_workers_gives_the_same_batches_from_any_step_on() -> None:
    alone = list(made_ahead(MakeOrDie(), range(8), workers=0))
    assert list(made_ahead(MakeOrDie(), range(8), workers=2)) == alone
    endless = made_ahead(MakeOrDie(), count(5), workers=1, ahead=3)
    assert [next(endless) for _ in range(3)] == alone[5:]


def test_an_error_in_a_worker_is_the_same_error_here() -> None:
    for workers in (0, 1):
        made = made_ahead(MakeOrDie("refuse"), range(8), workers=workers)
        with pytest.raises(BrokenClip, match=r"^clip 9\.mp4 is broken$") as caught:
            list(made)
        assert caught.value.fault == "corrupt"


def test_a_worker_that_is_killed_is_said_in_a_sentence() -> None:
    made = made_ahead(MakeOrDie("die"), range(8), workers=1)
    with pytest.raises(InfrastructureError, match=r"a process that reads clips died .*fewer workers"):
        list(made)


def test_videos_are_read_beside_training(tmp_path: Path) -> None:
    source = Videos(video_folder(make_folder(tmp_path, videos=2, frames=40)), Cut(32, 56), "pyav")
    both = Reading((source,), Order((2,), (1,), seed=0))
    asked = [wanted(step, clips=1, frames=8) for step in range(3)]
    ahead = list(made_ahead(both.read, asked, workers=1))
    assert [facts(read) for read in ahead] == [facts(both.read(one)) for one in asked]
