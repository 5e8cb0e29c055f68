"""What is acknowledged is stored, once, and never changed; on both databases."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from human_eval_app.answers import ANSWERS, choice_of
from human_eval_app.creation import create_study
from human_eval_app.database import Database
from human_eval_app.export import check
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.refusals import RefusedError
from human_eval_app.storage import Annotator, Store
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, AUDIT, METADATA, RATING, SUBMISSION
from tests.app.app_study import PEPPER, PRACTICE, Clock, answer, open_store, people, small_study
from univg_bench.errors import InputError


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, tmp_path: Path, clock: Clock) -> Store:
    return open_store(url, small_study(tmp_path), clock)


@pytest.fixture
def opened(store: Store) -> tuple[Annotator, Handed]:
    (who,) = people(store, 1)
    pair = next_pair(store, who.id)
    assert isinstance(pair, Handed)
    return who, pair


def count(store: Store, table: sa.Table) -> int:
    with store.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def refused(reason: str, act: Callable[[], object]) -> None:
    with pytest.raises(RefusedError) as caught:
        act()
    assert caught.value.reason == reason


def test_the_migrations_make_the_tables_that_the_code_knows(url: str) -> None:
    database = Database(url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    database = Database(url)
    database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(InputError, match="has the form 9999, which this version does not know"):
        Database(url)


def test_the_same_study_is_created_once_and_another_one_is_refused_its_name(store: Store, tmp_path: Path) -> None:
    again = create_study(store.database, small_study(tmp_path), who="test", now_ms=0)
    assert again == store.slug
    with pytest.raises(InputError, match="holds another study pilot@1; raise `version`"):
        create_study(store.database, small_study(tmp_path, target=3), who="test", now_ms=0)


def test_triple_enter_is_one_rating(store: Store, opened: tuple[Annotator, Handed]) -> None:
    who, pair = opened
    sent = str(uuid.uuid4())
    receipts = [answer(store, who, pair, client_uuid=sent) for _ in range(3)]
    assert [r.duplicate for r in receipts] == [False, True, True]
    assert {r.revision for r in receipts} == {0}
    assert (count(store, SUBMISSION), count(store, RATING)) == (1, 3)


def test_other_answers_to_an_answered_pair_are_refused_unless_they_are_a_revision(
    store: Store, opened: tuple[Annotator, Handed]
) -> None:
    who, pair = opened
    answer(store, who, pair, "left")
    refused("already_answered", lambda: answer(store, who, pair, "right"))
    assert answer(store, who, pair, "right", revise=True).revision == 1
    # the history stays
    assert (count(store, SUBMISSION), count(store, RATING)) == (2, 6)
    assert check(store) == []


def test_a_uuid_belongs_to_one_pair(store: Store, opened: tuple[Annotator, Handed]) -> None:
    who, pair = opened
    sent = str(uuid.uuid4())
    answer(store, who, pair, client_uuid=sent)
    second = next_pair(store, who.id)
    assert isinstance(second, Handed)
    refused("bad_answers", lambda: answer(store, who, second, client_uuid=sent))


@pytest.mark.parametrize("clicked", ANSWERS)
def test_the_server_says_which_choice_a_click_is(store: Store, opened: tuple[Annotator, Handed], clicked: str) -> None:
    who, pair = opened
    answer(store, who, pair, clicked)
    with store.database.read() as connection:
        choices = set(connection.execute(sa.select(RATING.c.choice)).scalars())
    assert choices == {choice_of(clicked, pair.side)}


def test_choices_turn_with_the_side() -> None:
    assert [choice_of(a, "left") for a in ANSWERS] == ["G", "S", "B"]
    assert [choice_of(a, "right") for a in ANSWERS] == ["B", "S", "G"]


@pytest.mark.parametrize("deed", ["UPDATE rating SET choice = 'S'", "DELETE FROM rating", "DELETE FROM audit",
                                  "UPDATE submission SET seconds = 1"])  # fmt: skip
def test_the_database_itself_refuses_to_change_what_was_said(
    store: Store, opened: tuple[Annotator, Handed], deed: str
) -> None:
    answer(store, *opened)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        store.database.write(lambda connection: connection.exec_driver_sql(deed))
    assert count(store, RATING) == 3


@pytest.mark.parametrize(
    "answers",
    [None, [], {}, {"PS": "left"}, {"PS": "left", "AM": "left", "OL": "G"}, {"PS": "left", "AM": "left", "OL": None},
     {"PS": "left", "AM": "left", "OL": "same", "x'; DROP TABLE rating; --": "left"}],
)  # fmt: skip
def test_answers_that_do_not_fit_the_questions_leave_nothing_behind(
    store: Store, opened: tuple[Annotator, Handed], answers: object
) -> None:
    refused("bad_answers", lambda: answer(store, *opened, answers=answers))
    assert (count(store, SUBMISSION), count(store, RATING)) == (0, 0)


@pytest.mark.parametrize("sent", [None, 7, "", "not-a-uuid", "a" * 10_000, "../../etc/passwd"])
def test_a_submission_without_a_uuid_is_refused(store: Store, opened: tuple[Annotator, Handed], sent: object) -> None:
    refused("bad_answers", lambda: answer(store, *opened, client_uuid=sent))


@pytest.mark.parametrize("seconds", [-3600.0, 1e12, float("nan"), float("inf"), "fast", True])
def test_a_wrong_clock_of_the_annotator_loses_the_time_and_keeps_the_answers(
    store: Store, opened: tuple[Annotator, Handed], seconds: object
) -> None:
    answer(store, *opened, seconds=seconds, watched=0.5)
    with store.database.read() as connection:
        row = connection.execute(sa.select(SUBMISSION)).one()
    assert (row.seconds, row.watched, row.num_ratings) == (None, 0.5, 3)


@pytest.mark.parametrize("jump", [-400 * 86_400, -3600, 3600, 400 * 86_400])
def test_a_jump_of_the_servers_clock_loses_no_answer(
    store: Store, opened: tuple[Annotator, Handed], clock: Clock, jump: float
) -> None:
    who, pair = opened
    clock.seconds += jump
    assert not answer(store, who, pair).duplicate
    assert isinstance(next_pair(store, who.id), Handed)
    assert check(store) == []


def test_a_code_lets_in_until_it_expires(store: Store, clock: Clock) -> None:
    (code,) = store.issue_codes(1, who="test")
    who = store.login(f"  {code.lower().replace('-', ' ')} ")
    pair = next_pair(store, who.id)
    assert isinstance(pair, Handed)
    clock.seconds += 30 * 86_400
    refused("expired_code", lambda: store.login(code))
    # whoever was in the middle of a pair has done the work
    assert not answer(store, who, pair).duplicate


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA", "' OR 1=1 --", "../../x", "\x00", "A" * 100_000, "ＡAAA"])
def test_an_unknown_code_is_refused(store: Store, code: str) -> None:
    refused("unknown_code", lambda: store.login(code))


def test_codes_are_not_in_the_database(store: Store) -> None:
    (code,) = store.issue_codes(1, who="test")
    with store.database.read() as connection:
        row = connection.execute(sa.select(ANNOTATOR)).one()
        log = " ".join(connection.execute(sa.select(AUDIT.c.detail)).scalars())
    for text in (row.code_hash, row.alias, log):
        assert code not in text
        assert code.replace("-", "") not in text
    other = Store(store.database, store.slug, pepper=PEPPER[::-1])
    refused("unknown_code", lambda: other.login(code))


def test_a_token_stands_for_the_video_on_its_side_and_for_nothing_else(
    store: Store, opened: tuple[Annotator, Handed]
) -> None:
    _, pair = opened
    ours, theirs = (pair.token_left, pair.token_right)[:: 1 if pair.side == "left" else -1]
    assert store.find_token(ours) == (pair.pair_id, "ours")
    assert store.find_token(theirs) == (pair.pair_id, "theirs")


@pytest.mark.parametrize("token", ["", "../../etc/passwd", "..%2f..%2fetc%2f", "A" * 16, "A" * 17, "a/b", "AAAA\n",
                                   "A" * 15 + "\n", "%" * 16, "_" * 10**6])  # fmt: skip
def test_tokens_that_are_none_are_refused(store: Store, opened: tuple[Annotator, Handed], token: str) -> None:
    refused("unknown_token", lambda: store.find_token(token))


def test_nobody_answers_for_somebody_else(store: Store, opened: tuple[Annotator, Handed]) -> None:
    _, pair = opened
    (stranger,) = people(store, 1)
    refused("not_yours", lambda: answer(store, stranger, pair))
    refused("not_yours", lambda: store.flag(stranger.id, pair.id, reason="black"))
    refused("not_yours", lambda: answer(store, stranger, Handed(10**6, 1, "i0", "main", 1, "left", "a", "b")))


def test_a_flagged_pair_is_seen_but_rated_by_nobody(store: Store, opened: tuple[Annotator, Handed]) -> None:
    who, pair = opened
    store.flag(who.id, pair.id, reason="<script>black</script>")
    store.flag(who.id, pair.id, reason="black")
    second = next_pair(store, who.id)
    assert isinstance(second, Handed)
    assert second.pair_id != pair.pair_id
    refused("already_answered", lambda: (answer(store, who, second), store.flag(who.id, second.id, reason="late")))
    with store.database.read() as connection:
        logged = list(connection.execute(sa.select(AUDIT.c.what).order_by(AUDIT.c.id)).scalars())
    assert logged == ["create", "codes", "flag"]


def test_a_closed_study_takes_and_gives_nothing(store: Store, opened: tuple[Annotator, Handed]) -> None:
    who, pair = opened
    store.close(who="test")
    refused("study_closed", lambda: answer(store, who, pair))
    refused("study_closed", lambda: store.flag(who.id, pair.id, reason="black"))
    refused("study_closed", lambda: next_pair(store, who.id))


def test_answers_do_not_grow_without_end(
    store: Store, opened: tuple[Annotator, Handed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("human_eval_app.storage.MAX_REVISIONS", 2)
    who, pair = opened
    for clicked in ("left", "right", "same"):
        answer(store, who, pair, clicked, revise=True)
    refused("already_answered", lambda: answer(store, who, pair, "left", revise=True))
    assert count(store, SUBMISSION) == 3
    assert check(store) == []


def test_who_withdraws_is_out_and_no_code_leads_back(store: Store) -> None:
    (code,) = store.issue_codes(1, who="test")
    who = store.login(code)
    pair = next_pair(store, who.id)
    assert isinstance(pair, Handed)
    store.withdraw(who.id, who="test")
    refused("unknown_code", lambda: store.login(code))
    refused("withdrawn", lambda: answer(store, who, pair))
    refused("withdrawn", lambda: next_pair(store, who.id))
    with store.database.read() as connection:
        assert connection.execute(sa.select(ASSIGNMENT.c.status)).scalar_one() == "released"


def test_failed_practice_ends_in_the_log(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path, more=PRACTICE))
    (who,) = people(store, 1)
    shown = []
    while isinstance(pair := next_pair(store, who.id), Handed):
        shown.append((pair.item, pair.kind))
        answer(store, who, pair, "same")
        refused("already_answered", lambda pair=pair: answer(store, who, pair, "left", revise=True))
    assert shown == [("i0", "practice"), ("i1", "practice")] * 2
    assert (pair, next_pair(store, who.id)) == ("practice_failed", "practice_failed")
    with store.database.read() as connection:
        assert list(connection.execute(sa.select(AUDIT.c.what)).scalars()).count("practice_failed") == 1
