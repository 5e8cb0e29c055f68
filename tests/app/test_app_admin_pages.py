"""The admin pages as a researcher meets them: what they show, what they hide, what every press does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from human_eval_app.admin.exports import ratings_bytes
from human_eval_app.admin.page import PAGES
from human_eval_app.admin.passwords import COST
from human_eval_app.admin.server import SCRIPT, Desk
from human_eval_app.admin.views import study as study_page
from human_eval_app.export import export_ratings
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import AUDIT
from tests.app.app_admin import admin_desk, copied_desk, rated
from tests.app.app_study import answer
from univg_bench.human.gsb_tables import percent


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hashing cost nothing."""
    monkeypatch.setitem(COST, "n", 2)


def made(folder: Path, **facts: int) -> StudyFolder:
    """Return a study folder to copy; where people are told, with their ratings."""
    desk = admin_desk(folder, items=facts.pop("items", 6), peek=bool(facts.pop("peek", False)))
    if facts:
        rated(desk, **facts)  # type: ignore[arg-type]
    desk.store.database.close()
    return desk.folder


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory) -> StudyFolder:
    return made(tmp_path_factory.mktemp("empty") / "study")


@pytest.fixture(scope="module")
def rated_folder(tmp_path_factory) -> StudyFolder:
    return made(tmp_path_factory.mktemp("rated") / "study", items=14, honest=5, careless=1, pairs=72, hours=5)


@pytest.fixture(scope="module")
def peeking_folder(tmp_path_factory) -> StudyFolder:
    return made(tmp_path_factory.mktemp("peeking") / "study", peek=True, honest=3, pairs=20)


@pytest.fixture
def empty(empty_folder: StudyFolder, tmp_path: Path) -> Desk:
    return copied_desk(empty_folder, tmp_path / "study")


@pytest.fixture
def desk(rated_folder: StudyFolder, tmp_path: Path) -> Desk:
    """Open, with ratings of six people, one of them careless."""
    return copied_desk(rated_folder, tmp_path / "study")


@pytest.fixture
def peeking(peeking_folder: StudyFolder, tmp_path: Path) -> Desk:
    return copied_desk(peeking_folder, tmp_path / "study")


def visit(name: str, at: AppTest | None = None) -> AppTest:
    """Return the page `name` after it was drawn, logged in."""
    if at is None:
        at = AppTest.from_file(SCRIPT, default_timeout=60)
        at.session_state["admin_session"] = ("admin", float("inf"))
    # AppTest switches by file names only, and these pages are functions
    at._page_hash = calc_hash("" if name == "overview" else name)
    at.run()
    assert not at.exception, [e.message for e in at.exception]
    return at


def text(at: AppTest) -> str:
    """Everything that can be read."""
    shown = [
        *at.markdown, *at.caption, *at.info, *at.warning, *at.error, *at.success, *at.subheader, *at.header, *at.text,
        *at.title,
    ]  # fmt: skip
    parts = [str(e.value) for e in shown] + [f"{m.label} {m.value} {m.delta}" for m in at.metric]
    parts += [e.proto.body for e in at.get("html")]
    return "\n".join(parts)


def log(desk: Desk, what: str) -> list[str]:
    with desk.store.database.read() as connection:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.what == what).order_by(AUDIT.c.id))
        return [f"{row.who}: {row.detail}" for row in rows]


def num_lines(desk: Desk) -> int:
    with desk.store.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(AUDIT)).scalar_one())


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click()
    at.run()
    assert not at.exception, [e.message for e in at.exception]
    return at


@pytest.mark.parametrize("name", PAGES)
def test_a_study_without_people_is_sentences(empty: Desk, name: str):
    at = visit(name)
    shown = text(at)
    for bad in ("nan", "None", "Traceback", "inf"):
        assert bad not in shown.replace("info", "")
    assert not at.error


@pytest.mark.parametrize("name", PAGES)
def test_a_closed_study_without_answers_is_sentences(empty: Desk, name: str):
    empty.store.close(who="test")
    at = visit(name)
    assert "nan" not in text(at)
    assert not at.error
    if name == "results":
        assert "nothing to show" in text(at)


def test_one_answer_of_one_person_has_no_interval_and_no_nan(empty: Desk):
    (code,) = empty.store.issue_codes(1, who="test")
    who = empty.store.login(code)
    pair = next_pair(empty.store, who.id)
    assert isinstance(pair, Handed)
    while pair.kind != "main":
        answer(empty.store, who, pair, "same")
        pair = next_pair(empty.store, who.id)
        assert isinstance(pair, Handed)
    answer(empty.store, who, pair, pair.side)
    empty.store.close(who="test")
    shown = text(visit("results"))
    assert "undefined, all answers equal" in shown
    assert "hold for these annotators only" in shown
    assert "nan" not in shown
    for name in ("overview", "annotators", "study", "log"):
        assert "nan" not in text(visit(name))


def test_checks_that_could_not_be_made_are_never_called_failed(empty: Desk):
    rated(empty, honest=1, pairs=2)
    frame = visit("annotators").dataframe[0].value
    assert frame["checks"].tolist() == ["kept"]
    assert "could not be" in frame["why"].tolist()[0]


def test_results_are_hidden_while_the_study_is_open(desk: Desk):
    before = num_lines(desk)
    at = visit("results")
    assert "hidden until the study is closed" in text(at)
    assert not at.metric
    assert not at.get("vega_lite_chart")
    assert "%" not in text(at)
    assert num_lines(desk) == before
    assert "once the study is closed" in text(visit("study"))
    assert not visit("study").download_button


def test_overview_shows_progress_and_no_result(desk: Desk):
    at = visit("overview")
    metrics = {m.label: m.value for m in at.metric}
    assert metrics["Complete pairs"].endswith(" of 28")
    assert metrics["Ratings of pairs"].endswith(" of 84")
    assert not at.get("html") or "Win rate" not in text(at)
    assert "ratings to go" in json.dumps([e.proto.text for e in at.get("progress")])


def test_the_overview_refreshes_itself_until_the_study_is_closed(desk: Desk, monkeypatch):
    import streamlit as st

    asked = []
    fragment = st.fragment
    monkeypatch.setattr(st, "fragment", lambda *args, **facts: asked.append(facts) or fragment(*args, **facts))
    visit("overview")
    desk.store.close(who="test")
    visit("overview")
    assert [facts["run_every"] for facts in asked if "run_every" in facts] == ["10s", None]


def test_who_clicks_left_throughout_is_left_out_with_reasons_in_words(desk: Desk):
    at = visit("annotators")
    (warning,) = [w.value for w in at.warning]
    assert "answers left 100%" in warning
    assert " s per pair" in warning
    assert "one answer to all questions in 100% of pairs" in warning
    frame = at.dataframe[0].value
    assert frame["checks"].tolist().count("left out") == 1


def test_looking_while_the_study_is_open_is_one_line_for_one_look(peeking: Desk):
    at = visit("results")
    assert not at.metric
    assert log(peeking, "peek") == []  # coming to the page is no look
    at = press(at, "Look at the results")
    assert at.metric
    assert len(log(peeking, "peek")) == 1
    at.run()
    at.segmented_control[0].set_value(at.segmented_control[0].options[0])
    at.run()
    visit("overview", at)
    visit("results", at)
    assert at.metric
    assert len(log(peeking, "peek")) == 1
    assert log(peeking, "peek")[0].startswith("admin: moving-shapes@1: results after ")


def test_a_look_stays_what_it_was_until_somebody_looks_again(peeking: Desk):
    at = press(visit("results"), "Look at the results")
    first = [m.value for m in at.metric]
    assert next(b for b in at.button if b.label == "Look again").disabled
    rated(peeking, honest=2, pairs=6)
    at.run()
    assert [m.value for m in at.metric] == first
    assert "came since" in text(at)
    at = press(at, "Look again")
    assert [m.value for m in at.metric] != first
    assert len(log(peeking, "peek")) == 2


def test_a_look_of_one_session_shows_nothing_to_another(peeking: Desk):
    press(visit("results"), "Look at the results")
    assert not visit("results").metric
    assert len(log(peeking, "peek")) == 1


def test_closing_needs_the_name_of_the_study(desk: Desk):
    at = visit("study")
    for wrong in ("", "moving-shapes", "yes"):
        at.text_input(key="close_name").input(wrong)
        press(at, "Close for good")
        assert "Nothing was changed" in text(at)
        assert not desk.store.closed()
    at.text_input(key="close_name").input("moving-shapes@1")
    press(at, "Close for good")
    assert desk.store.closed()
    assert log(desk, "close") == ["admin: moving-shapes@1"]
    assert visit("results", at).metric


def test_results_show_both_numbers_where_somebody_is_left_out(desk: Desk):
    from human_eval_app.admin.results import results_of

    desk.store.close(who="test")
    found = results_of(desk.store)
    assert found.passed is not None
    at = visit("results")
    labels = at.segmented_control[0].options
    assert labels == ["All annotators (6)", "Only those who passed the checks (5)"]
    rows = {
        "passed": [r for r in found.passed.rates if r.primary],
        "all": [r for r in found.everybody.rates if r.primary],
    }
    for passed, everybody in zip(rows["passed"], rows["all"], strict=True):
        metric = next(m for m in at.metric if m.label == f"OL against {passed.other}")
        assert metric.value.startswith(percent(passed.win_rate, 1))
        assert f"all {percent(everybody.win_rate, 1)}" in metric.delta
    at.segmented_control[0].set_value(labels[0])
    at.run()
    for passed, everybody in zip(rows["passed"], rows["all"], strict=True):
        metric = next(m for m in at.metric if m.label == f"OL against {passed.other}")
        assert metric.value.startswith(percent(everybody.win_rate, 1))
        assert f"passed {percent(passed.win_rate, 1)}" in metric.delta
    assert "who fail the checks are in these numbers" in text(at)


def test_codes_are_shown_once_and_work(desk: Desk):
    at = visit("study")
    at.number_input(key="num_codes").set_value(3)
    press(at, "Issue codes")
    codes = at.code[0].value.split()
    assert len(codes) == 3
    assert len({desk.store.login(code).id for code in codes}) == 3
    assert log(desk, "codes")[-1] == "admin: 3 for moving-shapes@1"
    at.run()
    assert not at.code
    with desk.store.database.read() as connection:
        everything = json.dumps([list(map(str, row)) for row in connection.execute(select(AUDIT))])
    assert not any(code in everything for code in codes)


@pytest.mark.parametrize("deed", ["Withdraw", "Forget"])
def test_leaving_somebody_out_needs_a_known_alias_and_is_logged(desk: Desk, deed: str):
    at = visit("study")
    at.text_input(key="leave_out_alias").input("p-nobody")
    press(at, deed)
    assert "Nothing was changed" in text(at)
    alias = visit("annotators").dataframe[0].value["annotator"].tolist()[0]
    at.text_input(key="leave_out_alias").input(alias)
    press(at, deed)
    assert len(log(desk, deed.lower())) == 1
    press(at, "Withdraw")  # once more says so, and can still be followed by forgetting
    assert "withdrew before" in text(at)
    press(at, "Forget")
    assert "is forgotten" in text(at)
    people = visit("annotators").dataframe[0].value.set_index("annotator")
    assert people.loc[alias, "state"] == "withdrawn"
    assert people.loc[alias, "checks"] == "not checked"


def test_a_backup_is_whole_and_logged(desk: Desk):
    import sqlite3

    at = press(visit("study"), "Back up now")
    assert "is written" in text(at)
    (copy,) = desk.folder.backups.glob("*.db")
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM submission").fetchone()[0] > 0
    connection.close()
    assert log(desk, "backup") == [f"admin: {copy.name}"]


def test_downloads_are_the_bytes_of_export(desk: Desk, tmp_path: Path):
    desk.store.close(who="test")
    at = visit("study")
    assert [b.label for b in at.download_button] == ["Ratings CSV", "Ratings Parquet", "Ratings JSONL", "Report HTML"]
    assert log(desk, "export") == []  # drawing a button exports nothing
    for ending in study_page.FORMATS:
        dest = tmp_path / f"by_command{ending}"
        export_ratings(desk.store, dest, who="test")
        assert ratings_bytes(desk.store, ending, who="admin") == dest.read_bytes()
    assert sum(line.startswith("admin: ") for line in log(desk, "export")) == 3


def test_the_log_shows_what_was_done(desk: Desk):
    frame = visit("log").dataframe[0].value
    assert {"create", "codes"} <= set(frame["what"])
    assert frame["detail"].iloc[-1].startswith("moving-shapes@1 ")  # the oldest line comes last


def test_a_database_that_fails_is_a_sentence(desk: Desk, monkeypatch):
    from human_eval_app.admin.views import overview
    from univg_bench.errors import InfrastructureError

    def fail(_: object) -> None:
        raise InfrastructureError("the database is locked by another program")

    monkeypatch.setattr(overview, "people", fail)
    assert visit("overview").error[0].value == "The database is locked by another program."


def test_names_of_people_and_methods_are_shown_as_text(empty: Desk):
    (code,) = empty.store.issue_codes(1, who="test")
    who = empty.store.login(code)
    pair = next_pair(empty.store, who.id)
    assert isinstance(pair, Handed)
    empty.store.flag(who.id, pair.id, reason="<script>alert(1)</script>")
    at = visit("overview")
    assert "<script>" in str(at.dataframe[-1].value["reason"].tolist())  # in a table of text
    assert "<script>" not in "".join(e.proto.body for e in at.get("html"))
