"""Copies of a study's database, taken while people rate, each proved whole before it gets its name.

SQLite's own backup copies a consistent state whatever is written meanwhile. For PostgreSQL there is `pg_dump`, which
knows how; `human backup` says the command.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from human_eval_app.private_files import create_private
from univg_bench.atomic import atomic
from univg_bench.errors import InfrastructureError, InputError

FOLDER = "backups"


def copy_database(source: Path, dest: Path) -> None:
    """Make `dest` a single-file copy of the SQLite database `source`, checked; it appears whole or not at all.

    Raises InputError where there is none, or it is damaged; InfrastructureError when it stays locked or the disk fills.
    """
    if not source.is_file():
        raise InputError(f"found no database {source}; there is nothing to back up")
    with atomic(dest) as temporary:
        create_private(temporary)
        try:
            with closing(sqlite3.connect(source, timeout=15)) as here, closing(sqlite3.connect(temporary)) as there:
                here.backup(there)
                # without a log beside it, so that the copy is one file that can be carried away
                there.execute("PRAGMA journal_mode=DELETE")
                found = there.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise InfrastructureError(
                    f"could not back up {source} ({error}); nothing was written, make room on the disk or try again"
                ) from error
            raise InputError(f"{source} is damaged ({error}); restore it from an older backup") from error
        if found != "ok":
            raise InputError(f"{source} is damaged ({found}); restore it from an older backup")


def new_name(stem: str, why: str) -> str:
    """Return a name for a copy taken now: `study-20270115T080000Z-form-0001.db`."""
    return f"{stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}{f'-{why}' if why else ''}.db"


def back_up(database: str, dest: Path) -> None:
    """Copy the database of a study folder to `dest`. Raises what `copy_database` raises, InputError for PostgreSQL."""
    if "://" in database and not database.startswith("sqlite"):
        url = re.sub(r"(://[^:/@]+):[^@/]+@", r"\1@", database.replace("+psycopg", ""))
        raise InputError(
            f'a database of PostgreSQL is backed up by its own program: pg_dump --format=custom --file={dest} "{url}"'
            " (it asks for the password; pg_restore brings it back)"
        )
    copy_database(Path(database.removeprefix("sqlite:///")), dest)
