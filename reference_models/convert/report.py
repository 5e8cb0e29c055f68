"""What became of every key when published weights were turned into ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHOWN = 5  # keys named in a sentence; the whole lists are in the report


@dataclass(frozen=True)
class KeyReport:
    """The account of one conversion, each list sorted.

    used: source keys that gave parameters. unused: source keys without a place. missing: parameters that nothing gave.
    reshaped: parameters that the source holds in another shape. misfits: parameters whose shape is not the network's,
    as "key: found (...), expected (...)".
    """

    used: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    misfits: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every key of the source has its place and every parameter its value."""
        return not (self.unused or self.missing or self.misfits)

    def sentence(self) -> str:
        """Return the account in one sentence."""
        parts = [f"{len(self.used)} keys used ({len(self.reshaped)} reshaped)"]
        for what, keys in (("unused", self.unused), ("missing", self.missing), ("of another shape", self.misfits)):
            if keys:
                more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
                parts.append(f"{len(keys)} {what}: {', '.join(keys[:SHOWN])}{more}")
        return "; ".join(parts)


def key_report(
    *,
    source: Mapping[str, Sequence[int]],
    key_map: Mapping[str, str],
    converted: Mapping[str, Sequence[int]],
    expected: Mapping[str, Sequence[int]],
) -> KeyReport:
    """Return the account of a conversion from the shapes alone.

    source: shape of each key of the file. key_map: source key -> parameter. converted, expected: shape of each
    parameter after the conversion, and as the network has it.
    """
    wrong = (key for key in converted if key in expected and tuple(converted[key]) != tuple(expected[key]))
    return KeyReport(
        used=tuple(sorted(key for key in source if key_map.get(key) in expected)),
        unused=tuple(sorted(key for key in source if key_map.get(key) not in expected)),
        missing=tuple(sorted(set(expected) - set(converted))),
        reshaped=tuple(
            sorted(
                {new for old, new in key_map.items() if new in expected and tuple(source[old]) != tuple(converted[new])}
            )
        ),
        misfits=tuple(
            f"{key}: found {tuple(converted[key])}, expected {tuple(expected[key])}" for key in sorted(wrong)
        ),
    )
