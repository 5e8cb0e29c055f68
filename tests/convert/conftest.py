"""Narrow networks and the checkpoint that a video model would be published in."""

from __future__ import annotations

import pytest
from torch import Tensor

from tests.convert.published_like import Networks, networks, video_checkpoint


@pytest.fixture(scope="module")
def nets() -> Networks:
    return networks()


@pytest.fixture(scope="module")
def keys(nets: Networks) -> dict[str, Tensor]:
    return video_checkpoint(nets)
