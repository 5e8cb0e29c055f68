"""The scenes and sentences of Moving Shapes."""

from collections import Counter
from itertools import combinations

import pytest

from univg_bench.datasets.moving_shapes import ATTRIBUTES, SPLITS, VOCABULARY, caption, scene, split_size
from univg_bench.errors import InputError


def attributes(split: str, index: int, rendering: int = 0) -> tuple[str, ...]:
    s = scene(split, index, rendering)
    return tuple(getattr(s, name) for name in ATTRIBUTES)


def test_world_has_the_attributes_of_the_specification() -> None:
    assert {name: len(choices) for name, choices in ATTRIBUTES.items()} == {
        "shape": 6, "colour": 8, "texture": 3, "motion": 8, "background": 6, "camera": 4, "size": 2,
    }  # fmt: skip


def test_every_combination_belongs_to_exactly_one_split() -> None:
    seen = Counter(attributes(split, i) for split in SPLITS for i in range(split_size(split)))
    assert len(seen) == 6 * 8 * 3 * 8 * 6 * 4 * 2
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("split", SPLITS)
def test_every_pair_of_attributes_is_uniform_over_a_whole_split(split: str) -> None:
    scenes = [scene(split, i) for i in range(split_size(split))]
    for a, b in combinations(ATTRIBUTES, 2):
        counts = Counter((getattr(s, a), getattr(s, b)) for s in scenes)
        assert len(counts) == len(ATTRIBUTES[a]) * len(ATTRIBUTES[b])
        assert len(set(counts.values())) == 1, (a, b)


@pytest.mark.parametrize("split", SPLITS)
def test_the_first_scenes_of_a_split_are_balanced_too(split: str) -> None:
    n = 1024
    scenes = [scene(split, i) for i in range(n)]
    for name, choices in ATTRIBUTES.items():
        counts = Counter(getattr(s, name) for s in scenes)
        p = 1 / len(choices)
        spread = (n * p * (1 - p)) ** 0.5
        assert all(abs(counts[value] - n * p) < 4 * spread for value in choices), (name, counts)


def test_scenes_come_again_with_other_nuisances_when_the_split_is_used_up() -> None:
    n = split_size("test")
    assert attributes("test", 5) == attributes("test", n + 5)
    assert scene("test", 5).start_x != scene("test", n + 5).start_x


def test_another_rendering_keeps_the_attributes_and_the_caption() -> None:
    for i in range(50):
        first, second = scene("test", i), scene("test", i, rendering=1)
        assert attributes("test", i) == attributes("test", i, 1)
        assert caption(first) == caption(second)
        assert first.start_x != second.start_x or first.start_y != second.start_y


def test_caption_names_every_attribute_and_fits_the_context() -> None:
    for i in range(400):
        s = scene("train", i)
        words = caption(s).split()
        assert len(words) <= 18  # 20 with the start and the end token
        for name in ATTRIBUTES:
            value = getattr(s, name).split()
            assert any(words[k : k + len(value)] == value for k in range(len(words))), (name, words)


def test_captions_use_all_of_the_vocabulary_and_nothing_else() -> None:
    used = {word for i in range(400) for word in caption(scene("train", i)).split()}
    assert used == set(VOCABULARY)
    assert len(VOCABULARY) == 48


def test_caption_template_is_the_scenes_own() -> None:
    templates = [scene("train", i).template for i in range(400)]
    assert min(Counter(templates).values()) > 70
    assert templates != [scene("test", i).template for i in range(400)]


def test_unknown_split_and_negative_index_are_refused() -> None:
    with pytest.raises(InputError, match="expected one of train, validation, test"):
        scene("val", 0)
    with pytest.raises(InputError, match="from 0 up"):
        scene("test", -1)
