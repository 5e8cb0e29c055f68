"""A variant says only what differs; its errors point into the file where the value stands."""

from pathlib import Path

import pytest

from tests.protocol.protocol_texts import VALID, written
from univg_bench.errors import InputError
from univg_bench.protocol_files import load_protocol


def variant(folder: Path, text: str, *, extends: str = "mine.yaml", name: str = "variant.yaml") -> Path:
    return written(folder, f"extends: {extends}\nid: variant\n{text}", name=name)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_protocol(path)
    return str(caught.value)


def test_mappings_merge_key_by_key_and_lists_are_replaced(tmp_path: Path) -> None:
    base = load_protocol(written(tmp_path))
    table = "table: [{label: F, metric: fvd, direction: lower, digits: 1}]"
    changed = load_protocol(variant(tmp_path, f"generation: {{fps: 4, fixed: [], params: {{steps: 20}}}}\n{table}"))
    assert (changed.generation.fps, changed.generation.num_frames) == (4, 24)
    assert changed.generation.params == {"steps": 20, "w_T": 9.5}
    assert changed.generation.fixed == ()
    assert [column.label for column in changed.table] == ["F"]
    assert changed.metrics == base.metrics
    assert changed.id == "variant"


def test_a_null_takes_away_what_the_base_has(tmp_path: Path) -> None:
    written(tmp_path)
    assert load_protocol(variant(tmp_path, "generation: {height: null}")).generation.height is None


def test_a_section_of_another_form_replaces_the_old_one_whole(tmp_path: Path) -> None:
    written(tmp_path)
    text = "data: {source: moving-shapes, split: test, count: 4, height: 32, width: 56}"
    assert load_protocol(variant(tmp_path, text)).data.source == "moving-shapes"


def test_a_chain_of_variants_and_a_shipped_id_can_be_extended(tmp_path: Path) -> None:
    written(tmp_path)
    variant(tmp_path, "generation: {fps: 4}")
    last = variant(tmp_path, "generation: {height: 8}", extends="variant.yaml", name="last.yaml")
    generation = load_protocol(last).generation
    assert (generation.fps, generation.height, generation.width) == (4, 8, 1280)
    shipped = variant(tmp_path, "title: mine", extends="msrvtt-t2v-2990", name="shipped.yaml")
    assert load_protocol(shipped).metrics == load_protocol("msrvtt-t2v-2990").metrics


def test_a_fault_is_reported_in_the_file_where_it_stands(tmp_path: Path) -> None:
    base = written(tmp_path, VALID, ("fps: 8", "fps: fast"))
    path = variant(tmp_path, "generation: {height: tall}")
    assert refusal(path).splitlines() == [
        f"{base}:14:35: found the text 'fast', expected a number",
        f"{path}:3:22: found the text 'tall', expected a whole number",
    ]


def test_a_fault_of_two_files_together_is_reported_where_it_was_caused(tmp_path: Path) -> None:
    written(tmp_path)
    path = variant(tmp_path, "task: ti2v")
    assert refusal(path) == f"{tmp_path}/mine.yaml:13:33: task ti2v expects an image among its conditions"


def test_circles_are_refused(tmp_path: Path) -> None:
    path = variant(tmp_path, "", extends="other.yaml")
    other = variant(tmp_path, "", extends="variant.yaml", name="other.yaml")
    assert refusal(path) == f"{other}:1:10: `extends` goes in a circle: variant.yaml -> other.yaml -> variant.yaml"
    own = variant(tmp_path, "", extends="own.yaml", name="own.yaml")
    assert refusal(own) == f"{own}:1:10: `extends` goes in a circle: own.yaml -> own.yaml"


@pytest.mark.parametrize("extends", ["../outside.yaml", "sub/../../outside.yaml", "/tmp/outside.yaml", "link.yaml"])
def test_no_path_leaves_the_folder_of_the_file(tmp_path: Path, extends: str) -> None:
    (tmp_path / "outside.yaml").write_text(VALID)
    folder = tmp_path / "inside"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    path = variant(folder, "", extends=extends)
    assert refusal(path) == f"{path}:1:10: found extends: {extends}, expected a file inside {folder}"


def test_a_base_may_lie_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    written(tmp_path / "bases")
    assert load_protocol(variant(tmp_path, "", extends="bases/mine.yaml")).id == "variant"


@pytest.mark.parametrize(
    ("extends", "sentence"),
    [
        ("none.yaml", "found no file {folder}/none.yaml to extend"),
        ("msrvtt-t2v-299", "found no shipped protocol 'msrvtt-t2v-299'; did you mean 'msrvtt-t2v-2990'? (a file beside"
                           " this one is given with its .yaml)"),
        ("[a.yaml]", "found a list, expected the id or the .yaml file to extend"),
        ("3", "found 3, expected the id or the .yaml file to extend"),
    ],
)  # fmt: skip
def test_a_base_that_is_not_there_is_a_sentence(tmp_path: Path, extends: str, sentence: str) -> None:
    path = variant(tmp_path, "", extends=extends)
    assert refusal(path) == f"{path}:1:10: {sentence.format(folder=tmp_path)}"


def test_a_variant_needs_an_id_of_its_own(tmp_path: Path) -> None:
    written(tmp_path)
    path = written(tmp_path, "extends: mine.yaml\nversion: 2\n", name="v.yaml")
    assert refusal(path) == f"{path}:1:1: missing key 'id'; a variant needs an id of its own beside `extends`"
