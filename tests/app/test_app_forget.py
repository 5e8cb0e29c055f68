"""Forgetting removes every way from an alias to a person, on both databases, and says so in the log."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from human_eval_app.events import record_events
from human_eval_app.export import ratings_of
from human_eval_app.forgetting import due, find_annotator, forget
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.prolific import login_prolific
from human_eval_app.refusals import RefusedError
from human_eval_app.storage import DAY_MS, Annotator, Store
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import ANNOTATOR, AUDIT, EVENT
from tests.app.app_folder import bring_in, make_folder, make_sources
from tests.app.app_study import PEPPER, Clock, answer, open_store, people, rate_all, small_study
from univg_bench.cli import run
from univg_bench.errors import InputError

PID = "5f0000000000000000000abc"
MORE = "peek: true\nretention_days: 10\nprolific: {completion_code: C1}\n"
SECRETS = ("a very rare browser", "I am called Ada Example", "seen-by-Ada")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, tmp_path: Path, clock: Clock) -> Store:
    return open_store(url, small_study(tmp_path, more=MORE), clock)


def come_from_prolific(store: Store) -> int:
    who, _ = login_prolific(
        store, PEPPER, pid=PID, study="5f0000000000000000000aaa", session="5f0000000000000000000bbb"
    )
    return who.id


def live(store: Store, annotator_id: int) -> None:
    """Leave everything behind that a person can leave."""
    facts = {"device": SECRETS[0], "comment": SECRETS[1]}
    store.database.write(lambda c: c.execute(sa.update(ANNOTATOR).where(ANNOTATOR.c.id == annotator_id).values(facts)))
    while isinstance(pair := next_pair(store, annotator_id), Handed) and pair.position < 3:
        record_events(store, annotator_id, pair.id, [{"t": 1, "kind": "play", "value": SECRETS[2]}])
        answer(store, Annotator(annotator_id, ""), pair)


def row(store: Store, annotator_id: int) -> sa.Row[tuple[object, ...]]:
    with store.database.read() as connection:
        return connection.execute(sa.select(ANNOTATOR).where(ANNOTATOR.c.id == annotator_id)).one()


def events(store: Store) -> set[int]:
    with store.database.read() as connection:
        return set(connection.execute(sa.select(EVENT.c.annotator_id)).scalars())


def test_who_is_forgotten_cannot_be_found_and_is_in_no_result(store: Store) -> None:
    (code,) = store.issue_codes(1, who="test")
    other, mine = store.login(code), come_from_prolific(store)
    live(store, mine)
    live(store, other.id)
    assert find_annotator(store, prolific=PID, pepper=PEPPER) == mine
    assert len(ratings_of(store).labels("annotator")) == 2
    assert forget(store, [mine], who="test") == 2
    gone = row(store, mine)
    assert (gone.status, gone.external_id_enc, gone.device, gone.comment) == ("withdrawn", None, None, None)
    assert ratings_of(store).labels("annotator") == [other.alias]
    assert events(store) == {other.id}
    with pytest.raises(InputError, match="knows no such id at Prolific"):
        find_annotator(store, prolific=PID, pepper=PEPPER)
    with store.database.read() as connection:
        log = connection.execute(sa.select(AUDIT.c.detail).where(AUDIT.c.what == "forget")).scalar_one()
    assert log == f"{gone.alias}, ratings left out"
    assert store.login(code) == other


def test_ratings_may_count_on_under_an_alias_of_nobody(store: Store) -> None:
    (code,) = store.issue_codes(1, who="test")
    who = store.login(code)
    live(store, who.id)
    forget(store, [who.id], who="test", keep_ratings=True)
    assert ratings_of(store).labels("annotator") == [who.alias]
    assert (row(store, who.id).status, row(store, who.id).device, events(store)) == ("active", None, set())
    with pytest.raises(RefusedError):
        store.login(code)


def test_people_are_due_when_their_time_is_over_and_once_only(store: Store, clock: Clock) -> None:
    (early,) = people(store, 1)
    live(store, early.id)
    clock.seconds += 6 * DAY_MS / 1000
    (late,) = people(store, 1)
    assert due(store) == []
    clock.seconds += 5 * DAY_MS / 1000
    assert [person.alias for person in due(store)] == [early.alias]
    # an answer begins the time anew
    pair = next_pair(store, early.id)
    assert isinstance(pair, Handed)
    answer(store, early, pair)
    assert due(store) == []
    clock.seconds += 11 * DAY_MS / 1000
    assert {person.alias for person in due(store)} == {early.alias, late.alias}
    forget(store, [person.id for person in due(store)], who="test", keep_ratings=True)
    assert due(store) == []


def test_a_study_that_promised_nothing_has_nobody_due(url: str, tmp_path: Path, clock: Clock) -> None:
    store = open_store(url, small_study(tmp_path), clock)
    people(store, 1)
    clock.seconds *= 2
    assert due(store) == []


def test_nothing_of_the_person_is_left_in_the_bytes_of_the_file(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "s.db"), small_study(tmp_path, more=MORE))
    mine = come_from_prolific(store)
    live(store, mine)
    hidden = str(row(store, mine).external_id_enc)

    def left() -> list[str]:
        found = b"".join(path.read_bytes() for path in tmp_path.glob("s.db*"))
        return [text for text in (*SECRETS, hidden) if text.encode() in found]

    assert left() == [*SECRETS, hidden]
    forget(store, [mine], who="test")
    assert left() == []


def test_the_command_says_whom_and_warns_of_backups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_folder(tmp_path, more="retention_days: 10\n")
    bring_in(folder, make_sources(tmp_path / "videos"))
    store = folder.store()
    (who,) = people(store, 1)
    rate_all(store, who)
    path = str(folder.path)
    assert run(["-q", "human", "backup", path]) == 0
    assert run(["-q", "human", "forget", path]) == 2
    assert "say who: ALIAS, --prolific ID, or --due" in capsys.readouterr().err
    assert run(["-q", "human", "forget", path, "p-nobody"]) == 2
    assert "knows no alias p-nobody" in capsys.readouterr().err
    assert run(["-q", "human", "forget", path, who.alias]) == 0
    said = capsys.readouterr()
    assert "1 person forgotten, 0 events removed" in said.out
    assert "still know them (1)" in said.err
    assert row(StudyFolder.open(folder.path).store(), who.id).status == "withdrawn"


def test_status_says_who_is_due_and_the_command_does_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_folder(tmp_path, more="retention_days: 10\n")
    bring_in(folder, make_sources(tmp_path / "videos"))
    store = folder.store()
    (who,) = people(store, 1)
    long_ago = store.now_ms() - 11 * DAY_MS
    store.database.write(lambda c: c.execute(sa.update(ANNOTATOR).values(created_ms=long_ago)))
    for verb in ("status", "check"):
        assert run(["-q", "human", verb, str(folder.path)]) == 0
        assert "the time to keep personal data is over for 1" in capsys.readouterr().err
    assert run(["-q", "human", "forget", str(folder.path), "--due"]) == 0
    assert (due(store), row(store, who.id).status) == ([], "active")
