"""Killed writers, locked and full databases: what was acknowledged is there, once, and the rest can be sent again."""

import resource
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from human_eval_app.database import Database
from human_eval_app.export import check
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Store
from human_eval_app.tables import RATING, SUBMISSION
from tests.app.app_study import answer, open_store, people, small_study
from univg_bench.errors import InfrastructureError, InputError

ROOT = Path(__file__).parents[2]
ANSWERS = {"PS": "left", "AM": "same", "OL": "right"}


def stored(store: Store) -> list[str]:
    with store.database.read() as connection:
        return list(connection.execute(sa.select(SUBMISSION.c.client_uuid)).scalars())


def kill_under_load(url: str, folder: Path, *, kills: int, acknowledged_each: int) -> None:
    """Let a writer of four threads run and SIGKILL it, `kills` times; each time compare the database with its words."""
    store = open_store(url, small_study(folder, items=200, target=4, more="session: {pairs: 200}\n"))
    staff = [str(who.id) for who in people(store, 4)]
    acknowledged: set[str] = set()
    sent: set[str] = set()
    for _ in range(kills):
        program = [sys.executable, "-m", "tests.app.app_writer", url, store.slug, *staff]
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            assert writer.stdout is not None
            assert writer.stderr is not None
            lines = []
            while sum(line.startswith("ack") for line in lines) < acknowledged_each:
                lines.append(writer.stdout.readline())
                assert lines[-1], writer.stderr.read()
            writer.kill()
            # the last line may be cut off: a whole one ends in a newline
            lines += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        said = [line.split() for line in lines]
        acknowledged |= {words[3] for words in said if words[0] == "ack"}
        open_ones = {words[3]: words for words in said if words[0] == "send" and words[3] not in acknowledged}

        there = stored(store)
        assert acknowledged <= set(there)
        assert len(there) == len(set(there))
        assert check(store) == []
        # the outbox of the browser sends again what nobody acknowledged
        for client_uuid, (_, annotator, assignment, _) in open_ones.items():
            store.submit(int(annotator), int(assignment), client_uuid=client_uuid, answers=ANSWERS)
        sent |= acknowledged | set(open_ones)
        acknowledged |= set(open_ones)
        assert sorted(stored(store)) == sorted(sent)
        with store.database.read() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(RATING)).scalar_one() == 3 * len(sent)
            if connection.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    assert len(sent) >= kills * acknowledged_each


def test_a_killed_writer_loses_and_doubles_nothing(url: str, tmp_path: Path) -> None:
    kill_under_load(url, tmp_path, kills=2, acknowledged_each=15)


@pytest.mark.slow
def test_six_killed_writers_lose_and_double_nothing(url: str, tmp_path: Path) -> None:
    kill_under_load(url, tmp_path, kills=6, acknowledged_each=100)


def test_a_locked_database_is_waited_for_and_then_said(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = open_store(str(path), small_study(tmp_path), busy_seconds=0.05)
    (who,) = people(store, 1)
    pair = next_pair(store, who.id)
    assert isinstance(pair, Handed)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    sent = str(uuid.uuid4())
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InfrastructureError, match="locked by another program; nothing was saved") as caught:
            answer(store, who, pair, client_uuid=sent)
        assert caught.value.exit_code == 5
        assert stored(store) == []
        # a lock that is let go while we try again is not worth a word
        freed = threading.Timer(0.1, lambda: other.execute("ROLLBACK"))
        freed.start()
        answer(store, who, pair, client_uuid=sent)
        freed.join()
    finally:
        other.close()
    assert stored(store) == [sent]


FULL = """
import resource, sys, uuid
from pathlib import Path
from human_eval_app.database import Database
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Store
from tests.app.app_study import PEPPER
from univg_bench.errors import InfrastructureError

url, slug, who = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store(Database(url), slug, pepper=PEPPER)
acknowledged = []
failed = 0
limit = max(Path(p).stat().st_size for p in (url, url + "-wal")) + 60_000
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
answers = {"PS": "left", "AM": "same", "OL": "right"}
for _ in range(200):
    sent = str(uuid.uuid4())
    try:
        pair = next_pair(store, who)
        store.submit(who, pair.id, client_uuid=sent, answers=answers)
        acknowledged.append(sent)
    except InfrastructureError as error:
        assert error.exit_code == 5
        assert "nothing was saved, make room on the disk" in str(error), error
        failed += 1
        # room is made, and the same answers are sent again
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        pair = next_pair(store, who)
        store.submit(who, pair.id, client_uuid=sent, answers=answers)
        acknowledged.append(sent)
        break
assert failed == 1, "the disk was never full"
print("\\n".join(acknowledged))
"""


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY, "run where files may grow"
    url = str(tmp_path / "s.db")
    store = open_store(url, small_study(tmp_path, items=200, more="session: {pairs: 200}\n"))
    (who,) = people(store, 1)
    done = subprocess.run(
        [sys.executable, "-c", FULL, url, store.slug, str(who.id)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert sorted(stored(store)) == sorted(done.stdout.split())
    assert check(store) == []


def test_a_server_that_is_gone_is_said(postgres_server: str) -> None:
    nowhere = postgres_server.format(name="nothing").replace("univg-pg-", "univg-gone-")
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match=r"cannot be reached .*; nothing was saved, try again"):
        Database(nowhere)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://x/y", "expected a file or postgresql"),
        ("sqlite://", "expected a file or postgresql"),
        ("no/such/folder/s.db", "there is no folder no/such/folder"),
        ("://", "expected a file or postgresql"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Database(url)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"these are my holiday notes, not a database at all" * 100)
    with pytest.raises(InputError, match="is no database of ours"):
        Database(str(path))
    assert path.read_bytes().startswith(b"these are my holiday notes")


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(InputError, match="holds tables of something else"):
        Database(str(path))
    with sqlite3.connect(path) as other:
        assert [row[0] for row in other.execute("SELECT name FROM sqlite_master")] == ["recipes"]
    other.close()
