"""Ratings from elsewhere: VBench's labels, 1-5 scores of FETV, and the plan in a study file."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.human.gsb_examples import ratings
from univg_bench.human.analysis import analyse
from univg_bench.human.dimensions import UNIVG
from univg_bench.human.induced import induce, read_scores
from univg_bench.human.plan import MEASURES, SCREENING, Plan, Rule, load_plan, parse_plan
from univg_bench.human.vbench import read_vbench, vbench_entries
from univg_bench.human.winrate import win_rates

ENTRY = {
    "prompt_en": "a cat",
    "question_en": "which is better?",
    "videos": {"lavie": "a.mp4", "modelscope": "b.mp4", "cogvideo": "c.mp4"},
    "human_anno": {
        "modelscope": {"lavie": 0, "cogvideo": 1},
        "lavie": {"modelscope": 1, "cogvideo": 0.5},
        "cogvideo": {"modelscope": 0, "lavie": 0.5},
    },
}


def save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_vbench_labels_are_read_once_per_pair(tmp_path: Path):
    found = read_vbench(save(tmp_path / "overall_consistency.json", [ENTRY]))
    rows = {(r.method, r.other): r.choice for r in found.frame.astype(object).itertuples()}
    assert rows == {("cogvideo", "lavie"): "S", ("cogvideo", "modelscope"): "B", ("lavie", "modelscope"): "G"}
    assert [d.code for d in found.dimensions] == ["overall_consistency"]
    assert found.labels("side") == ["none"]


def test_vbench_ratings_hold_for_their_annotators_only(tmp_path: Path):
    entries = [{**ENTRY, "prompt_en": f"prompt {i % 3}"} for i in range(6)]
    found = read_vbench(save(tmp_path / "scene.json", entries))
    assert len(found.labels("item")) == 6
    assert "prompt 0 #2" in found.labels("item")
    analysis = analyse(found, Plan(dimensions=found.dimensions, primary=None, draws=100))
    assert "Too few annotators to generalise: with 1 annotator" in analysis.sentences()[0]


def test_vbench_labels_go_there_and_back(tmp_path: Path):
    first = read_vbench(save(tmp_path / "scene.json", [ENTRY, {**ENTRY, "prompt_en": "a dog"}]))
    again = read_vbench(save(tmp_path / "scene.json", vbench_entries(first, "scene")))
    pd.testing.assert_frame_equal(again.frame, first.frame)
    entry = vbench_entries(first, "scene")[0]
    assert entry["human_anno"]["lavie"]["modelscope"] == 1 - entry["human_anno"]["modelscope"]["lavie"] == 1.0


def test_vbench_cannot_hold_annotators_who_disagree(refused):
    with refused("1 pairs have annotators who disagree (first: item 'i001', ours against rival)"):
        vbench_entries(ratings("GG", "GSS"), "OL")
    with refused("no rating of dimension 'PS'; it has OL"):
        vbench_entries(ratings("GG"), "PS")
    # half of the votes G, half B is a value that VBench can say
    assert vbench_entries(ratings("GB"), "OL")[0]["human_anno"]["ours"]["rival"] == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "expected a list of entries as VBench stores it, found dict"),
        ([{"prompt_en": "a"}], "entry 1: expected an object with prompt_en and human_anno"),
        ([ENTRY, {**ENTRY, "human_anno": {"a": {"b": 0.7}}}], "human_anno['a']['b'] is 0.7, expected 1, 0.5 or 0"),
        ([{**ENTRY, "human_anno": {"a": {"b": True}}}], "is True, expected"),
        ([{**ENTRY, "human_anno": {"a": {"b": [1]}}}], "is [1], expected"),
        ([{**ENTRY, "human_anno": {"a": {"b": 1}, "b": {"a": 1}}}], "entry 1: human_anno of 'b' and 'a' contradict"),
        ([{**ENTRY, "human_anno": {"a": 1}}], "human_anno['a'] is 1, expected an object by model"),
        ([{**ENTRY, "human_anno": {}}], "holds no judged pair"),
    ],
)  # fmt: skip
def test_broken_vbench_files_are_refused(tmp_path: Path, refused, content, message):
    with refused(message):
        read_vbench(save(tmp_path / "x.json", content))


def test_vbench_files_that_are_no_json_are_refused(tmp_path: Path, refused):
    (tmp_path / "x.json").write_text("{")
    with refused("x.json is not JSON"):
        read_vbench(tmp_path / "x.json")
    with refused("there is no file"):
        read_vbench(tmp_path / "y.json")


SCORES = pd.DataFrame(
    [("1", "x", "r", "3"), ("1", "y", "r", "5"), ("1", "z", "r", "5"), ("2", "x", "r", "4"), ("2", "y", "s", "1")],
    columns=["item_id", "model", "rater", "quality"],
)


def test_scores_become_comparisons_of_one_annotator_on_one_item():
    found = induce(SCORES, source="t").frame.astype(object)
    rows = {(r.item, r.method, r.other): r.choice for r in found.itertuples()}
    # nobody scored both x and y for item 2
    assert rows == {("1", "x", "y"): "B", ("1", "x", "z"): "B", ("1", "y", "z"): "S"}


def test_broken_scores_are_refused(refused):
    with refused("lacks a column annotator or rater; it has item_id, model"):
        induce(SCORES.drop(columns="rater"), source="s.csv")
    with refused("lacks a column item or item_id"):
        induce(SCORES.drop(columns="item_id"), source="s.csv")
    with refused("no score column at all"):
        induce(SCORES.drop(columns="quality"), source="s.csv")
    with refused("no score column taste"):
        induce(SCORES, source="s.csv", columns=["taste"])
    with refused("quality is not a finite number in 1 rows (first: row 3)"):
        induce(SCORES.assign(quality=["3", "x", "5", "4", "1"]), source="s.csv")
    with refused("the same item_id, rater and model stand in an earlier row in 1 rows (first: row 7)"):
        induce(pd.concat([SCORES, SCORES.iloc[:1]]), source="s.csv")
    with refused("no method reference to leave out; it has x, y, z"):
        induce(SCORES, source="s.csv", leave_out=["reference"])
    with refused("implies no comparison"):
        induce(SCORES.iloc[[0, 4]], source="s.csv")


def test_fetv_gives_six_pairs_of_generating_models(fetv):
    found = read_scores(fetv, leave_out=["reference"])
    assert len(found) == 22 * 3 * 6 * 3  # items, raters, pairs, dimensions
    pairs = found.frame.groupby(["method", "other"], observed=True).size()
    assert len(pairs) == 6
    assert set(pairs) == {22 * 3 * 3}
    assert "002" in found.labels("item")  # leading zeros are part of the name
    assert len(read_scores(fetv)) > len(found)


def test_fetvs_induced_table_is_what_counting_by_hand_gives(fetv):
    scores = pd.read_csv(fetv, dtype={"item_id": str})
    wide = scores.pivot(index=["item_id", "rater"], columns="model", values="alignment")
    difference = wide["cogvideo"] - wide["modelscope-t2v"]
    rates = {(r.method, r.other, r.dimension): r for r in win_rates(read_scores(fetv), Plan(draws=100, primary=None))}
    rate = rates["cogvideo", "modelscope-t2v", "alignment"]
    assert tuple(int((s).sum()) for s in (difference > 0, difference == 0, difference < 0)) == (rate.G, rate.S, rate.B)
    assert (rate.num_items, rate.num_annotators, rate.generalises) == (22, 3, False)
    # one prompt has no reference video
    assert rates["cogvideo", "reference", "alignment"].num_items == 21


def test_fetvs_report_says_that_three_raters_are_too_few(fetv):
    made = read_scores(fetv, leave_out=["reference"])
    analysis = analyse(made, Plan(dimensions=made.dimensions, primary=None, draws=100))
    text = " ".join(analysis.sentences())
    assert "Too few annotators to generalise: with 3 annotators (fewer than 5)" in text
    assert "undefined, no answer chose a side that is known" in text
    assert analysis.num_excluded == 0


def test_a_study_file_fixes_the_plan(tmp_path: Path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "title: belongs to the app\nanalysis:\n  dimensions: [OL, PS]\n  primary: PS\n  level: 0.9\n"
        "  bootstrap: {draws: 500, seed: 3}\n  screening:\n    - {measure: gold_accuracy, min: 0.8, min_count: 4}\n"
    )
    plan = load_plan(path)
    assert [d.code for d in plan.dimensions] == ["PS", "OL"]
    assert (plan.primary, plan.level, plan.draws, plan.seed) == ("PS", 0.9, 500, 3)
    assert plan.screening == (Rule("gold_accuracy", min=0.8, min_count=4),)
    assert plan.digest != Plan().digest
    assert (plan.source, Plan().source) == ("study.yaml", "")
    path.write_text("analysis: {}")
    assert load_plan(path).digest == Plan().digest


def test_what_a_study_does_not_say_keeps_its_default():
    assert parse_plan({}, where="t") == Plan()
    assert Plan().dimensions == UNIVG
    assert {r.measure for r in SCREENING} <= set(MEASURES)
    assert str(SCREENING[0]) == "straight_line <= 0.9 (on 10 cases or more)"
    own = parse_plan({"dimensions": [{"code": "q", "name": "Quality", "question": "Which?"}]}, where="t")
    assert (own.primary, own.dimensions[0].group) == (None, "")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ([], "expected `key: value` lines, found list"),
        ({"levle": 0.9}, "unknown key 'levle', expected dimensions, primary"),
        ({"level": 95}, "level: 95 is not a number from 0.5 to 0.9999"),
        ({"level": True}, "level: True is not a number"),
        ({"primary": "XX"}, "primary is 'XX', expected one of PS, ROS"),
        ({"bootstrap": {"draws": 10}}, "bootstrap, draws: 10 is not a number from 100"),
        ({"bootstrap": {"seed": -1}}, "bootstrap, seed: -1 is not a number from 0"),
        ({"bootstrap": {"seed": 1.5}}, "bootstrap, seed: 1.5 is not a whole number"),
        ({"bootstrap": {"n": 1}}, "bootstrap: unknown key 'n'"),
        ({"dimensions": []}, "dimensions: expected a list of codes or of dimensions"),
        ({"dimensions": ["PS", "XX"]}, "unknown dimension 'XX'"),
        ({"dimensions": [{"code": "q"}]}, "dimensions, entry 1: name is missing or no text"),
        ({"dimensions": [{"code": "q", "name": "Q", "question": "?"}] * 2}, "a code stands twice in q, q"),
        ({"screening": {}}, "screening: expected a list of rules, found dict"),
        (
            {"screening": [{"measure": "luck", "min": 1}]},
            "rule 1: unknown measure 'luck', expected one of straight_line",
        ),
        ({"screening": [{"measure": "speed"}]}, "rule 1: a rule needs min, max or both"),
        ({"screening": [{"measure": "speed", "min": 2, "max": 1}]}, "rule 1: min 2 is above max 1"),
        ({"screening": [{"measure": "speed", "min": "a"}]}, "rule 1, min: 'a' is not a number"),
        ({"screening": [{"measure": "speed", "min": 1, "min_count": 0}]}, "min_count: 0 is not a number from 1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(refused, section, message):
    with refused(message):
        parse_plan(section, where="study.yaml, analysis")


def test_files_that_are_no_study_are_refused(tmp_path: Path, refused):
    with refused("absent.yaml"):
        load_plan(tmp_path / "absent.yaml")
    path = tmp_path / "study.yaml"
    path.write_text("a: [")
    with refused("study.yaml:1"):
        load_plan(path)
    path.write_text("analysis:\n  level: 0.9\n  level: 0.95\n")
    with refused("study.yaml:3", "level"):
        load_plan(path)
    path.write_text("title: x\n")
    with refused("has no section `analysis:`"):
        load_plan(path)


def test_the_study_file_of_the_documentation_is_our_defaults(tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs" / "human_statistics.md").read_text(encoding="utf-8")
    path = tmp_path / "study.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0])
    assert load_plan(path).digest == Plan().digest
