"""The shared real file and a check of refusals, for every test of human evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from univg_bench.errors import InputError

ROOT = Path(__file__).parents[2]
FETV = ROOT.parent / "shared" / "data" / "fetv" / "ratings.csv"


@pytest.fixture
def fetv() -> Path:
    """The real ratings of FETV: three raters, four models, 22 prompts, and the reference videos."""
    if not FETV.is_file():
        pytest.skip(
            "needs ../shared/data/fetv/ratings.csv beside the checkout; put the shared folder there to enable it"
        )
    return FETV


@pytest.fixture
def refused() -> Callable[..., object]:
    """Return a context manager: the block raises InputError whose text contains all parts."""

    @contextmanager
    def context(*parts: str) -> Iterator[None]:
        with pytest.raises(InputError) as caught:
            yield
        text = str(caught.value)
        assert caught.value.exit_code == 2
        for part in parts:
            assert part in text, f"{part!r} not in {text!r}"

    return context
