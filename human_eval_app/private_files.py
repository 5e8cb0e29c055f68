"""Files that nobody but their owner can read, from the first moment on."""

from __future__ import annotations

import os
from pathlib import Path


def create_private(path: Path) -> None:
    """Make an empty file with mode 0600. Raises FileExistsError where there is one, OSError where none can be made."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
