"""One damaged or hostile file in a weights folder is said to be one: it costs neither memory nor the good files."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.weights_files import add_block, block, field, varint
from univg_bench.errors import InputError
from univg_bench.features.crc32c import crc32c, masked
from univg_bench.features.tensors import read_tensors
from univg_bench.features.weights import Weights, checksums, container, find_weights, look_inside, scan

Write = Callable[[Path], None]
FIRST = "Conv3d_1a_7x7.conv3d.weight"  # what makes a file be looked at as an I3D


def saved(value: object, *, keep: slice = slice(None), legacy: bool = False) -> Write:
    """Write what torch.save does, or a part of its bytes."""

    def write(path: Path) -> None:
        buffer = io.BytesIO()
        torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
        path.write_bytes(buffer.getvalue()[keep])

    return write


def without_middle(path: Path) -> None:
    saved({"a": torch.zeros(5)})(path)
    content = path.read_bytes()
    path.write_bytes(content[:50] + content[-200:])


def archive(pickled: bytes, storage: bytes = bytes(4), *, spoil: bool = False) -> Write:
    """Write a TorchScript archive around a pickle and one storage, compressed."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("m/data.pkl", b"\x80\x02" + pickled + b".")
            file.writestr("m/constants.pkl", b"\x80\x02).")
            file.writestr("m/data/0", storage)
        if spoil:  # the first member's compressed bytes, behind its header of 30 bytes and its name
            content = bytearray(path.read_bytes())
            content[40:50] = b"\xff" * 10
            path.write_bytes(content)

    return write


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little")


def tensor(size: int, stride: int, stored: int = 1) -> bytes:
    """Pickle a vector over the storage 0."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(stored) + b"tQ"
    view = number(0) + b"(" + number(size) + b"t(" + number(stride) + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"\x89ccollections\nOrderedDict\n)RtR"


def module(**attributes: bytes) -> bytes:
    return b"c__torch__\nA\n)\x81}(" + b"".join(text(key) + value for key, value in attributes.items()) + b"ub"


def doubled(depth: int) -> bytes:
    """Pickle a module that holds one twice, which holds one twice ..."""
    out = module() + b"q\x00"
    for level in range(depth):
        out += b"0" + module(a=b"h" + bytes([level]), b=b"h" + bytes([level])) + b"q" + bytes([level + 1])
    return out


def bundle(**shapes: tuple[tuple[int, ...], int]) -> Write:
    """Write a TensorFlow checkpoint whose index says of every tensor: this shape, so many bytes, from the start on."""

    def write(path: Path) -> None:
        path.write_bytes(bytes(64))
        rows = [(b"", field(1, 1))]
        for name, (shape, size) in sorted(shapes.items()):
            dims = b"".join(field(2, field(1, axis)) for axis in shape)
            crc = varint(6 << 3 | 5) + struct.pack("<I", masked(crc32c(bytes(size))))
            rows.append((f"Conv3d_1a_7x7/{name}".encode(), field(1, 1) + field(2, dims) + field(5, size) + crc))
        table = bytearray()
        handle = add_block(table, block(rows), snappy=False)
        meta = add_block(table, block([]), snappy=False)
        index = add_block(table, block([(rows[-1][0] + b"\1", handle)]), snappy=False)
        table += (meta + index).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
        path.with_name(path.name.replace(".data-00000-of-00001", ".index")).write_bytes(table)

    return write


DATA = "x.data-00000-of-00001"
FILES: dict[str, tuple[str, Write, str]] = {
    "cut at once": ("x.pt", lambda path: path.write_bytes(b"\x80\x02") and None, "cut short or damaged"),
    "cut early": ("x.pt", saved({FIRST: torch.zeros(5)}, keep=slice(40), legacy=True), "cut short or damaged"),
    "cut late": ("x.pt", saved({FIRST: torch.zeros(5)}, keep=slice(-3), legacy=True), "cannot read the weights"),
    "its middle is gone": ("x.pt", without_middle, "is a damaged archive"),
    "spoilt while compressed": ("x.pt", archive(module(a=tensor(1, 1)), spoil=True), "cannot read the TorchScript"),
    "a view that repeats": ("x.pt", archive(module(a=tensor(1 << 40, 0))), "1 tensors that no weights have"),
    "an expanded tensor": (
        "x.pt", saved({FIRST: torch.zeros(1).as_strided((1 << 40,), (0,))}), "1 tensors that no weights have",
    ),
    # torch warns of it first, which is an error in tests
    "a sparse tensor": ("x.pt", saved({FIRST: torch.eye(3).to_sparse()}), "no weights have|Validating sparse tensor"),
    "complex numbers": ("x.pt", saved({FIRST: torch.zeros(3) + 1j}), "1 tensors that no weights have"),
    "no numbers at all": ("x.pt", saved({FIRST: torch.zeros(3, device="meta")}), "1 tensors that no weights have"),
    "it unpacks to 200 MB": (
        "x.pt", archive(module(a=tensor(3, 1, stored=50_000_000)), bytes(200_000_000)), "would unpack to 2000",
    ),
    "2^60 modules": ("x.pt", archive(doubled(60)), "more than 10000 modules"),
    "a module within itself": ("x.pt", archive(b"c__torch__\nA\n)\x81q\0}(" + text("a") + b"h\0ub"), "more than 10000"),
    "room for 2^31 objects": ("x.pt", archive(b"Nr" + struct.pack("<I", 1 << 31)), "numbers an object 2147483648"),
    "axes beyond all bounds": (DATA, bundle(a=((0, 1 << 60, 1 << 60), 0)), "3 axes of up to"),
    "a hundred axes": (DATA, bundle(a=((1,) * 100, 4)), "100 axes"),
    "tensors that share bytes": (DATA, bundle(a=((16,), 64), b=((16,), 64)), "lets tensors overlap"),
    "a web page": (DATA, lambda path: path.write_bytes(b"<!DOCTYPE html>") and None, "is a web page"),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_it_is_refused_in_one_sentence(what: str, tmp_path: Path) -> None:
    name, write, message = FILES[what]
    path = tmp_path / name
    write(path)
    with pytest.raises(InputError, match=message) as caught:
        read_tensors(Weights("x", path, "", container(path), "", None))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", FILES)
def test_it_hides_no_other_file_of_its_folder(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    name, write, _ = FILES[what]
    write(tmp_path / name)
    saved({"a": torch.zeros(5)})(tmp_path / "z.pt")
    assert [look_inside(file).known for file in scan([tmp_path])] == [None, None]
    status = (tmp_path / "z.pt").stat()
    sha256 = checksums(tmp_path / "z.pt", status.st_size, status.st_mtime_ns)[0]
    assert find_weights(f"sha256:{sha256}", tmp_path).path.name == "z.pt"
    with pytest.raises(InputError, match="found no weights 'i3d-kinetics400' among 2 weights files"):
        find_weights("i3d-kinetics400", tmp_path)


def test_what_an_interrupted_import_left_is_no_weights_file(tmp_path: Path) -> None:
    (tmp_path / ".tmp-0123.safetensors").write_bytes(b"half a file")
    (tmp_path / "._ViT-B-32.pt").write_bytes(b"what macOS leaves when it copies")
    assert list(scan([tmp_path])) == []


def test_storages_that_views_share_are_read_once(tmp_path: Path) -> None:
    archive(module(a=tensor(1, 1), b=tensor(1, 1)))(tmp_path / "x.pt")
    both = read_tensors(Weights("x", tmp_path / "x.pt", "", "torchscript", "", None))
    assert both["a"].data_ptr() == both["b"].data_ptr()
