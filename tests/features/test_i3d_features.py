"""From a video to its feature: what goes in, which weights are taken and which refused."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from univg_bench.errors import InputError
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_input import i3d_input
from univg_bench.features.i3d_layouts import load_i3d_tensors
from univg_bench.features.tensors import read_tensors
from univg_bench.features.tiny import TINY_I3D
from univg_bench.features.video_features import load_video_features
from univg_bench.features.weights import Weights, container
from univg_bench.recipes import FVD_RECIPES

TINY = FVD_RECIPES["tiny"]


def weights_of(path: Path, architecture: str | None = None) -> Weights:
    return Weights("test", path, "0" * 64, container(path), "", architecture)


def tiny_state() -> dict[str, Tensor]:
    """Random weights that keep the signal alive: with PyTorch's own start the logits would be their bias alone."""
    torch.manual_seed(3)
    net = I3D(TINY_I3D.class_count, width=TINY_I3D.width)
    for key, value in net.state_dict().items():
        if key.endswith("conv3d.weight"):
            torch.nn.init.kaiming_normal_(value, nonlinearity="relu")
        elif key.endswith("running_var"):
            value.uniform_(0.001, 1.5)  # small enough in places for the eps to matter
    return net.state_dict()


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(tiny_state(), path)
    return path


@pytest.fixture(scope="module")
def video() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 3, 45, 70), dtype=np.uint8)


def test_feature_is_what_the_recipe_says_step_by_step(tiny_file: Path, video: np.ndarray) -> None:
    features = load_video_features(TINY, weights_of(tiny_file))
    got = features(video)
    net = I3D(TINY_I3D.class_count, width=TINY_I3D.width, bn_eps=TINY.bn_eps).eval()
    net.load_state_dict(tiny_state())
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(video).float(), (64, 64), mode="bilinear", align_corners=False
    )
    with torch.inference_mode():
        expected = net((resized / 127.5 - 1).transpose(0, 1)[None])[0].numpy()
    assert got.dtype == np.float32
    assert got.shape == (features.dim,) == (TINY_I3D.class_count,)
    assert np.linalg.norm(got - expected) <= 1e-5 * np.linalg.norm(expected)


def test_feature_depends_on_the_video_and_on_the_order_of_its_frames(tiny_file: Path, video: np.ndarray) -> None:
    features = load_video_features(TINY, weights_of(tiny_file))
    here = features(video)
    for other in (255 - video, video[::-1], video[:, ::-1], video[:, :, ::-1], np.roll(video, 1, axis=3)):
        assert np.linalg.norm(features(other) - here) > 1e-3 * np.linalg.norm(here)


def test_black_is_minus_one_and_white_is_one(video: np.ndarray) -> None:
    assert (i3d_input(np.zeros_like(video), TINY) == -1).all()
    assert (i3d_input(np.full_like(video, 255), TINY) == 1).all()


def test_frames_of_the_recipes_size_are_not_resampled() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 3, 64, 64), dtype=np.uint8)
    assert np.array_equal(i3d_input(frames, TINY).numpy(), frames.astype(np.float32) / np.float32(127.5) - 1)


def test_views_and_read_only_frames_are_welcome(tiny_file: Path, video: np.ndarray) -> None:
    features = load_video_features(TINY, weights_of(tiny_file))
    decoded = np.ascontiguousarray(video.transpose(0, 2, 3, 1))  # as decoders store it
    decoded.flags.writeable = False
    assert np.array_equal(features(decoded.transpose(0, 3, 1, 2)), features(video))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.astype(np.float32), "found video of type float32, expected uint8"),
        (lambda v: v.transpose(0, 2, 3, 1), r"expected \(F, 3, H, W\); move the colours"),
        (lambda v: v[0], r"found video of shape \(3, 45, 70\), expected \(F, 3, H, W\)"),
        (lambda v: v[:8], "found 8 frames, I3D needs at least 9"),
        (lambda v: v[:0], "empty video"),
    ],
)
def test_what_is_no_video_is_refused(tiny_file: Path, video: np.ndarray, change: object, message: str) -> None:
    features = load_video_features(TINY, weights_of(tiny_file))
    with pytest.raises(InputError, match=message):
        features(change(video))  # type: ignore[operator]


def test_features_that_overflow_are_refused_not_returned(tmp_path: Path, video: np.ndarray) -> None:
    state = tiny_state()
    state["logits.conv3d.weight"] *= 1e38
    state["logits.conv3d.weight"] *= 10
    save_file({k: v.nan_to_num() for k, v in state.items()}, tmp_path / "large.safetensors")
    with pytest.raises(InputError, match="NaN or infinite features"):
        load_video_features(TINY, weights_of(tmp_path / "large.safetensors"))(video)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    state = tiny_state()
    state["logits.conv3d.bias"][0] = value
    with pytest.raises(InputError, match=r"is damaged: 1 tensors with NaN or infinite values \(logits\.conv3d\.bias"):
        load_video_features(TINY, saved(tmp_path, state))


def test_containers_of_the_same_tensors_give_the_same_feature(
    tiny_file: Path, tmp_path: Path, video: np.ndarray
) -> None:
    expected = load_video_features(TINY, weights_of(tiny_file))(video)
    state = {key: value for key, value in tiny_state().items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}, tmp_path / "checkpoint.pth")
    torch.save(state, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    for name in ("plain.pt", "checkpoint.pth", "legacy.pt"):
        assert np.array_equal(load_video_features(TINY, weights_of(tmp_path / name))(video), expected), name


def test_digest_says_recipe_weights_and_device(tiny_file: Path) -> None:
    base = load_video_features(TINY, weights_of(tiny_file)).digest
    assert base == load_video_features(TINY, weights_of(tiny_file)).digest
    other_eps = dataclasses.replace(TINY, bn_eps=1e-5)
    other_file = dataclasses.replace(weights_of(tiny_file), digest="1" * 64)
    assert len({base, load_video_features(other_eps, weights_of(tiny_file)).digest,
                load_video_features(TINY, other_file).digest}) == 3  # fmt: skip


def test_batch_norm_eps_is_the_recipes(tiny_file: Path, video: np.ndarray) -> None:
    one = load_video_features(TINY, weights_of(tiny_file))
    other = load_video_features(dataclasses.replace(TINY, bn_eps=1e-5), weights_of(tiny_file))
    plain = I3D(TINY_I3D.class_count, width=TINY_I3D.width, bn_eps=1e-5).eval()
    plain.load_state_dict(tiny_state())
    with torch.inference_mode():
        wanted = plain(i3d_input(video, TINY).transpose(0, 1)[None])[0].numpy()
    assert np.linalg.norm(other(video) - wanted) <= 1e-5 * np.linalg.norm(wanted)
    assert np.linalg.norm(one(video) - wanted) > 1e-3 * np.linalg.norm(wanted)


def test_loading_and_running_leave_torch_as_it_was(tiny_file: Path, video: np.ndarray) -> None:
    before = (
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.backends.cudnn.allow_tf32,
    )
    load_video_features(TINY, weights_of(tiny_file))(video)
    after = torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_dtype(), torch.backends.cudnn.allow_tf32
    assert before == after


# --- weights that are not those of this network -----------------------------------------------------------------------


def saved(tmp_path: Path, state: dict[str, Tensor]) -> Weights:
    save_file(state, tmp_path / "weights.safetensors")
    return weights_of(tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: I3D(157, width=0.25), r"157 classes \(as trained on Charades\)"),
        (lambda: I3D(600, width=0.25), r"600 classes \(as trained on Kinetics-600\)"),
        (lambda: I3D(401, width=0.25), "has 401 classes, the recipe's network has"),
        (lambda: I3D(TINY_I3D.class_count, width=0.25, in_channels=2), "takes optical flow"),
        (lambda: I3D(TINY_I3D.class_count, width=0.5), "of another shape"),
    ],
)
def test_another_i3d_is_refused_with_its_reason(tmp_path: Path, build: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_video_features(TINY, saved(tmp_path, build().state_dict()))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("blocks.0.conv.weight", "is a ResNet"),
        ("stem.0.weight", "is a ResNet"),
        ("visual.proj", "holds no I3D"),
    ],
)
def test_another_layout_is_refused_with_its_reason(tmp_path: Path, key: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_video_features(TINY, saved(tmp_path, {key: torch.zeros(1, 1, 3, 3, 3)}))


def test_a_network_of_images_is_not_called_a_video_network_for_its_blocks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no I3D"):
        load_video_features(TINY, saved(tmp_path, {"blocks.0.attn.qkv.weight": torch.zeros(9, 3)}))


def test_missing_and_foreign_keys_are_named(tmp_path: Path) -> None:
    state = tiny_state()
    state["Mixed_3b.b9.conv3d.weight"] = state.pop("Mixed_3b.b0.conv3d.weight")
    with pytest.raises(InputError, match=r"1 missing \(Mixed_3b.b0.*1 not of this network \(Mixed_3b.b9"):
        load_video_features(TINY, saved(tmp_path, state))


def test_weights_of_another_network_are_refused_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"12345678{")
    with pytest.raises(InputError, match="needs weights of tiny-i3d, found test of ViT-B-32-quickgelu"):
        load_video_features(TINY, weights_of(tmp_path / "x.safetensors", "ViT-B-32-quickgelu"))


def test_half_precision_files_are_read_as_float32(tmp_path: Path) -> None:
    state = {k: v.half() if v.is_floating_point() else v for k, v in tiny_state().items()}
    loaded = load_i3d_tensors(saved(tmp_path, state), I3D(TINY_I3D.class_count, width=TINY_I3D.width))
    assert {v.dtype for v in loaded.values()} == {torch.float32}


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return Path.touch, (self.target,)


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"Conv3d_1a_7x7.conv3d.weight": Evil(tmp_path / "ran")}, tmp_path / "evil.pt")
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"x": Evil(tmp_path / "ran")}))
    for name in ("evil.pt", "evil.pth"):
        with pytest.raises(InputError, match="cannot read the weights"):
            read_tensors(weights_of(tmp_path / name))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"12345678{not json", b"\x80\x02garbage"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.pt"):
        read_tensors(weights_of(path))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "list.pt")
    with pytest.raises(InputError, match="found list in"):
        read_tensors(weights_of(tmp_path / "list.pt"))
