"""Laws of items: choices depend on hashes alone, images are files that are there."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.protocol_texts import VALID, written
from univg_bench.datasets import load_items
from univg_bench.datasets.images import image_digests, with_images
from univg_bench.datasets.items import Item, ItemSet, name_some, select_items
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol_fields import Select
from univg_bench.protocol_files import load_protocol

SHAPES = "data: {source: moving-shapes, split: test, count: 3, height: 32, width: 56}\n"
DATA = VALID[VALID.index("data:") : VALID.index("conditions:")]


def captions(*numbers: int, per_video: int = 4) -> list[Item]:
    return [Item(f"v{v}.c{c:02d}", f"{v} {c}", cluster=f"v{v}") for v in numbers for c in range(per_video)]


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 4), st.integers(1, 12))
def test_a_choice_does_not_depend_on_order(order: list[int], per_video: int, videos: int) -> None:
    select = Select(captions_per_video=per_video, videos=videos, rule="hash_min", salt="s")
    chosen = select_items(captions(*order), select)
    assert {item.item_id for item in chosen} == {item.item_id for item in select_items(captions(*range(12)), select)}
    assert len(chosen) == per_video * videos
    assert [item.cluster for item in chosen] == sorted((i.cluster for i in chosen), key=[f"v{n}" for n in order].index)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 40), min_size=2), st.integers(1, 3))
def test_the_captions_chosen_of_a_video_do_not_depend_on_other_videos(videos: set[int], per_video: int) -> None:
    select = Select(captions_per_video=per_video, rule="hash_min", salt="s")
    together = select_items(captions(*videos), select)
    alone = [item for video in videos for item in select_items(captions(video), select)]
    assert [item.item_id for item in together] == [item.item_id for item in alone]


def test_more_captions_contain_fewer() -> None:
    one, three = (
        {
            item.item_id
            for item in select_items(captions(*range(20)), Select(captions_per_video=n, rule="hash_min", salt="s"))
        }
        for n in (1, 3)
    )
    assert one < three


def test_the_rule_is_the_documented_hash() -> None:
    (item,) = select_items(captions(7), Select(captions_per_video=1, rule="hash_min", salt="salt"))
    ranks = {c: sha256(f"salt|v7|{c}".encode()).digest() for c in ("c00", "c01", "c02", "c03")}
    assert item.item_id == f"v7.{min(ranks, key=ranks.__getitem__)}"


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        (Select(videos=5, rule="hash_min", salt="s"), "found 3 videos, expected at least the 5 to choose"),
        (Select(captions_per_video=5, rule="hash_min", salt="s"), "found 4 captions of v1, expected at least 5"),
        (Select(first=13), "found 12 items, expected at least the first 13"),
    ],
)
def test_a_choice_of_more_than_there_is_is_refused(select: Select, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        select_items(captions(1, 2, 3), select)


def test_ten_names_and_how_many_more() -> None:
    assert name_some("abc") == "a, b, c"
    assert name_some(str(n) for n in range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_the_digest_of_items_covers_prompts_and_not_places() -> None:
    item = Item("a", "a dog", cluster="a", reference_id="a", reference=Path("/x/a.mp4"))
    moved = Item("a", "a dog", cluster="a", reference_id="a", reference=Path("/y/a.mp4"))
    assert ItemSet((item,)).digest == ItemSet((moved,)).digest
    assert ItemSet((item,)).digest != ItemSet((Item("a", "a cat", cluster="a"),)).digest


# -------------------------------------------------------------------------------------------------------------- images

GIVEN = ("image: null", 'image: {source: folder, pattern: "{item_id}.png", made_by: a painter}')


def shapes(folder: Path, *changes: tuple[str, str]) -> Path:
    return written(folder, VALID, (DATA, SHAPES), *changes)


def test_given_images_are_found_and_known_by_their_content(tmp_path: Path) -> None:
    protocol = load_protocol(shapes(tmp_path, ("task: t2v", "task: ti2v"), GIVEN))
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        (images / f"test-0000{number}.png").write_bytes(bytes([number]))
    items = load_items(protocol, tmp_path, references=False, images=images)
    assert items.items[2].image == images / "test-00002.png"
    assert items.facts["images"] == 3
    assert image_digests(items)["test-00001"] == sha256(b"\x01").hexdigest()


def test_images_are_not_needed_where_nothing_is_generated(tmp_path: Path) -> None:
    protocol = load_protocol(shapes(tmp_path, ("task: t2v", "task: ti2v"), GIVEN))
    items = load_items(protocol, tmp_path, references=False)
    assert image_digests(items) == {}


def test_missing_images_are_named(tmp_path: Path) -> None:
    protocol = load_protocol(shapes(tmp_path, ("task: t2v", "task: ti2v"), GIVEN))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "test-00000.png").write_bytes(b"x")
    with pytest.raises(SampleError) as caught:
        load_items(protocol, tmp_path, references=False, images=tmp_path / "images")
    assert "found 1 of 3 condition images as" in str(caught.value)
    assert "missing those of test-00001, test-00002" in str(caught.value)
    assert list(caught.value.items) == ["test-00001", "test-00002"]
    with pytest.raises(
        InputError, match=r"found no folder .*/none; it should hold \{item_id\}\.png, made by a painter"
    ):
        load_items(protocol, tmp_path, references=False, images=tmp_path / "none")


def test_images_for_a_protocol_that_wants_none_are_refused(tmp_path: Path) -> None:
    protocol = load_protocol(shapes(tmp_path))
    with pytest.raises(InputError, match=r"found a folder of images .*, but protocol mine asks for none; leave it out"):
        load_items(protocol, tmp_path, references=False, images=tmp_path)


def test_images_of_the_data_set_are_found_in_it(tmp_path: Path) -> None:
    patterns = 'references: "{item_id}.mp4", images: "i/{item_id}.png"'
    data = f"data: {{source: folder, prompts: p.txt, {patterns}, expect: {{items: 1}}}}\n"
    changes = (("task: t2v", "task: ti2v"), ("image: null", "image: {source: data}"))
    protocol = load_protocol(written(tmp_path, VALID, (DATA, data), *changes))
    (tmp_path / "p.txt").write_text("a dog\n")
    (tmp_path / "i").mkdir()
    with pytest.raises(SampleError, match=r"found 0 of 1 condition images"):
        load_items(protocol, tmp_path, references=False)
    (tmp_path / "i" / "0000.png").write_bytes(b"x")
    assert load_items(protocol, tmp_path, references=False).items[0].image == tmp_path / "i" / "0000.png"


def test_a_reference_frame_needs_no_image_file(tmp_path: Path) -> None:
    changes = (("task: t2v", "task: ti2v"), ("image: null", "image: {source: reference}"))
    protocol = load_protocol(shapes(tmp_path, *changes))
    items = ItemSet(tuple(captions(1)))
    assert with_images(items, protocol, tmp_path, None) is items
