"""The checksum is CRC-32C: published values, and the definition bit by bit."""

from __future__ import annotations

import random

import numpy as np
import pytest

from univg_bench.features.crc32c import crc32c, masked


def by_definition(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, B.4, and the check value of the catalogue of CRC algorithms
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_published_values(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


def test_any_length_is_as_the_definition_says() -> None:
    numbers = random.Random(0)
    for size in [*range(20), 63, 64, 65, 127, 128, 255, 256, 257, 1000, 4095, 4096, 5001, 30011]:
        data = numbers.randbytes(size)
        assert crc32c(data) == by_definition(data), size


def test_arrays_are_their_bytes_in_c_order() -> None:
    array = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    assert crc32c(array) == crc32c(array.tobytes())
    assert crc32c(array.transpose(2, 0, 1)) == crc32c(array.transpose(2, 0, 1).tobytes())


def test_one_changed_bit_changes_it() -> None:
    data = np.zeros(100_000, np.uint8)
    before = crc32c(data)
    for place in (0, 49_999, 99_999):
        data[place] ^= 1
        assert crc32c(data) != before
        data[place] ^= 1
    assert crc32c(data) == before


def test_the_mask_is_leveldbs() -> None:
    """Its own test: masking is no identity, also not when it is done twice, and differs between values."""
    crc = crc32c(b"foo")
    assert masked(crc) != crc
    assert masked(masked(crc)) != crc
    rotated = masked(crc) - 0xA282EAD8 & 0xFFFFFFFF  # undone as util/crc32c.h undoes it
    assert (rotated >> 17 | rotated << 15) & 0xFFFFFFFF == crc
