"""What a number was made with: versions, machine, threads. No host name, no user name, nothing phones home."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# the packages whose version can move a number
PACKAGES = ("univg-bench", "torch", "torchvision", "open_clip_torch", "numpy", "scipy", "pillow", "av")


def describe_environment(device: str) -> dict[str, Any]:
    """Return Python, packages, git commit, CPU, threads, decoder and device as plain data for a record."""
    from av import library_versions

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "ffmpeg": {name: ".".join(str(n) for n in numbers) for name, numbers in sorted(library_versions.items())},
        "code": _git_commit(),
        "device": _device_name(device),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _git_commit() -> dict[str, Any] | None:
    """Return commit and cleanliness of the checkout this code runs from; None when it runs from an installed wheel."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None  # git is not installed, or the checkout belongs to somebody else


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def _device_name(device: str) -> dict[str, Any]:
    if device == "cpu":
        return {"type": "cpu"}
    torch = sys.modules["torch"]  # an accelerator is in use, so torch is loaded already
    return {"type": device, "name": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
