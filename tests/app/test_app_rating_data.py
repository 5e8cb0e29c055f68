"""What the rating screen is told: all that it needs, and nothing that tells methods, items or sides apart."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.rated_before import place_of, rated_before
from human_eval_app.rating_data import Place, rating_data
from human_eval_app.study import Study
from human_eval_app.wording import load_wording
from tests.app.app_study import GOLD, PRACTICE, answer, open_store, people, rate_all, small_study

STUDY: dict[str, Any] = {
    "schema": "univg-bench/study/1", "id": "pilot", "version": 1, "title": "Zebra against yak", "ratings_per_pair": 1,
    "methods": [{"id": "zebra-ours", "label": "Zebra 1.0"}, {"id": "yak-theirs"}], "ours": "zebra-ours",
    "others": ["yak-theirs"],
    "items": [
        {"id": "item-quokka", "prompt": "a red ball", "category": "wombat"},
        {"id": "item-numbat", "prompt": "a blue ball", "image": "images/dingo.png"},
        {"id": "item-bilby", "image": "images/dingo.png"},
    ],
    "gold": {
        "pairs": [{"item": "item-quokka", "method": "zebra-ours", "other": "yak-theirs", "expected": {"OL": "G"}}]
    },
}  # fmt: skip
SECRET = ("zebra", "yak", "quokka", "numbat", "bilby", "wombat", "dingo", "gold", "repeat", "expected", "987654")
PAIR = Handed(31, 987654, "item-quokka", "main", 9, "left", "L" * 16, "R" * 16)


def study(**more: Any) -> Study:
    return Study.model_validate_json(json.dumps(STUDY | more))


def data_of(handed: Handed, one: Study | None = None, **facts: Any) -> dict[str, Any]:
    known = {"fps": 24.0, "place": Place(3, 25), "owner": "word", "can_undo": False}
    return rating_data(handed, one or study(), load_wording("en"), **known | facts)


def said(data: dict[str, Any]) -> str:
    """Everything that reaches the browser but the wording, which is the same for all pairs and is read by people."""
    return json.dumps({name: value for name, value in data.items() if name != "words"}).lower()


@given(
    item=st.sampled_from(["item-quokka", "item-numbat", "item-bilby"]),
    kind=st.sampled_from(["main", "gold", "repeat"]),
    side=st.sampled_from(["left", "right"]), position=st.integers(1, 99), undo=st.booleans(), revise=st.booleans(),
)  # fmt: skip
def test_no_method_item_file_pair_or_kind_is_in_it(
    item: str, kind: Any, side: str, position: int, undo: bool, revise: bool
) -> None:
    handed = replace(PAIR, item=item, kind=kind, side=side, position=position)
    data = data_of(handed, can_undo=undo, revised={"OL": "left"} if revise else None)
    assert not [word for word in SECRET if word in said(data)]


@given(
    pair_id=st.integers(1, 10**6), kind=st.sampled_from(["main", "gold", "repeat"]),
    side=st.sampled_from(["left", "right"]), position=st.integers(1, 99),
)  # fmt: skip
def test_pairs_that_differ_in_what_is_secret_look_the_same(pair_id: int, kind: Any, side: str, position: int) -> None:
    other = replace(PAIR, pair_id=pair_id, kind=kind, side=side, position=position)
    assert data_of(other) == data_of(PAIR)


def test_a_leak_would_be_found() -> None:
    assert "quokka" in said(data_of(PAIR, study(items=[{"id": "item-quokka", "prompt": "a Quokka"}])))


@pytest.mark.parametrize(
    ("item", "codes"),
    [
        ("item-quokka", "PS ROS MS FC AM TSA TTA OL"),
        ("item-numbat", "PS ROS MS FC AM TSA TTA ISA ITA OL"),
        ("item-bilby", "PS ROS MS FC AM ISA ITA OL"),
    ],
)
def test_questions_are_those_of_the_item(item: str, codes: str) -> None:
    data = data_of(replace(PAIR, item=item))
    assert [question["code"] for question in data["questions"]] == codes.split()
    assert (data["image"] is None) == (item == "item-quokka")
    assert (data["prompt"] is None) == (item == "item-bilby")


def test_addresses_hold_nothing_but_tokens() -> None:
    data = data_of(replace(PAIR, item="item-numbat"))
    assert data["videos"] == [f"/video/{'L' * 16}.mp4", f"/video/{'R' * 16}.mp4"]
    assert data["image"] == f"/image/{'L' * 16}"


def test_a_practice_pair_says_so_and_has_no_break() -> None:
    assert (data_of(replace(PAIR, kind="practice"))["practice"], data_of(PAIR)["practice"]) == (True, False)
    assert (data_of(replace(PAIR, kind="practice"))["pause"], data_of(PAIR)["pause"]) == (False, True)


def test_it_is_json_and_speaks_every_language() -> None:
    english, chinese = data_of(PAIR), rating_data(
        PAIR, study(), load_wording("zh"), fps=24.0, place=Place(3, 25), owner="word", can_undo=False
    )  # fmt: skip
    assert json.loads(json.dumps(english)) == english
    assert english["words"].keys() == chinese["words"].keys()
    assert english["words"]["save"] != chinese["words"]["save"]


# --------------------------------------------------------------------------------------------------- what is behind one


def test_place_counts_practice_and_sessions_apart(tmp_path: Path) -> None:
    study = small_study(tmp_path, items=14, target=1, more=PRACTICE + GOLD)
    store = open_store(str(tmp_path / "study.db"), study)
    (who,) = people(store, 1)
    seen = []
    while isinstance(pair := next_pair(store, who.id), Handed):
        place = place_of(store.study, pair.kind, rated_before(store, who.id))
        seen.append((pair.kind == "practice", place.number, place.total))
        answer(store, who, pair, pair.side)
    assert seen[:2] == [(True, 1, 2), (True, 2, 2)]
    assert seen[2:12] == [(False, k + 1, 10) for k in range(10)]
    second = seen[12:]
    assert [number for _, number, _ in second] == list(range(1, len(second) + 1))
    assert all(number <= total < 10 for _, number, total in second)


def test_the_last_pair_can_be_changed_with_its_newest_answers(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path, more=PRACTICE))
    who, other = people(store, 2)
    rate_all(store, other)
    assert rated_before(store, who.id).last is None
    for _ in range(2):
        pair = next_pair(store, who.id)
        assert isinstance(pair, Handed)
        answer(store, who, pair, pair.side)
        assert rated_before(store, who.id).last is None  # practice has had its feedback
    first = next_pair(store, who.id)
    assert isinstance(first, Handed)
    answer(store, who, first, "left")
    before = rated_before(store, who.id)
    assert before.last == first
    assert set(before.answers.values()) == {"left"}
    answer(store, who, first, "same", client_uuid=str(uuid.uuid4()), revise=True)
    assert set(rated_before(store, who.id).answers.values()) == {"same"}
    second = next_pair(store, who.id)
    assert isinstance(second, Handed)
    store.flag(who.id, second.id, reason="black")
    assert rated_before(store, who.id).last is None  # a report has no answers
    assert rated_before(store, who.id).rated == 2
