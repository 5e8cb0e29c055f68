"""Study files mean one thing, and what is wrong with one is said where it stands."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from human_eval_app.study_files import load_study, stored_study, study_json, study_schema
from tests.app.app_study import GOLD, PRACTICE, small_study, write_study
from univg_bench.errors import InputError
from univg_bench.human.plan import load_plan


def test_a_study_file_is_also_the_plan_that_reports_read(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    assert load_study(path).plan.digest == load_plan(path).digest


def test_a_stored_study_is_the_same_study(tmp_path: Path) -> None:
    study = small_study(tmp_path, items=5, more=PRACTICE + GOLD)
    again = stored_study(study_json(study))
    assert again == study
    assert again.digest == study.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [("seed: 7", "seed: 8"), ("ratings_per_pair: 2", "ratings_per_pair: 3"), ("number 2", "number 9"), ("PS, ", "")],
)
def test_every_change_of_meaning_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    path = write_study(tmp_path)
    before = load_study(path).digest
    path.write_text(path.read_text().replace(old, new))
    assert load_study(path).digest != before


def test_questions_are_those_the_item_can_answer(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    text = path.read_text().replace("dimensions: [PS, AM, OL]", "dimensions: [PS, TSA, ISA, OL]")
    text = text.replace("{id: i1, prompt: a red ball number 1}", "{id: i1, image: images/one.png}")
    text = text.replace("{id: i2, prompt", "{id: i2, image: images/two.png, prompt")
    path.write_text(text + "ask: {ti2v: [OL, ISA]}\n")
    study = load_study(path)
    asked = {item.id: [d.code for d in study.questions(item)] for item in study.items}
    assert asked["i0"] == ["PS", "TSA", "OL"]
    assert asked["i1"] == ["PS", "ISA", "OL"]
    assert asked["i2"] == ["ISA", "OL"]


def test_items_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    inline = load_study(path)
    (tmp_path / "items.jsonl").write_text("\n".join(item.model_dump_json() for item in inline.items))
    path.write_text(re.sub(r"items:\n(  - .*\n)+", "items_file: items.jsonl\n", path.read_text()))
    assert load_study(path).items == inline.items
    (tmp_path / "items.jsonl").write_text('{"id": "a", "prompt": "x"}\n{"id": "../b", "prompt": "x"}\nnothing\n')
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert re.search(
        r"items.jsonl:2:1: id: found '../b'.*\n.*items.jsonl:3:1: this line is not JSON", str(caught.value)
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed: 7", "sed: 7", ":5:1: unknown key 'sed'"),
        ("seed: 7", "seed: seven", ":5:7: expected a whole number"),
        ("ours: ours", "ours: ous", "found 'ous', expected one of the methods ours, theirs, frozen"),
        ("others: [theirs]", "others: [ours]", "'ours' would be compared with itself"),
        ("id: i1,", "id: i0,", "item 'i0' stands twice"),
        ("id: i1,", "id: ../i1,", ":14:10: found '../i1', expected letters"),
        ("primary: OL", "primary: FC", "primary is 'FC', expected one of PS, AM, OL"),
        ("PS, AM, OL", "PS, AN, OL", "unknown dimension 'AN'"),
        ("ratings_per_pair: 2", "ratings_per_pair: 0", "expected greater than or equal to 1"),
        ("item: i2, method: ours, other: frozen", "item: i9, method: ours, other: frozen", "found no item 'i9'"),
        ("method: ours, other: frozen, expected: {AM: G, OL", "method: theirs, other: ours, expected: {AM: G, OL",
         "write 'ours' as method and 'theirs' as other"),
        ("{AM: G, OL: G}", "{FC: G}", "'FC' is not asked about item 'i2'"),
        ("session: {pairs: 10}", "session: {pairs: 6}", "found 6, expected at least 7 to place"),
        ("per_session: 1\nrepeats", "per_session: 3\nrepeats", "found 3, but there are 2 gold pairs"),
    ],
)  # fmt: skip
def test_a_fault_is_a_sentence_with_its_place(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = write_study(tmp_path, more=GOLD)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert caught.value.exit_code == 2
    assert sentence in str(caught.value)
    assert re.match(re.escape(str(path)) + r":\d+:\d+: ", str(caught.value))


def test_a_rule_that_contradicts_itself_is_shown_at_the_rule(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    rules = "  screening:\n    - {measure: speed, min: 1}\n    - {measure: left_share, min: 0.9, max: 0.1}\n"
    path.write_text(path.read_text() + rules)
    with pytest.raises(InputError, match=r"study.yaml:24:7: min 0.9 is above max 0.1"):
        load_study(path)


def test_the_schema_accepts_what_the_program_accepts_and_refuses_what_it_refuses(tmp_path: Path) -> None:
    schema = study_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    content = yaml.safe_load(write_study(tmp_path, more=PRACTICE + GOLD).read_text())
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"peak": True}, schema)
    assert json.loads(json.dumps(schema)) == schema


def test_the_study_file_of_the_docs_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "app_core.md").read_text()
    example = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert len(example) == 1
    path = tmp_path / "study.yaml"
    path.write_text(example[0])
    study = load_study(path)
    assert [item.task for item in study.items] == ["t2v", "i2v"]
