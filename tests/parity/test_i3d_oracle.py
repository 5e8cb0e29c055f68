"""Our I3D and FVD against published implementations, on regenerated weights and clips (shared/data/fvd_oracles).

The weights are random with calibrated batch norms, so the values say nothing of quality; what counts is that an
implementation prints the same number.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from univg_bench.features.video_features import load_video_features
from univg_bench.features.weights import Weights
from univg_bench.metrics.frechet import FrechetParts, frechet_parts
from univg_bench.recipes import FVD_RECIPES, FvdRecipe
from univg_bench.statistics import moments_of

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "fvd_oracles"
DEV = ORACLES / "dev"

pytestmark = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)

# the oracle's name of a geometry -> a recipe of ours that has it
GEOMETRIES = {
    "squash_bilinear": FVD_RECIPES["univg"],
    "squash_tf1": FVD_RECIPES["tf-original"],
    "crop_bilinear": FVD_RECIPES["videogpt"],
    "cdfvd_256": FVD_RECIPES["cd-fvd-256"],
    "cdfvd_128": FVD_RECIPES["cd-fvd-128"],
}
# every pair that a published implementation has; the others cost as much again and are slow
PUBLISHED = [
    ("squash_bilinear", 1e-3), ("squash_bilinear", 1e-5), ("squash_tf1", 1e-3), ("crop_bilinear", 1e-3),
    ("crop_bilinear", 1e-5), ("cdfvd_256", 1e-5), ("cdfvd_128", 1e-5),
]  # fmt: skip
OTHERS = [("squash_tf1", 1e-5), ("cdfvd_256", 1e-3), ("cdfvd_128", 1e-3)]
MODES = [
    "tf-original", "stylegan-v", "videogpt", "tats", "cd-fvd-256", "cd-fvd-128", "common-metrics-styleganv",
    "common-metrics-videogpt",
]  # fmt: skip

Sets = dict[str, np.ndarray]  # real, fake -> features (N, 400)
FeaturesOf = Callable[[FvdRecipe], Sets]


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DEV / "expected.json").read_text())
    return content


@pytest.fixture(scope="module")
def weights(expected: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Weights:
    recipe = runpy.run_path(str(ORACLES / "i3d_recipe.py"))
    state = recipe["state_dict"](expected["salt"], DEV / "bn_stats.npz")
    assert recipe["digest"](state) == expected["sha256"]["state_dict"]
    path = tmp_path_factory.mktemp("oracle") / "i3d.safetensors"
    save_file({key: torch.from_numpy(value) for key, value in state.items()}, path)
    return Weights("oracle", path, expected["sha256"]["state_dict"], "safetensors", "", "i3d")


@pytest.fixture(scope="module")
def clips() -> dict[str, np.ndarray]:
    make = runpy.run_path(str(ORACLES / "clips.py"))["clips"]
    return {kind: make("dev", kind).transpose(0, 1, 4, 2, 3) for kind in ("real", "fake")}  # (N, F, 3, H, W)


@pytest.fixture(scope="module")
def features_of(weights: Weights, clips: dict[str, np.ndarray]) -> FeaturesOf:
    """Features of all clips; recipes that differ in name and covariance only share them, each is computed once."""
    done: dict[FvdRecipe, Sets] = {}

    def features(recipe: FvdRecipe) -> Sets:
        seen = replace(recipe, name="", source="", ddof=1)
        if seen not in done:
            extractor = load_video_features(recipe, weights)
            done[seen] = {kind: np.stack([extractor(clip) for clip in videos]) for kind, videos in clips.items()}
        return done[seen]

    return features


def relative_error(got: np.ndarray, wanted: np.ndarray) -> float:
    return float((np.linalg.norm(got - wanted, axis=1) / np.linalg.norm(wanted, axis=1)).max())


def distance(sets: Sets, *, ddof: int) -> FrechetParts:
    return frechet_parts(moments_of(sets["fake"]).gaussian(ddof=ddof), moments_of(sets["real"]).gaussian(ddof=ddof))


def test_keys_and_shapes_are_those_of_the_published_files(weights: Weights) -> None:
    from univg_bench.features.i3d import I3D

    ours = {k: list(v.shape) for k, v in I3D().state_dict().items() if not k.endswith("num_batches_tracked")}
    assert ours == json.loads((ORACLES / "keys.json").read_text())


def test_modes_of_the_oracle_are_all_recipes_here(expected: dict[str, Any]) -> None:
    assert set(MODES) == set(expected["modes"]) <= set(FVD_RECIPES)
    for name, mode in expected["modes"].items():
        recipe, same = FVD_RECIPES[name], GEOMETRIES[mode["geometry"]]
        assert (recipe.bn_eps, recipe.ddof) == (mode["bn_eps"], mode["ddof"])
        assert (recipe.geometry, recipe.kernel, recipe.through) == (same.geometry, same.kernel, same.through)


def check_pair(geometry: str, bn_eps: float, features_of: FeaturesOf, expected: dict[str, Any]) -> None:
    pair = f"{geometry}|eps{'1e-3' if bn_eps == 1e-3 else '1e-5'}"
    sets = features_of(replace(GEOMETRIES[geometry], bn_eps=bn_eps))
    oracle = np.load(DEV / "features.npz")[pair]
    assert relative_error(sets["real"][: len(oracle)], oracle) <= expected["feature_rel_l2_tol"][geometry]
    for ddof in (0, 1):
        wanted, got = expected["exact"][f"{pair}|ddof{ddof}"], distance(sets, ddof=ddof)
        assert got.distance == pytest.approx(wanted["value"], rel=wanted["rel_tol"])
        assert got.mean == pytest.approx(wanted["mean_part"], rel=wanted["rel_tol"])
        assert got.trace == pytest.approx(wanted["trace_part"], rel=wanted["rel_tol"])


@pytest.mark.parametrize(("geometry", "bn_eps"), PUBLISHED)
def test_every_combination_in_use_gives_the_exact_features_and_distance(
    geometry: str, bn_eps: float, features_of: FeaturesOf, expected: dict[str, Any]
) -> None:
    check_pair(geometry, bn_eps, features_of, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("geometry", "bn_eps"), OTHERS)
def test_every_other_combination_gives_the_exact_features_and_distance(
    geometry: str, bn_eps: float, features_of: FeaturesOf, expected: dict[str, Any]
) -> None:
    check_pair(geometry, bn_eps, features_of, expected)


@pytest.mark.parametrize("name", MODES)
def test_every_recipe_prints_what_the_implementation_of_its_name_prints(
    name: str, features_of: FeaturesOf, expected: dict[str, Any]
) -> None:
    mode, recipe = expected["modes"][name], FVD_RECIPES[name]
    got = distance(features_of(recipe), ddof=recipe.ddof).distance
    assert got == pytest.approx(mode["exact_float64"], rel=mode["exact_rel_tol"])
    assert got == pytest.approx(mode["value"], rel=mode["rel_tol"])
    if "peer_statistics_in_float64" in mode:  # where its own statistics are float32 and noisy
        precise = mode["peer_statistics_in_float64"]
        assert got == pytest.approx(precise["value"], rel=precise["rel_tol"])


def test_features_of_tf_original_are_those_of_the_published_tensorflow_graph(
    features_of: FeaturesOf, expected: dict[str, Any]
) -> None:
    graph, ours = np.load(DEV / "tf_graph_features.npz"), features_of(FVD_RECIPES["tf-original"])
    for kind in ("real", "fake"):
        assert relative_error(ours[kind], graph[kind]) <= expected["feature_rel_l2_tol"]["squash_tf1"]


def test_the_tolerances_tell_the_recipes_apart(expected: dict[str, Any]) -> None:
    """Recipes that should differ do, by far more than what is allowed: the tests above could fail."""
    values = {name: mode["exact_float64"] for name, mode in expected["modes"].items()}
    del values["common-metrics-videogpt"]  # the same knobs as videogpt
    ordered = sorted(values.values())
    assert all(b / a - 1 > 0.02 for a, b in pairwise(ordered))


def test_half_precision_is_near_the_default_and_not_within_its_tolerance(
    features_of: FeaturesOf, expected: dict[str, Any]
) -> None:
    exact = expected["exact"]["squash_bilinear|eps1e-3|ddof1"]
    moved = distance(features_of(FVD_RECIPES["univg-bf16"]), ddof=1).distance / exact["value"] - 1
    assert exact["rel_tol"] < abs(moved) < 1e-2, f"moved by {moved:+.5%}"
