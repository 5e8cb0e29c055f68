"""TensorFlow's checkpoints are read to the bit, and whatever is damaged is named."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from tests.weights_files import field, snapped, varint, write_bundle
from univg_bench.errors import InputError
from univg_bench.features import tensor_bundle
from univg_bench.features.tensor_bundle import _unsnap, index_path, read_bundle, read_index


def variables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    out = {f"scope/layer_{i}/w": rng.random((i % 3 + 1, 2, i + 1), dtype=np.float32) for i in range(100)}
    return out | {"global_step": np.array(7, np.int64), "scope/moments": rng.random(5), "b": np.zeros(3, np.float32)}


@pytest.mark.parametrize("snappy", [False, True])
@pytest.mark.parametrize("name", ["model.ckpt", "variables"])
def test_what_was_written_is_read(tmp_path: Path, name: str, snappy: bool) -> None:
    data = tmp_path / f"{name}.data-00000-of-00001"
    write_bundle(data, variables(), snappy=snappy)
    assert index_path(data) == tmp_path / f"{name}.index"
    got = read_bundle(data)
    assert got.keys() == variables().keys()
    for key, value in variables().items():
        assert (got[key].dtype, got[key].shape) == (value.dtype, value.shape), key
        assert np.array_equal(got[key], value), key


def test_a_copy_may_run_into_what_it_writes() -> None:
    # Snappy's three kinds of copies, by hand: 1, 2 and 4 bytes of distance
    assert _unsnap(varint(9) + bytes([0]) + b"a" + bytes([4 << 2 | 1, 1])) == b"a" * 9
    assert _unsnap(varint(7) + bytes([1 << 2]) + b"ab" + bytes([4 << 2 | 2, 2, 0])) == b"abababa"
    assert _unsnap(varint(7) + bytes([1 << 2]) + b"ab" + bytes([4 << 2 | 3, 2, 0, 0, 0])) == b"abababa"
    text = b"to be or not to be, that is the question " * 30
    assert len(snapped(text)) < len(text) / 3
    assert _unsnap(snapped(text)) == text


@pytest.mark.parametrize(
    "stream",
    [
        varint(5) + bytes([0]) + b"a" + bytes([1, 9]),  # from before the start
        varint(3) + bytes([0]) + b"a",  # too little
        varint(1) + bytes([4 << 2]) + b"abcde",  # too much
        varint(1 << 40),  # a bomb
        varint(5) + bytes([0]) + b"a" + bytes([2]),  # without its distance
    ],
)
def test_a_broken_stream_is_refused(stream: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        _unsnap(stream)


def test_without_its_index_an_unknown_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.data-00000-of-00001").write_bytes(bytes(100))
    with pytest.raises(InputError, match=r"without x\.index, which says which tensors it holds"):
        read_bundle(tmp_path / "x.data-00000-of-00001")


def test_changed_data_are_named_by_tensor(tmp_path: Path) -> None:
    data = tmp_path / "x.data-00000-of-00001"
    write_bundle(data, variables())
    whole = data.read_bytes()
    changed = bytearray(whole)
    changed[2] ^= 1
    data.write_bytes(changed)
    with pytest.raises(InputError, match="is damaged: the checksum of its tensor b is not the stored one"):
        read_bundle(data)
    data.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"is cut short: found \d+ bytes, its index names \d+"):
        read_bundle(data)


@pytest.mark.parametrize("snappy", [False, True])
def test_no_damage_to_an_index_is_missed(tmp_path: Path, snappy: bool) -> None:
    """Every cut, and a changed bit anywhere that matters, is one sentence; nothing else comes out."""
    data = tmp_path / "x.data-00000-of-00001"
    write_bundle(data, {"a/w": np.ones(3, np.float32), "a/b": np.ones(2, np.float32)}, snappy=snappy)
    index = tmp_path / "x.index"
    whole, expected = index.read_bytes(), read_index(index)
    for end in range(len(whole)):
        index.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"cannot read .* as the index of a TensorFlow checkpoint"):
            read_index(index)
    missed = 0
    for place in range(len(whole)):
        index.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert read_index(index) == expected
            missed += 1
        except InputError:
            pass
    # the metaindex (an empty block, nobody reads it), its handle, and the padding of the footer
    assert missed <= 13 + 2 + 40


@pytest.mark.parametrize(
    ("header", "message"),
    [(field(1, 2), "has 2 data files, only one is read"), (field(1, 1) + field(2, 1), "big-endian")],
)
def test_other_kinds_of_checkpoints_are_refused(tmp_path: Path, header: bytes, message: str) -> None:
    data = tmp_path / "x.data-00000-of-00001"
    write_bundle(data, {"w": np.ones(3, np.float32)}, header=header)
    with pytest.raises(InputError, match=message):
        read_bundle(data)


def test_tensors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "x.data-00000-of-00001"
    write_bundle(data, {"w": np.ones(3, np.uint8)})
    with pytest.raises(InputError, match="the tensor w is of TensorFlow's type 4, expected numbers"):
        read_bundle(data)


class _Any:
    """A checksum that is always right."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("snappy", [False, True])
def test_an_index_made_to_mislead_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snappy: bool
) -> None:
    """Whoever writes wrong bytes can write the right checksum: behind the checksums too, nothing but InputError."""
    data = tmp_path / "x.data-00000-of-00001"
    write_bundle(data, {"a/w": np.ones((3, 2), np.float32), "a/b": np.ones(2, np.float32)}, snappy=snappy)
    whole = (tmp_path / "x.index").read_bytes()
    monkeypatch.setattr(tensor_bundle, "masked", lambda crc: _Any())
    rng = np.random.default_rng(0)
    for _ in range(1500):
        changed = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(0, len(changed) - 8, rng.integers(1, 4))
        changed[places] = rng.integers(0, 256, len(places))
        (tmp_path / "x.index").write_bytes(changed.tobytes())
        with contextlib.suppress(InputError):
            read_bundle(data)
