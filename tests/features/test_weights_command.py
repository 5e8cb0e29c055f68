"""`univg-bench weights`: what is listed, imported and verified, and with which exit code."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.weights_files import hassony2, i3d_state, tensorflow, write_bundle, write_checksums, write_torchscript
from univg_bench.cli import run
from univg_bench.commands import weights as command
from univg_bench.features import anchors, i3d_checkpoints, inception_layout
from univg_bench.features import weights as module
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_checkpoints import checkpoints
from univg_bench.features.known_weights import KNOWN_WEIGHTS, names
from univg_bench.features.weights import find_weights

CLIP = b"\x00" * 8 + b"{clip"  # eight bytes of header length, then JSON: enough for who only looks at checksums
DATA = "model.ckpt.data-00000-of-00001"
RGB = "RGB/inception_i3d/"


def narrow(classes: int = 12, bn_eps: float = 1e-3) -> I3D:
    return I3D(classes, width=0.125, bn_eps=bn_eps)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Tensor]]]:
    """Narrow networks in the place of DeepMind's, calibrated so that they answer, and a table of their checksums."""
    states = {name: i3d_state(seed=seed) for seed, name in enumerate(["rgb_scratch", "rgb_imagenet"])}
    for state in states.values():
        for key, value in state.items():
            if key.endswith("conv3d.weight"):
                torch.nn.init.kaiming_normal_(value, generator=torch.Generator().manual_seed(len(key)))
    path = tmp_path_factory.mktemp("table") / "table.json"
    write_checksums(path, states)
    return path, states


@pytest.fixture
def states(
    table: tuple[Path, dict[str, dict[str, Tensor]]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, dict[str, Tensor]]]:
    monkeypatch.setattr(i3d_checkpoints, "TABLE", table[0])
    checkpoints.cache_clear()
    yield {name: {key: value.clone() for key, value in state.items()} for name, state in table[1].items()}
    checkpoints.cache_clear()


@pytest.fixture
def folder(states: dict[str, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that $UNIVG_WEIGHTS names; one file of CLIP is known by its checksum."""
    checksum = "sha256:" + hashlib.sha256(CLIP).hexdigest()
    known = tuple(dataclasses.replace(k, checksum=checksum) if k.file == "ViT-B-16.pt" else k for k in KNOWN_WEIGHTS)
    for place in (module, command):
        monkeypatch.setattr(place, "KNOWN_WEIGHTS", known)
    monkeypatch.setattr(module, "DEFAULT_FOLDER", tmp_path / "cache")
    monkeypatch.setattr(anchors, "I3D", narrow)
    tiny = tmp_path / "tiny.safetensors"  # in place of the shipped ones, which this is no test of
    tiny.write_bytes(b"\x00" * 8 + b"{}")
    monkeypatch.setattr("univg_bench.features.tiny.weights_path", lambda name: tiny)
    (tmp_path / "w").mkdir()
    monkeypatch.setenv("UNIVG_WEIGHTS", str(tmp_path / "w"))
    return tmp_path / "w"


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


# --- list -------------------------------------------------------------------------------------------------------------


def test_list_says_what_is_needed_where_to_get_it_and_what_is_here(
    states: dict[str, dict[str, Tensor]], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(states["rgb_scratch"], folder / "a.safetensors")
    save_file(states["rgb_imagenet"], folder / "b.safetensors")
    (folder / "c.pt").write_bytes(b"\x00" * 8 + b"{other")
    (folder / "d.pt").write_bytes(b"<html>")
    assert run(["weights", "list"]) == 0
    out = capsys.readouterr().out
    assert f"found: {folder / 'a.safetensors'}" in out
    assert "github.com/google-deepmind/kinetics-i3d, folder data/checkpoints/rgb_scratch" in out
    assert "or i3d_pretrained_400.pt from github.com/SongweiGe/TATS" in out
    assert "openai-vit-b32" in out
    assert "not found" in out
    assert f"{folder / 'b.safetensors'}: holds the tensors of rgb_imagenet, another training" in out
    assert f"{folder / 'c.pt'}: unknown to this table; a protocol can pin it as sha256:" in out
    assert f"{folder / 'd.pt'}: is a web page, no weights file" in out


def test_list_of_a_single_file_that_holds_no_weights_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("hello, world")
    assert run(["weights", "list", "--weights", str(tmp_path / "notes.txt")]) == 0
    assert f"{tmp_path / 'notes.txt'}: is no weights file" in capsys.readouterr().out


def test_list_as_json_is_one_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "weights", "list"]) == 0
    assert {row["name"] for row in said(capsys)["weights"]} == set(names())


# --- import -----------------------------------------------------------------------------------------------------------


def test_every_layout_is_imported_as_the_same_file(
    states: dict[str, dict[str, Tensor]], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal weights become equal bytes, so equal digests and equal cache keys, and are found again by content."""
    state = states["rgb_scratch"]
    save_file(state, tmp_path / "a.safetensors")
    torch.save(hassony2(state), tmp_path / "b.pth")
    write_torchscript(tmp_path / "c.pt", state)
    write_bundle(tmp_path / DATA, tensorflow(state, scope=RGB))
    digests = set()
    for name in ("a.safetensors", "b.pth", "c.pt", DATA):
        assert run(["--json", "weights", "import", str(tmp_path / name)]) == 0
        assert said(capsys)["how"] == "convert"
        assert [path.name for path in sorted(folder.iterdir())] == [
            "i3d-kinetics400.safetensors", "i3d-kinetics400.safetensors.provenance.json",
        ]  # fmt: skip
        digests.add(find_weights("i3d-kinetics400").digest)
        note = json.loads((folder / "i3d-kinetics400.safetensors.provenance.json").read_text())
        assert note["source_file"] == name
        assert note["sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert note["file_sha256"] in digests
        assert str(tmp_path) not in json.dumps(note)
    assert len(digests) == 1
    imported = load_file(folder / "i3d-kinetics400.safetensors")
    assert all(torch.equal(imported[key], value) for key, value in state.items())


def test_what_is_known_by_its_checksum_alone_is_copied(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "download").write_bytes(CLIP)
    assert run(["weights", "import", str(tmp_path / "download"), "--name", "openai-vit-b16"]) == 0
    assert "is ViT-B-16.pt as published" in capsys.readouterr().out
    assert (folder / "ViT-B-16.pt").read_bytes() == CLIP
    assert find_weights("openai-vit-b16").path == folder / "ViT-B-16.pt"
    assert run(["weights", "import", str(folder / "ViT-B-16.pt")]) == 2
    assert "is in its place already" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "download").write_bytes(CLIP)
    assert run(["weights", "import", str(tmp_path / "download"), "--dry-run"]) == 0
    assert f"would be copied to {folder / 'ViT-B-16.pt'}" in capsys.readouterr().out
    assert not list(folder.iterdir())


def test_a_claim_inside_a_file_is_not_believed(
    states: dict[str, dict[str, Tensor]], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(states["rgb_imagenet"], tmp_path / "x.safetensors", metadata={"checkpoint": "rgb_scratch"})
    assert run(["weights", "import", str(tmp_path / "x.safetensors")]) == 2
    assert "holds the tensors of rgb_imagenet" in capsys.readouterr().err


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _pointer(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 50818176\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path, state: None, "found no "),
        (lambda path, state: path.mkdir(), "a folder; name the weights file in it"),
        (lambda path, state: _pointer(path), "is a pointer of git-LFS"),
        (lambda path, state: path.write_bytes(b"<!DOCTYPE html>"), "is a web page"),
        (lambda path, state: (save_file(state, path), _cut(path)), "cannot read the weights"),
        (lambda path, state: (torch.save(state, path), _cut(path)), "is an archive without its end"),
        (lambda path, state: save_file({"layer1.0.conv1.weight": torch.zeros(1, 1, 3, 3, 3)}, path), "is a ResNet"),
        (lambda path, state: save_file({"x": torch.zeros(1)}, path), "is unknown: neither its checksum nor its 1 tens"),
        (lambda path, state: save_file({**state, "logits.conv3d.bias": torch.zeros(12)}, path), "holds 229 of the 230"),
        (lambda path, state: save_file(i3d_state(narrow(13), seed=7), path), "none of whose tensors is DeepMind's"),
        (
            lambda path, state: save_file(i3d_state(narrow(157), seed=7), path),
            "has 157 classes (as trained on Charades)",
        ),
        (lambda path, state: save_file(i3d_state(narrow(600), seed=7), path), "has 600 classes (as trained on Kinetic"),
        (lambda path, state: save_file(i3d_state(I3D(12, width=0.125, in_channels=2)), path), "takes optical flow"),
    ],
)
def test_what_is_not_needed_or_not_whole_is_refused_in_one_sentence(
    states: dict[str, dict[str, Tensor]],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Any,
    message: str,
) -> None:
    make(tmp_path / "x.pt", states["rgb_scratch"])
    assert run(["weights", "import", str(tmp_path / "x.pt")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(folder.iterdir())


def test_a_data_file_without_its_index_is_refused_unless_it_is_known(
    states: dict[str, dict[str, Tensor]], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(tmp_path / DATA, tensorflow(states["rgb_scratch"], scope=RGB))
    (tmp_path / "model.ckpt.index").unlink()
    assert run(["weights", "import", str(tmp_path / DATA)]) == 0
    write_bundle(tmp_path / DATA, tensorflow(i3d_state(seed=9), scope=RGB))
    (tmp_path / "model.ckpt.index").unlink()
    capsys.readouterr()
    assert run(["weights", "import", str(tmp_path / DATA)]) == 2
    assert "without model.ckpt.index, which says which tensors it holds" in capsys.readouterr().err


def test_another_name_than_asked_for_is_refused(
    states: dict[str, dict[str, Tensor]], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(states["rgb_scratch"], tmp_path / "x.safetensors")
    assert run(["weights", "import", str(tmp_path / "x.safetensors"), "--name", "openai-vit-b32"]) == 2
    assert "holds the weights 'i3d-kinetics400', not 'openai-vit-b32'" in capsys.readouterr().err
    assert run(["weights", "import", str(tmp_path / "x.safetensors"), "--name", "i3d"]) == 2
    assert "found weights 'i3d', expected one of i3d-kinetics400" in capsys.readouterr().err


def test_a_weights_folder_that_is_a_file_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "download").write_bytes(CLIP)
    monkeypatch.setenv("UNIVG_WEIGHTS", str(tmp_path / "download"))
    assert run(["weights", "import", str(tmp_path / "download")]) == 2
    assert "a file; set $UNIVG_WEIGHTS to the folder" in capsys.readouterr().err


# --- verify -----------------------------------------------------------------------------------------------------------


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


def test_list_says_why_a_network_of_video_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file(i3d_state(narrow(157), seed=7), folder / "a.pt")
    save_file({"blocks.0.x": torch.zeros(1, 1, 3, 3, 3)}, folder / "b.pt")
    assert run(["weights", "list"]) == 0
    said = capsys.readouterr().out
    assert "a.pt: has 157 classes (as trained on Charades)" in said
    assert "b.pt: is a ResNet" in said
    assert "can pin it" not in said


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
