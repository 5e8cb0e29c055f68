"""Whether a study is whole: its database, by its own structure and by what it says, and the files that people see."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from human_eval_app.encoding import digest_of_file
from human_eval_app.export import check
from human_eval_app.storage import Store
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import PAIR, VIDEO
from human_eval_app.videos import inside
from univg_bench.console import Console
from univg_bench.errors import SampleError


def check_study(folder: StudyFolder, store: Store, console: Console) -> list[str]:
    """Return what is wrong, empty when all is well; looks at no result.

    The database: SQLite's integrity and foreign keys, every submission complete, every choice as its click and side
    say. The files: every video of every pair there, with the SHA-256 of the import, and every condition image.
    """
    return [*_structure(store), *check(store), *_pairs(store), *_files(folder, store, console), *_images(folder)]


def _structure(store: Store) -> list[str]:
    with store.database.read() as connection:
        if connection.dialect.name != "sqlite":
            return []
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    problems = [f"the database file is damaged: {line}" for line in found if line != "ok"]
    return problems + [f"row {row[1]} of {row[0]} points to a row of {row[2]} that is not there" for row in orphans]


def _pairs(store: Store) -> list[str]:
    with store.database.read() as connection:
        pairs = connection.execute(select(PAIR).where(PAIR.c.study_id == store.study_id)).all()
        videos = connection.execute(select(VIDEO).where(VIDEO.c.study_id == store.study_id)).all()
    good = {(row.item, row.method) for row in videos if row.status == "ok"}
    needed = dict.fromkeys((pair.item, method) for pair in pairs for method in (pair.method, pair.other))
    return [f"no video of {method} was imported for {item}" for item, method in needed if (item, method) not in good]


def _files(folder: StudyFolder, store: Store, console: Console) -> Iterator[str]:
    with store.database.read() as connection:
        mine = (VIDEO.c.study_id == store.study_id) & (VIDEO.c.status == "ok")
        rows = connection.execute(select(VIDEO).where(mine).order_by(VIDEO.c.item, VIDEO.c.method)).all()
    for row in console.progress(rows, total=len(rows), title="check videos", unit="video"):
        name = f"the video of {row.method} for {row.item}"
        try:
            path = inside(folder.presentation, row.path)
        except SampleError as error:
            yield str(error)
            continue
        if not path.is_file():
            yield f"{name} is gone from {folder.presentation}"
        elif digest_of_file(path) != row.sha256:
            yield f"{name} is not the file that was imported ({path.name})"


def _images(folder: StudyFolder) -> Iterator[str]:
    for item in folder.study.items:
        if item.image is not None and not inside(folder.path, item.image).is_file():
            yield f"the condition image {item.image} of {item.id} is gone"
