"""The same tests on both databases; PostgreSQL is started privately where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from human_eval_app.database import Database

BINARIES = ("initdb", "pg_ctl")


def _postgres_account() -> str | None:
    """PostgreSQL refuses to run as root; None means: as ourselves."""
    return "postgres" if os.getuid() == 0 else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a private server, without a database name; it listens on a socket in its own folder only."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'univg-bench[postgres]'")
    # Debian keeps them out of the PATH, one folder per version
    places = os.pathsep.join([os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))])
    found = [shutil.which(name, path=places) for name in BINARIES]
    if None in found:
        pytest.skip("needs initdb and pg_ctl; install PostgreSQL (apt-get install postgresql) to enable it")
    initdb, pg_ctl = map(str, found)
    account = _postgres_account()
    # not pytest's own folder: another account must be able to enter it, and socket paths are limited to 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="univg-pg-"))
    try:
        if account is not None:
            shutil.chown(folder, account)
        data, log = folder / "data", folder / "log"

        def call(*words: str) -> None:
            done = subprocess.run(words, cwd=folder, user=account, capture_output=True, text=True, env=_environment())
            assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")

        call(initdb, "-D", str(data), "-A", "trust", "-U", "test", "--no-sync", "-E", "UTF8", "--locale", "C")
        settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c shared_buffers=16MB"
        call(pg_ctl, "-D", str(data), "-l", str(log), "-w", "-o", settings, "start")
        try:
            yield f"postgresql://test@/{{name}}?host={folder}"
        finally:
            call(pg_ctl, "-D", str(data), "-m", "immediate", "-w", "stop")
    except LookupError:
        pytest.skip("runs as root and there is no account postgres to run the server; create it to enable the test")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}


@pytest.fixture(autouse=True)
def close_databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test opened: a connection that is left to the garbage collector is a warning, and an error here."""
    opened: list[Database] = []
    initialise = Database.__init__

    def remember(self: Database, *args: Any, **facts: Any) -> None:
        opened.append(self)
        initialise(self, *args, **facts)

    monkeypatch.setattr(Database, "__init__", remember)
    yield
    for database in opened:
        if hasattr(database, "engine"):
            database.close()


def _empty_database(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return str(folder / "study.db")
    server = request.getfixturevalue("postgres_server")
    name = f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(
        server.format(name="postgres").replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return str(server.format(name=name))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return _empty_database(request, tmp_path)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database for all tests of a file, empty at first; who opens it closes it."""
    return _empty_database(request, tmp_path_factory.mktemp("database"))
