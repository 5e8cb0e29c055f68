"""Which frames a metric sees: laws of every policy, and stored choices that must never change."""

import itertools
from collections import Counter
from fractions import Fraction
from hashlib import sha256
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from univg_bench.errors import InputError, SampleError
from univg_bench.frames import FramePolicy, Sampling, exact_rate

COUNTED: tuple[Sampling, ...] = ("first", "centre", "uniform", "random_consecutive", "random_sorted")
RANDOM: tuple[Sampling, ...] = ("random_consecutive", "random_sorted")

lengths = st.integers(1, 400).flatmap(lambda total: st.tuples(st.just(total), st.integers(1, total)))
ids = st.text(st.characters(codec="utf-8"), max_size=20)


def choose(policy: FramePolicy, num_frames: int, video_id: str = "video7010") -> tuple[int, ...]:
    indices = policy.indices(num_frames=num_frames, video_id=video_id)
    assert indices is not None
    return indices


@given(lengths, st.sampled_from(COUNTED), st.integers(0, 2**40), ids)
def test_indices_ascend_lie_within_the_video_and_are_as_many_as_asked(
    length: tuple[int, int], sampling: Sampling, seed: int, video_id: str
) -> None:
    total, n = length
    indices = choose(FramePolicy(sampling=sampling, frames=n, seed=seed), total, video_id)
    assert len(indices) == n
    assert all(a < b for a, b in itertools.pairwise(indices))
    assert indices[0] >= 0
    assert indices[-1] < total


@given(st.integers(1, 400), st.sampled_from(COUNTED), ids)
def test_n_frames_of_n_are_all_of_them(total: int, sampling: Sampling, video_id: str) -> None:
    assert choose(FramePolicy(sampling=sampling, frames=total), total, video_id) == tuple(range(total))


@given(lengths, ids)
def test_consecutive_frames_are_consecutive(length: tuple[int, int], video_id: str) -> None:
    total, n = length
    indices = choose(FramePolicy(sampling="random_consecutive", frames=n), total, video_id)
    assert indices == tuple(range(indices[0], indices[0] + n))


@given(lengths)
def test_centre_leaves_as_much_before_as_after(length: tuple[int, int]) -> None:
    total, n = length
    indices = choose(FramePolicy(sampling="centre", frames=n), total)
    assert indices[0] - (total - 1 - indices[-1]) in (0, -1)


@given(lengths)
def test_uniform_frames_mirror_when_the_video_does(length: tuple[int, int]) -> None:
    # midpoints of equal parts lie symmetrically; a midpoint on the border of two frames takes the later one
    total, n = length
    indices = choose(FramePolicy(sampling="uniform", frames=n), total)
    mirrored = sorted(total - 1 - i for i in indices)
    assert all(abs(a - b) <= 1 for a, b in zip(indices, mirrored, strict=True))


@pytest.mark.parametrize(
    ("sampling", "frames", "total", "expected"),
    [
        ("all", None, 4, (0, 1, 2, 3)),
        ("first", 3, 10, (0, 1, 2)),
        ("centre", 4, 9, (2, 3, 4, 5)),
        ("uniform", 4, 8, (1, 3, 5, 7)),
        ("uniform", 3, 10, (1, 5, 8)),
        ("uniform", 1, 5, (2,)),
        # known answers of version 1 of the rule; if one of these moves, every published FVD with it does too
        ("random_sorted", 16, 24, (0, 2, 3, 6, 9, 10, 12, 13, 14, 15, 16, 17, 19, 21, 22, 23)),
        ("random_sorted", 16, 300, (15, 19, 26, 43, 63, 66, 102, 108, 141, 167, 197, 241, 272, 286, 288, 289)),
        ("random_consecutive", 4, 300, (96, 97, 98, 99)),
        ("random_consecutive", 16, 24, tuple(range(5, 21))),
    ],
)
def test_known_choices_never_change(
    sampling: Sampling, frames: int | None, total: int, expected: tuple[int, ...]
) -> None:
    assert choose(FramePolicy(sampling=sampling, frames=frames), total) == expected


def test_a_random_start_is_the_hash_that_the_documentation_says() -> None:
    digest = sha256(b"univg-bench/frames/1|random_consecutive|4|0|video7010|0").digest()
    start = int.from_bytes(digest[:8], "big") % 297
    assert choose(FramePolicy(sampling="random_consecutive", frames=4), 300)[0] == start


@pytest.mark.parametrize("sampling", RANDOM)
def test_another_video_seed_or_number_of_frames_chooses_anew(sampling: Sampling) -> None:
    policy = FramePolicy(sampling=sampling, frames=16)
    known = choose(policy, 300)
    assert choose(policy, 300) == known
    assert choose(policy, 300, "video7011") != known
    assert choose(FramePolicy(sampling=sampling, frames=16, seed=1), 300) != known
    # what a short video does not decide about: the same words are drawn whatever the policy for short ones
    assert choose(FramePolicy(sampling=sampling, frames=16, short="drop"), 300) == known


def test_random_choices_are_uniform() -> None:
    # 3,000 videos: chi-square of 9 starts has mean 8, and 26.1 is its 99.9 % point; fixed ids, so never flaky
    starts = Counter(choose(FramePolicy(sampling="random_consecutive", frames=2), 10, f"v{i}")[0] for i in range(3000))
    assert sum((starts[s] - 3000 / 9) ** 2 / (3000 / 9) for s in range(9)) < 26.1
    subsets = Counter(choose(FramePolicy(sampling="random_sorted", frames=2), 5, f"v{i}") for i in range(3000))
    assert len(subsets) == 10
    assert sum((count - 300) ** 2 / 300 for count in subsets.values()) < 27.9  # 99.9 % of chi-square with 9


@pytest.mark.parametrize("sampling", COUNTED)
def test_short_videos_are_refused_dropped_or_repeated_as_the_policy_says(sampling: Sampling) -> None:
    assert FramePolicy(sampling=sampling, frames=8, short="drop").indices(num_frames=3, video_id="v") is None
    looped = FramePolicy(sampling=sampling, frames=8, short="loop").indices(num_frames=3, video_id="v")
    assert looped == (0, 1, 2, 0, 1, 2, 0, 1)
    with pytest.raises(SampleError, match=r"v has 3 frames, but .* takes 8 frames") as caught:
        FramePolicy(sampling=sampling, frames=8).indices(num_frames=3, video_id="v")
    assert list(caught.value.items) == ["v"]


@pytest.mark.parametrize("short", get_args(Literal["error", "drop", "loop"]))
def test_a_video_without_frames_is_always_an_error(short: Literal["error", "drop", "loop"]) -> None:
    with pytest.raises(SampleError, match="no frame"):
        FramePolicy(sampling="first", frames=2, short=short).indices(num_frames=0, video_id="v")


# ----------------------------------------------------------------------------------------------------- fps_matched


def matched(fps: float, times: list[Fraction], last: Fraction, frames: int | None = None) -> tuple[int, ...] | None:
    policy = FramePolicy(sampling="fps_matched", fps=fps, frames=frames, short="drop")
    return policy.indices(num_frames=len(times), video_id="v", times=times, seconds=times[-1] - times[0] + last)


@given(st.integers(1, 60), st.integers(1, 60), st.fractions(0, 100))
def test_the_video_s_own_rate_takes_every_frame(total: int, rate: int, begin: Fraction) -> None:
    times = [begin + Fraction(i, rate) for i in range(total)]
    assert matched(rate, times, Fraction(1, rate)) == tuple(range(total))


@given(st.integers(1, 30), st.integers(1, 20), st.integers(1, 5))
def test_a_whole_fraction_of_the_rate_takes_every_mth_frame(total: int, rate: int, m: int) -> None:
    times = [Fraction(i, rate * m) for i in range(total)]
    assert matched(rate, times, Fraction(1, rate * m)) == tuple(range(0, total, m))


@given(st.lists(st.fractions(Fraction(1, 1000), 2), min_size=1, max_size=40), st.fractions(Fraction(1, 4), 60))
def test_no_frame_lies_nearer_to_its_point_of_the_grid(gaps: list[Fraction], fps: Fraction) -> None:
    times = [sum(gaps[:i], Fraction(0)) for i in range(len(gaps))]
    rate = float(round(fps, 3))
    indices = matched(rate, times, gaps[-1])
    assert indices is not None
    for i, index in enumerate(indices):
        moment = i / exact_rate(rate)
        nearest = min(abs(time - moment) for time in times)
        assert abs(times[index] - moment) == nearest
        assert index == min(j for j, time in enumerate(times) if abs(time - moment) == nearest)
    assert list(indices) == sorted(indices)
    # the grid goes on as long as the video does, and no further
    assert (len(indices) - 1) / exact_rate(rate) < sum(gaps) <= len(indices) / exact_rate(rate)


def test_frames_of_a_variable_rate_are_chosen_by_time_not_by_number() -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(2, 10), Fraction(1), Fraction(2)]
    assert matched(1, times, Fraction(1)) == (0, 3, 4)
    assert matched(2, times, Fraction(1)) == (0, 2, 3, 3, 4, 4)


def test_too_short_in_time_is_short_whatever_the_number_of_frames() -> None:
    times = [Fraction(i, 30) for i in range(60)]
    assert matched(8, times, Fraction(1, 30), frames=16) is not None
    assert matched(8, times, Fraction(1, 30), frames=17) is None
    policy = FramePolicy(sampling="fps_matched", fps=8, frames=17)
    assert policy.is_short(60, Fraction(2))
    assert not policy.is_short(60, Fraction(201, 100))


def test_rates_mean_what_their_decimals_say() -> None:
    assert exact_rate(29.97) == Fraction(2997, 100)
    assert exact_rate(8) == 8


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sampling": "all", "frames": 3}, "leave `frames` out"),
        ({"sampling": "first"}, "needs `frames`"),
        ({"sampling": "first", "frames": 0}, "at least 1"),
        ({"sampling": "first", "frames": 3, "fps": 8.0}, "only there"),
        ({"sampling": "fps_matched", "frames": 3}, "only there"),
        ({"sampling": "fps_matched", "fps": -1.0}, "more than 0"),
    ],
)
def test_fields_that_do_not_belong_together_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FramePolicy(**fields)  # type: ignore[arg-type]


def test_fps_matched_refuses_to_work_without_times() -> None:
    policy = FramePolicy(sampling="fps_matched", fps=8)
    with pytest.raises(InputError, match="time of every frame"):
        policy.indices(num_frames=3, video_id="v")
    with pytest.raises(InputError, match="in seconds"):
        FramePolicy(sampling="fps_matched", fps=8, frames=2).is_short(3)
