"""A broken protocol is one sentence per fault, each with the file, line and column where it stands."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.protocol.protocol_texts import VALID, written
from univg_bench.errors import InputError
from univg_bench.protocol_files import load_protocol


def faults(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_protocol(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_the_valid_text_is_valid(tmp_path: Path) -> None:
    assert load_protocol(written(tmp_path)).name == "mine@1"


SAMPLINGS = "'all', 'first', 'centre', 'uniform', 'random_consecutive', 'random_sorted' or 'fps_matched'"
FOLDER = """data:
  source: folder
  prompts: prompts.csv
  expect: {items: 3}
"""
SHAPES = "data: {source: moving-shapes, split: test, count: 4, height: 32, width: 56}\n"
DATA = VALID[VALID.index("data:") : VALID.index("conditions:")]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        # keys
        ("version: 1", "verison: 1", ["1:1: missing key 'version'",
                                      "3:1: unknown key 'verison'; did you mean 'version'?"]),
        ("videos: 2990", "vidoes: 2990", ["12:3: missing key 'videos' in data.expect",
                                          "12:12: unknown key 'vidoes' in data.expect; did you mean 'videos'?"]),
        ("split: test", "root: /data", ["10:3: unknown key 'root' in data; known: source, split, select, expect"]),
        ("seed: 0}", "sede: 0}", ["20:51: unknown key 'sede' in metrics[0].frames; did you mean 'seed'?"]),
        ("    recipe: univg\n", "", ["16:5: missing key 'recipe' in metrics[0]"]),
        ("title: A protocol of my own\n", "", ["1:1: missing key 'title'"]),
        # types
        ("version: 1", "version: '1'", ["3:10: found the text '1', expected a whole number"]),
        ("version: 1", "version: 1.0", ["3:10: found 1.0, expected a whole number"]),
        ("version: 1", "version: true", ["3:10: found true, expected a whole number"]),
        ("version: 1", "version: 0", ["3:10: found 0, expected at least 1"]),
        ("title: A protocol of my own", "title: 12", ["4:8: found 12, expected text"]),
        ("title: A protocol of my own", "title: [a]", ["4:1: found a list, expected text"]),
        ("title: A protocol of my own", "title: ''", ["4:8: found an empty text or more than one line, expected one"
                                                      " line of text"]),
        ("text: true", "text: yes", ["13:20: found the text 'yes', expected true or false; did you mean true?"]),
        ("text: true", "text: Off", ["13:20: found the text 'Off', expected true or false; did you mean false?"]),
        ("text: true", "text: 1", ["13:20: found 1, expected true or false"]),
        ("fps: 8,", "fps: fast,", ["14:35: found the text 'fast', expected a number"]),
        ("fps: 8,", "fps: 0,", ["14:35: found 0, expected more than 0"]),
        ("fixed: [fps]", "fixed: fps", ["14:71: found the text 'fps', expected a list"]),
        ("steps: 50", "steps: [50]", ["14:87: found a list, expected true or false, a whole number, a number or text"]),
        ("conditions: {text: true, image: null}", "conditions:", ["13:12: found null, expected a mapping"]),
        ("conditions: {text: true, image: null}", "conditions: all",
         ["13:13: found the text 'all', expected a mapping"]),
        ("digits: 0", "digits: 11", ["28:57: found 11, expected at most 10"]),
        # words
        ("schema: univg-bench/protocol/1", "schema: univg-bench/protocol/2",
         ["1:9: found the text 'univg-bench/protocol/2', expected 'univg-bench/protocol/1'; did you mean"
          " 'univg-bench/protocol/1'?"]),
        ("task: t2v", "task: t2i", ["6:7: found the text 't2i', expected 't2v', 'i2v' or 'ti2v'; did you mean 't2v'?"]),
        ("source: msrvtt", "source: msr-vtt",
         ["9:11: found the text 'msr-vtt', expected msrvtt, folder or moving-shapes; did you mean 'msrvtt'?"]),
        ("  source: msrvtt\n", "", ["8:1: missing key 'source' in data; it says which form this is"]),
        ("kind: fvd", "kind: fdv",
         ["17:11: found the text 'fdv', expected fvd, kvd, manifold, fid, spectral, clipsim, consistency, motion,"
          " flicker, image-alignment, first-frame or fidelity; did you mean 'fvd'?"]),
        ("  - id: fvd\n", "  - 12\n  - id: fvd\n", ["16:5: found 12, expected a mapping"]),
        ("captions_per_video: 1", "captions_per_video: every",
         ["11:32: found the text 'every', expected 'all' or a whole number"]),
        ("sampling: all", "sampling: alll",
         [f"26:24: found the text 'alll', expected {SAMPLINGS}; did you mean 'all'?"]),
        ("direction: lower", "direction: down",
         ["28:42: found the text 'down', expected 'higher', 'lower' or 'neither'"]),
        ("id: mine", "id: My protocol",
         ["2:5: found 'My protocol', expected a name of lower-case letters, digits and '-', at most 80"]),
        # frames
        ("{sampling: all}", "{sampling: all, frames: 3}",
         ["26:5: sampling `all` takes every frame, but frames is 3; leave `frames` out"]),
        ("{sampling: all}", "{sampling: uniform}",
         ["26:5: sampling `uniform` needs `frames`, the number of frames to take"]),
        ("{sampling: all}", "{sampling: fps_matched}",
         ["26:5: `fps` goes with sampling `fps_matched` and only there; found None, fps_matched"]),
        ("frames: 16, seed: 0}\n    ref", "frames: 8, seed: 0}\n    ref",
         ["20:47: found 8 frames, expected at least 9 for I3D"]),
        ("seed: 0}", "seed: -1}", ["20:57: found -1, expected at least 0"]),
        # recipes and weights
        ("recipe: univg", "recipe: unvig", ["18:13: unknown fvd recipe 'unvig'; did you mean 'univg'?"]),
        ("weights: i3d-kinetics400", "weights: tiny-i3d",
         ["19:14: found weights 'tiny-i3d', but recipe 'univg' computes with i3d-kinetics400 or sha256: and 64 hex"
          " digits"]),
        ("weights: openai-vit-b32", "weights: openai-vit-b16",
         ["25:14: found weights 'openai-vit-b16', but recipe 'vit-b32' computes with openai-vit-b32 or sha256: and 64"
          " hex digits"]),
        # what must fit together
        ("text: true", "text: false", ["13:20: found text: false, but task t2v says otherwise"]),
        ("task: t2v", "task: ti2v", ["13:33: task ti2v expects an image among its conditions"]),
        ("image: null", "image: {source: reference}", ["13:26: task t2v expects image: null among its conditions"]),
        ("freedom: high", "freedom: low", ["7:10: found freedom: low without an image; a video can only follow an image"
                                           " that is given"]),
        ("rule: hash_min, salt: mine-v1", "salt: mine-v1",
         ["11:3: a choice of captions or videos needs `rule`, e.g. rule: hash_min with a salt of your own"]),
        ("captions_per_video: 1, ", "", ["11:18: `rule` chooses nothing while captions_per_video and videos are `all`;"
                                         " remove it",
                                         "11:34: `salt` chooses nothing while captions_per_video and videos are `all`;"
                                         " remove it"]),
        ("fixed: [fps]", "fixed: [fsp]", ["14:72: found 'fsp'; did you mean 'fps'?"]),
        ("num_frames: 24, fps: 8", "num_frames: 24", ["14:64: 'fps' cannot be fixed while generation.fps is null"]),
        ("- id: clipsim", "- id: fvd", ["22:9: a second metric is called 'fvd'; give each its own id",
                                        "29:30: found metric 'clipsim'; known: fvd"]),
        ("metric: fvd", "metric: fdv", ["28:26: found metric 'fdv'; did you mean 'fvd'?"]),
        ("direction: lower", "direction: higher", ["28:42: found higher, but of fvd the lower is better"]),
        ("- id: fvd\n", "- id: fvd\n    reference_select: {first: 4}\n",
         ["17:5: real videos have no captions to choose; only `videos` fits here"]),
        ("- id: fvd\n", "- id: fvd\n    select: {videos: 4}\n",
         ["17:5: a choice of captions or videos needs `rule`, e.g. rule: hash_min with a salt of your own",
          "17:5: a choice of captions or videos needs `salt`, e.g. rule: hash_min with a salt of your own"]),
        # other data
        (DATA, FOLDER, ["15:5: an FVD compares with real videos, but the data have no `references`"]),
        (DATA, FOLDER.replace("items: 3", "items: 3, references: 4"),
         ["11:34: found more references than items (3)",
          "11:34: references are expected, but `data.references` does not say where",
          "15:5: an FVD compares with real videos, but the data have no `references`"]),
        (DATA, FOLDER + "  references: ../{item_id}.mp4\n",
         ["12:15: found the path '../{item_id}.mp4', expected one below the data folder, with / between names and no"
          " '..'"]),
        (DATA, FOLDER + "  references: /data/{item_id}.mp4\n",
         ["12:15: found the path '/data/{item_id}.mp4', expected one below the data folder, with / between names and"
          " no '..'"]),
        (DATA, FOLDER + "  references: real.mp4\n",
         ["12:15: found the pattern 'real.mp4', expected a path with {item_id} in it and no other braces"]),
        (DATA, FOLDER + "  references: '{item_id}/{x}.mp4'\n",
         ["12:15: found the pattern '{item_id}/{x}.mp4', expected a path with {item_id} in it and no other braces"]),
        (DATA, FOLDER.replace("prompts.csv", "'a\\b.csv'"),
         ["10:12: found the path 'a\\b.csv', expected one below the data folder, with / between names and no '..'"]),
        (DATA, SHAPES.replace("56", "128"), ["8:73: found 32x128, but Moving Shapes has 32x56 and 72x128"]),
        (DATA, SHAPES.replace("32", "33"), ["8:62: found 33, expected 32 or 72"]),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence_at_its_place(tmp_path: Path, old: str, new: str, fault: list[str]) -> None:
    assert faults(written(tmp_path, VALID, (old, new))) == fault


def test_images_of_the_data_need_a_pattern_there(tmp_path: Path) -> None:
    image = ("image: null", "image: {source: data}")
    path = written(tmp_path, VALID, ("task: t2v", "task: ti2v"), image)
    assert faults(path) == ["13:42: found source: data, but the data have no `images` pattern"]
    path = written(
        tmp_path, VALID, ("task: t2v", "task: ti2v"), (DATA, FOLDER), ("image: null", "image: {source: reference}")
    )
    assert faults(path) == [
        "12:42: found source: reference, but the data have no reference videos",
        "15:5: an FVD compares with real videos, but the data have no `references`",
    ]


def test_weights_may_be_pinned_by_their_checksum(tmp_path: Path) -> None:
    load_protocol(written(tmp_path, VALID, ("i3d-kinetics400", "'sha256:" + "0" * 64 + "'")))
    path = written(tmp_path, VALID, ("i3d-kinetics400", "'sha256:" + "0" * 63 + "'"))
    assert "but recipe 'univg' computes with i3d-kinetics400" in faults(path)[0]


def test_several_faults_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path, VALID, ("version: 1", "version: x"), ("videos: 2990", "videos: -1"), ("task: t2v", "taks: t2v")
    )
    assert faults(path) == [
        "1:1: missing key 'task'",
        "3:10: found the text 'x', expected a whole number",
        "6:1: unknown key 'taks'; did you mean 'task'?",
        "12:20: found -1, expected at least 1",
    ]


@pytest.mark.parametrize(("text", "fault"), [
    ("- a\n", "1:1: found a list, expected a mapping (schema, id, version, ...)"),
    ("just words\n", "1:1: found the text 'just words', expected a mapping (schema, id, version, ...)"),
    ("metrics: []\n", "1:1: found an empty list, expected at least 1 entry"),
])  # fmt: skip
def test_a_file_that_is_something_else_says_so(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in faults(written(tmp_path, text))


def test_an_unknown_protocol_is_a_sentence_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"found no shipped protocol 'msrvtt-t2v-2909'; did you mean 'msrvtt-t2v-2990'"
    ):
        load_protocol("msrvtt-t2v-2909")
    with pytest.raises(InputError, match=r"found no protocol file none\.yaml; check the path"):
        load_protocol("none.yaml")
    with pytest.raises(InputError, match="found msrvtt-t2v-2990@1, expected msrvtt-t2v-2990@7; another version is not"):
        load_protocol("msrvtt-t2v-2990@7")
    assert load_protocol("msrvtt-t2v-2990@1").id == "msrvtt-t2v-2990"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_a_file_gives_anything_but_sentences_with_a_place(tmp_path: Path, data: st.DataObject) -> None:
    lines = VALID.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        at = data.draw(st.integers(0, len(line)))
        damage = data.draw(
            st.sampled_from(["", ":", "{", "}", "[", "]", "-", '"', "'", "#", "0", "~", " ", "|", "&a", "é"])
        )
        lines[number] = line[:at] + damage + line[at + data.draw(st.integers(0, 6)) :]
    path = written(tmp_path, "\n".join(lines))
    faults: list[str] = []
    try:
        load_protocol(path)
    except InputError as error:
        faults = str(error).splitlines()
    assert all(re.match(rf"{path}:[0-9]+:[0-9]+: .", fault) for fault in faults)
