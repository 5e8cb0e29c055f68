"""A database of an older form comes up to the newest with all its rows, and SQLite keeps a copy of what it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from human_eval_app import database as database_module
from human_eval_app.database import Database
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, EVENT
from univg_bench.errors import InputError

OLD_ROWS = (
    "INSERT INTO study VALUES (1, 'old@1', '{}', 'd', 'open', 5)",
    "INSERT INTO pair VALUES (1, 1, 'main', 0, 'i0', 'a', 'b', '{}', NULL)",
    "INSERT INTO annotator VALUES (1, 1, 'p-1', 'h', 9, 'active', 5)",
    "INSERT INTO assignment VALUES (1, 1, 1, 'main', 0, 0, 'left', 'l', 'r', 'done', 5, 6)",
    "INSERT INTO submission VALUES (1, 0, 'u', 1, 2.5, 1.0, 5)",
    "INSERT INTO rating VALUES (1, 0, 'PS', 'left', 'G')",
)


@pytest.fixture
def old_url(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of the form 0001 with one of everything."""
    upgrade = command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(database_module.command, "upgrade", lambda config, _: upgrade(config, "0001"))
        database = Database(url)
    for statement in OLD_ROWS:
        database.write(lambda connection, statement=statement: connection.exec_driver_sql(statement))
    database.close()
    return url


def test_an_old_database_keeps_its_rows_and_learns_the_new_form(old_url: str) -> None:
    database = Database(old_url)
    with database.read() as connection:
        row = connection.execute(sa.select(ANNOTATOR)).one()
        assert (row.alias, row.source, row.breaks, row.consent_ms) == ("p-1", "code", 0, None)
        assert connection.execute(sa.select(ASSIGNMENT.c.annotator_id)).scalar_one() == 1
        assert connection.exec_driver_sql("SELECT choice FROM rating").scalar_one() == "G"
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        database.write(lambda c: c.exec_driver_sql("DELETE FROM rating"))


def test_a_copy_of_the_old_form_is_taken_before_it_changes(tmp_path: Path, old_url: str) -> None:
    Database(old_url).close()
    copies = list((tmp_path / "backups").glob("*.db"))
    if old_url.startswith("postgresql"):
        assert copies == []  # pg_dump's work
        return
    assert len(copies) == 1
    assert copies[0].name.endswith("-form-0001.db")
    with closing(sqlite3.connect(copies[0])) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert copy.execute("SELECT count(*) FROM rating").fetchone() == (1,)
        assert "consent_ms" not in {row[1] for row in copy.execute("PRAGMA table_info(annotator)")}
    Database(old_url).close()
    assert list((tmp_path / "backups").glob("*.db")) == copies


def test_a_new_database_needs_no_copy(tmp_path: Path) -> None:
    Database(str(tmp_path / "s.db")).close()
    assert not (tmp_path / "backups").exists()


def test_events_of_a_person_can_be_deleted_only_after_they_withdrew(old_url: str) -> None:
    database = Database(old_url)
    database.write(
        lambda c: c.execute(sa.insert(EVENT).values(assignment_id=1, annotator_id=1, at_ms=1, t_ms=1, kind="play"))
    )
    for deed in ("DELETE FROM event", "UPDATE event SET t_ms = 0"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            database.write(lambda c, deed=deed: c.exec_driver_sql(deed))
    database.write(lambda c: c.exec_driver_sql("UPDATE annotator SET status = 'withdrawn'"))
    database.write(lambda c: c.exec_driver_sql("DELETE FROM event"))
    with database.read() as connection:
        assert connection.execute(sa.select(EVENT)).all() == []


def test_a_damaged_old_database_is_refused_and_left_alone(tmp_path: Path, old_url: str) -> None:
    if old_url.startswith("postgresql"):
        pytest.skip("damage to a file is the affair of PostgreSQL itself; the case for SQLite runs beside this one")
    path = Path(old_url)
    whole = path.read_bytes()
    # page 3 and on: the header and the list of tables stay readable
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    broken = path.read_bytes()
    with pytest.raises(InputError, match=r"is damaged .* restore it from a"):
        Database(old_url)
    assert path.read_bytes() == broken
    assert not list((tmp_path / "backups").glob("*.db"))
