"""The presentation copies of an item, for a researcher who must see what was said to be broken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from human_eval_app.storage import Store
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import VIDEO
from human_eval_app.videos import inside


@dataclass(frozen=True)
class Copy:
    """path is None where there is no file to show, and `reason` says why. facts: size, rate and length in words."""

    path: Path | None
    facts: str
    reason: str = ""


def copies(store: Store, folder: StudyFolder, item: str) -> dict[str, Copy]:
    """Return the copy of every method that has one of this item. Raises SampleError for a path that leads outside."""
    with store.database.read() as connection:
        rows = connection.execute(select(VIDEO).where(VIDEO.c.study_id == store.study_id, VIDEO.c.item == item)).all()
    found = {}
    for row in rows:
        if row.status != "ok":
            found[row.method] = Copy(None, "", f"The import found it {row.status}: {row.reason or 'no reason noted'}.")
            continue
        path = inside(folder.presentation, row.path)
        facts = f"{row.width}×{row.height}, {row.frames} frames, {row.fps:g} per second, {row.seconds:.2f} s"
        if path.is_file():
            found[row.method] = Copy(path, facts)
        else:
            found[row.method] = Copy(None, facts, f"Its file is gone from {folder.presentation}; restore the folder.")
    return found
