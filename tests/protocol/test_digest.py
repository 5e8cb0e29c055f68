"""The digest is over what a file means: whatever can move a number is in it, and nothing else is."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.protocol.protocol_texts import VALID, written
from univg_bench.protocol_files import load_protocol
from univg_bench.recipes import FVD_RECIPES


def digest(folder: Path, *changes: tuple[str, str], text: str = VALID) -> str:
    return load_protocol(written(folder, text, *changes)).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1\n", "version: 1  # a comment\n\n"),
        ("version: 1\ntitle: A protocol of my own\n", "title: A protocol of my own\nversion: 1\n"),
        ("title: A protocol of my own", "title: Another title"),
        ("sources: [a paper]", "sources: [another paper, a page]"),
        ("sources: [a paper]\n", ""),
        ("freedom: high\n", ""),  # the default, written or not
        ("image: null", "image: "),
        ("fps: 8,", "fps: 8.0,"),
        ("steps: 50", "steps: 50.0"),
        ("w_T: 9.5", "w_T: 95e-1"),
        ("  split: test\n", ""),
        ("digits: 0", "digits: 2"),
        ("label: FVD", "label: Fréchet"),
        ("sampling: all}", '"sampling": "all"}'),
    ],
)
def test_spelling_and_presentation_do_not_change_it(tmp_path: Path, old: str, new: str) -> None:
    assert digest(tmp_path, (old, new)) == digest(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: mine", "id: yours"),  # seeds are made of id and version
        ("version: 1", "version: 2"),
        ("split: test", "split: validate"),
        ("captions_per_video: 1", "captions_per_video: 2"),
        ("salt: mine-v1", "salt: mine-v2"),
        ("videos: 2990", "videos: 2989"),
        ("fps: 8", "fps: 8.5"),
        ("num_frames: 24", "num_frames: 16"),
        ("fixed: [fps]", "fixed: [fps, height]"),
        ("steps: 50", "steps: 51"),
        ("w_T: 9.5", "w_T: null"),
        ("recipe: univg", "recipe: univg  #"),
        ("sampling: random_sorted", "sampling: random_consecutive"),
        ("frames: 16, seed: 0", "frames: 16, seed: 1"),
        ("sampling: all", "sampling: all, short: drop"),
        ("    frames: {sampling: all}\n", "    frames: {sampling: all}\n    reference_frames: {sampling: all}\n"),
        ("    kind: fvd\n", "    kind: fvd\n    repeats: {count: 2, size: 1000}\n"),
        ("metrics:\n", "intervals: {replicates: 500}\nmetrics:\n"),
    ],
)
def test_whatever_can_move_a_number_changes_it(tmp_path: Path, old: str, new: str) -> None:
    same = new.endswith("#")  # the control: the comment alone does not
    assert (digest(tmp_path, (old, new)) == digest(tmp_path)) is same


def test_the_order_of_metrics_and_fixed_fields_does_not_change_it(tmp_path: Path) -> None:
    fvd, clipsim = VALID.index("  - id: fvd"), VALID.index("  - id: clipsim")
    end = VALID.index("table:")
    swapped = VALID[:fvd] + VALID[clipsim:end] + VALID[fvd:clipsim] + VALID[end:]
    assert digest(tmp_path, text=swapped) == digest(tmp_path)
    one = digest(tmp_path, ("[fps]", "[fps, width]"))
    assert one == digest(tmp_path, ("[fps]", "[width, fps]"))


def test_a_variant_that_comes_to_the_same_has_the_same_digest(tmp_path: Path) -> None:
    base = written(tmp_path)
    path = written(tmp_path, "extends: mine.yaml\nid: mine\ngeneration: {fps: 8}\n", name="same.yaml")
    assert load_protocol(path).digest == load_protocol(base).digest


def test_another_version_of_a_recipe_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(tmp_path)
    monkeypatch.setitem(FVD_RECIPES, "univg", replace(FVD_RECIPES["univg"], bn_eps=1e-5))
    assert digest(tmp_path) != before


def test_the_digest_of_a_known_file_is_stable(tmp_path: Path) -> None:
    # Golden: if this moves, every recorded result loses its protocol. Say so in the changelog, under "Numbers".
    loaded = load_protocol(written(tmp_path))
    meaning = loaded.meaning()
    for metric in meaning["metrics"]:
        metric["recipe"]["digest"] = "left out: recipes have their own tests"
    from univg_bench.canonical import digest_of

    assert digest_of(meaning) == "3fa273cac16f2b9379e3e0c5e89ce4a9653a8c910433f188d165fa45d9af4dc8"
