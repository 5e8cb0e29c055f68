"""Grids are falling lists of table indices; each convention is that of its source."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_models.diffusion import grid, schedule


def test_super_resolution_of_the_paper_takes_seven_steps_from_700() -> None:
    assert grid.uniform(700, 7) == [700, 600, 500, 400, 300, 200, 100]
    assert grid.partial(grid.uniform(1000, 10), strength=0.7) == grid.uniform(700, 7)


def test_animation_of_the_paper_takes_fifty_steps_from_990() -> None:
    steps = grid.uniform(990, 50)
    assert (len(steps), steps[0], steps[1], steps[-1]) == (50, 990, 970, 20)


def test_first_and_last_entries_of_each_convention() -> None:
    found = {f.__name__: f(50) for f in (grid.trailing, grid.leading, grid.linspace, grid.videocrafter_uniform)}
    assert {name: (len(t), t[0], t[1], t[-1]) for name, t in found.items()} == {
        "trailing": (50, 999, 979, 19),
        "leading": (50, 981, 961, 1),
        "linspace": (50, 999, 979, 20),
        "videocrafter_uniform": (50, 981, 961, 1),
    }


def test_videocrafter_gives_more_steps_where_the_number_is_no_divisor() -> None:
    assert grid.videocrafter_uniform(50) == grid.leading(50)
    assert len(grid.videocrafter_uniform(30)) == 31


@settings(max_examples=40, deadline=None)
@given(num_steps=st.integers(1, 1000))
def test_grids_fall_and_stay_in_the_table(num_steps: int) -> None:
    for steps in (grid.trailing(num_steps), grid.leading(num_steps, offset=0), grid.uniform(999, min(num_steps, 999))):
        assert all(a > b for a, b in itertools.pairwise(steps))
        assert steps[0] <= 999
        assert steps[-1] >= 0


@settings(max_examples=40, deadline=None)
@given(num_steps=st.integers(1, 999))
def test_all_timesteps_once_is_the_finest_uniform_grid(num_steps: int) -> None:
    assert grid.uniform(num_steps, num_steps) == list(range(num_steps, 0, -1))


def test_quadratic_grid_begins_where_the_uniform_one_does_and_ends_nearer_to_the_data() -> None:
    assert grid.quadratic(700, 7) == [700, 514, 357, 229, 129, 57, 14]


@pytest.mark.parametrize(("num_steps", "strength", "kept"), [(10, 0.7, 7), (10, 0.3, 3), (50, 0.7, 35), (50, 1.0, 50)])
def test_strength_keeps_the_clean_end_of_a_grid(num_steps: int, strength: float, kept: int) -> None:
    steps = grid.trailing(num_steps)
    assert grid.partial(steps, strength=strength) == steps[-kept:]


@settings(max_examples=40, deadline=None)
@given(num_steps=st.integers(1, 200), kept=st.integers(1, 200))
def test_a_strength_that_is_a_share_of_the_steps_keeps_that_many(num_steps: int, kept: int) -> None:
    if kept <= num_steps:
        assert len(grid.partial(grid.trailing(num_steps), strength=kept / num_steps)) == kept


def test_a_network_that_predicts_eps_begins_at_the_first_timestep_with_signal() -> None:
    zero_snr = schedule.zero_terminal_snr(schedule.scaled_linear())
    assert grid.with_signal(grid.trailing(50), zero_snr) == grid.trailing(50)[1:]
    assert grid.with_signal(grid.trailing(50), schedule.scaled_linear()) == grid.trailing(50)


@pytest.mark.parametrize("num_steps", [0, -3])
def test_no_steps_are_refused(num_steps: int) -> None:
    for make in (grid.trailing, grid.leading, grid.linspace, grid.videocrafter_uniform):
        with pytest.raises(ValueError, match=f"found {num_steps} steps"):
            make(num_steps)
    with pytest.raises(ValueError, match="found 0 steps from 700"):
        grid.uniform(700, 0)


def test_more_steps_than_timesteps_are_refused() -> None:
    for make in (grid.trailing, grid.leading, grid.linspace):
        with pytest.raises(ValueError, match="no timestep repeats"):
            make(1001)
    with pytest.raises(ValueError, match="no timestep repeats"):
        grid.quadratic(700, 200)


@pytest.mark.parametrize("strength", [0.0, 0.05, 1.1, -0.5])
def test_a_strength_that_leaves_no_step_or_asks_for_more_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="found strength"):
        grid.partial(grid.trailing(10), strength=strength)
