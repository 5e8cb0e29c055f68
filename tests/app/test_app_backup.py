"""A backup is a whole database, taken while people rate, and brings everything back."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from human_eval_app.backup import back_up, copy_database
from human_eval_app.export import check
from human_eval_app.study_folder import StudyFolder
from tests.app.app_folder import bring_in, make_folder, make_sources
from tests.app.app_study import open_store, people, rate_all, small_study
from univg_bench.cli import run
from univg_bench.errors import InputError

ROOT = Path(__file__).parents[2]


def test_a_backup_taken_under_load_is_whole_and_holds_what_was_acknowledged(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    store = open_store(url, small_study(tmp_path, items=60, target=4, more="session: {pairs: 60}\n"))
    staff = [str(who.id) for who in people(store, 2)]
    program = [sys.executable, "-m", "tests.app.app_writer", url, store.slug, *staff]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < 10:
            acknowledged += writer.stdout.readline().startswith("ack")
        copy_database(Path(url), tmp_path / "copy.db")
        writer.kill()
        writer.stdout.read()
    assert not list(tmp_path.glob("copy.db-*"))
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM submission").fetchone()[0] >= acknowledged
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    # open it as a study: submissions have all their ratings
    assert check(open_store(str(tmp_path / "copy.db"), store.study)) == []


def test_a_study_comes_back_from_its_backup(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    bring_in(folder, make_sources(tmp_path / "videos"))
    store = folder.store()
    (who,) = people(store, 1)
    rate_all(store, who)
    assert run(["-q", "human", "backup", str(folder.path)]) == 0
    (copy,) = folder.backups.glob("study-*.db")
    store.database.close()
    for path in folder.path.glob("study.db*"):
        path.unlink()
    shutil.copy(copy, folder.path / "study.db")
    restored = StudyFolder.open(folder.path).store()
    assert check(restored) == []
    with restored.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM rating").scalar_one() == 12


def test_a_backup_that_cannot_be_taken_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no database"):
        copy_database(tmp_path / "s.db", tmp_path / "copy.db")
    (tmp_path / "s.db").write_bytes(b"my notes" * 500)
    with pytest.raises(InputError, match="is damaged"):
        copy_database(tmp_path / "s.db", tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.db"]


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    open_store(str(tmp_path / "s.db"), small_study(tmp_path)).database.close()
    program = (
        "import resource, sys; from pathlib import Path; from human_eval_app.backup import copy_database\n"
        "from univg_bench.errors import InfrastructureError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
        "try:\n    copy_database(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except InfrastructureError as error:\n    print(error)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "s.db"), str(tmp_path / "copy.db")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert "could not" in done.stdout, done.stderr
    assert not list(tmp_path.glob("*copy*"))
    assert not list(tmp_path.glob(".tmp-*"))


def test_postgresql_is_told_its_own_program(tmp_path: Path) -> None:
    dest = tmp_path / "copy.db"
    with pytest.raises(InputError) as caught:
        back_up("postgresql+psycopg://me:secret@somewhere/ratings", dest)
    assert f'pg_dump --format=custom --file={dest} "postgresql://me@somewhere/ratings"' in str(caught.value)
    assert "secret" not in str(caught.value)
