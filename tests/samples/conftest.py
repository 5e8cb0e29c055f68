"""A small import to try things on, and a look at what was decoded."""

from pathlib import Path

import pytest

from tests.samples.small_protocol import (
    write_protocol,
    write_videos,
)
from univg_bench.video import probe


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A protocol of four items and a folder `videos` with a good video for each."""
    write_protocol(tmp_path)
    write_videos(tmp_path / "videos")
    return tmp_path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which files were decoded by this process."""
    names: list[str] = []

    def counting(path: Path) -> object:
        names.append(path.name)
        return probe(path)

    monkeypatch.setattr("univg_bench.index.probe", counting)
    return names
