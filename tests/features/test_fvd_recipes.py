"""FVD recipes are frozen: what they say, and that their digests say it."""

from dataclasses import replace
from pathlib import Path

import pytest

from univg_bench.recipes import FVD_RECIPES, Through, cd_fvd

# A digest here changes only together with a line under "Numbers" of the changelog: values under it move or lose their
# comparison, and cached features rest.
DIGESTS = {
    "univg": "f6cf62035fcc",
    "univg-bf16": "b4a201e559eb",
    "crop-256": "7f334ec513be",
    "tf-original": "fe90d31a6815",
    "stylegan-v": "7f85fe4c2a03",
    "videogpt": "94a4c6f0866b",
    "tats": "1896be0ae79f",
    "cd-fvd-256": "9e2e64da200c",
    "cd-fvd-128": "a8345e22a633",
    "cd-fvd-arrays": "61977a5acf4a",
    "common-metrics-styleganv": "bd8c51551f5d",
    "common-metrics-videogpt": "cd5a25bfea34",
    "tiny": "b7daef46b0c3",
}


def test_digests_are_what_they_were_when_the_recipes_were_published() -> None:
    assert {name: recipe.digest[:12] for name, recipe in FVD_RECIPES.items()} == DIGESTS


def test_every_recipe_stands_in_the_table_of_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    for name, recipe in FVD_RECIPES.items():
        assert recipe.network == "tiny-i3d" or f"| `{name}` |" in page, name


def test_names_are_those_of_the_recipes_and_each_has_a_source() -> None:
    assert all(recipe.name == name and recipe.source for name, recipe in FVD_RECIPES.items())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"}, {"version": 2}, {"network": "tiny-i3d"}, {"size": 64}, {"geometry": "crop"},
        {"kernel": "bilinear-tf1"}, {"antialias": True}, {"bn_eps": 1e-5}, {"ddof": 0},
        {"through": Through(256, antialias=True, rounding="floor")},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_field_that_moves_the_number_moves_the_digest(change: dict[str, object]) -> None:
    recipe = FVD_RECIPES["univg"]
    assert replace(recipe, **change).digest != recipe.digest  # type: ignore[arg-type]


def test_a_source_in_other_words_moves_no_digest() -> None:
    assert replace(FVD_RECIPES["univg"], source="?").digest == FVD_RECIPES["univg"].digest


def test_every_field_of_the_first_step_moves_the_digest() -> None:
    recipe = cd_fvd(256)
    assert recipe.through is not None
    steps = [
        recipe.through, replace(recipe.through, size=128), replace(recipe.through, antialias=False),
        replace(recipe.through, rounding="nearest"),
    ]  # fmt: skip
    assert len({replace(recipe, through=step).digest for step in steps}) == 4


def test_cd_fvd_takes_any_resolution() -> None:
    recipe = cd_fvd(192)
    assert (recipe.name, recipe.through) == ("cd-fvd-192", Through(192, antialias=True, rounding="floor"))
    assert FVD_RECIPES["cd-fvd-256"] == cd_fvd(256)
