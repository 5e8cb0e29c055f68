"""Where an annotator stands, from the database alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from human_eval_app import progress
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.practice import expected_answer, feedback_on
from human_eval_app.storage import Annotator, Store
from human_eval_app.tables import ANNOTATOR
from tests.app.app_study import PRACTICE, Clock, answer, open_store, people, rate_all, small_study

MINUTE = 60.0
GOOD = {"width": 1366, "height": 768, "touch": False, "decodes": True, "agent": "a test"}


def instructed(store: Store, who: Annotator) -> None:
    progress.choose_language(store, who.id, "en")
    progress.give_consent(store, who.id, digest="0" * 64)
    progress.keep_device(store, who.id, GOOD, ok=True)
    progress.finish_instructions(store, who.id)


def started(url: str, folder: Path, **facts: object) -> tuple[Store, Annotator, Clock]:
    """Return a study and somebody who has read the introduction."""
    clock = Clock()
    store = open_store(url, small_study(folder, **facts), clock)
    (who,) = people(store, 1)
    instructed(store, who)
    return store, who, clock


def rate(store: Store, who: Annotator, clicked: str | None = None) -> progress.State:
    """Answer the pair that is shown (for our method, unless told); return what is shown then."""
    state = progress.state(store, who.id)
    assert state.name == "rating", state
    assert state.handed is not None
    answer(store, who, state.handed, clicked or state.handed.side)
    return progress.state(store, who.id)


def test_each_step_leads_to_the_next_and_is_kept(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path))
    (who,) = people(store, 1)
    steps = [
        ("welcome", lambda: progress.choose_language(store, who.id, "en")),
        ("consent", lambda: progress.give_consent(store, who.id, digest="0" * 64)),
        ("device", lambda: progress.keep_device(store, who.id, GOOD, ok=True)),
        ("instructions", lambda: progress.finish_instructions(store, who.id)),
    ]
    assert progress.state(store, None).name == "login"
    for name, step in steps:
        # asking changes nothing
        assert {progress.state(store, who.id).name for _ in range(3)} == {name}
        step()
    assert progress.state(store, who.id).name == "rating"
    person = progress.find_person(store, who.id)
    assert person is not None
    assert (person.language, person.device) == ("en", GOOD | {"ok": True})


def test_a_device_that_does_not_do_keeps_its_owner_at_the_check(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path))
    (who,) = people(store, 1)
    instructed(store, who)
    progress.keep_device(store, who.id, GOOD | {"width": 300}, ok=False)
    assert progress.state(store, who.id).name == "device"
    progress.keep_device(store, who.id, GOOD, ok=True)
    assert progress.state(store, who.id).name == "rating"


def test_no_pair_is_handed_out_before_it_is_shown(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path, items=1, target=1))
    early, late = people(store, 2)
    assert progress.state(store, early.id).name == "welcome"
    instructed(store, late)
    # the only pair of the study is still free for whoever comes to it first
    assert progress.state(store, late.id).name == "rating"


def test_feedback_follows_each_practice_pair_and_comes_again_after_a_reload(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path, more=PRACTICE)
    state = rate(store, who)
    assert state.name == "practice_feedback"
    assert progress.state(store, who.id) == state
    onward = progress.state(store, who.id, feedback_seen=state.assignment)
    assert onward.name == "rating"
    assert onward.handed is not None
    assert onward.handed.kind == "practice"
    # the next pair is open now, so the feedback is past for good
    assert progress.state(store, who.id).name == "rating"


def test_feedback_says_what_was_expected_on_the_side_where_it_stood(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path, more=PRACTICE)
    state = progress.state(store, who.id)
    assert state.handed is not None
    ours = state.handed.side
    wrong = "left" if ours == "right" else "right"
    answer(store, who, state.handed, wrong)
    feedback = feedback_on(store, who.id, state.handed.id)
    assert [(one.dimension.code, one.answer, one.expected) for one in feedback.checked] == [("AM", wrong, ours)]
    assert feedback.others, "PS and OL were asked too"
    assert feedback.round == "more"


@pytest.mark.parametrize(("answers", "ends"), [("rr", "passed"), ("wr", "passed"), ("ww", "again"), ("wwww", "failed")])
def test_a_round_of_practice_ends_as_handing_out_decides(url: str, tmp_path: Path, answers: str, ends: str) -> None:
    store, who, _ = started(url, tmp_path, more=PRACTICE)
    seen = None
    for letter in answers:
        state = progress.state(store, who.id, feedback_seen=seen)
        assert state.handed is not None
        ours = state.handed.side
        answer(store, who, state.handed, ours if letter == "r" else "same")
        seen = state.handed.id
    assert seen is not None
    assert feedback_on(store, who.id, seen).round == ends
    after = progress.state(store, who.id, feedback_seen=seen)
    if ends == "failed":
        assert after == progress.State("refused", reason="practice_failed")
        assert progress.state(store, who.id, feedback_seen=seen) == after
    else:
        assert after.handed is not None
        assert after.handed.kind == ("practice" if ends == "again" else "main")


@pytest.mark.parametrize("side", ["left", "right"])
def test_expected_answers_are_the_inverse_of_what_the_server_derives(side: str) -> None:
    from human_eval_app.answers import choice_of

    for choice in "GSB":
        assert choice_of(expected_answer(choice, side), side) == choice  # type: ignore[arg-type]


def test_a_break_comes_after_the_pairs_of_a_session(url: str, tmp_path: Path) -> None:
    store, who, clock = started(url, tmp_path, items=5, more="session: {pairs: 2}")
    assert rate(store, who).name == "rating"
    due = rate(store, who)
    assert due.name == "break"
    assert progress.state(store, who.id).name == "break", "a reload does not skip it"
    clock.seconds += MINUTE
    progress.resume(store, who.id)
    again = progress.state(store, who.id)
    assert again.name == "rating"
    assert again.handed is not None
    assert due.handed is not None
    assert again.handed.id == due.handed.id
    assert rate(store, who).name == "rating"
    assert rate(store, who).name == "break"
    progress.resume(store, who.id)
    person = progress.find_person(store, who.id)
    assert person is not None
    assert (person.breaks, person.rated) == (2, 4)


def test_a_break_comes_after_the_minutes_of_a_session_but_never_before_a_pair_is_done(url: str, tmp_path: Path) -> None:
    store, who, clock = started(url, tmp_path, items=5, more="session: {minutes: 10}")
    assert progress.state(store, who.id).name == "rating"
    clock.seconds += 11 * MINUTE
    assert progress.state(store, who.id).name == "rating"
    assert rate(store, who).name == "break"
    progress.resume(store, who.id)
    clock.seconds += 9 * MINUTE
    assert rate(store, who).name == "rating"
    clock.seconds += 2 * MINUTE
    assert progress.state(store, who.id).name == "break"


def test_who_was_away_for_longer_than_a_lease_has_had_a_break(url: str, tmp_path: Path) -> None:
    store, who, clock = started(url, tmp_path, items=5, more="session: {minutes: 10}\nlease_minutes: 15")
    rate(store, who)
    clock.seconds += 24 * 60 * MINUTE
    assert rate(store, who).name == "rating", "a new day is a new session"
    person = progress.find_person(store, who.id)
    assert person is not None
    assert person.breaks == 0


def test_a_clock_that_was_set_back_stops_nobody(url: str, tmp_path: Path) -> None:
    store, who, clock = started(url, tmp_path, items=5, more="session: {pairs: 2}")
    rate(store, who)
    clock.seconds -= 365 * 24 * 60 * MINUTE
    assert rate(store, who).name in ("rating", "break")
    assert rate_all(store, who)


def test_the_end_comes_without_a_break_before_it_and_stays(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path, items=2, more="session: {pairs: 2}")
    rate(store, who)
    assert rate(store, who).name == "done"
    store.close(who="test")
    assert progress.state(store, who.id).name == "done", "who is done is thanked, also when the study is closed"


def test_who_found_nothing_to_rate_may_be_needed_later(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path, items=1, target=1)
    (other,) = people(store, 1)
    instructed(store, other)
    rate(store, who)
    assert progress.state(store, other.id).name == "done"
    store.withdraw(who.id, who="test")
    assert progress.state(store, other.id).name == "rating"


def test_pairs_that_others_are_rating_mean_later_and_not_done(url: str, tmp_path: Path) -> None:
    store, who, clock = started(url, tmp_path, items=1, target=1)
    (other,) = people(store, 1)
    instructed(store, other)
    assert progress.state(store, who.id).name == "rating"
    assert progress.state(store, other.id).name == "later"
    clock.seconds += 31 * MINUTE
    assert progress.state(store, other.id).name == "rating"


def test_refusals_have_reasons(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path)
    other, new = people(store, 2)
    assert progress.state(store, 10**6) == progress.State("refused", reason="unknown_code")
    store.withdraw(other.id, who="test")
    assert progress.state(store, other.id) == progress.State("refused", reason="withdrawn")
    store.close(who="test")
    for one in (who, new):
        assert progress.state(store, one.id) == progress.State("refused", reason="study_closed")


def test_somebody_of_another_study_is_unknown_here(tmp_path: Path) -> None:
    url = str(tmp_path / "two.db")
    first = open_store(url, small_study(tmp_path))
    (who,) = people(first, 1)
    (tmp_path / "b").mkdir()
    path = tmp_path / "b" / "study.yaml"
    path.write_text((tmp_path / "study.yaml").read_text().replace("id: pilot", "id: other"))
    from human_eval_app.study_files import load_study

    second = open_store(url, load_study(path))
    assert progress.find_person(second, who.id) is None
    progress.choose_language(second, who.id, "en")
    with first.database.read() as connection:
        assert connection.execute(select(ANNOTATOR.c.language)).scalar_one() is None


def test_a_comment_is_cut_and_can_be_taken_back(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path)
    progress.keep_comment(store, who.id, " fine\0 " + "x" * 5000)
    person = progress.find_person(store, who.id)
    assert person is not None
    assert person.comment is not None
    assert person.comment.startswith("fine x")
    assert len(person.comment) == progress.MAX_COMMENT
    progress.keep_comment(store, who.id, "  ")
    person = progress.find_person(store, who.id)
    assert person is not None
    assert person.comment is None


def test_consent_and_times_are_stored_with_the_servers_clock(url: str, tmp_path: Path) -> None:
    store, who, clock = started(url, tmp_path)
    with store.database.read() as connection:
        row = connection.execute(select(ANNOTATOR).where(ANNOTATOR.c.id == who.id)).one()
    assert row.consent_ms == row.instructed_ms == int(clock.seconds * 1000)
    assert row.consent_digest == "0" * 64
    assert json.loads(row.device)["ok"] is True


def test_screened_out_people_see_their_last_feedback_and_then_the_end(url: str, tmp_path: Path) -> None:
    store, who, _ = started(url, tmp_path, more=PRACTICE)
    handed = next_pair(store, who.id)
    assert isinstance(handed, Handed)
    answer(store, who, handed, "same")
    store.database.write(lambda c: c.execute(update(ANNOTATOR).values(status="screened_out")))
    assert progress.state(store, who.id).name == "practice_feedback"
    assert progress.state(store, who.id, feedback_seen=handed.id).reason == "practice_failed"
