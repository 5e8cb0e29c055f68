"""FID's features against torch-fidelity and clean-fid themselves, with one set of random weights.

They live in a second environment (`make peers`), so a child process with its own interpreter computes their side.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from univg_bench.features.inception import inception_input, inception_network, load_frame_features
from univg_bench.features.weights import Weights
from univg_bench.recipes_frames import FID_RECIPES

PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="needs torch-fidelity and clean-fid: run `make peers`")

THEIRS = """
import sys
import warnings
warnings.simplefilter("ignore")
import numpy as np
import torch
torch.set_num_threads(1)
from cleanfid.resize import build_resizer
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
weights, frames, dest = sys.argv[1:]
frames = np.load(frames)
resize = build_resizer("clean")
clean = np.stack([resize(frame.transpose(1, 2, 0)).transpose(2, 0, 1) for frame in frames])
net = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=weights)
with torch.inference_mode():
    features = net(torch.from_numpy(frames))[0].numpy()
np.savez(dest, clean=clean, features=features)
"""


def test_torch_fidelity_and_clean_fid_get_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = inception_network()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(net.state_dict(), tmp_path / "inception.pth")
    coarse = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 36), dtype=np.uint8)
    frames = np.repeat(np.repeat(coarse, 16, axis=2), 16, axis=3)
    np.save(tmp_path / "frames.npy", frames)
    paths = [str(tmp_path / name) for name in ("inception.pth", "frames.npy", "theirs.npz")]
    subprocess.run([str(PYTHON), "-c", THEIRS, *paths], check=True, timeout=300)
    theirs = np.load(tmp_path / "theirs.npz")

    weights = Weights("inception-fid", tmp_path / "inception.pth", "0" * 64, "torch", "random", None)
    found = load_frame_features(FID_RECIPES["torch-fidelity"], weights)(frames)
    assert theirs["features"].std() > 1e-3
    assert np.abs(found - theirs["features"]).max() < 1e-5 * np.abs(theirs["features"]).max()
    # clean-fid puts 0..255 through (x - 128) / 128 before its layers
    clean = inception_input(frames, FID_RECIPES["clean-fid"]).numpy()
    assert clean == pytest.approx((theirs["clean"] - 128) / 128, abs=1e-6)
