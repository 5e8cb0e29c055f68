"""A folder of one's own: ids stay text, every refusal names the row, no path leaves the folder."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from univg_bench.datasets import ItemSet, load_items
from univg_bench.datasets.folder import load_folder
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol import ExpectFolder, FolderData
from univg_bench.protocol_files import load_protocol

REFERENCES = "real/{item_id}.mp4"


def load(root: Path, **fields: Any) -> ItemSet:
    fields = {"prompts": "prompts.csv", **fields}
    data = FolderData(source="folder", expect=ExpectFolder(items=2), **fields)
    return load_folder(data, root, references=True, allow_missing=False)


def prompts(root: Path, text: str, name: str = "prompts.csv") -> Path:
    (root / name).write_bytes(text.encode())
    return root


def videos(root: Path, *names: str) -> None:
    (root / "real").mkdir(exist_ok=True)
    for name in names:
        (root / "real" / f"{name}.mp4").write_bytes(b"x")


def test_rows_become_items_in_their_order_with_ids_as_text(tmp_path: Path) -> None:
    prompts(tmp_path, 'item_id,kind,prompt\n002,x,people are dancing\n1.0e3,y,"Bees, slow\nmotion"\n')
    items = load(tmp_path)
    assert [(i.item_id, i.prompt, i.cluster) for i in items.items] == [
        ("002", "people are dancing", "002"),
        ("1.0e3", "Bees, slow\nmotion", "1.0e3"),
    ]
    assert items.sources == {"prompts.csv": sha256((tmp_path / "prompts.csv").read_bytes()).hexdigest()}
    assert items.items[0].reference_id is None


def test_columns_are_named_by_the_protocol_and_clusters_too(tmp_path: Path) -> None:
    prompts(tmp_path, "key,vid_key,video_id,sentence\nret0,msr1,video1,a dog\nret1,msr2,,a cat\n")
    items = load(tmp_path, id_column="key", prompt_column="sentence", cluster_column="video_id")
    assert [(i.item_id, i.prompt, i.cluster) for i in items.items] == [
        ("ret0", "a dog", "video1"),
        ("ret1", "a cat", "ret1"),  # no cluster given: one of its own
    ]


def test_jsonl_and_plain_text_are_read(tmp_path: Path) -> None:
    prompts(tmp_path, '{"item_id": "a", "prompt": "one\u2028line"}\n\n{"item_id": "b", "prompt": "two"}\n', "p.jsonl")
    assert [i.prompt for i in load(tmp_path, prompts="p.jsonl").items] == ["one\u2028line", "two"]
    prompts(tmp_path, "\ufeffa dog\r\na cat\r\n", "p.txt")
    assert [(i.item_id, i.prompt) for i in load(tmp_path, prompts="p.txt").items] == [
        ("0000", "a dog"),
        ("0001", "a cat"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("p.csv", "id,prompt\na,b\n", r"p\.csv:1: found no column 'item_id' among id, prompt"),
        ("p.csv", "item_id,prompt,prompt\na,b,c\n", r"p\.csv:1: found more than one column 'prompt' among item_id"),
        ("p.csv", "", r"p\.csv:1: found no column 'item_id' among none"),
        ("p.csv", "item_id,prompt\na,b,c\n", r"p\.csv:2: found 3 fields, expected 2 as in the first line"),
        ("p.csv", 'item_id,prompt\na,"b\n', r"p\.csv:2: not a CSV table \("),
        ("p.csv", "item_id,prompt\na,one\nb,two\na,three\n", r"p\.csv:4: found the item id 'a' a second time, first in"
                                                             r" .*p\.csv:2$"),
        ("p.csv", "item_id,prompt\na,one\nA,two\n", r"p\.csv:3: found the item id 'A' a second time, first in .*csv:2"
                                                    r" \(there 'a'; case does not count\)"),
        ("p.csv", "item_id,prompt\n../a,one\n", r"p\.csv:2: found the item id '\.\./a', expected letters, digits"),
        ("p.csv", "item_id,prompt\na b,one\n", r"p\.csv:2: found the item id 'a b', expected letters"),
        ("p.csv", "item_id,prompt\n,one\n", r"p\.csv:2: found the item id '', expected letters"),
        ("p.csv", "item_id,prompt\nä,one\n", r"p\.csv:2: found the item id 'ä', expected letters"),
        ("p.csv", f"item_id,prompt\n{'a' * 101},one\n", r"starting with a letter or digit, at most 100"),
        ("p.csv", "item_id,prompt\na, \n", r"p\.csv:2: found no prompt for a; fill it in or remove the row"),
        ("p.txt", "a dog\n\na cat\n", r"p\.txt:2: found no prompt for 0001; fill it in or remove the row"),
        ("p.jsonl", '{"item_id": "a", "prompt": "x"}\n{"item_id"\n', r"p\.jsonl:2: not JSON \("),
        ("p.jsonl", '{"item_id": 2, "prompt": "x"}\n', r"p\.jsonl:1: found no text for 'item_id'; every line is"),
        ("p.jsonl", "[1]\n", r"p\.jsonl:1: found no text for 'item_id'"),
        ("p.xlsx", "x", r"found the prompt file .*p\.xlsx, expected one that ends in \.csv, \.jsonl or \.txt"),
    ],
)  # fmt: skip
def test_a_malformed_table_is_refused_with_its_row(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    prompts(tmp_path, text, name)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path, prompts=name)


def test_a_prompt_file_that_is_missing_or_no_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no prompt file .*prompts\.csv; it is `data\.prompts` of the protocol"):
        load(tmp_path)
    (tmp_path / "prompts.csv").write_bytes("item_id,prompt\na,caf\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"prompts\.csv is not UTF-8 text \(byte 20\); save it as UTF-8"):
        load(tmp_path)


def test_another_number_of_prompts_is_refused(tmp_path: Path) -> None:
    prompts(tmp_path, "item_id,prompt\na,one\n")
    with pytest.raises(InputError, match=r"^found 1 prompts in .*prompts\.csv, expected 2$"):
        load(tmp_path)


def test_references_are_found_by_pattern(tmp_path: Path) -> None:
    prompts(tmp_path, "item_id,prompt\na,one\nb,two\n")
    videos(tmp_path, "a", "b", "unrelated")
    assert load(tmp_path).references == {}  # without a pattern nothing is looked for
    items = load_with_references(tmp_path)
    assert items.references == {"a": tmp_path / "real" / "a.mp4", "b": tmp_path / "real" / "b.mp4"}
    assert items.notes == ()


def load_with_references(root: Path, *, expected: int | None = None, allow_missing: bool = False) -> ItemSet:
    data = FolderData(
        source="folder", prompts="prompts.csv", references=REFERENCES, expect=ExpectFolder(items=2, references=expected)
    )
    return load_folder(data, root, references=True, allow_missing=allow_missing)


def test_a_set_that_says_it_has_fewer_real_videos_is_complete_and_says_which_item_has_none(tmp_path: Path) -> None:
    prompts(tmp_path, "item_id,prompt\na,one\nb,two\n")
    videos(tmp_path, "a")
    items = load_with_references(tmp_path, expected=1)
    assert items.notes == ("1 of 2 items have no reference video: b",)
    assert [item.reference_id for item in items.items] == ["a", None]
    assert items.facts["references"] == 1


def test_missing_references_are_named_unless_allowed(tmp_path: Path) -> None:
    prompts(tmp_path, "item_id,prompt\na,one\nb,two\n")
    videos(tmp_path, "a")
    with pytest.raises(SampleError) as caught:
        load_with_references(tmp_path)
    assert str(caught.value) == (
        f"found 1 of 2 reference videos; missing: b; expected 2 as {tmp_path}/real/{{item_id}}.mp4"
    )
    assert caught.value.items == {"b": f"no {tmp_path}/real/b.mp4"}
    assert load_with_references(tmp_path, allow_missing=True).notes == ("found 1 of 2 reference videos; missing: b",)


def test_more_references_than_expected_are_refused(tmp_path: Path) -> None:
    prompts(tmp_path, "item_id,prompt\na,one\nb,two\n")
    videos(tmp_path, "a", "b")
    with pytest.raises(InputError, match=r"found 2 videos as .*/real/\{item_id\}\.mp4, expected 1"):
        load_with_references(tmp_path, expected=1)


def fetv_copy(root: Path, *, references: int = 21) -> Path:
    """The shape of FETV's slice with prompts of our own: ids with leading zeros, one item without a real video."""
    ids = [f"{number:03d}" for number in range(2, 24)]
    rows = "".join(f"{item_id},v{item_id},ours,speed,clip number {item_id}\n" for item_id in ids)
    prompts(root, f"item_id,video_id,source,category,prompt\n{rows}")
    (root / "videos" / "reference").mkdir(parents=True)
    for item_id in ids[:references]:
        (root / "videos" / "reference" / f"{item_id}.mp4").write_bytes(b"x")
    return root


def test_the_fetv_protocol_reads_a_folder_of_its_shape(tmp_path: Path) -> None:
    items = load_items(load_protocol("fetv-slice"), fetv_copy(tmp_path))
    assert (len(items), len(items.references), items.items[0].item_id) == (22, 21, "002")
    assert items.notes == ("1 of 22 items have no reference video: 023",)


def test_counts_of_the_fetv_protocol_are_refused_with_their_place(tmp_path: Path) -> None:
    fetv_copy(tmp_path, references=22)
    with pytest.raises(InputError, match=r"protocols/fetv-slice\.yaml:\d+:\d+: found 22 videos as .*, expected 21"):
        load_items(load_protocol("fetv-slice"), tmp_path)
    prompts(tmp_path, "item_id,prompt\n002,one\n")
    with pytest.raises(InputError, match=r"protocols/fetv-slice\.yaml:\d+:\d+: found 1 prompts in .*, expected 22"):
        load_items(load_protocol("fetv-slice-tiny"), tmp_path)


def test_the_real_slice_loads_where_it_is_there() -> None:
    root = Path(__file__).resolve().parents[3] / "shared" / "data" / "fetv"
    if not root.is_dir():
        pytest.skip(f"there is no {root}; lay the project's shared/ beside the checkout to enable this")
    items = load_items(load_protocol("fetv-slice"), root)
    assert items.notes == ("1 of 22 items have no reference video: 574",)
    assert [item.item_id for item in items.items][:3] == ["002", "005", "006"]
