"""Consistency and alignment have the answers one can count, and refuse what is no embedding."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.metrics.consistency import frame_consistency, image_alignment


def at(*degrees: float) -> np.ndarray:
    """Return unit vectors (N, 2) at these angles."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_consistency_is_the_mean_of_the_cosines_to_the_frame_before_and_to_the_first() -> None:
    before, first = (0.5, 0.5), (0.5, np.cos(np.deg2rad(120)))
    assert first[1] < 0  # and counts as 0
    assert frame_consistency(at(0, 60, 120)) == pytest.approx((before[0] + first[0] + before[1] + 0.0) / 4)
    assert frame_consistency(at(0, 150, 20)) == pytest.approx((0 + 0 + 0 + np.cos(np.deg2rad(20))) / 4)


def test_a_frozen_video_has_exactly_one_also_in_float32() -> None:
    frame = np.random.default_rng(0).standard_normal(512)
    frozen = np.tile(frame / np.linalg.norm(frame), (7, 1)).astype(np.float32)
    assert frame_consistency(frozen) == pytest.approx(1.0, abs=1e-15)
    assert frame_consistency(frozen) <= 1.0


def test_alignment_is_the_first_the_mean_or_the_least_cosine_and_may_be_negative() -> None:
    frames, image = at(60, 0, 180), at(0)[0]
    assert image_alignment(frames, image, "first") == pytest.approx(0.5)
    assert image_alignment(frames, image, "mean") == pytest.approx(0.5 / 3)
    assert image_alignment(frames, image, "min") == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        (at(0), "found 1 frame.s., expected at least 2"),
        (at(0, 10) * 2, "found embeddings of length 2.000 to 2.000, expected unit vectors"),
        (np.full((3, 2), np.nan), "or with NaN"),
        (np.ones(4), "found embeddings of shape .4,."),
    ],
)
def test_what_is_no_video_of_embeddings_is_refused(frames: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        frame_consistency(frames)


def test_alignment_of_no_frames_is_refused() -> None:
    with pytest.raises(InputError, match="found no frames"):
        image_alignment(np.empty((0, 2)), at(0)[0], "mean")
