"""CRC-32C of arrays of tens of megabytes in fractions of a second, with NumPy alone.

TensorFlow stores one for every tensor of a checkpoint, and for the blocks of its index. A register that takes in one
word after the other is slow in Python, so the data are cut into lanes that advance side by side. A CRC is linear over
XOR: the register of two halves is that of the left one, moved on by as many zero bytes as the right one has, XOR the
right one's.

Source: RFC 3720, B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78); the mask is LevelDB's, util/crc32c.h.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8  # LevelDB: the CRC of data that hold a CRC would be weak, so a stored one is disguised

Words = NDArray[np.uint32]


def crc32c(data: bytes | NDArray[np.generic]) -> int:
    """Return the CRC-32C of bytes, or of an array's bytes in C order."""
    octets = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.ravel(data).view(np.uint8)
    low, high = _tables()
    lanes = 1 << max(0, (octets.size // 64).bit_length() // 2)  # as many lanes as steps: both cost Python calls
    steps = -(-(octets.size + 4) // (4 * lanes))
    # Zeros in front move a register of zero nowhere; the word before the data brings it to all ones, where CRCs start.
    padded = np.zeros(4 * lanes * steps, np.uint8)
    start = padded.size - octets.size
    padded[start:] = octets
    padded[start - 4 : start] = np.frombuffer(_START, np.uint8)
    words = padded.view("<u4").reshape(lanes, steps)
    register = np.zeros(lanes, np.uint32)
    for step in range(steps):
        register ^= words[:, step]
        register = low[register & 0xFFFF] ^ high[register >> 16]
    move = _words_of_zeros(steps)
    while register.size > 1:
        register = _apply(move, register[0::2]) ^ register[1::2]
        move = _apply(move, move)
    return int(register[0]) ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """Return a CRC as LevelDB and TensorFlow store it: rotated right by 15, plus a constant."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


@lru_cache(maxsize=1)
def _tables() -> tuple[Words, Words]:
    """Return what four zero bytes make of a register that is zero but for its low, or its high, 16 bits."""
    low = np.arange(1 << 16, dtype=np.uint32)
    tables = [low, low << np.uint32(16)]
    for _ in range(32):
        tables = [(t >> np.uint32(1)) ^ np.where(t & 1, np.uint32(_POLYNOMIAL), np.uint32(0)) for t in tables]
    return tables[0], tables[1]


def _word_of_zeros() -> Words:
    """Return, as 32 columns over GF(2), how a register moves under four zero bytes."""
    low, high = _tables()
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    columns: Words = low[bits & 0xFFFF] ^ high[bits >> 16]
    return columns


def _apply(matrix: Words, registers: Words) -> Words:
    moved = np.zeros_like(registers)
    for bit in range(32):
        moved ^= np.where((registers >> np.uint32(bit)) & 1, matrix[bit], np.uint32(0))
    return moved


@lru_cache(maxsize=256)
def _words_of_zeros(count: int) -> Words:
    """Return how a register moves under `count` words of zeros, by repeated squaring."""
    result = np.uint32(1) << np.arange(32, dtype=np.uint32)  # the identity
    matrix = _word_of_zeros()
    while count:
        if count & 1:
            result = _apply(matrix, result)
        matrix = _apply(matrix, matrix)
        count >>= 1
    return result


def _word_before() -> bytes:
    """Return the four bytes that bring a register from zero to all ones, by running it backwards."""
    register = 0xFFFFFFFF
    for _ in range(32):
        register = (((register ^ _POLYNOMIAL) << 1) | 1) if register >> 31 else register << 1
        register &= 0xFFFFFFFF
    return register.to_bytes(4, "little")


_START = _word_before()
