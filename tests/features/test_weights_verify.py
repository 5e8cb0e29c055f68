"""`univg-bench weights verify`: published numbers computed again, and with which exit code."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.weights_files import (
    narrow,
    said,
)
from univg_bench.cli import run
from univg_bench.features import anchors, inception_layout
from univg_bench.features import weights as module


def expected_fvd(state: dict[str, Tensor], frames: int) -> float:
    """The anchor by hand: the squared distance of the logits of black and of white."""
    net = narrow()
    net.load_state_dict(state, strict=False)
    with torch.inference_mode():
        black, white = (net.eval()(torch.full((1, 3, frames, 224, 224), value))[0] for value in (-1.0, 1.0))
    return float(((black - white).double() ** 2).sum())


@pytest.fixture
def short(states: dict[str, dict[str, Tensor]], monkeypatch: pytest.MonkeyPatch) -> float:
    """One quick anchor, with the value that the narrow network has, in the place of the published ones."""
    value = expected_fvd(states["rgb_scratch"], 15)
    first, *_, noise = anchors.FVD_ANCHORS
    quick = dataclasses.replace(first, expected=value, tolerance=1e-4 * value)
    monkeypatch.setattr(anchors, "FVD_ANCHORS", (quick, noise))
    return value


def test_verify_computes_published_numbers_again(
    states: dict[str, dict[str, Tensor]], folder: Path, short: float, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "a.safetensors"
    save_file(states["rgb_scratch"], path)
    for arguments in (["i3d-kinetics400"], [], [str(path)]):
        assert run(["weights", "verify", *arguments, "--quick"]) == 0
        out = capsys.readouterr().out
        assert f"i3d-kinetics400  {path}" in out
        assert hashlib.sha256(path.read_bytes()).hexdigest() in out
        assert "all 230 checksums agree" in out
        assert "pass  FVD of black against white, 15 frames: " in out
        assert "google-research/frechet_video_distance, example.py" in out
        assert "noise" not in out  # --quick


def test_verify_says_which_number_is_missed_and_exits_1(
    states: dict[str, dict[str, Tensor]],
    folder: Path,
    short: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The batch norm of some ports is such a mistake: checksums are blind to it."""
    save_file(states["rgb_scratch"], folder / "a.safetensors")
    monkeypatch.setattr(anchors, "BN_EPS", 0.1)
    assert run(["--json", "weights", "verify", "i3d-kinetics400", "--quick"]) == 1
    (check,) = said(capsys)["verified"]["i3d-kinetics400"]["checks"]
    assert not check["ok"]
    assert abs(check["measured"] - short) > check["tolerance"]
    assert run(["weights", "verify", "--quick"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  FVD of black against white, 15 frames" in out
    assert "1 failed: i3d-kinetics400: FVD of black against white, 15 frames" in out


def test_the_noise_of_the_published_number_is_one_long_draw() -> None:
    """Clip by clip it takes 20 MB in place of 2.4 GB, and is the same noise."""
    import numpy as np

    whole = np.random.RandomState(2).rand(2, 16, 224, 224, 3).astype(np.float32)
    clips = anchors._noise(1)
    for clip in whole:
        assert np.array_equal(next(clips).numpy(), clip.transpose(3, 0, 1, 2))
    assert sum(1 for _ in anchors._constant(15)(0)) == 1
    black, white = (next(anchors._constant(9)(which)) for which in (0, 1))
    assert (black == -1).all()
    assert (white == 1).all()


def test_sets_of_many_clips_are_compared_by_their_frechet_distance() -> None:
    class Mean(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(dim=(3, 4)).flatten(1)[:, :3]

    def clips(which: int) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(which)
        return (torch.rand(3, 9, 8, 8, generator=generator) + which for _ in range(20))

    from univg_bench.metrics.frechet import frechet_distance
    from univg_bench.statistics import moments_of

    sets = [torch.stack([Mean()(clip[None])[0] for clip in clips(which)]).numpy() for which in (0, 1)]
    value = frechet_distance(*(moments_of(rows).gaussian(ddof=1) for rows in sets))
    seen: list[int] = []

    def watch(things: Iterator[Tensor], total: int) -> Iterator[Tensor]:
        seen.append(total)
        return things

    anchor = anchors.Anchor("noise", clips, 20, value, 1e-9, "a test", slow=True)
    (check,) = anchors.check_fvd(Mean(), [anchor], watch)
    assert check.ok
    assert check.measured > 1
    assert seen == [20, 20]


def test_the_published_anchors_are_those_of_their_sources() -> None:
    values = {anchor.name: (anchor.expected, anchor.tolerance, anchor.num_clips) for anchor in anchors.FVD_ANCHORS}
    assert values == {
        "FVD of black against white, 15 frames": (131.0, 1.0, 1),
        "FVD of black against white, 30 frames": (151.392, 0.2, 1),
        "FVD of two sets of 128 clips of noise": (10.13808536529541, 1e-3, 128),
    }
    # the second published value of each must pass too
    assert abs(151.26 - 151.392) < 0.2
    assert abs(10.138084766713924 - 10.13808536529541) < 1e-3


def test_deepminds_clip_checks_the_network_with_rgb_imagenet(
    states: dict[str, dict[str, Tensor]],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import numpy as np

    clip = np.random.default_rng(0).uniform(-1, 1, (1, 9, 224, 224, 3)).astype(np.float32)
    np.save(tmp_path / "clip.npy", clip)
    arguments = ["weights", "verify", "--sample-clip", str(tmp_path / "clip.npy")]
    assert run(arguments) == 2
    assert "found no rgb_imagenet in" in capsys.readouterr().err
    save_file(states["rgb_imagenet"], folder / "a.safetensors")
    assert run(arguments) == 2
    assert "expected DeepMind's v_CricketShot_g04_c01_rgb.npy" in capsys.readouterr().err
    content = (tmp_path / "clip.npy").read_bytes()
    monkeypatch.setattr(anchors, "SAMPLE_CLIP", hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())
    net = narrow()
    net.load_state_dict(states["rgb_imagenet"], strict=False)
    with torch.inference_mode():
        logits = net.eval()(torch.from_numpy(clip).permute(0, 4, 1, 2, 3))[0]
    monkeypatch.setattr(anchors, "SAMPLE_TOLERANCE", 1e-4 * float(logits.norm()))
    monkeypatch.setattr(anchors, "SAMPLE_NORM", float(logits.norm()))
    monkeypatch.setattr(anchors, "SAMPLE_TOP", 2 * float(logits.norm()))
    assert run(arguments) == 1
    out = capsys.readouterr().out
    assert "pass  norm of the logits of DeepMind's clip" in out
    assert "FAIL  largest logit of DeepMind's clip" in out
    monkeypatch.setattr(anchors, "SAMPLE_TOP", float(logits.max()))
    assert run(arguments) == 0


def test_inception_is_checked_for_its_keys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("univg_bench.features.inception.inception_network", lambda: "the network")
    monkeypatch.setattr(inception_layout, "load_inception_tensors", lambda weights, net: seen.append(net))
    weights = module.Weights("inception-fid", folder / "x", "", "torch", "", "inception-fid")
    assert list(anchors.checks_of(weights, quick=False, watch=lambda clips, _: clips)) == []
    assert seen == ["the network"]


@pytest.mark.parametrize(("scale", "passes"), [(100.0, True), (14.3, False)])
def test_openais_clips_have_a_scale_of_100(
    folder: Path, monkeypatch: pytest.MonkeyPatch, scale: float, passes: bool
) -> None:
    config: dict[str, Any] = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 224, "layers": 1, "width": 16, "head_width": 8, "patch_size": 56},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        "quick_gelu": True,
    }
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: copy.deepcopy(config))
    torch.manual_seed(0)
    state = open_clip.CLIP(**copy.deepcopy(config)).state_dict()
    save_file(state | {"logit_scale": torch.tensor(scale).log()}, folder / "clip.safetensors")
    weights = module.Weights("x", folder / "clip.safetensors", "", "safetensors", "", "ViT-B-32-quickgelu")
    checks = list(anchors.checks_of(weights, quick=True, watch=lambda clips, _: clips))
    assert [check.ok for check in checks] == [passes, True, True]


def test_a_pinned_file_has_no_published_numbers(
    states: dict[str, dict[str, Tensor]], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tensors in (("rgb_imagenet", "all 230 checksums agree"), ("other", "")):
        path = folder / f"{name}.safetensors"
        save_file(states.get(name, {"x": torch.zeros(1)}), path)
        pin = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        assert run(["--json", "weights", "verify", pin]) == 0
        (found,) = said(capsys)["verified"].values()
        assert found["checks"] == []
        assert tensors in found["tensors"]


def test_verify_of_what_is_missing_is_exit_2_with_the_way_to_get_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["weights", "verify", "openai-vit-b32"]) == 2
    assert "get ViT-B-32.pt from openaipublic" in capsys.readouterr().err


def test_verify_of_a_spoilt_file_is_exit_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ViT-B-32.pt").write_bytes(b"\x00" * 8 + b"{cut")
    assert run(["weights", "verify"]) == 2
    assert "has the name of published weights but not their content" in capsys.readouterr().err


def test_verify_does_not_pass_over_another_training_under_a_published_name(
    states: dict[str, dict[str, Tensor]], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({**states["rgb_scratch"], "logits.conv3d.bias": torch.zeros(12)}, folder / "i3d_pretrained_400.pt")
    assert run(["weights", "verify"]) == 2
    assert "i3d_pretrained_400.pt has the name of published weights but not" in capsys.readouterr().err


def test_verify_of_a_refused_or_unknown_file_says_why(
    states: dict[str, dict[str, Tensor]], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(states["rgb_imagenet"], tmp_path / "a.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "b.safetensors")
    for name, message in (
        ("a.safetensors", "holds the tensors of rgb_imagenet"),
        ("b.safetensors", "unknown to this table"),
        (".", "a folder; name a file"),
    ):
        assert run(["weights", "verify", str(tmp_path / name)]) == 2
        assert message in capsys.readouterr().err
    assert run(["weights", "verify", "--weights", str(tmp_path / "b.safetensors")]) == 2
    assert "unknown to this table" in capsys.readouterr().err
