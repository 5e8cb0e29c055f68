"""Copies of one length in bytes: what a server says of a file before anybody opens it then tells no method.

A `free` box after everything else (ISO/IEC 14496-12, 8.1.2) is skipped by players; index and pictures stay where they
were. Whoever takes a file apart still finds where the box begins.
"""

from __future__ import annotations

import os
from pathlib import Path

from human_eval_app.encoding import MODIFIED, digest_of_file
from univg_bench.atomic import atomic

# length and name, four bytes each: every copy gets a box, because nothing smaller could fill a gap of some bytes
SMALLEST = 8


def pad(source: Path, dest: Path, size: int) -> str:
    """Make `dest` the MP4 file `source` with `size` bytes in all, whole or not at all, and return its SHA-256."""
    content = source.read_bytes()
    missing = size - len(content)
    assert missing >= SMALLEST
    with atomic(dest) as temporary:
        temporary.write_bytes(content + missing.to_bytes(4, "big") + b"free" + bytes(missing - SMALLEST))
        os.utime(temporary, (MODIFIED, MODIFIED))
    return digest_of_file(dest)
