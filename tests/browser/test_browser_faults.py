"""No connection, a server that dies, videos that are gone: what people read, and that nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from human_eval_app.study_folder import StudyFolder
from human_eval_app.wording import load_wording
from tests.app.app_served import Server
from tests.browser.browser_study import rows

WORDS = load_wording("en")


def kept(study: StudyFolder, assignment: int) -> list[tuple[int, str]]:
    """Return revision and answers of a pair."""
    return rows(
        study, "SELECT revision, group_concat(answer, ' ') FROM (SELECT * FROM rating WHERE assignment_id = ?"
        " ORDER BY CASE dimension WHEN 'PS' THEN 0 WHEN 'AM' THEN 1 ELSE 2 END) GROUP BY revision", assignment,
    )  # fmt: skip


def test_a_spell_without_connection_is_said_and_the_answers_are_sent_when_it_ends(
    person: Callable[..., Any], study: StudyFolder
) -> None:
    one = person(instructed=True).come()
    shown = one.sees_pair()
    one.answer("123")
    one.context.set_offline(True)
    one.page.keyboard.press("Enter")
    expect(one.screen("offline")).to_be_visible()
    expect(one.status()).to_have_text(WORDS["rating.trouble_offline"])
    assert kept(study, shown) == []
    one.answer("333")  # too late for this pair, too early for the next
    one.context.set_offline(False)
    one.sees("practice_feedback")
    assert kept(study, shown) == [(0, "left same right")]


def test_the_server_is_killed_in_the_middle_and_comes_back(
    person: Callable[..., Any], study: StudyFolder, server: Server
) -> None:
    drafting, saving = person(instructed=True).come(), person(instructed=True).come()
    open_pair, sent_pair = drafting.sees_pair(), saving.sees_pair()
    drafting.answer("31")
    saving.answer("213")
    server.kill()
    saving.page.keyboard.press("Enter")
    expect(saving.screen("offline")).to_be_visible()
    expect(saving.status()).to_have_text(WORDS["rating.trouble_offline"])
    drafting.answer("2")  # goes on meanwhile
    server.start()
    saving.sees("practice_feedback")  # by itself, with the cookie of before
    assert kept(study, sent_pair) == [(0, "same left right")]
    drafting.page.reload()
    assert drafting.sees_pair() == open_pair
    assert drafting.given() == {"PS": "right", "AM": "left", "OL": "same"}
    assert kept(study, open_pair) == []
    drafting.page.keyboard.press("Enter")
    drafting.sees("practice_feedback")
    assert kept(study, open_pair) == [(0, "right left same")]


def test_answers_that_were_stored_but_never_acknowledged_are_not_doubled(
    person: Callable[..., Any], study: StudyFolder, server: Server
) -> None:
    one = person(instructed=True)
    swallowed: list[Any] = []

    def swallow(route: Any) -> None:
        """Let the server store the answers; it is gone before its reply arrives."""
        if not swallowed:
            swallowed.append(route.fetch().status)
            server.kill()
            server.start()
            route.abort()
        else:
            route.continue_()

    one.page.route("**/api/ratings", swallow)
    one.come()
    shown = one.sees_pair()
    one.answer("321")
    one.page.keyboard.press("Enter")
    one.sees("practice_feedback")
    assert swallowed == [200]
    assert kept(study, shown) == [(0, "right same left")]


@pytest.mark.parametrize(("fault", "key"), [("missing", "video_gone"), ("undecodable", "video_unplayable")])
def test_a_video_that_is_gone_or_spoilt_on_the_disk_is_said_and_can_be_reported(
    person: Callable[..., Any], study: StudyFolder, fault: str, key: str
) -> None:
    # practice pairs are the same for everybody, so this spoils the first of them
    one = person(instructed=True)
    ((name,),) = rows(
        study, "SELECT v.path FROM video v JOIN pair p ON p.item = v.item"
        " WHERE p.kind = 'practice' AND v.method = 'ours' ORDER BY p.position LIMIT 1",
    )  # fmt: skip
    path = Path(study.presentation / name)
    whole = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(b"\0" * 100 + whole[100:])
    try:
        one.come()
        shown = one.page.locator("[data-side][data-state=broken]")
        expect(shown).to_have_count(1)
        expect(shown).to_contain_text(WORDS[f"rating.{key}"])
        expect(one.status()).to_have_text(WORDS["rating.report_it"])
        assignment = int(one.screen().get_attribute("data-assignment"))
        one.answer("111")
        one.page.keyboard.press("Enter")  # nobody can judge what was not seen
        assert one.screen().is_visible()
        one.page.keyboard.press("b")
        one.tab_to(WORDS["rating.report"])
        one.page.keyboard.press("Enter")
        one.leaves(assignment)
        assert one.sees_pair() != assignment
    finally:
        path.write_bytes(whole)
    assert rows(study, "SELECT status FROM assignment WHERE id = ?", assignment) == [("flagged",)]
    assert kept(study, assignment) == []
