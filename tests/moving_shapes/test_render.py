"""The pixels of Moving Shapes: the same bits on every machine, and the motions that the captions name."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from univg_bench.datasets.moving_shapes import ATTRIBUTES, SPLITS, Scene, caption, render, scene
from univg_bench.datasets.moving_shapes.downsample import area_average
from univg_bench.datasets.moving_shapes.motion import path
from univg_bench.datasets.moving_shapes.trigonometry import TURN, cosine, sine
from univg_bench.errors import InputError

GOLDEN = Path(__file__).with_name("golden.json")


def digests(count: int = 24) -> dict[str, str]:
    """Digests of renderings at both sizes and of captions, over all splits."""
    found: dict[str, str] = {}
    for split in SPLITS:
        for height, width in ((32, 56), (72, 128)):
            digest = sha256()
            for i in range(count // len(SPLITS)):
                digest.update(render(scene(split, i, rendering=i % 2), height=height, width=width).tobytes())
            found[f"{split} {height}x{width}"] = digest.hexdigest()
        sentences = "\n".join(caption(scene(split, i)) for i in range(256))
        found[f"{split} captions"] = sha256(sentences.encode()).hexdigest()
    return found


def test_pixels_and_captions_have_the_stored_digests() -> None:
    assert digests() == json.loads(GOLDEN.read_text())


def test_pixels_are_the_same_in_a_fresh_process_without_wide_instructions() -> None:
    # NumPy picks its loops by the features of the CPU; without them the results must be the same bits
    features = np._core._multiarray_umath.__cpu_dispatch__
    usable = [f for f in features if np._core._multiarray_umath.__cpu_features__[f]]
    code = "import json, test_render; print(json.dumps(test_render.digests()))"
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(usable), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == json.loads(GOLDEN.read_text())


def test_every_attribute_value_can_be_drawn_at_both_sizes() -> None:
    start = scene("train", 0)
    for name, choices in ATTRIBUTES.items():
        seen = set()
        for value in choices:
            s = replace(start, **{name: value})  # type: ignore[arg-type]
            for height, width in ((32, 56), (72, 128)):
                video = render(s, height=height, width=width)
                assert video.shape == (24, 3, height, width)
                assert video.dtype == np.uint8
                seen.add(sha256(video.tobytes()).digest())
        assert len(seen) == 2 * len(choices), name


def test_another_rendering_is_another_video() -> None:
    first, second = (render(scene("test", 3, rendering=r), height=32, width=56) for r in (0, 1))
    assert np.abs(first.astype(int) - second).mean() > 5


def test_fewer_frames_are_the_beginning_of_the_clip() -> None:
    for i in range(8):
        s = scene("validation", i)
        whole = render(s, height=32, width=56)
        assert np.array_equal(render(s, height=32, width=56, num_frames=9), whole[:9])


def test_downsampling_is_the_exact_area_average_rounded_half_up() -> None:
    video = np.random.default_rng(0).integers(0, 256, (1, 1, 72, 128), dtype=np.uint8)
    small = area_average(video)[0, 0]
    tall, wide = Fraction(72, 32), Fraction(128, 56)
    for i, j in ((0, 0), (1, 2), (3, 6), (17, 33), (31, 55)):
        total = Fraction(0)
        for row in range(72):
            inside_y = max(Fraction(0), min((i + 1) * tall, Fraction(row + 1)) - max(i * tall, Fraction(row)))
            if not inside_y:
                continue
            for column in range(128):
                right, left = min((j + 1) * wide, Fraction(column + 1)), max(j * wide, Fraction(column))
                total += inside_y * max(Fraction(0), right - left) * int(video[0, 0, row, column])
        assert small[i, j] == math.floor(total / (tall * wide) + Fraction(1, 2))


def test_downsampling_keeps_constant_pictures() -> None:
    for value in (0, 1, 127, 255):
        assert (area_average(np.full((2, 3, 72, 128), value, dtype=np.uint8)) == value).all()


def test_sine_table_is_the_sine() -> None:
    angles = np.arange(-TURN, 2 * TURN)
    exact = np.sin(2 * np.pi * angles / TURN)
    assert np.abs(sine(angles) - exact).max() < 1e-7
    assert np.array_equal(cosine(angles), sine(angles + TURN // 4))
    assert np.array_equal(sine(-angles), -sine(angles))


def still(motion: str, *, camera: str = "stays still") -> Scene:
    return replace(scene("train", 1), motion=motion, camera=camera, size="small")


def steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[1:] - values[:-1]


def test_motions_go_where_their_names_say() -> None:
    assert (steps(path(still("slides left")).x) < 0).all()
    assert (steps(path(still("slides right")).x) > 0).all()
    assert (steps(path(still("rises")).y) < 0).all()  # y grows downwards
    falling = steps(path(still("falls")).y)
    assert (falling > 0).all()
    assert (steps(falling) > 0).all()  # ever faster
    assert (steps(path(still("grows")).radius) > 0).all()
    spin = path(still("spins"))
    assert np.ptp(spin.x) == 0
    # clockwise on the screen: the angle of (cos, sin) grows, y downwards
    assert (spin.cos[:-1] * spin.sin[1:] - spin.sin[:-1] * spin.cos[1:] > 0).all()
    orbit = path(still("orbits"))
    x, y = orbit.x - orbit.x.mean(), orbit.y - orbit.y.mean()
    assert (x[:-1] * y[1:] - y[:-1] * x[1:] > 0).all()


def test_bounces_lose_height_so_that_time_has_a_direction() -> None:
    y = path(still("bounces")).y
    tops = [y[i] for i in range(1, 23) if y[i] < y[i - 1] and y[i] <= y[i + 1]]
    assert len(tops) >= 2
    assert y[0] < tops[0] < tops[1]


def test_a_pan_moves_shape_and_background_against_the_camera() -> None:
    moved = path(still("spins", camera="pans right"))
    assert (steps(moved.x) < 0).all()
    video = render(still("spins", camera="pans right"), height=72, width=128)
    # the upper rows, which this scene's shape never covers, are the same ground one pixel further left
    rows = slice(0, max(0, int(moved.y.min() - 1.3 * moved.radius.max()) - 3))
    assert rows.stop > 5, "choose another scene: its shape covers the upper rows"
    assert np.array_equal(video[1:, :, rows, :-1], video[:-1, :, rows, 1:])


def test_a_zoom_magnifies_the_shape_and_keeps_the_middle() -> None:
    plain, zoomed = path(still("spins")), path(still("spins", camera="zooms in"))
    assert zoomed.radius[0] == plain.radius[0]
    assert zoomed.radius[-1] == pytest.approx(1.4 * plain.radius[0])


def test_shapes_keep_to_the_frame_where_there_is_room() -> None:
    for i in range(300):
        track = path(scene("train", i))
        assert (track.x > 0).all()
        assert (track.x < 128).all()
        assert (track.y > 0).all()
        assert (track.y < 72).all()


def test_other_sizes_and_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="found size 64x64, expected 32x56 or 72x128"):
        render(scene("test", 0), height=64, width=64)
    with pytest.raises(InputError, match="expected 1 to 24"):
        render(scene("test", 0), height=32, width=56, num_frames=25)
