"""FID's Inception equals pytorch-fid's own module, and each resize equals an independent computation of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_fid import inception as published
from safetensors.torch import save_file

from univg_bench.errors import InputError
from univg_bench.features.inception import inception_input, inception_network, load_frame_features
from univg_bench.features.weights import Weights
from univg_bench.recipes_frames import FID_RECIPES


def frames(count: int = 3, height: int = 40, width: int = 56) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (count, 3, height // 4, width // 4), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 4, axis=2), 4, axis=3)


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Random weights that keep the signal alive through 20 layers, in the keys of the published file."""
    torch.manual_seed(0)
    net = inception_network()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.2)
            module.bias.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.8, 1.5)
    return dict(net.state_dict())


@pytest.fixture(scope="module")
def weights(tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Weights:
    path = tmp_path_factory.mktemp("inception") / "inception.safetensors"
    save_file(tensors, path)
    return weights_at(path)


def weights_at(path: Path, architecture: str | None = None) -> Weights:
    return Weights("inception-fid", path, "0" * 64, "safetensors", "random", architecture)


def test_features_equal_those_of_pytorch_fid(tensors, weights, monkeypatch) -> None:
    monkeypatch.setattr(published, "load_state_dict_from_url", lambda url, progress: tensors)
    theirs = published.InceptionV3([published.InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    video = frames()
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(video).float() / 255)[0][:, :, 0, 0].numpy()
    found = load_frame_features(FID_RECIPES["pytorch-fid"], weights)(video)
    assert found.shape == (3, 2048)
    assert found.dtype == np.float32
    assert expected.std() > 1e-3  # the comparison is not one of zeros
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_frame_has_its_feature_in_any_company(weights) -> None:
    features = load_frame_features(FID_RECIPES["torch-fidelity"], weights)
    video = frames()
    alone = np.concatenate([features(video[i : i + 1]) for i in range(3)])
    assert features(video) == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert (features(video) == features(video)).all()


def test_tensorflow_1_resizes_from_the_corner() -> None:
    # pixel i of the output lies at i · length / 299 of the input, between its two neighbours; nothing is half a pixel
    video, size = frames(1, 16, 24), 299
    expected = np.empty((3, size, size))
    for i in range(size):
        for j in range(size):
            y, x = i * np.float32(16 / size), j * np.float32(24 / size)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, 15), min(x0 + 1, 23)
            a, b = float(y) - y0, float(x) - x0
            corner = video[0, :, [y0, y0, y1, y1], [x0, x1, x0, x1]].astype(float)  # (4, 3)
            expected[:, i, j] = np.array([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b]) @ corner
    found = inception_input(video, FID_RECIPES["torch-fidelity"])[0].numpy()
    assert found == pytest.approx((expected - 128) / 128, abs=1e-5)


@pytest.mark.parametrize(("height", "width"), [(40, 56), (400, 512)])
def test_clean_fid_resizes_each_colour_with_pil(height: int, width: int) -> None:
    video = frames(1, height, width)
    channels = [
        Image.fromarray(channel.astype(np.float32), mode="F").resize((299, 299), Image.Resampling.BICUBIC)
        for channel in video[0]
    ]
    expected = np.stack([np.clip(np.asarray(channel), 0, 255) for channel in channels])
    found = inception_input(video, FID_RECIPES["clean-fid"])[0].numpy()
    assert found == pytest.approx((expected - 128) / 128, abs=1e-6)


def test_only_clean_fid_averages_what_shrinking_leaves_out() -> None:
    stripes = np.zeros((1, 3, 1196, 1196), np.uint8)
    stripes[..., ::2] = 254  # a mean of 127, of which a resize without antialiasing picks its points
    spread = {name: float(inception_input(stripes, recipe).std()) for name, recipe in FID_RECIPES.items()}
    assert spread["clean-fid"] < 0.02
    assert inception_input(stripes, FID_RECIPES["torch-fidelity"]).mean() > 0.9
    assert inception_input(stripes, FID_RECIPES["pytorch-fid"]).shape == (1, 3, 299, 299)


def test_the_range_is_that_of_each_implementation() -> None:
    black, white = (np.full((1, 3, 30, 30), value, np.uint8) for value in (0, 255))
    for name, top in (("pytorch-fid", 1.0), ("clean-fid", 127 / 128), ("torch-fidelity", 127 / 128)):
        recipe = FID_RECIPES[name]
        assert inception_input(black, recipe).numpy() == pytest.approx(-1, abs=1e-6)
        assert inception_input(white, recipe).numpy() == pytest.approx(top, abs=1e-6)


def test_weights_of_another_network_are_refused(tensors, weights, tmp_path) -> None:
    recipe = FID_RECIPES["pytorch-fid"]
    short = {key: value for key, value in tensors.items() if not key.startswith("Mixed_7c.")}
    save_file(short, tmp_path / "short.safetensors")
    with pytest.raises(InputError, match=r"does not fit the network: .* missing"):
        load_frame_features(recipe, weights_at(tmp_path / "short.safetensors"))
    with pytest.raises(InputError, match="FID needs weights of inception-fid, found"):
        load_frame_features(recipe, weights_at(weights.path, architecture="i3d"))


def test_the_digest_knows_the_recipe(weights) -> None:
    digests = {load_frame_features(FID_RECIPES[name], weights).digest for name in ("pytorch-fid", "clean-fid")}
    assert len(digests) == 2


def test_other_arrays_and_damaged_weights_are_refused(tensors, weights, tmp_path) -> None:
    features = load_frame_features(FID_RECIPES["pytorch-fid"], weights)
    with pytest.raises(InputError, match="expected uint8"):
        features(frames() / 255)
    broken = {
        **tensors,
        "Mixed_7c.branch_pool.bn.bias": torch.full_like(tensors["Mixed_7c.branch_pool.bn.bias"], torch.nan),
    }
    save_file(broken, tmp_path / "broken.safetensors")
    with pytest.raises(InputError, match="damaged"):
        load_frame_features(FID_RECIPES["pytorch-fid"], weights_at(tmp_path / "broken.safetensors"))(frames(1))
