"""Our I3D and FVD against published implementations, on regenerated weights and clips (shared/data/fvd_oracles).

The weights are random with calibrated batch norms, so the values say nothing of quality; what counts is that an
implementation prints the same number.
"""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from univg_bench.features.i3d import VideoFeatures, load_video_features
from univg_bench.features.weights import Weights
from univg_bench.metrics.fvd import fvd
from univg_bench.recipes import FVD_RECIPES

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "fvd_oracles"
RECIPE = FVD_RECIPES["univg"]

pytestmark = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ORACLES / "dev" / "expected.json").read_text())
    return content


@pytest.fixture(scope="module")
def weights(expected: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Weights:
    recipe = runpy.run_path(str(ORACLES / "i3d_recipe.py"))
    state = recipe["state_dict"](expected["salt"], ORACLES / "dev" / "bn_stats.npz")
    assert recipe["digest"](state) == expected["sha256"]["state_dict"]
    path = tmp_path_factory.mktemp("oracle") / "i3d.safetensors"
    save_file({key: torch.from_numpy(value) for key, value in state.items()}, path)
    return Weights("oracle", path, expected["sha256"]["state_dict"], "safetensors", "", "i3d")


@pytest.fixture(scope="module")
def extractor(weights: Weights) -> VideoFeatures:
    return load_video_features(RECIPE, weights)


@pytest.fixture(scope="module")
def clips() -> dict[str, np.ndarray]:
    make = runpy.run_path(str(ORACLES / "clips.py"))["clips"]
    return {kind: make("dev", kind).transpose(0, 1, 4, 2, 3) for kind in ("real", "fake")}  # (N, F, 3, H, W)


@pytest.fixture(scope="module")
def features(extractor: VideoFeatures, clips: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {kind: np.stack([extractor(clip) for clip in videos]) for kind, videos in clips.items()}


def relative_error(got: np.ndarray, wanted: np.ndarray) -> float:
    return float((np.linalg.norm(got - wanted, axis=1) / np.linalg.norm(wanted, axis=1)).max())


def test_keys_and_shapes_are_those_of_the_published_files(extractor: VideoFeatures) -> None:
    ours = {k: list(v.shape) for k, v in extractor.net.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert ours == json.loads((ORACLES / "keys.json").read_text())


def test_features_are_the_oracles(features: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    oracle = np.load(ORACLES / "dev" / "features.npz")["squash_bilinear|eps1e-3"]
    assert relative_error(features["real"][:3], oracle) <= expected["feature_rel_l2_tol"]["squash_bilinear"]


def test_features_with_the_batch_norm_of_the_ports_are_the_oracles(
    weights: Weights, clips: dict[str, np.ndarray], expected: dict[str, Any]
) -> None:
    oracle = np.load(ORACLES / "dev" / "features.npz")["squash_bilinear|eps1e-5"]
    extractor = load_video_features(dataclasses.replace(RECIPE, bn_eps=1e-5), weights)
    got = np.stack([extractor(clip) for clip in clips["real"][:2]])
    assert relative_error(got, oracle[:2]) <= expected["feature_rel_l2_tol"]["squash_bilinear"]


def test_fvd_of_the_default_recipe_is_exact(features: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    wanted = expected["exact"]["squash_bilinear|eps1e-3|ddof1"]
    assert distance(features, ddof=RECIPE.ddof) == pytest.approx(wanted["value"], rel=1e-5)


def test_fvd_of_stylegan_v_is_what_its_own_code_prints(
    features: dict[str, np.ndarray], expected: dict[str, Any]
) -> None:
    wanted = expected["modes"]["stylegan-v"]  # the same features, covariance with ddof 0
    assert (wanted["geometry"], wanted["bn_eps"], wanted["ddof"]) == ("squash_bilinear", RECIPE.bn_eps, 0)
    assert distance(features, ddof=0) == pytest.approx(wanted["value"], rel=wanted["rel_tol"])


def distance(features: dict[str, np.ndarray], *, ddof: int) -> float:
    names = [f"clip{i}" for i in range(len(features["real"]))]
    result = fvd(
        features["fake"], features["real"], ddof=ddof, clusters=names, reference_clusters=names, replicates=0, seed=0
    )
    return result.value
