"""A database that is opened the same way everywhere: its form is checked, writers wait for each other, faults speak.

SQLite (the default) runs in WAL mode with synchronous=FULL, foreign keys on, and `BEGIN IMMEDIATE` for every writer,
so two writers meet at the door and not half-way. PostgreSQL is for more than one server process. An acknowledged
transaction has reached the disk; one that failed left nothing behind.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from human_eval_app.backup import FOLDER, copy_database, new_name
from human_eval_app.private_files import create_private
from univg_bench.errors import InfrastructureError, InputError

T = TypeVar("T")
BUSY_SECONDS = 15.0
ATTEMPTS = 5
# PostgreSQL: serialization failure, deadlock, lock not available, unique violation (another server was first; the
# second try sees its row). https://www.postgresql.org/docs/current/errcodes-appendix.html
RETRIED = ("40001", "40P01", "55P03", "23505")
DISK_FULL = "53100"
LOCKED = "the database is locked by another program; nothing was saved, try again in a moment"
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One open database. `read` and `write` give connections inside a transaction; `write` is retried as a whole."""

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open `url` (a path means SQLite) and bring its form up to date.

        Raises InputError for a URL that cannot be used or a database of a newer version.
        """
        self.engine = _engine(url, busy_seconds)
        self._writer = threading.Lock()
        try:
            self.write(_upgrade)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database, whatever is written meanwhile."""
        try:
            with _faults(), self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN")
                else:
                    connection.execution_options(isolation_level="REPEATABLE READ")
                yield connection
        except _TryAgainError as error:
            raise InfrastructureError(LOCKED) from error

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, in one transaction: all of it is committed and on the disk, or nothing.

        `work` may run several times and must only touch the database. Raises InfrastructureError when the database
        stays locked, or is full, or cannot be reached.
        """
        for attempt in range(ATTEMPTS):
            try:
                # one writer of this process at a time: SQLite's own waiting is unfair and starves threads
                with self._writer, _faults(), self.engine.connect() as connection:
                    if connection.dialect.name == "sqlite":
                        connection.exec_driver_sql("BEGIN IMMEDIATE")
                    result = work(connection)
                    connection.commit()
                    return result
            except _TryAgainError as error:
                if attempt == ATTEMPTS - 1:
                    raise InfrastructureError(LOCKED) from error
            time.sleep((0.02 * 2**attempt) * (1 + secrets.randbelow(1000) / 1000))
        raise AssertionError("unreachable")

    def close(self) -> None:
        self.engine.dispose()


class _TryAgainError(Exception):
    """Somebody else was in the way; the same transaction may succeed now."""


def _engine(url: str, busy_seconds: float) -> Engine:
    if "://" not in url:
        url = f"sqlite:///{url}"
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "postgresql":
            return create_engine(parsed, pool_pre_ping=True)
        if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise InputError(f"found the database {parsed.render_as_string()}, expected a file or postgresql://...")
        if not Path(parsed.database).parent.is_dir():
            raise InputError(f"there is no folder {Path(parsed.database).parent} for the database; make it first")
        # comments and devices of people stand in it; SQLite gives its logs the mode of the database, and says itself
        # what cannot be made
        with suppress(OSError):
            create_private(Path(parsed.database))
        engine = create_engine(parsed, connect_args={"timeout": busy_seconds, "check_same_thread": False})
    except ArgumentError:
        raise InputError("the database URL cannot be read; expected a file or postgresql://user@host/name") from None
    except ModuleNotFoundError:
        raise InputError("PostgreSQL needs the package psycopg; install `univg-bench[postgres]`") from None

    @event.listens_for(engine, "connect")
    def _settings(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # transactions are ours: BEGIN IMMEDIATE, not the driver's late BEGIN
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                raw.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            raw.close()
            raise

    return engine


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what the machine does to a database into sentences; errors of ours pass unchanged."""
    try:
        yield
    except (DBAPIError, sqlite3.DatabaseError) as error:
        # what happens while a connection is opened comes without SQLAlchemy's wrapping
        fault = error.orig if isinstance(error, DBAPIError) else error
        says = (str(fault).splitlines() or ["no reason given"])[0]
        text, state = says.lower(), getattr(fault, "sqlstate", None)
        if "database is locked" in text or "table is locked" in text or state in RETRIED:
            raise _TryAgainError from error
        if "not a database" in text:
            raise InputError(
                "the file is no database of ours; name another one, or a file that does not exist yet"
            ) from error
        if "malformed" in text:
            raise InputError(f"the database is damaged ({says}); restore it from a backup") from error
        if "full" in text or "disk i/o" in text or "readonly" in text or state == DISK_FULL:
            raise InfrastructureError(
                f"the database could not be written ({says}); nothing was saved, make room "
                "on the disk and send the same answers again"
            ) from error
        if isinstance(error, OperationalError | sqlite3.OperationalError):
            raise InfrastructureError(
                f"the database cannot be reached ({says}); nothing was saved, try again"
            ) from error
        raise


def _upgrade(connection: Connection) -> None:
    """Bring the tables to the newest form inside the caller's transaction."""
    if connection.dialect.name == "postgresql":
        # two servers that start at once must not both create the tables
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7316290)")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known:
        raise InputError(
            f"the database has the form {found}, which this version does not know; update univg-bench to open it"
        )
    if found is None and (tables := inspect(connection).get_table_names()):
        raise InputError(
            f"the database holds tables of something else ({', '.join(tables[:3])}); give the study one of its own"
        )
    if found != ScriptDirectory.from_config(config).get_current_head():
        if found is not None and connection.dialect.name == "sqlite":
            # our own transaction has changed nothing yet, so another connection copies the old form
            path = Path(str(connection.engine.url.database))
            copy_database(path, path.parent / FOLDER / new_name(path.stem, f"form-{found}"))
        command.upgrade(config, "head")
