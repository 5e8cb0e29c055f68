"""Weights are what their content says: found under any name, refused under the right name with the wrong content."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from univg_bench.errors import InputError
from univg_bench.features import weights as module
from univg_bench.features.known_weights import DEFAULT_WEIGHTS, KNOWN_WEIGHTS, KnownFile, names
from univg_bench.features.weights import checksums, container, find_weights
from univg_bench.recipes import CLIPSIM_RECIPES, FVD_RECIPES

# stand-ins with real containers: eight bytes of header length, then JSON
FVD, IMAGENET, CLIP = (b"\x00" * 8 + b"{" + word for word in (b"fvd", b"imagenet", b"clip"))


def blob(content: bytes) -> str:
    return "git-blob:" + hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder, and a table of known files whose contents are a few bytes."""
    contents = {"i3d_pretrained_400.pt": blob(FVD), "rgb_imagenet.pt": blob(IMAGENET)}
    contents["ViT-B-32.pt"] = "sha256:" + hashlib.sha256(CLIP).hexdigest()
    table = [dataclasses.replace(k, checksum=contents.get(k.file, k.checksum)) for k in KNOWN_WEIGHTS]
    monkeypatch.setattr(module, "KNOWN_WEIGHTS", tuple(table))
    monkeypatch.setattr(module, "DEFAULT_FOLDER", tmp_path / "cache")
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def test_a_file_is_found_by_content_under_any_name(folder: Path) -> None:
    (folder / "whatever.bin").write_bytes(FVD)
    (folder / "other.pt").write_bytes(CLIP)
    found = find_weights("i3d-kinetics400", folder)
    assert found.path == folder / "whatever.bin"
    assert found.digest == hashlib.sha256(FVD).hexdigest()
    assert found.architecture == "i3d"
    assert find_weights("openai-vit-b32", folder).architecture == "ViT-B-32-quickgelu"


def test_the_name_alone_is_not_enough(folder: Path) -> None:
    (folder / "i3d_pretrained_400.pt").write_bytes(FVD[:-1])
    with pytest.raises(InputError, match=r"i3d_pretrained_400\.pt has the name but not the content"):
        find_weights("i3d-kinetics400", folder)


def test_imagenet_weights_are_named_and_never_taken_for_the_fvd_weights(folder: Path) -> None:
    (folder / "i3d_pretrained_400.pt").write_bytes(IMAGENET)
    with pytest.raises(InputError, match="is rgb_imagenet, another training"):
        find_weights("i3d-kinetics400", folder)


def test_what_is_missing_is_said_with_where_and_how_to_get_it(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_weights("i3d-kinetics400", folder)
    for part in ("i3d-kinetics400", str(folder), "cache", "google-deepmind/kinetics-i3d", "licence", "$UNIVG_WEIGHTS"):
        assert part in str(caught.value)


def test_places_are_searched_in_order(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("cache", "environment"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "w.pt").write_bytes(FVD)
    assert find_weights("i3d-kinetics400", folder).path.parent.name == "cache"
    monkeypatch.setenv("UNIVG_WEIGHTS", str(tmp_path / "environment"))
    assert find_weights("i3d-kinetics400", folder).path.parent.name == "environment"
    (folder / "w.pt").write_bytes(FVD)
    assert find_weights("i3d-kinetics400", folder).path.parent.name == "mine"
    assert find_weights("i3d-kinetics400", folder / "w.pt").path == folder / "w.pt"  # a file in place of a folder


def test_a_place_that_the_user_named_must_exist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"found no .*nowhere, the weights folder that --weights names"):
        find_weights("i3d-kinetics400", folder / "nowhere")
    monkeypatch.setenv("UNIVG_WEIGHTS", str(folder / "nowhere"))
    with pytest.raises(InputError, match=r"that \$UNIVG_WEIGHTS names"):
        find_weights("i3d-kinetics400", folder)


def test_any_file_can_be_pinned_by_its_own_checksum(folder: Path) -> None:
    content = b"\x00" * 8 + b"{mine"
    (folder / "mine.safetensors").write_bytes(content)
    name = "sha256:" + hashlib.sha256(content).hexdigest()
    found = find_weights(name, folder)
    assert (found.name, found.architecture) == (name, None)
    assert "nobody but its user knows" in found.note
    with pytest.raises(InputError, match="found no file with sha256:000"):
        find_weights("sha256:" + "0" * 64, folder)


def test_a_pinned_file_that_is_known_says_what_it_is(folder: Path) -> None:
    (folder / "x.pt").write_bytes(IMAGENET)
    found = find_weights("sha256:" + hashlib.sha256(IMAGENET).hexdigest(), folder)
    assert "is rgb_imagenet" in found.note


@pytest.mark.parametrize("name", ["i3d", "sha256:abc", "sha256:" + "A" * 64, "../x", ""])
def test_an_unknown_name_is_refused_with_the_known_ones(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected one of i3d-kinetics400, .*, or sha256: and 64"):
        find_weights(name, folder)


def test_a_shipped_file_that_is_missing_is_a_damaged_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("univg_bench.features.tiny.weights_path", lambda name: tmp_path / f"{name}.safetensors")
    with pytest.raises(InputError, match=r"tiny-i3d\.safetensors, which is shipped with univg-bench"):
        find_weights("tiny-i3d")
    (tmp_path / "tiny-i3d.safetensors").write_bytes(FVD)
    found = find_weights("tiny-i3d")
    assert (found.architecture, found.digest) == ("tiny-i3d", hashlib.sha256(FVD).hexdigest())


def test_a_changed_file_is_read_again(folder: Path) -> None:
    path = folder / "w.pt"
    path.write_bytes(IMAGENET)
    with pytest.raises(InputError):
        find_weights("i3d-kinetics400", folder)
    path.write_bytes(FVD)
    assert find_weights("i3d-kinetics400", folder).path == path


def test_git_blob_ids_are_gits(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")  # `echo hello | git hash-object --stdin`
    assert checksums(tmp_path / "hello", 6, 0)[1] == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_containers_are_told_by_content(tmp_path: Path) -> None:
    def zipped(*members: str) -> Path:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for member in members:
                archive.writestr(member, b"")
        return tmp_path / "x.zip"

    assert container(zipped("a/data.pkl", "a/version")) == "torch"
    assert container(zipped("a/data.pkl", "a/constants.pkl", "a/code/a.py")) == "torchscript"
    for content, expected in ((FVD, "safetensors"), (b"\x80\x02}q\x00.", "torch")):
        (tmp_path / "x").write_bytes(content)
        assert container(tmp_path / "x") == expected


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.pt", b"", "is empty"),
        ("x.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a pointer of git-LFS"),
        ("x.data-00000-of-00001", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of git-LFS"),
        ("x.pt", b"\n<!DOCTYPE html><title>Quota exceeded</title>", "is a web page"),
        ("x.pt", b"<html>404</html>", "is a web page"),
        ("x.pt", b"PK\x03\x04" + bytes(100), "is an archive without its end"),
        ("model.ckpt.index", bytes(100), "is the index of a TensorFlow checkpoint; name the .data-00000-of-00001"),
        ("x.pt", b"hello, world", "neither safetensors, nor written by torch.save"),
    ],
)
def test_what_is_no_weights_file_is_said_to_be_what_it_is(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        container(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_table_is_well_formed() -> None:
    for known in KNOWN_WEIGHTS:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|git-blob:[0-9a-f]{40}|crc32c:[a-z0-9_]+", known.checksum), known
        optional = ("name", "refused", "checkpoint")
        assert all(getattr(known, f.name) for f in dataclasses.fields(KnownFile) if f.name not in optional), known
        assert bool(known.name) != bool(known.refused), known
    assert len({known.checksum for known in KNOWN_WEIGHTS}) == len(KNOWN_WEIGHTS)
    for name in names():
        usable = [known for known in KNOWN_WEIGHTS if known.name == name]
        assert len({known.architecture for known in usable}) == 1 or name.startswith("tiny-")


def test_every_recipe_has_default_weights() -> None:
    needs = {recipe.network for recipe in FVD_RECIPES.values()} | {r.model for r in CLIPSIM_RECIPES.values()}
    assert needs <= DEFAULT_WEIGHTS.keys()
    assert set(DEFAULT_WEIGHTS.values()) == set(names())
