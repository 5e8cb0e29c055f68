"""A sample's noise is its seed's: batch, order, dtype and neighbours do not matter."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_models.diffusion.noise import draw_noise, sample_generators, with_offset

SHAPE = (3, 4, 5, 6)


@settings(max_examples=40, deadline=None)
@given(seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5))
def test_noise_of_a_sample_is_the_same_in_any_batch(seeds: list[int]) -> None:
    together = draw_noise(sample_generators(seeds), SHAPE)
    for i, seed in enumerate(seeds):
        assert torch.equal(together[i : i + 1], draw_noise(sample_generators([seed]), SHAPE))


def test_other_draws_in_the_batch_do_not_shift_a_sample() -> None:
    alone, pair = sample_generators([7]), sample_generators([8, 7])
    for _ in range(3):
        assert torch.equal(draw_noise(alone, SHAPE)[0], draw_noise(pair, SHAPE)[1])


def test_global_random_state_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = draw_noise(sample_generators([5]), SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(draw_noise(sample_generators([5]), SHAPE), first)


def test_other_dtypes_see_the_same_noise_rounded() -> None:
    wide = draw_noise(sample_generators([5, 6]), SHAPE)
    assert torch.equal(draw_noise(sample_generators([5, 6]), SHAPE, dtype=torch.float64), wide.double())
    assert torch.equal(draw_noise(sample_generators([5, 6]), SHAPE, dtype=torch.bfloat16), wide.bfloat16())


def test_noise_is_standard_normal() -> None:
    drawn = draw_noise(sample_generators(range(50)), (1000,))
    assert abs(float(drawn.mean())) < 4 / 50_000**0.5
    assert float(drawn.std()) == pytest.approx(1, abs=4 / 100_000**0.5)


def test_offset_is_one_number_per_frame_and_channel() -> None:
    noise = draw_noise(sample_generators([1, 2]), SHAPE)
    offset = with_offset(noise, sample_generators([3, 4]), strength=0.1) - noise
    torch.testing.assert_close(offset, offset[..., :1, :1].expand_as(offset), rtol=0, atol=1e-6)
    drawn = draw_noise(sample_generators([3, 4]), SHAPE[:2])
    torch.testing.assert_close(offset[..., 0, 0], 0.1 * drawn, rtol=0, atol=1e-6)


def test_offset_of_strength_zero_changes_nothing() -> None:
    noise = draw_noise(sample_generators([1]), SHAPE)
    assert torch.equal(with_offset(noise, sample_generators([3]), strength=0.0), noise)


def test_offset_widens_the_mean_of_a_frame_as_its_strength_says() -> None:
    """The point of offset noise: a frame's mean has variance 1/(H W) + strength^2."""
    shape = (40, 4, 16, 16)
    eps = with_offset(draw_noise(sample_generators(range(25)), shape), sample_generators(range(100, 125)))
    assert float(eps.mean(dim=(3, 4)).var()) == pytest.approx(1 / 256 + 0.01, rel=0.1)


def test_noise_without_a_generator_per_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="found 0 generators"):
        draw_noise([], SHAPE)
    with pytest.raises(ValueError, match="2 generators"):
        with_offset(draw_noise(sample_generators([1]), SHAPE), sample_generators([3, 4]))
    with pytest.raises(ValueError, match=r"expected \(B, F, C, H, W\)"):
        with_offset(torch.zeros(1, 4, 8, 8), sample_generators([3]))
