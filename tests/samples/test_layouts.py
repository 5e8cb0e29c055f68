"""Which file is which sample: every layout finds its files, and whatever is ambiguous or leads outside is refused."""

from pathlib import Path

import pytest

from univg_bench.datasets import Item
from univg_bench.errors import InputError
from univg_bench.layouts import Matched, match_files

ITEMS = [
    Item("video7010.c00", "a dog runs", "video7010"),
    Item("video7010.c03", "a dog runs, fast - very fast.", "video7010"),
    Item("video7011.c00", "un café à Paris", "video7011"),
]


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "videos"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    folder.mkdir(exist_ok=True)
    return folder


def names(matched: Matched, folder: Path) -> dict[tuple[str, int], str]:
    return {key: path.relative_to(folder).as_posix() for key, path in matched.paths.items()}


def test_by_default_a_file_is_named_like_its_item_with_any_suffix(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "video7010.c00.mp4", "video7010.c03.WEBM", "video7011.c00.gif", "notes.txt", "x.mp4")
    matched = match_files(ITEMS, 1, folder)
    assert names(matched, folder) == {
        ("video7010.c00", 0): "video7010.c00.mp4",
        ("video7010.c03", 0): "video7010.c03.WEBM",
        ("video7011.c00", 0): "video7011.c00.gif",
    }
    assert matched.unmatched == ("x.mp4",), "texts beside the videos are nobody's business"


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("{item_id}/{k}.mp4", "video7010.c03/1.mp4"),
        ("{item_id}-s{k}.webm", "video7010.c03-s1.webm"),
        ("out/{k:03d}/{video_id}/{item_id}.mp4", "out/001/video7010/video7010.c03.mp4"),
        ("{prompt}-{k}.mp4", "a dog runs, fast - very fast.-1.mp4"),
    ],
)
def test_patterns_find_their_files(tmp_path: Path, pattern: str, made: str) -> None:
    folder = folder_of(tmp_path, made)
    assert names(match_files(ITEMS, 2, folder, pattern=pattern), folder) == {("video7010.c03", 1): made}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{item_id}/../{k}.mp4", "leads out of the folder"),
        ("/tmp/{item_id}-{k}.mp4", "leads out of the folder"),
        ("{item_id.__class__}-{k}.mp4", "has the field"),
        ("{item_id!r}-{k}.mp4", "has the field"),
        ("{item_id:>99999999}-{k}.mp4", "has the field"),
        ("{k:099999999d}.mp4", "has the field"),
        ("{}.mp4", "has the field"),
        ("{item_id.mp4", "braces"),
        ("{k}.mp4", "names no item"),
        ("{item_id}.mp4", r"has no \{k\}"),
    ],
)
def test_patterns_that_say_nothing_or_too_much_are_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        match_files(ITEMS, 2, folder_of(tmp_path, "a.mp4"), pattern=pattern)


def test_several_samples_need_a_pattern_that_tells_them_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'--pattern "\{item_id\}-\{k\}\.mp4"'):
        match_files(ITEMS, 2, folder_of(tmp_path, "video7010.c00.mp4"))


def test_two_files_for_one_sample_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "video7010.c00.mp4", "video7010.c00.gif")
    with pytest.raises(InputError, match=r"2 files for video7010\.c00-s0: video7010\.c00\.gif, video7010\.c00\.mp4"):
        match_files(ITEMS, 1, folder)


def test_one_file_for_two_samples_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "video7010.mp4", "video7011.mp4")
    with pytest.raises(InputError, match="needs a file of its own"):
        match_files(ITEMS, 1, folder, pattern="{video_id}.mp4")


def test_nothing_that_fits_is_an_error_with_an_example(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "clip_1.mp4")
    with pytest.raises(
        InputError, match=r"for any of the 3 items by pattern \{item_id\}; there are, for example, clip_1"
    ):
        match_files(ITEMS, 1, folder)
    with pytest.raises(InputError, match="found no folder"):
        match_files(ITEMS, 1, tmp_path / "nowhere")


def test_only_one_way_of_matching_is_given(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than one"):
        match_files(ITEMS, 1, folder_of(tmp_path), pattern="{item_id}.mp4", layout="vbench")


# --------------------------------------------------------------------------------------------------- out of the folder


def test_links_out_of_the_folder_are_refused_and_linked_folders_not_entered(tmp_path: Path) -> None:
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"x")
    folder = folder_of(tmp_path, "video7010.c00.mp4", "real.mp4")
    (folder / "video7010.c03.mp4").symlink_to("real.mp4")
    assert len(match_files(ITEMS, 1, folder).paths) == 2, "a link inside the folder is a file like others"
    (folder / "video7011.c00.mp4").symlink_to(outside)
    with pytest.raises(InputError, match="leads out of"):
        match_files(ITEMS, 1, folder)
    (folder / "video7011.c00.mp4").unlink()
    (folder / "sub").symlink_to(tmp_path)
    assert all("sub/" not in name for name in match_files(ITEMS, 1, folder).unmatched)


@pytest.mark.parametrize("path", ["../outside.mp4", "/etc/passwd", "sub/../../outside.mp4", "", "linked/outside.mp4"])
def test_maps_cannot_lead_out_of_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.mp4").write_bytes(b"x")
    folder = folder_of(tmp_path, "a.mp4")
    (folder / "linked").symlink_to(tmp_path)
    table = tmp_path / "map.csv"
    table.write_text(f"item_id,path\nvideo7010.c00,{path}\n")
    with pytest.raises(InputError, match="leads out of"):
        match_files(ITEMS, 1, folder, table=table)


def test_prompts_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside-0.mp4").write_bytes(b"x")
    folder = folder_of(tmp_path, "a dog runs-0.mp4")
    items = [*ITEMS[:1], Item("evil", "../outside", "evil")]
    for options in ({"layout": "vbench"}, {"pattern": "{prompt}-{k}.mp4"}):
        assert set(match_files(items, 1, folder, **options).paths) == {("video7010.c00", 0)}  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------------------- maps


def test_maps_name_files_freely(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "deep/er/one.mp4", "two.mp4")
    table = tmp_path / "map.csv"
    rows = [
        "video7010.c00,0,deep/er/one.mp4",
        f'video7010.c00,1,"{folder.absolute()}/two.mp4"',
        "video7011.c00,0,no.mp4",
    ]
    table.write_text("\ufeffitem_id,k,path\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert names(match_files(ITEMS, 2, folder, table=table), folder) == {
        ("video7010.c00", 0): "deep/er/one.mp4",
        ("video7010.c00", 1): "two.mp4",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,path\n", r"map\.csv:1: found the columns item, path"),
        ("item_id,path\nvideo9,a.mp4\n", r"map\.csv:2: found the item 'video9'"),
        ("item_id,path\nvideo7010.c00,a.mp4\nvideo7010.c00,b.mp4\n", r"map\.csv:3: .* a second time, first in line 2"),
        ("item_id,k,path\nvideo7010.c00,1,a.mp4\n", r"map\.csv:2: found k = '1', expected 0 \.\. 0"),
        ("item_id,k,path\nvideo7010.c00,-1,a.mp4\n", "found k = '-1'"),
        ("item_id,path\nvideo7010.c00\n", r"map\.csv:2: expected 2 fields"),
        ("item_id,path\nvideo7010.c00,a.mp4,b.mp4\n", r"map\.csv:2: expected 2 fields"),
        ("item_id,path\nvideo7010.c00,a.mp4\nvideo7010.c03,a.mp4\n", "needs a file of its own"),
        ("item_id,path\nvideo7010.c00,\xff\n", "not a CSV table in UTF-8"),
    ],
)
def test_maps_with_faults_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    folder = folder_of(tmp_path, "a.mp4", "b.mp4")
    table = tmp_path / "map.csv"
    table.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        match_files(ITEMS, 1, folder, table=table)


def test_a_map_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no map"):
        match_files(ITEMS, 1, folder_of(tmp_path, "a.mp4"), table=tmp_path / "no.csv")


# ------------------------------------------------------------------------------------------------------------- layouts


def test_vbench_names_are_prompts(tmp_path: Path) -> None:
    made = ["a dog runs-0.mp4", "a dog runs-1.mp4", "a dog runs, fast - very fast.-0.mp4", "sub/un café à Paris-1.mp4"]
    folder = folder_of(tmp_path, *made, "another prompt-0.mp4", "a dog runs-7.mp4")
    matched = match_files(ITEMS, 2, folder, layout="vbench")
    assert names(matched, folder) == {
        ("video7010.c00", 0): made[0],
        ("video7010.c00", 1): made[1],
        ("video7010.c03", 0): made[2],
        ("video7011.c00", 1): made[3],
    }
    assert matched.unmatched == ("a dog runs-7.mp4", "another prompt-0.mp4")


def test_accents_are_equal_however_a_system_stores_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "un cafe\u0301 a\u0300 Paris-0.mp4")
    assert set(match_files(ITEMS, 1, folder, layout="vbench").paths) == {("video7011.c00", 0)}


def test_prompts_too_long_for_a_name_match_by_their_beginning(tmp_path: Path) -> None:
    long = "a dog " + "runs and " * 40
    items = [*ITEMS, Item("long", long, "long")]
    folder = folder_of(tmp_path, f"{long[:200]}-0.mp4", "a dog-0.mp4")
    matched = match_files(items, 1, folder, layout="vbench")
    assert names(matched, folder) == {("long", 0): f"{long[:200]}-0.mp4"}
    assert matched.unmatched == ("a dog-0.mp4",), "a short name is not a long prompt that lost its end"
    items.append(Item("longer", long + "sleeps", "longer"))
    with pytest.raises(InputError, match="begins like those of long, longer; use --map"):
        match_files(items, 1, folder, layout="vbench")


def test_prompts_that_fit_are_never_cut(tmp_path: Path) -> None:
    prompt = "a dog " + "runs and " * 20
    folder = folder_of(tmp_path, f"{prompt[:120]}-0.mp4", "a dog runs-0.mp4")
    matched = match_files([*ITEMS, Item("x", prompt, "x")], 1, folder, layout="vbench")
    assert set(matched.paths) == {("video7010.c00", 0)}


def test_one_prompt_of_two_items_cannot_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"video7010\.c00 and twin have the same prompt"):
        match_files([*ITEMS, Item("twin", "a dog runs", "x")], 1, folder_of(tmp_path, "a.mp4"), layout="vbench")


def test_evalcrafter_names_are_numbers_from_zero(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "0000.mp4", "0002.mp4", "0003.mp4", "12.mp4")
    matched = match_files(ITEMS, 1, folder, layout="evalcrafter")
    assert names(matched, folder) == {("video7010.c00", 0): "0000.mp4", ("video7011.c00", 0): "0002.mp4"}
    assert matched.unmatched == ("0003.mp4", "12.mp4")
    with pytest.raises(InputError, match="one video per item"):
        match_files(ITEMS, 2, folder, layout="evalcrafter")


def test_leftovers_of_operating_systems_are_not_videos(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "video7010.c00.mp4", "._video7010.c03.mp4", ".trash/video7010.c03.mp4")
    matched = match_files(ITEMS, 1, folder)
    assert (len(matched.paths), matched.unmatched) == (1, ())
