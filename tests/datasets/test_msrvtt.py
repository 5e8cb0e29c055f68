"""MSR-VTT in every form in circulation gives the same items; what is missing or wrong is named."""

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.datasets import msrvtt_copies as copies
from univg_bench.datasets import ItemSet, load_items
from univg_bench.datasets.msrvtt import load_msrvtt
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol import ExpectMsrvtt, MsrvttData
from univg_bench.protocol_fields import Select
from univg_bench.protocol_files import load_protocol

ONE = Select(captions_per_video=1, rule="hash_min", salt="univg-2990-v1")


def load(root: Path, *, references: bool = False, **fields: Any) -> ItemSet:
    fields = {"expect": ExpectMsrvtt(videos=2990), **fields}
    data = MsrvttData(source="msrvtt", **fields)
    return load_msrvtt(data, root, references=references, allow_missing=False)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("msrvtt")
    copies.write_2016(root)
    return root


def test_the_full_test_set_is_2990_videos_and_59800_captions(official: Path) -> None:
    items = load_items(load_protocol("msrvtt-t2v-59800"), official, references=False)
    assert len(items) == 59800
    assert items.facts["videos"] == 2990
    assert items.facts["captions"] == 59800
    assert items.notes == ()
    assert list(items.sources) == ["test_videodatainfo.json"]


def test_captions_are_joined_by_video_and_numbered_by_sen_id_never_by_order(official: Path) -> None:
    items = load(official).items
    assert [item.item_id for item in items[:21]] == [f"video7010.c{n:02d}" for n in range(20)] + ["video7011.c00"]
    assert items[3].prompt == copies.caption(7010, 3)
    assert items[-1].item_id == "video9999.c19"
    assert {(item.cluster, item.reference_id) for item in items[:20]} == {("video7010", "video7010")}


def test_one_caption_per_video_is_the_one_with_the_smallest_hash(official: Path) -> None:
    items = load_items(load_protocol("msrvtt-t2v-2990"), official, references=False)
    assert len(items) == 2990
    assert len({item.cluster for item in items.items}) == 2990
    for item in items.items[:50]:
        video, _, chosen = item.item_id.partition(".")
        rank = {c: sha256(f"univg-2990-v1|{video}|{c}".encode()).hexdigest() for c in (f"c{n:02d}" for n in range(20))}
        assert chosen == min(rank, key=rank.__getitem__)


def test_the_choice_depends_on_the_salt_and_not_on_order_or_form(official: Path, tmp_path: Path) -> None:
    copies.write_2016(tmp_path, copies.annotations(copies.TEST_IDS, shuffled=False))
    one = load(official, select=ONE)
    assert one.digest == load(tmp_path, select=ONE).digest
    other = load(official, select=ONE.model_copy(update={"salt": "another"}))
    assert sum(a.item_id == b.item_id for a, b in zip(one.items, other.items, strict=True)) < 300


def test_2048_videos_and_the_first_items_can_be_chosen(official: Path) -> None:
    chosen = load(official, select=Select(videos=2048, captions_per_video=1, rule="hash_min", salt="s"))
    assert len({item.cluster for item in chosen.items}) == len(chosen) == 2048
    first = load(official, select=Select(first=40960))
    assert [item.item_id for item in first.items] == [item.item_id for item in load(official).items[:40960]]


@pytest.mark.parametrize(
    "write",
    [
        lambda root, ids: copies.write(
            root / "annotation" / "test_videodatainfo.json", copies.annotations(ids, captions=3)
        ),
        lambda root, ids: copies.write_clip4clip(root, ids),
        lambda root, ids: copies.write(root / "videodatainfo_2017.json", copies.annotations(ids, captions=3)),
        lambda root, ids: copies.write_frozen(root, ids),
    ],
    ids=["2016", "CLIP4Clip", "2017", "Frozen in Time"],
)
def test_every_form_gives_the_same_items(tmp_path: Path, write: Callable[[Path, Any], Any]) -> None:
    write(tmp_path, [7012, 7010, 9999])
    items = load(tmp_path, expect=ExpectMsrvtt(videos=3))
    assert [item.item_id for item in items.items] == [
        f"video{video}.c{n:02d}" for video in (7010, 7012, 9999) for n in range(3)
    ]
    assert [item.prompt for item in items.items[3:6]] == [copies.caption(7012, n) for n in range(3)]
    assert items.notes == ()


def test_the_official_form_is_taken_when_several_are_there(tmp_path: Path) -> None:
    copies.write(tmp_path / "MSRVTT_data.json", copies.annotations([7010], text=lambda v, n: "changed"))
    copies.write_2016(tmp_path, copies.annotations([7010], captions=2))
    items = load(tmp_path, expect=ExpectMsrvtt(videos=1))
    assert list(items.sources) == ["test_videodatainfo.json"]
    assert items.items[0].prompt == copies.caption(7010, 0)


def test_train_and_validation_come_from_the_other_2016_file(tmp_path: Path) -> None:
    copies.write(tmp_path / "train_val_videodatainfo.json", copies.annotations(range(7010), captions=1))
    assert len(load(tmp_path, split="train", expect=ExpectMsrvtt(videos=6513))) == 6513
    assert len(load(tmp_path, split="validate", expect=ExpectMsrvtt(videos=497))) == 497
    with pytest.raises(
        InputError, match=r"found train_val_videodatainfo\.json below .*, but no captions of split test"
    ):
        load(tmp_path)


# --------------------------------------------------------------------------------------------------- retrieval splits


def test_a_retrieval_split_is_used_only_when_the_protocol_asks_for_it(tmp_path: Path) -> None:
    copies.write_clip4clip(tmp_path, range(10000))
    asked = load(tmp_path, split="jsfusion-1k-a", select=ONE, expect=ExpectMsrvtt(videos=1000))
    assert len(asked) == 1000
    assert "MSRVTT_JSFUSION_test.csv" in asked.sources
    assert len(load(tmp_path, split="jsfusion-train-9k", select=ONE, expect=ExpectMsrvtt(videos=9000))) == 9000
    assert len({item.cluster for item in load(tmp_path).items}) == 2990


def test_a_list_alone_is_refused_and_called_what_it_is(tmp_path: Path) -> None:
    copies.write_jsfusion(tmp_path / "MSRVTT_JSFUSION_test.csv")
    with pytest.raises(
        InputError, match=r"found only MSRVTT_JSFUSION_test\.csv below .*: the list of a retrieval split"
    ):
        load(tmp_path)


def test_annotations_cut_to_a_retrieval_split_are_refused(tmp_path: Path) -> None:
    ids = copies.write_jsfusion(tmp_path / "lists" / "MSRVTT_JSFUSION_test.csv")
    recut = copies.annotations(copies.TEST_IDS, captions=1, split=lambda v: "test" if v in set(ids) else "train")
    copies.write_2016(tmp_path, recut)
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        "test_videodatainfo.json calls 1000 videos 'test', 1000 of them from video7010 to video9999; expected those"
        " 2990 and no others (the 1,000 videos of a retrieval split are another set)"
    )
    copies.write_2016(tmp_path, copies.annotations(ids, captions=1))
    with pytest.raises(
        InputError, match=r"^found 1000 videos of split test in test_videodatainfo\.json, expected 2990$"
    ):
        load(tmp_path)


def test_the_2017_form_may_cut_otherwise_and_the_ids_count(tmp_path: Path) -> None:
    recut = copies.annotations(range(7000, 7020), captions=1, split=lambda v: "test" if v % 2 else "train")
    copies.write(tmp_path / "videodatainfo_2017.json", recut)
    items = load(tmp_path, expect=ExpectMsrvtt(videos=10))
    assert [item.cluster for item in items.items] == [f"video{n}" for n in range(7010, 7020)]
    assert items.notes == (
        "videodatainfo_2017.json calls 10 videos 'test', 5 of them from video7010 to video9999; the 2990 ids are taken,"
        " whatever it calls them",
    )


def test_a_split_list_that_is_missing_or_malformed_is_a_sentence(tmp_path: Path) -> None:
    copies.write_2016(tmp_path, copies.annotations([7010]))
    with pytest.raises(
        InputError, match=r"found no MSRVTT_JSFUSION_test\.csv below .*; split jsfusion-1k-a is defined by"
    ):
        load(tmp_path, split="jsfusion-1k-a")
    path = tmp_path / "MSRVTT_JSFUSION_test.csv"
    path.write_text("key,video\nret0,video7010\n")
    with pytest.raises(InputError, match=r"JSFUSION_test\.csv:1: found no column video_id"):
        load(tmp_path, split="jsfusion-1k-a")
    path.write_text("video_id\nvideo7010\nvideo7010\n")
    with pytest.raises(InputError, match=r"JSFUSION_test\.csv:3: found 'video7010', a second time"):
        load(tmp_path, split="jsfusion-1k-a")
    path.write_text("video_id\nmsr7010\n")
    with pytest.raises(InputError, match=r"JSFUSION_test\.csv:2: found 'msr7010', expected the id of a video"):
        load(tmp_path, split="jsfusion-1k-a")


# -------------------------------------------------------------------------------------------------- counts and labels


def test_another_number_of_videos_is_refused_with_the_place_in_the_protocol(tmp_path: Path) -> None:
    copies.write_2016(tmp_path, copies.annotations(range(7010, 9999), captions=1))
    protocol = load_protocol("msrvtt-t2v-59800")
    with pytest.raises(InputError) as caught:
        load_items(protocol, tmp_path, references=False)
    assert re.fullmatch(
        r".*protocols/msrvtt-t2v-59800\.yaml:\d+:\d+: found 2989 videos of split test in test_videodatainfo\.json,"
        r" expected 2990",
        str(caught.value),
    )


def test_another_number_of_captions_is_a_note(official: Path) -> None:
    items = load(official, expect=ExpectMsrvtt(videos=2990, captions=59794))
    assert items.notes == ("found 59800 captions, nominal 59794",)
    assert load(official, expect=ExpectMsrvtt(videos=2990)).notes == ()


def test_empty_captions_are_left_out_and_named_without_renaming_others(tmp_path: Path) -> None:
    data = copies.annotations([7010, 7011], captions=3, text=lambda v, n: "  " if (v, n) == (7010, 1) else f"{v} {n}")
    copies.write_2016(tmp_path, data)
    items = load(tmp_path, expect=ExpectMsrvtt(videos=2, captions=6))
    assert [item.item_id for item in items.items[:3]] == ["video7010.c00", "video7010.c02", "video7011.c00"]
    assert items.facts["empty_captions"] == 1
    assert items.notes == (
        "found 5 captions, nominal 6",
        "1 captions are empty and left out: video7010.c01",
    )


def test_repeated_captions_are_counted_within_a_video_and_between_videos(tmp_path: Path) -> None:
    texts = {
        (7010, 0): "a dog",
        (7010, 1): "A  dog ",
        (7010, 2): "a cat",
        (7011, 0): "a cat",
        (7011, 1): "x",
        (7011, 2): "y",
    }
    copies.write_2016(tmp_path, copies.annotations([7010, 7011], captions=3, text=lambda v, n: texts[v, n]))
    items = load(tmp_path, expect=ExpectMsrvtt(videos=2))
    assert items.facts["captions_repeated_within_a_video"] == 1
    assert items.facts["captions_shared_between_videos"] == 1
    assert items.facts["captions"] == 6


def test_captions_of_videos_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    data = copies.annotations([7010, 12000], captions=2)
    data["videos"] = [video for video in data["videos"] if video["id"] == 7010]
    copies.write_2016(tmp_path, data)
    assert load(tmp_path, expect=ExpectMsrvtt(videos=1)).facts["captions_of_unlisted_videos"] == 2


def test_a_video_without_any_caption_is_refused(tmp_path: Path) -> None:
    data = copies.annotations([7010, 7011], captions=1, text=lambda v, n: "" if v == 7011 else "a dog")
    copies.write_2016(tmp_path, data)
    with pytest.raises(InputError, match="found no caption of video7011; the annotations are damaged"):
        load(tmp_path, expect=ExpectMsrvtt(videos=2))


# ---------------------------------------------------------------------------------------------------- malformed files


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"videos": [', r"test_videodatainfo\.json:1:13: not JSON \(.*\); the file may be cut"),
        ("[1]", r"found no JSON object, expected the annotations of MSR-VTT"),
        ('{"videos": []}', r"found no 'sentences' \(a list without captions\); get the file that has them"),
        ('{"videos": {}, "sentences": []}', r"found no list 'videos', expected the annotations of MSR-VTT"),
        ('{"videos": [{"split": "test"}], "sentences": []}', r"videos\[0\] has no text 'video_id'"),
        ('{"videos": [], "sentences": [{"video_id": "video7010", "caption": "x"}]}',
         r"sentences\[0\] has no number 'sen_id'"),
        ('{"videos": [], "sentences": [3]}', r"sentences\[0\] has no text 'video_id'"),
        ('{"videos": [{"video_id": "video7010", "split": "test"}, {"video_id": "video7010", "split": "train"}],'
         ' "sentences": []}', r"found video7010 in split 'test' and in 'train'"),
    ],
)  # fmt: skip
def test_malformed_annotations_are_a_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "test_videodatainfo.json").write_text(content)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path)


def test_no_annotations_at_all_says_what_they_are_called_and_where_people_get_them(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"found no annotations of MSR-VTT below .*MSRVTT_data\.json.*docs/datasets\.md"
    ):
        load(tmp_path)
    with pytest.raises(InputError, match=r"found no folder .*; give the folder that holds the data of msrvtt-i2v"):
        load_items(load_protocol("msrvtt-i2v"), tmp_path / "none")


def test_two_annotation_files_that_differ_are_refused(tmp_path: Path) -> None:
    copies.write_2016(tmp_path / "a", copies.annotations([7010]))
    copies.write_2016(tmp_path / "b", copies.annotations([7010]))
    assert len(load(tmp_path, expect=ExpectMsrvtt(videos=1))) == 20
    copies.write_2016(tmp_path / "b", copies.annotations([7010], captions=19))
    with pytest.raises(
        InputError, match=r"found .*a/test_.*json and .*b/test_.*json with different contents; keep one"
    ):
        load(tmp_path)


# -------------------------------------------------------------------------------------------------------------- videos


def small(root: Path) -> dict[str, Any]:
    copies.write_2016(root, copies.annotations(range(7010, 7030), captions=2))
    return {"expect": ExpectMsrvtt(videos=20), "references": True}


@pytest.mark.parametrize("place", [".", "videos", "videos/all", "TestVideo", "MSRVTT/videos/all", "MSRVTT_Videos"])
def test_videos_are_found_anywhere_below_the_folder(tmp_path: Path, place: str) -> None:
    fields = small(tmp_path)
    copies.add_videos(tmp_path / place, range(7010, 7030))
    items = load(tmp_path, **fields)
    assert items.references["video7012"] == tmp_path / place / "video7012.mp4"
    assert len(items.references) == items.facts["references"] == 20
    assert items.items[0].reference == items.items[1].reference


@pytest.mark.parametrize("suffix", [".avi", ".webm", ".mkv", ".MP4"])
def test_other_containers_are_found(tmp_path: Path, suffix: str) -> None:
    fields = small(tmp_path)
    copies.add_videos(tmp_path, range(7010, 7030), suffix=suffix)
    assert load(tmp_path, **fields).references["video7010"].suffix == suffix


def test_missing_and_empty_videos_are_named_ten_in_the_message_and_all_in_the_error(tmp_path: Path) -> None:
    fields = small(tmp_path)
    copies.add_videos(tmp_path / "videos", range(7022, 7030))
    (tmp_path / "videos" / "video7010.mp4").write_bytes(b"")
    with pytest.raises(SampleError) as caught:
        load(tmp_path, **fields)
    assert str(caught.value).startswith(
        "found 8 of 20 reference videos; missing: video7010, video7011, video7012, video7013, video7014, video7015,"
        f" video7016, video7017, video7018, video7019 and 2 more; put them anywhere below {tmp_path}, e.g. as"
    )
    assert list(caught.value.items) == [f"video{n}" for n in range(7010, 7022)]
    assert caught.value.items["video7010"].endswith("video7010.mp4 is empty")
    assert caught.value.items["video7011"] == "no file"


def test_missing_videos_can_be_allowed_and_are_then_a_note(tmp_path: Path) -> None:
    copies.write_2016(tmp_path, copies.annotations(range(7010, 7012), captions=2))
    copies.add_videos(tmp_path, [7010])
    data = MsrvttData(source="msrvtt", expect=ExpectMsrvtt(videos=2))
    items = load_msrvtt(data, tmp_path, references=True, allow_missing=True)
    assert items.notes == ("found 1 of 2 reference videos; missing: video7011",)
    assert (items.facts["references"], items.items[2].reference) == (1, None)


def test_two_different_files_of_one_video_are_refused_but_links_to_one_are_not(tmp_path: Path) -> None:
    fields = small(tmp_path)
    copies.add_videos(tmp_path / "all", range(7010, 7030))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "video7010.mp4").symlink_to(tmp_path / "all" / "video7010.mp4")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(load(tmp_path, **fields).references) == 20
    copies.add_videos(tmp_path / "other", [7011])
    with pytest.raises(
        InputError, match=r"found .*all/video7011\.mp4 and .*other/video7011\.mp4 for video7011; keep one"
    ):
        load(tmp_path, **fields)


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    fields = small(tmp_path / "annotations")
    copies.add_videos(tmp_path / "big-disk", range(7010, 7030))
    (tmp_path / "annotations" / "videos").symlink_to(tmp_path / "big-disk")
    assert len(load(tmp_path / "annotations", **fields).references) == 20
