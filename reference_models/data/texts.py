"""Many short texts in two arrays: ten million captions take their own bytes and 8 more each, not 100 more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class Texts(Sequence[str]):
    """A read-only list of texts; bytes that are not UTF-8 stay as `surrogateescape` has them."""

    def __init__(self, texts: Iterable[str]) -> None:
        blob, ends = bytearray(), [0]
        for text in texts:
            blob += text.encode("utf-8", "surrogateescape")
            ends.append(len(blob))
        self._blob, self._ends = bytes(blob), np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._blob[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogateescape")

    def parts(self) -> tuple[bytes, bytes]:
        """Return what decides all texts, for a digest."""
        return self._ends.astype("<i8").tobytes(), self._blob


def is_text(text: str) -> bool:
    """Return whether the bytes that a text was read from were UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
