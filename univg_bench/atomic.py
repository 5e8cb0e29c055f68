"""Files that are there in full or not at all: written beside their place, forced to disk, then renamed.

A process may be killed, or the disk may fill, at any moment; what carries its final name is complete. Whatever is left
of an interrupted write starts with `.tmp-` and is no part of anything; `sweep` removes it.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from univg_bench.errors import InfrastructureError

_PREFIX = ".tmp-"
# what the machine does to us, as against what a user got wrong: full disk, quota, failing or read-only device
MACHINE_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


@contextmanager
def atomic(dest: Path) -> Iterator[Path]:
    """Give a path beside `dest` to write to; when the block ends well, force it to disk and rename it to `dest`.

    Raises InfrastructureError when the disk is full or fails; then, and after any other error, `dest` is as before.
    """
    temporary = dest.with_name(f"{_PREFIX}{uuid.uuid4().hex}{dest.suffix}")
    with machine_faults(f"write {dest}"):
        try:
            dest.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _force(temporary)
            temporary.replace(dest)
            _force(dest.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_bytes(dest: Path, content: bytes) -> None:
    """Make `dest` hold `content`, atomically."""
    with atomic(dest) as temporary:
        temporary.write_bytes(content)


def sweep(folder: Path) -> int:
    """Remove what interrupted writes left anywhere under `folder`; return how many files that were.

    Only for a caller who knows that nobody is writing there.
    """
    left = [path for path in folder.rglob(f"{_PREFIX}*") if path.is_file() or path.is_symlink()]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


@contextmanager
def machine_faults(deed: str) -> Iterator[None]:
    """Turn a full disk and the like into InfrastructureError (exit 5); other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in MACHINE_FAULTS:
            raise
        reason = os.strerror(error.errno)
        raise InfrastructureError(
            f"could not {deed}: {reason}; nothing half-written counts, so put that right and run the same command again"
        ) from error


def _force(path: Path) -> None:
    # without this a rename can reach the disk before the content does, and a power cut leaves an empty file
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
