"""The shipped weights are the ones that the card describes, and they can still see."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from univg_bench.features.tiny import weights_path
from univg_bench.features.tiny.accuracy import Accuracy, clip_scores, i3d_accuracies

CARD = Path(__file__).parents[2] / "docs" / "tiny_extractors.md"
COUNT = 128


def stated(card: str, network: str, name: str) -> float:
    """Return the share that the card's table of `network` states for `name` at 32x56."""
    section = card.split(f"## {network}")[1].split("\n## ")[0]
    row = re.search(rf"^\| {re.escape(name)} \| (0\.\d+|1\.0+)", section, flags=re.MULTILINE)
    assert row, f"the card's section {network} has no row {name}"
    return float(row.group(1))


def assert_as_stated(rows: list[Accuracy], network: str) -> None:
    card = CARD.read_text()
    for row in rows:
        p = stated(card, network, row.name)
        slack = 0.02 + 4 * (p * (1 - p) / row.n) ** 0.5
        assert row.value > p - slack, f"{network}, {row.name}: found {row.value:.3f}, the card says {p}"


@pytest.mark.parametrize("name", ["tiny-i3d", "tiny-clip"])
def test_the_card_names_the_shipped_file(name: str) -> None:
    path = weights_path(name)  # type: ignore[arg-type]
    assert path.stat().st_size < 3_000_000
    assert sha256(path.read_bytes()).hexdigest() in CARD.read_text()


def test_tiny_i3d_reaches_the_stated_accuracies() -> None:
    assert_as_stated(i3d_accuracies(count=COUNT), "tiny-i3d")


def test_tiny_clip_reaches_the_stated_accuracies() -> None:
    scores = clip_scores(count=COUNT)
    assert scores.matched - scores.mismatched > 0.5
    visible = [row for row in scores.choices if row.name not in ("motion", "camera")]
    assert_as_stated(visible, "tiny-clip")
