"""Recipes are read strictly: what is wrong is said with its place, and nothing is left to a default by mistake."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from reference_models.presets import load_preset
from reference_models.training.plan import interleaved
from reference_models.training.recipe import Ema, Keeping, Optimiser
from reference_models.training.recipe_files import load_recipe, shipped_recipes
from tests.training.small_training import small_recipe
from univg_bench.errors import InputError

GOOD = """\
name: mine
preset: tiny-fb
phases:
  - steps: 10
    batches:
      - {kind: frames, clips: 4}
      - {kind: videos, clips: 2, num_frames: [8, 24]}
optimiser: {learning_rate: 1e-3}
"""


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_read_and_named_as_its_file(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.init_from is None or load_preset(recipe.init_from)


def test_the_papers_recipes_say_what_the_paper_says() -> None:
    fb, fa, fsr = (load_recipe(f"univg-{stage}") for stage in ("fb", "fa", "fsr"))
    kinds = [batches.kind for batches in interleaved(fb.phases[0].batches)]
    assert sorted(kinds) == ["frames", "images", "videos"]  # 1 : 1 : 1
    assert {b.num_frames for r in (fb, fa, fsr) for b in r.phases[0].batches if b.kind == "videos"} == {(8, 24)}
    assert [recipe.optimiser.learning_rate for recipe in (fb, fa, fsr)] == [1e-5] * 3
    assert (fb.dropout.text, fb.dropout.image) == (0.5, 0.1)
    assert [recipe.diffusion.offset_noise for recipe in (fb, fa, fsr)] == [0.1] * 3
    assert all(recipe.trained.zero_snr for recipe in (fb, fa, fsr))
    assert [recipe.trained.emits for recipe in (fb, fa, fsr)] == ["eps", "eps", "v"]
    assert fb.diffusion.bgn is None
    assert [(b.t_m, b.t_n) for b in (fa.diffusion.bgn, fsr.diffusion.bgn) if b] == [(600, 990), (0, 700)]
    assert fb.checkpoints.milestones == (160_000, 200_000, 240_000, 270_000, 280_000)  # Figure 5


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "learning_rate: 1e-3",
            "learning_rat: 1e-3",
            "8:13: unknown key 'learning_rat'; did you mean 'learning_rate'?",
        ),
        ("optimiser: {learning_rate: 1e-3}", "seed: 1", "1:1: missing key 'optimiser'"),
        ("learning_rate: 1e-3", "learning_rate: fast", "8:28: learning_rate: found 'fast', expected a number"),
        ("clips: 4", "clips: 4.5", "6:31: clips: found 4.5, expected a whole number"),
        ("clips: 4", "clips: true", "6:31: clips: found True, expected a whole number"),
        ("kind: frames", "kind: pictures", "6:16: kind: found 'pictures', expected one of images, frames, videos"),
        ("[8, 24]", "[24, 8]", "7:9: found num_frames [24, 8] of videos"),
        ("[8, 24]", "[8]", "7:46: num_frames: found [8], expected a list of 2"),
        ("preset: tiny-fb", "preset: tiny", "1:1: found no preset 'tiny'"),
        ("name: mine", "name: mine\nema: {decay: 1}", "2:1: found decay 1.0"),
        ("name: mine", "name: mine\ndiffusion: {bgn: {t_m: 0, t_n: 700}}", "1:1: found bgn for a base stage"),
        ("name: mine", "name: mine\ncheckpoints: {milestones: [11]}", "1:1: found milestones [11]"),
        ("name: mine", "name: mine\nname: yours", "2:1: duplicate key 'name'"),
    ],
)
def test_a_fault_is_said_with_its_place(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_recipe(str(path))
    assert f"{path}:{sentence}" in str(caught.value)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"found no recipe 'tiny'; there are .*tiny-fb"):
        load_recipe("tiny")


def test_the_digest_is_of_what_decides_the_weights() -> None:
    recipe = small_recipe()
    assert replace(recipe, name="other", checkpoints=Keeping(every=9, milestones=(3,))).digest == recipe.digest
    assert replace(recipe, seed=1).digest != recipe.digest
    assert replace(recipe, optimiser=Optimiser(2e-3)).digest != recipe.digest


def test_the_rate_rises_stays_and_falls() -> None:
    optimiser = Optimiser(1.0, warmup=10, decay="cosine", decay_from=0.5, final=0.1)
    rates = [optimiser.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert set(rates[10:51]) == {1.0}
    assert all(a > b for a, b in pairwise(rates[50:]))
    assert optimiser.rate(100, 100) == pytest.approx(0.1)
    assert Optimiser(1.0, decay="linear").rate(25, 100) == pytest.approx(0.75)


def test_the_average_keeps_little_at_first() -> None:
    ema = Ema(0.99, warmup=10)
    assert [ema.kept(step) for step in (0, 9, 10_000)] == [0.1, 10 / 19, 0.99]
