"""Checkpoints on disk: what is read, what is refused, and that nothing in them runs."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from reference_models.convert.files import read_source, sha256
from univg_bench.errors import InputError

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2).half(), "b": torch.tensor(3)}


class Runs:
    """Unpickling it would make a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.mark}",))


@pytest.mark.parametrize("shapes_only", [False, True])
@pytest.mark.parametrize("container", ["zip", "pickle", "safetensors"])
def test_every_container_gives_the_same_tensors(tmp_path: Path, container: str, shapes_only: bool) -> None:
    path = tmp_path / {"zip": "w.ckpt", "pickle": "w.pth", "safetensors": "w.safetensors"}[container]
    if container == "safetensors":
        save_file(TENSORS, path)
    else:
        torch.save({"state_dict": TENSORS}, path, _use_new_zipfile_serialization=container == "zip")
    found = read_source(path, shapes_only=shapes_only).tensors
    assert {key: (t.shape, t.dtype) for key, t in found.items()} == {k: (t.shape, t.dtype) for k, t in TENSORS.items()}
    if shapes_only:
        assert all(tensor.is_meta for tensor in found.values())
    else:
        assert all(torch.equal(found[key], tensor) for key, tensor in TENSORS.items())


def test_a_safetensors_file_is_known_by_its_content(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "w.bin")
    assert read_source(tmp_path / "w.bin").tensors.keys() == TENSORS.keys()


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("shapes_only", [True, False])
def test_a_pickle_that_calls_the_system_is_refused_and_not_run(tmp_path: Path, new: bool, shapes_only: bool) -> None:
    mark = tmp_path / "ran"
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": {**TENSORS, "c": Runs(mark)}}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(InputError, match=r"it is a pickle that calls \w+\.system, and nothing in a file is executed"):
        read_source(path, shapes_only=shapes_only)
    assert not mark.exists()


def test_a_bare_pickle_that_calls_the_system_is_refused_and_not_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "ran", tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps({"state_dict": Runs(mark)}))
    with pytest.raises(InputError, match="it is a pickle that calls"):
        read_source(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # noqa: S301  # our own bytes: the trap would have sprung
    assert mark.exists()


def test_what_trainers_pickle_beside_weights_is_refused_with_a_way_out(tmp_path: Path) -> None:
    torch.save({"state_dict": TENSORS, "args": argparse.Namespace(lr=1)}, tmp_path / "w.ckpt")
    with pytest.raises(InputError, match=r"calls argparse\.Namespace.*take a \.safetensors version, or"):
        read_source(tmp_path / "w.ckpt")


def test_a_program_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("w/constants.pkl", b"")
    with pytest.raises(InputError, match="is a TorchScript program, which is not executed"):
        read_source(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.ckpt", "w.pth", "w.safetensors"])
@pytest.mark.parametrize("shapes_only", [True, False])
def test_cut_files_are_refused(tmp_path: Path, name: str, shapes_only: bool) -> None:
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_file(TENSORS, path)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=name == "w.ckpt")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(InputError, match="cut off"):
        read_source(path, shapes_only=shapes_only)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no weights file: neither safetensors nor written by torch.save"),
        (b"<!DOCTYPE html><html>", "is no weights file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS and no weights"),
        (b"\x80\x02nonsense", "or is damaged, and nothing in a file is executed"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "w.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_source(tmp_path / "w.ckpt")


def test_files_without_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="found dict without tensors"):
        read_source(tmp_path / "a.pth")
    torch.save({**TENSORS, "epoch": 3}, tmp_path / "b.pth")
    with pytest.raises(InputError, match="found 'epoch' of type int among the tensors"):
        read_source(tmp_path / "b.pth")


@pytest.mark.parametrize("shapes_only", [True, False])
def test_a_compressed_archive_is_refused_and_not_read_as_numbers(tmp_path: Path, shapes_only: bool) -> None:
    torch.save(TENSORS, tmp_path / "w.ckpt")
    with zipfile.ZipFile(tmp_path / "w.ckpt") as old, zipfile.ZipFile(tmp_path / "z.ckpt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"z\.ckpt was compressed after it was saved"):
        read_source(tmp_path / "z.ckpt", shapes_only=shapes_only)


@pytest.mark.parametrize("shapes_only", [True, False])
def test_a_tensor_larger_than_what_is_stored_is_refused(tmp_path: Path, shapes_only: bool) -> None:
    torch.save({**TENSORS, "huge": torch.zeros(1, 8).expand(2**40, 8)}, tmp_path / "w.ckpt")
    with pytest.raises(InputError, match=r"found 'huge' in .*repeats what is stored"):
        read_source(tmp_path / "w.ckpt", shapes_only=shapes_only)


def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({**TENSORS, "few": torch.eye(3).to_sparse()}, tmp_path / "w.ckpt")
    with pytest.raises(InputError, match=r"found 'few' in .*which is sparse"):
        read_source(tmp_path / "w.ckpt")


def test_numbers_of_eight_bits_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2, 2).to(torch.float8_e4m3fn)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"found w of type F8_E4M3 in .*float32, bfloat16 or float16"):
        read_source(tmp_path / "w.safetensors", shapes_only=True)


def test_a_folder_stands_for_the_one_checkpoint_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights file"):
        read_source(tmp_path)
    (tmp_path / "unet").mkdir()
    save_file(TENSORS, tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    assert read_source(tmp_path / "unet").path.name == "diffusion_pytorch_model.safetensors"
    with pytest.raises(InputError, match="no weights file but the networks unet; name one of these folders"):
        read_source(tmp_path)
    save_file(TENSORS, tmp_path / "unet" / "other.safetensors")
    with pytest.raises(InputError, match=r"2 weights files .* name one of them"):
        read_source(tmp_path / "unet")
    with pytest.raises(InputError, match=r"found no .*nowhere\.ckpt, expected a checkpoint"):
        read_source(tmp_path / "nowhere.ckpt")


def shards(folder: Path, index: dict[str, str]) -> Path:
    save_file({"a.weight": TENSORS["a.weight"]}, folder / "1.safetensors")
    torch.save({"a.bias": TENSORS["a.bias"]}, folder / "2.bin")
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return path


def test_shards_of_any_container_are_one_checkpoint(tmp_path: Path) -> None:
    path = shards(tmp_path, {"a.weight": "1.safetensors", "a.bias": "2.bin"})
    source = read_source(path)
    assert source.tensors.keys() == {"a.weight", "a.bias"}
    assert [file.name for file in source.files] == [path.name, "1.safetensors", "2.bin"]


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ({"a.weight": "1.safetensors", "c": "3.safetensors"}, r"found no .*3\.safetensors, one of 2 shards"),
        ({"a.weight": "1.safetensors", "c": "2.bin"}, r"do not agree on where a\.bias is"),
        ({"a.weight": "../1.safetensors"}, "expected a weights file in the same folder"),
        ({"a.weight": "/etc/passwd"}, "expected a weights file in the same folder"),
        ({"a.weight": "/etc/shadow.bin"}, "expected a weights file in the same folder"),
        ({"a.weight": ".."}, "expected a weights file in the same folder"),
        ({"a.weight": 5}, "names the shard '5', expected a weights file"),
        ({"a.weight": None}, "names the shard 'None', expected a weights file"),
    ],
)
def test_an_index_that_lies_is_refused(tmp_path: Path, index: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_source(shards(tmp_path, index))


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.index.json").write_text("[]")
    with pytest.raises(InputError, match="found no 'weight_map'"):
        read_source(tmp_path)


def test_the_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
