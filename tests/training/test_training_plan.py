"""Which batch a step gets is a function of seed and step: exact shares, no clip twice, the same for any processes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from reference_models.data.order import Order
from reference_models.training.plan import interleaved, planned
from reference_models.training.recipe import Batches, Compute, Phase
from tests.training.small_training import small_recipe

IMAGES, VIDEOS, FRAMES = Batches("images", 4), Batches("videos", 2, num_frames=(8, 24)), Batches("frames", 4)


def test_images_videos_and_frames_come_one_to_one_to_one_at_any_time() -> None:
    recipe = small_recipe(phases=(Phase(300, (IMAGES, VIDEOS, FRAMES)),))
    kinds = [next(planned(recipe, step)).kind for step in range(300)]
    for step in range(3, 300, 3):
        assert set(Counter(kinds[:step]).values()) == {step // 3}


@pytest.mark.parametrize("shares", [(1, 1), (3, 1), (2, 5), (1, 2, 4)])
def test_shares_are_exact_in_a_cycle_and_nearly_so_within(shares: tuple[int, ...]) -> None:
    kinds = (IMAGES, VIDEOS, FRAMES)
    batches = [replace(one, share=share) for one, share in zip(kinds, shares, strict=False)]
    cycle = interleaved(batches)
    for place in range(len(cycle) + 1):
        for one in batches:
            due = place * one.share / sum(shares)
            assert abs(sum(made is one for made in cycle[:place]) - due) < len(shares) - 0.5


def test_accumulation_goes_through_the_same_batches() -> None:
    once = small_recipe(phases=(Phase(12, (IMAGES, VIDEOS)),))
    threefold = replace(once, phases=(Phase(4, (IMAGES, VIDEOS)),), compute=Compute(accumulation=3))
    one = [part.kind for step in range(12) for part in planned(once, step)]
    assert [part.kind for step in range(4) for part in planned(threefold, step)] == one


def test_lengths_are_uniform_from_8_to_24() -> None:
    recipe = small_recipe(phases=(Phase(3400, (VIDEOS,)),))
    counts = Counter(next(planned(recipe, step)).num_frames for step in range(3400))
    assert sorted(counts) == list(range(8, 25))
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 39.3  # chi squared, 16 degrees, p = 0.001


def test_every_clip_comes_once_before_any_comes_again() -> None:
    recipe = small_recipe(phases=(Phase(5, (FRAMES, VIDEOS)), Phase(7, (VIDEOS,))))
    numbers = [n for step in range(12) for part in planned(recipe, step) if part.kind == "videos" for n in part.numbers]
    assert numbers == list(range(len(numbers)))
    order = Order((6,), (1,), seed=0, name="videos")
    assert sorted(order.at(n)[1] for n in numbers[:6]) == list(range(6))


def test_processes_share_what_one_would_have() -> None:
    whole = next(planned(small_recipe(), 3))
    parts = [whole.part(rank, 2) for rank in range(2)]
    assert sum((part.seeds for part in parts), ()) == whole.seeds
    assert sum((part.numbers for part in parts), ()) == whole.numbers


def test_steps_do_not_repeat_their_chance() -> None:
    recipe = small_recipe(phases=(Phase(200, (FRAMES, VIDEOS)),))
    seeds = [seed for step in range(200) for part in planned(recipe, step) for seed in part.seeds]
    assert len(set(seeds)) == len(seeds)
