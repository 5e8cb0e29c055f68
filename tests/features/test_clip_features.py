"""CLIP features: equal to open_clip's own, whatever the file they come from, and refused where they would not be."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from univg_bench.errors import InputError
from univg_bench.features.clip import load_image_text_features
from univg_bench.features.tiny import TINY_CLIP, tokenize
from univg_bench.features.torchscript import read_tensors
from univg_bench.features.weights import Weights, container
from univg_bench.recipes import CLIPSIM_RECIPES

SMALL: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
RECIPE = dataclasses.replace(CLIPSIM_RECIPES["vit-b32"], size=32)
TINY = CLIPSIM_RECIPES["tiny"]
CAPTIONS = ["", "a dog", "a man in a red shirt plays the guitar on stage", "word " * 100]


@pytest.fixture(autouse=True)
def small_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """open_clip's ViT-B-32 in small, so that a test takes milliseconds; the names and the GELU stay."""

    def config(model: str) -> dict[str, Any] | None:
        known = {"ViT-B-32": False, "ViT-B-32-quickgelu": True}
        return {**copy.deepcopy(SMALL), "quick_gelu": known[model]} if model in known else None

    monkeypatch.setattr(open_clip, "get_model_config", config)


@pytest.fixture(scope="module")
def net() -> Any:
    torch.manual_seed(0)
    return open_clip.CLIP(**copy.deepcopy(SMALL), quick_gelu=True).eval()


@pytest.fixture(scope="module")
def file(net: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "small.safetensors"
    save_file(net.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 3, 45, 70), dtype=np.uint8)


def weights_of(path: Path, architecture: str | None = None) -> Weights:
    return Weights("test", path, "0" * 64, container(path), "", architecture)


def test_images_are_open_clips_own(net: Any, file: Path, frames: np.ndarray) -> None:
    preprocess = open_clip.image_transform(32, is_train=False)  # OpenAI's mean and std, bicubic, centre crop
    images = torch.stack([preprocess(Image.fromarray(frame.transpose(1, 2, 0))) for frame in frames])
    with torch.inference_mode():
        expected = net.encode_image(images, normalize=True).numpy()
    features = load_image_text_features(RECIPE, weights_of(file))
    got = features.images(frames)
    assert got.dtype == np.float32
    assert got.shape == (20, features.dim) == (20, 24)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert not np.allclose(got[0], got[1], atol=1e-3)


def test_frames_one_by_one_give_what_a_batch_gives(file: Path, frames: np.ndarray) -> None:
    features = load_image_text_features(RECIPE, weights_of(file))
    alone = np.concatenate([features.images(frame[None]) for frame in frames])
    np.testing.assert_allclose(features.images(frames), alone, atol=1e-6)


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_caption_cut_to_its_length_gives_what_77_tokens_give(net: Any, file: Path, caption: str) -> None:
    tokens = open_clip.get_tokenizer("ViT-B-32-quickgelu")([caption])
    assert tokens.shape == (1, 77)
    with torch.inference_mode():
        expected = net.encode_text(tokens, normalize=True)[0].numpy()
    got = load_image_text_features(RECIPE, weights_of(file)).text(caption)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_rows_are_unit_vectors_so_that_dot_products_are_cosines(file: Path, frames: np.ndarray) -> None:
    features = load_image_text_features(RECIPE, weights_of(file))
    rows = np.concatenate([features.images(frames), [features.text(caption) for caption in CAPTIONS]])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.abs(rows @ rows.T).max() <= 1 + 1e-6


def test_preprocessing_is_pil_on_uint8_with_the_centre_kept(file: Path) -> None:
    """A wide frame is cut at both ends; what lies outside the middle square has no say."""
    frames = np.random.default_rng(1).integers(0, 256, (1, 3, 40, 100), dtype=np.uint8)
    other = frames.copy()
    other[:, :, :, :20] = 0
    other[:, :, :, -20:] = 255
    features = load_image_text_features(RECIPE, weights_of(file))
    assert np.array_equal(features.images(frames), features.images(other))


# --- OpenAI's archive -------------------------------------------------------------------------------------------------


class OpenAIArchive(torch.nn.Module):
    """The state dict of OpenAI's file: fp16 weights, three numbers of the configuration, a mask."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        for name, child in net.named_children():
            setattr(self, name, copy.deepcopy(child).half())
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            setattr(self, name, torch.nn.Parameter(getattr(net, name).detach().half()))
        for name, value in (("input_resolution", 32), ("context_length", 77), ("vocab_size", 49408)):
            self.register_buffer(name, torch.tensor(value))
        self.register_buffer("attn_mask", net.attn_mask.clone())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.visual(image)


@pytest.fixture(scope="module")
def archive(net: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "ViT-B-32.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated and its tracer talks; only tests write such files
        traced = torch.jit.trace(OpenAIArchive(net).eval(), torch.zeros(1, 3, 32, 32).half(), check_trace=False)
        torch.jit.save(traced, path)
    return path


def test_openais_archive_gives_its_rounded_weights_in_float32(net: Any, archive: Path, frames: np.ndarray) -> None:
    assert read_tensors(archive).keys() - net.state_dict().keys() == {
        "input_resolution", "context_length", "vocab_size", "attn_mask",
    }  # fmt: skip
    rounded = copy.deepcopy(net).half().float()
    preprocess = open_clip.image_transform(32, is_train=False)
    images = torch.stack([preprocess(Image.fromarray(frame.transpose(1, 2, 0))) for frame in frames[:4]])
    with torch.inference_mode():
        expected = rounded.encode_image(images, normalize=True).numpy()
        text = rounded.encode_text(open_clip.get_tokenizer("ViT-B-32")(["a dog"]), normalize=True)[0].numpy()
    features = load_image_text_features(RECIPE, weights_of(archive, "ViT-B-32-quickgelu"))
    assert {p.dtype for p in features.net.parameters()} == {torch.float32}
    np.testing.assert_allclose(features.images(frames[:4]), expected, atol=1e-6)
    np.testing.assert_allclose(features.text("a dog"), text, atol=1e-6)


def test_openais_weights_with_the_wrong_gelu_are_refused(archive: Path, file: Path) -> None:
    wrong = dataclasses.replace(RECIPE, model="ViT-B-32")
    for weights in (
        weights_of(archive),
        weights_of(archive, "ViT-B-32-quickgelu"),
        weights_of(file, "ViT-B-32-quickgelu"),
    ):
        with pytest.raises(InputError, match=r"was trained with QuickGELU, but the recipe .* use ViT-B-32-quickgelu"):
            load_image_text_features(wrong, weights)


def test_the_activation_is_the_recipes(file: Path, frames: np.ndarray) -> None:
    quick = load_image_text_features(RECIPE, weights_of(file))
    gelu = load_image_text_features(dataclasses.replace(RECIPE, model="ViT-B-32"), weights_of(file))
    assert np.abs(quick.images(frames[:1]) - gelu.images(frames[:1])).max() > 1e-4


# --- other files, other input -----------------------------------------------------------------------------------------


def test_checkpoints_of_open_clip_are_read(net: Any, file: Path, tmp_path: Path, frames: np.ndarray) -> None:
    expected = load_image_text_features(RECIPE, weights_of(file)).images(frames[:2])
    state = {f"module.{key}": value for key, value in net.state_dict().items()}
    torch.save({"epoch": 32, "name": "run", "state_dict": state}, tmp_path / "epoch_32.pt")
    got = load_image_text_features(RECIPE, weights_of(tmp_path / "epoch_32.pt")).images(frames[:2])
    assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {f"vision_model.{k}": v for k, v in s.items()}, r"Hugging Face's keys, .* no config\.json"),
        (lambda s: {"Conv3d_1a_7x7.conv3d.weight": s["visual.proj"]}, "holds no CLIP"),
        (lambda s: {k: v for k, v in s.items() if k != "ln_final.bias"}, r"1 missing \(ln_final\.bias\)"),
        (lambda s: s | {"visual.proj": torch.zeros(3, 3)}, r"visual\.proj \(3, 3\) for \(32, 24\)"),
        (lambda s: s | {"visual.extra": torch.zeros(1)}, r"1 not of this network \(visual\.extra\)"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_the_reason(net: Any, tmp_path: Path, change: Any, message: str) -> None:
    save_file({k: v.clone() for k, v in change(net.state_dict()).items()}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=message):
        load_image_text_features(RECIPE, weights_of(tmp_path / "x.safetensors"))


def test_weights_of_another_architecture_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match="needs weights of ViT-B-32-quickgelu, found test of ViT-L-14-quickgelu"):
        load_image_text_features(RECIPE, weights_of(file, "ViT-L-14-quickgelu"))
    with pytest.raises(InputError, match="needs weights of ViT-B-32-quickgelu, found test of tiny-clip"):
        load_image_text_features(RECIPE, weights_of(file, "tiny-clip"))
    with pytest.raises(InputError, match=r"which open_clip .* does not have"):
        load_image_text_features(dataclasses.replace(RECIPE, model="ViT-Z-99"), weights_of(file))


def test_architectures_that_would_fetch_a_part_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for config in (
        {**SMALL, "text_cfg": {"hf_model_name": "roberta-base"}},
        {**SMALL, "vision_cfg": {"timm_model_name": "vit"}},
        {**SMALL, "vision_cfg": {**SMALL["vision_cfg"], "layers": [3, 4, 6, 3]}},  # a ResNet
    ):
        monkeypatch.setattr(open_clip, "get_model_config", lambda _, config=config: config)
        with pytest.raises(InputError, match="is not one of CLIP's own vision transformers"):
            load_image_text_features(RECIPE, weights_of(file))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v / 255, "found frames of type float64, expected uint8"),
        (lambda v: v.transpose(0, 2, 3, 1), r"expected \(F, 3, H, W\); move the colours"),
        (lambda v: v[0], r"expected \(F, 3, H, W\)"),
        (lambda v: v[:0], "empty frames"),
    ],
)
def test_what_are_no_frames_is_refused(file: Path, frames: np.ndarray, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_image_text_features(RECIPE, weights_of(file)).images(change(frames))


def test_features_that_overflow_are_refused_not_returned(net: Any, tmp_path: Path, frames: np.ndarray) -> None:
    state = {k: v.clone() for k, v in net.state_dict().items()}
    for key in ("visual.proj", "text_projection"):
        state[key] = torch.full_like(state[key], 3e38)
    save_file(state, tmp_path / "large.safetensors")
    features = load_image_text_features(RECIPE, weights_of(tmp_path / "large.safetensors"))
    with pytest.raises(InputError, match="NaN or infinite features"):
        features.images(frames)
    with pytest.raises(InputError, match="NaN or infinite features"):
        features.text("a dog")


def test_weights_that_are_not_finite_are_refused(net: Any, tmp_path: Path) -> None:
    state = {k: v.clone() for k, v in net.state_dict().items()}
    state["visual.proj"][0, 0] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(InputError, match=r"is damaged: 1 tensors with NaN or infinite values \(visual\.proj"):
        load_image_text_features(RECIPE, weights_of(tmp_path / "nan.safetensors"))


# --- the tiny CLIP ----------------------------------------------------------------------------------------------------


def test_tiny_clip_squashes_the_frame_and_reads_captions_with_its_own_tokenizer(
    tmp_path: Path, frames: np.ndarray
) -> None:
    torch.manual_seed(0)
    net = open_clip.CLIP(**TINY_CLIP).eval()
    save_file(net.state_dict(), tmp_path / "tiny.safetensors")
    features = load_image_text_features(TINY, weights_of(tmp_path / "tiny.safetensors", "tiny-clip"))
    small = [Image.fromarray(f.transpose(1, 2, 0)).resize((64, 64), Image.Resampling.BICUBIC) for f in frames[:3]]
    images = torch.from_numpy(np.stack([np.asarray(image) for image in small])).permute(0, 3, 1, 2) / 127.5 - 1
    caption = "a small red circle"
    with torch.inference_mode():
        np.testing.assert_allclose(features.images(frames[:3]), net.encode_image(images, normalize=True), atol=1e-6)
        expected = net.encode_text(torch.tensor([tokenize(caption)]), normalize=True)[0]
    np.testing.assert_allclose(features.text(caption), expected, atol=1e-6)
