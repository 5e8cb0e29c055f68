"""Where the files that travel with the package lie: in a checkout at its top, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

# name -> its place in a checkout; in the wheel it is univg_bench/_shipped/<name> (pyproject.toml, force-include)
_IN_CHECKOUT = {"protocols": "protocols", "published": "results/published"}


def shipped_folder(name: Literal["protocols", "published"]) -> Path:
    """Return the folder of shipped protocol files, or of published figures with their sources."""
    package = Path(__file__).resolve().parent
    in_wheel = package / "_shipped" / name
    return in_wheel if in_wheel.is_dir() else package.parent / _IN_CHECKOUT[name]
