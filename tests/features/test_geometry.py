"""Every geometry against an independent computation, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from univg_bench.errors import InputError
from univg_bench.features.geometry import crop, resized, short_side, squash, squash_tf1, through
from univg_bench.features.i3d_input import i3d_input
from univg_bench.recipes import FVD_RECIPES, FvdRecipe, Through

RECIPES = list(FVD_RECIPES.values())
ROUNDING = 2e-3  # of grey levels, where float32 places meet float64 ones: 100 pixels * 6e-8 * 255
FLOOR_64 = Through(64, antialias=True, rounding="floor")


def noise(height: int, width: int, *, frames: int = 2) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (frames, 3, height, width), dtype=np.uint8)


def bilinear_by_definition(image: np.ndarray, height: int, width: int, *, centres: bool) -> np.ndarray:
    """One channel (H, W) -> (height, width) in float64, pixel by pixel. centres: half-pixel, else TensorFlow 1's."""

    def place(i: int, n: int, size: int) -> tuple[int, int, float]:
        x = max((i + 0.5) * n / size - 0.5, 0.0) if centres else i * n / size
        first = min(int(x), n - 1)
        return first, min(first + 1, n - 1), x - first

    out = np.empty((height, width))
    for i in range(height):
        top, bottom, down = place(i, image.shape[0], height)
        for j in range(width):
            left, right, along = place(j, image.shape[1], width)
            upper = image[top, left] * (1 - along) + image[top, right] * along
            lower = image[bottom, left] * (1 - along) + image[bottom, right] * along
            out[i, j] = upper * (1 - down) + lower * down
    return out


def by_definition(frames: np.ndarray, height: int, width: int, *, centres: bool) -> np.ndarray:
    planes = frames.astype(np.float64).reshape(-1, *frames.shape[2:])
    made = np.stack([bilinear_by_definition(plane, height, width, centres=centres) for plane in planes])
    return made.reshape(*frames.shape[:2], height, width)


@pytest.mark.parametrize("shape", [(18, 30), (40, 25), (64, 64), (90, 31), (1, 7)])
def test_squash_is_bilinear_with_half_pixel_centres(shape: tuple[int, int]) -> None:
    frames = noise(*shape)
    assert np.abs(squash(frames, 32).numpy() - by_definition(frames, 32, 32, centres=True)).max() < ROUNDING


@pytest.mark.parametrize("shape", [(18, 30), (40, 25), (32, 32), (90, 31), (1, 7)])
def test_squash_of_tensorflow_1_is_bilinear_from_the_corner(shape: tuple[int, int]) -> None:
    frames = noise(*shape)
    assert np.abs(squash_tf1(frames, 32).numpy() - by_definition(frames, 32, 32, centres=False)).max() < ROUNDING


@pytest.mark.parametrize(
    ("shape", "whole"), [((18, 30), (32, 54)), ((40, 25), (52, 32)), ((20, 20), (32, 32)), ((90, 31), (93, 32))]
)
def test_crop_is_the_middle_of_the_short_side_at_the_size(shape: tuple[int, int], whole: tuple[int, int]) -> None:
    frames = noise(*shape)
    assert short_side(frames[0], 32) == whole
    top, left = (whole[0] - 32) // 2, (whole[1] - 32) // 2
    expected = by_definition(frames, *whole, centres=True)[:, :, top : top + 32, left : left + 32]
    assert np.abs(crop(frames, 32).numpy() - expected).max() < ROUNDING


@pytest.mark.parametrize(("shape", "whole"), [((240, 320), (64, 86)), ((100, 70), (92, 64)), ((30, 40), (64, 86))])
@pytest.mark.parametrize("rounding", ["floor", "nearest"])
def test_a_first_step_is_an_antialiased_resize_in_whole_grey_levels(
    shape: tuple[int, int], whole: tuple[int, int], rounding: str
) -> None:
    frames = noise(*shape)
    got = through(frames, replace(FLOOR_64, rounding=rounding))
    top, left = (whole[0] - 64) // 2, (whole[1] - 64) // 2
    for frame, ours in zip(frames, got, strict=True):
        for plane, channel in zip(frame, ours, strict=True):
            image = Image.fromarray(plane.astype(np.float32)).resize(whole[::-1], Image.Resampling.BILINEAR)
            exact = np.asarray(image)[top : top + 64, left : left + 64]
            rounded = np.floor(exact) if rounding == "floor" else np.rint(exact)
            assert np.abs(channel - rounded).max() <= 1
            assert (channel != rounded).mean() < 0.005  # a value on the border of two levels may fall to either side


def test_a_first_step_of_cd_fvd_is_what_torchvision_and_a_cast_to_bytes_make() -> None:
    from torch import from_numpy
    from torchvision.transforms.v2.functional import center_crop, resize

    frames = noise(120, 160)
    unit = from_numpy(frames).float() / 255
    cast = (center_crop(resize(unit, [64, 86], antialias=True), [64, 64]) * 255).byte().numpy()
    assert np.array_equal(through(frames, FLOOR_64), cast)


def test_rounding_down_darkens_by_half_a_level_on_average() -> None:
    frames = noise(120, 160, frames=8)
    down = through(frames, FLOOR_64).astype(np.float64)
    near = through(frames, replace(FLOOR_64, rounding="nearest")).astype(np.float64)
    assert (near - down).mean() == pytest.approx(0.5, abs=0.02)
    assert set(np.unique(near - down)) == {0.0, 1.0}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("shape", [(1, 1), (17, 300), (300, 17), (225, 256), (256, 256), (41, 82)])
def test_every_recipe_takes_every_size_and_gives_the_networks(recipe: FvdRecipe, shape: tuple[int, int]) -> None:
    made = i3d_input(noise(*shape), recipe)
    assert made.shape == (2, 3, recipe.size, recipe.size)
    assert str(made.dtype) == "torch.float32"
    assert -1.0 <= float(made.min()) <= float(made.max()) <= 1.0


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_grey_stays_grey(recipe: FvdRecipe) -> None:
    levels = np.arange(0, 256, 5)
    frames = np.stack([np.full((3, 48, 80), level, np.uint8) for level in levels])
    off = np.abs(resized(frames, recipe).numpy() - levels[:, None, None, None])
    # where the weights of a resize sum to just below 1, rounding down loses a level (docs/findings.md 19)
    assert off.max() <= (1 if recipe.through and recipe.through.rounding == "floor" else 1e-4)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_each_frame_is_treated_by_itself(recipe: FvdRecipe) -> None:
    frames = noise(45, 70, frames=3)
    alone = [resized(frames[i : i + 1], recipe).numpy()[0] for i in range(3)]
    assert np.array_equal(resized(frames, recipe).numpy(), np.stack(alone))


@pytest.mark.parametrize("function", [squash, squash_tf1, crop])
def test_frames_of_the_size_asked_for_are_untouched(function: object) -> None:
    frames = noise(64, 64)
    assert np.array_equal(function(frames, 64).numpy(), frames)  # type: ignore[operator]


def test_of_square_frames_crop_is_squash() -> None:
    assert np.array_equal(crop(noise(90, 90), 64).numpy(), squash(noise(90, 90), 64).numpy())


def test_only_tensorflow_1s_squash_tells_left_from_right() -> None:
    frames = noise(18, 30)
    for function in (squash, squash_tf1):
        mirrored = function(np.ascontiguousarray(frames[..., ::-1]), 64).numpy()[..., ::-1]
        same = np.abs(mirrored - function(frames, 64).numpy()).max() < 1e-3
        assert same == (function is squash)


def test_crop_256_is_univg_of_videos_stored_as_256x256() -> None:
    recipe, frames = FVD_RECIPES["crop-256"], noise(360, 640)
    assert recipe.through is not None
    stored = through(frames, recipe.through)
    assert stored.shape == (2, 3, 256, 256)
    assert np.array_equal(i3d_input(frames, recipe).numpy(), i3d_input(stored, FVD_RECIPES["univg"]).numpy())
    assert np.array_equal(i3d_input(stored, recipe).numpy(), i3d_input(stored, FVD_RECIPES["univg"]).numpy())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.int8])
def test_other_types_than_uint8_are_refused_by_every_recipe(recipe: FvdRecipe, kind: type) -> None:
    with pytest.raises(InputError, match=f"found video of type {np.dtype(kind)}, expected uint8"):
        i3d_input(noise(48, 80).astype(kind), recipe)
