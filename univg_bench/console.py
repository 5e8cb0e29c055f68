"""What a command says, and where: results on stdout, progress and warnings on stderr, one JSON record with `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Console:
    """The voice of one command; passed down, never global.

    json: print nothing but one final record on stdout. quiet: no progress, no notes. verbose: say details too.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def say(self, text: str = "") -> None:
        """Print a line of the result on stdout (nothing under `--json`)."""
        if not self.json:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Print a line about the work on stderr (nothing under `--quiet`)."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on stderr, also under `--quiet`: a warning that nobody sees is a silent fallback."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """Print a line on stderr under `--verbose` only."""
        if self.verbose:
            print(text, file=sys.stderr, flush=True)

    def progress(self, things: Iterable[T], *, total: int, title: str, unit: str) -> Iterator[T]:
        """Yield `things` under a progress bar with rate and ETA on stderr (hidden when quiet or not a terminal)."""
        from tqdm import tqdm

        bar = tqdm(
            things, total=total, desc=title, unit=unit, file=sys.stderr, leave=False, dynamic_ncols=True,
            disable=True if self.quiet else None,
        )  # fmt: skip
        yield from bar

    def finish(self, record: Mapping[str, Any]) -> None:
        """Print `record` as one line of JSON under `--json`; `say` has told a person already."""
        if self.json:
            print(json.dumps(record, ensure_ascii=False, allow_nan=False), flush=True)
