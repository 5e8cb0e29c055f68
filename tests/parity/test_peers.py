"""Our FVD against packages that people install: cd-fvd whole, and the Fréchet distances of the FID packages.

They need an older SciPy or transformers than we have, so they live in an environment of their own.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_input import i3d_input
from univg_bench.features.video_features import load_video_features
from univg_bench.features.weights import Weights
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.recipes import FVD_RECIPES, FvdRecipe, cd_fvd
from univg_bench.statistics import moments_of

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
RESOLUTION = 64  # small, so that the antialiased step has something to do on small clips

pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason=f"there is no {PYTHON}; run `make peers` to enable this")


@pytest.fixture(scope="module")
def clips() -> dict[str, np.ndarray]:
    """Smooth drifting patterns, (N, F, H, W, 3) uint8; the generated ones drift slower and are noisy."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:80, :120] / 80

    def clip(speed: float, noise: float) -> np.ndarray:
        phase, down, along = rng.uniform(0, 6, 3), rng.uniform(2, 12, 3), rng.uniform(2, 12, 3)
        frames = [[np.sin(down[c] * y + along[c] * x + phase[c] + speed * t) for c in range(3)] for t in range(9)]
        grey = 127 + 100 * np.array(frames).transpose(0, 2, 3, 1) + noise * rng.standard_normal((9, 80, 120, 3))
        made: np.ndarray = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        return made

    return {
        "real": np.stack([clip(0.6, 0) for _ in range(3)]),
        "fake": np.stack([clip(0.2, 20) for _ in range(3)]),
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    torch.manual_seed(5)
    net = I3D()
    for key, value in net.state_dict().items():
        if key.endswith("conv3d.weight"):
            torch.nn.init.kaiming_normal_(value, nonlinearity="relu")
        elif key.endswith("running_var"):
            value.uniform_(0.001, 1.5)  # small enough in places for the epsilon to matter
    path = tmp_path_factory.mktemp("peers") / "i3d.pt"
    torch.save(net.state_dict(), path)
    return Weights("peers", path, "0" * 64, "torch", "", "i3d")


@pytest.fixture(scope="module")
def features() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((24, 24))
    return rng.standard_normal((200, 24)) @ mixing, 1.2 * rng.standard_normal((150, 24)) @ mixing + 0.3


@pytest.fixture(scope="module")
def peers(
    clips: dict[str, np.ndarray], weights: Weights, features: tuple[np.ndarray, np.ndarray], tmp_path_factory
) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("exchange")
    np.savez(folder / "given.npz", resolution=RESOLUTION, x=features[0], y=features[1], **clips)
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("peer_numbers.py")), "given.npz", str(weights.path), "out.npz"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / "out.npz"))


def ours(recipe: FvdRecipe, weights: Weights, clips: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    extractor = load_video_features(recipe, weights)
    return {kind: np.stack([extractor(clip.transpose(0, 3, 1, 2)) for clip in of]) for kind, of in clips.items()}


def distance(a: np.ndarray, b: np.ndarray, *, ddof: int = 1) -> float:
    return frechet_distance(moments_of(a).gaussian(ddof=ddof), moments_of(b).gaussian(ddof=ddof))


def relative_error(got: np.ndarray, wanted: np.ndarray) -> float:
    return float((np.linalg.norm(got - wanted, axis=1) / np.linalg.norm(wanted, axis=1)).max())


def test_what_cd_fvds_network_sees_is_what_ours_sees(
    peers: dict[str, np.ndarray], clips: dict[str, np.ndarray]
) -> None:
    for clip, theirs in zip(clips["real"], peers["input"], strict=True):
        seen = i3d_input(clip.transpose(0, 3, 1, 2), cd_fvd(RESOLUTION)).numpy().transpose(1, 0, 2, 3)
        assert np.abs(seen - theirs).max() < 1e-6


@pytest.mark.parametrize(("path", "recipe"), [("loader", cd_fvd(RESOLUTION)), ("arrays", FVD_RECIPES["cd-fvd-arrays"])])
def test_cd_fvd_computes_our_features_and_our_distance(
    path: str, recipe: FvdRecipe, peers: dict[str, np.ndarray], clips: dict[str, np.ndarray], weights: Weights
) -> None:
    made = ours(recipe, weights, clips)
    for kind in ("real", "fake"):
        assert relative_error(made[kind], peers[f"{path}_{kind}"]) < 2e-5
    assert distance(made["fake"], made["real"], ddof=recipe.ddof) == pytest.approx(
        float(peers[f"{path}_fvd"]), rel=1e-4
    )


def test_the_two_paths_of_cd_fvd_are_two_numbers(peers: dict[str, np.ndarray]) -> None:
    assert abs(float(peers["loader_fvd"]) / float(peers["arrays_fvd"]) - 1) > 0.01


@pytest.mark.parametrize("name", ["pytorch_fid", "clean_fid", "torch_fidelity", "torchmetrics", "videogpt_float64"])
def test_frechet_distances_of_five_packages_are_ours(
    name: str, peers: dict[str, np.ndarray], features: tuple[np.ndarray, np.ndarray]
) -> None:
    assert distance(*features) == pytest.approx(float(peers[name]), rel=1e-9)


def test_float32_statistics_are_near_only(
    peers: dict[str, np.ndarray], features: tuple[np.ndarray, np.ndarray]
) -> None:
    error = abs(float(peers["videogpt_float32"]) / distance(*features) - 1)
    assert 1e-9 < error < 1e-3
