"""`univg-bench weights list` and `import`: what is said, what is written, and with which exit code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.weights_files import (
    CLIP,
    DATA,
    RGB,
    hassony2,
    i3d_state,
    narrow,
    said,
    tensorflow,
    write_bundle,
    write_torchscript,
)
from univg_bench.cli import run
from univg_bench.features.i3d import I3D
from univg_bench.features.known_weights import names
from univg_bench.features.weights import find_weights


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


def test_list_says_why_a_network_of_video_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file(i3d_state(narrow(157), seed=7), folder / "a.pt")
    save_file({"blocks.0.x": torch.zeros(1, 1, 3, 3, 3)}, folder / "b.pt")
    assert run(["weights", "list"]) == 0
    said = capsys.readouterr().out
    assert "a.pt: has 157 classes (as trained on Charades)" in said
    assert "b.pt: is a ResNet" in said
    assert "can pin it" not in said
