"""A study on disk: what is asked, the ratings, the videos that people see, and the key of their codes.

my-study/
    study.yaml      what is asked
    study.db        ratings; another place, or PostgreSQL, by option or $UNIVG_STUDY_DATABASE
    pepper          32 random bytes in hex, for the owner only; never in the database, nor in its backups
    presentation/   the videos as annotators see them, under names that say nothing
    images/         condition images
    backups/        copies of study.db
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from human_eval_app.backup import FOLDER as BACKUPS
from human_eval_app.database import BUSY_SECONDS, Database
from human_eval_app.private_files import create_private
from human_eval_app.storage import Store, pepper_check
from human_eval_app.study import Study
from human_eval_app.study_files import load_study, stored_study
from human_eval_app.tables import STUDY
from univg_bench.atomic import atomic
from univg_bench.errors import InputError

STUDY_FILE = "study.yaml"
DATABASE_VARIABLE = "UNIVG_STUDY_DATABASE"


@dataclass(frozen=True)
class StudyFolder:
    """A folder with a study file and a pepper; database: a path (SQLite) or a URL. Nothing is open yet."""

    path: Path
    study: Study
    database: str
    pepper: bytes = field(repr=False)

    @classmethod
    def open(cls, path: Path, database_url: str | None = None) -> StudyFolder:
        """Return the study in the folder `path`; the database may not exist yet.

        Raises InputError for a folder without a study, a fault in its file, or a pepper that is missing or readable
        by others.
        """
        if not (path / STUDY_FILE).is_file():
            raise InputError(f"found no {STUDY_FILE} in {path}; make a study with `univg-bench human init {path}`")
        study = load_study(path / STUDY_FILE)
        database = database_url or os.environ.get(DATABASE_VARIABLE) or str(path / "study.db")
        return cls(path, study, database, _read_pepper(path / "pepper"))

    @property
    def slug(self) -> str:
        """`id@version`, the study's name in the database."""
        return self.study.slug

    @property
    def presentation(self) -> Path:
        return self.path / "presentation"

    @property
    def backups(self) -> Path:
        return self.path / BACKUPS

    def open_database(self, *, create: bool = False, busy_seconds: float = BUSY_SECONDS) -> Database:
        """Return the open database; the caller closes it. Raises InputError where there is none and none is wanted."""
        if not create and "://" not in self.database and not Path(self.database).is_file():
            raise InputError(
                f"found no database {self.database}; `univg-bench human import {self.path} ...` makes it from videos"
            )
        return Database(self.database, busy_seconds=busy_seconds)

    def store(self, *, busy_seconds: float = BUSY_SECONDS) -> Store:
        """Return the study's storage, with an open database of its own (`store.database.close()`).

        busy_seconds: how long each attempt waits for a lock of SQLite.

        Raises InputError for a database without this study, one whose study was another when its videos were imported,
        and a pepper that is not the one of its codes; InfrastructureError when it cannot be reached.
        """
        database = self.open_database(busy_seconds=busy_seconds)
        try:
            with database.read() as connection:
                found = {row.slug: row for row in connection.execute(select(STUDY))}
            row = found.get(self.slug)
            if row is None:
                held = f"holds {', '.join(sorted(found))}" if found else "is empty"
                raise InputError(
                    f"{self.shown_database} {held}, not {self.slug}; run `univg-bench human import {self.path} ...`, or"
                    " name the database of this study"
                )
            if row.pepper_check is not None and row.pepper_check != pepper_check(self.pepper):
                raise InputError(
                    f"{self.path / 'pepper'} is not the pepper of {self.shown_database}: no code would let anybody in;"
                    " put the right file back"
                )
            if stored_study(row.config).digest != self.study.digest:
                raise InputError(
                    f"{self.path / STUDY_FILE} was changed after the import of {self.slug}; put it back, or import"
                    " again (after the first rating: with a higher `version`)"
                )
            return Store(database, self.slug, pepper=self.pepper)
        except BaseException:
            database.close()
            raise

    @property
    def shown_database(self) -> str:
        """The database without a password that its URL may hold."""
        return re.sub(r"(://[^:/@]+):[^@/]+@", r"\1:***@", self.database)


def write_pepper(path: Path) -> None:
    """Write a new pepper, readable by its owner only, unless there is one."""
    if path.exists():
        return
    with atomic(path) as temporary:
        create_private(temporary)
        temporary.write_text(secrets.token_hex(32) + "\n", encoding="ascii")


def _read_pepper(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii").strip()
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise InputError(
            f"found no {path}; put it back (`univg-bench human init` makes one for a new study only): codes are"
            " nothing without it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected 64 hex digits") from None
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InputError(f"{path} is no pepper: expected 64 hex digits in one line; put the right file back")
    if os.name == "posix" and mode & 0o077:
        raise InputError(f"{path} can be read by others (mode {mode:o}); run `chmod 600 {path}`")
    return bytes.fromhex(text)
