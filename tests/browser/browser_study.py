"""Studies with videos of eight frames, imported as a researcher would, for the tests in a browser."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from human_eval_app import progress, sessions
from human_eval_app.importing import import_videos
from human_eval_app.sources import Folder
from human_eval_app.storage import Annotator
from human_eval_app.study_folder import StudyFolder, write_pepper
from tests.app.app_folder import METHODS, write_video

SHORT = ("PS", "AM", "OL")
COMPLETION_CODE = "THANKS-2026"
STUDY: dict[str, Any] = {
    "schema": "univg-bench/study/1", "id": "pilot", "version": 1, "title": "Ours against theirs",
    "languages": ["en", "zh"],
    "about": {"contact": "study@example.org", "completion_code": COMPLETION_CODE, "minutes": 5},
    "methods": [{"id": method} for method in METHODS], "ours": "ours", "others": ["theirs"],
    "ratings_per_pair": 99, "session": {"pairs": 6, "max_sessions": 2},
    "analysis": {"dimensions": list(SHORT), "primary": "OL"},
}  # fmt: skip
ITEMS = [{"id": f"i{k}", "prompt": f"a red ball number {k}"} for k in range(8)]
# two practice pairs of one group have different sides, so who always presses 1 has one of them right
WITH_KNOWN_PAIRS: dict[str, Any] = STUDY | {
    "items": ITEMS,
    "practice": {
        "pairs": [{"item": f"i{k}", "method": "ours", "other": "frozen", "expected": {"AM": "G"}} for k in (0, 1)],
        "pass_pairs": 1,
    },
    "gold": {
        "pairs": [{"item": f"i{k}", "method": "ours", "other": "frozen", "expected": {"AM": "G"}} for k in (2, 3)],
        "per_session": 1,
    },
    "repeats": {"per_session": 1, "gap": 1},
}  # fmt: skip


def import_study(place: Path, study: dict[str, Any], texts: Mapping[str, str] | None = None) -> StudyFolder:
    """Return a study folder in `place`/study with its videos imported; every item with a picture gets one.

    texts: of files beside study.yaml.
    """
    folder = place / "study"
    folder.mkdir(parents=True)
    for name, text in (texts or {}).items():
        (folder / name).write_text(text)
    (folder / "study.yaml").write_text(json.dumps(study, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
    write_pepper(folder / "pepper")
    pictures = place / "pictures"
    pictures.mkdir()
    for k, item in enumerate(study["items"]):
        if "image" in item:
            Image.new("RGB", (64, 48), "teal").save(pictures / f"{item['id']}.png")
        for number, method in enumerate(METHODS):
            write_video(place / method / f"{item['id']}.mp4", shade=1 + 10 * number + k, frames=8)
    opened = StudyFolder.open(folder)
    sources = {method: Folder(place / method) for method in METHODS}
    import_videos(opened, sources, images=pictures, now_ms=int(time.time() * 1000))
    return opened


def copy_of(study: StudyFolder, place: Path) -> StudyFolder:
    """Return an equal study folder in `place`, to be rated or spoilt by itself."""
    shutil.copytree(study.path, place)
    return StudyFolder.open(place)


def issue_code(study: StudyFolder) -> str:
    """Return a new code."""
    store = study.store()
    try:
        return store.issue_codes(1, who="test")[0]
    finally:
        store.database.close()


def arrive(study: StudyFolder, *, instructed: bool = True, language: str = "en") -> Annotator:
    """Return somebody new; instructed: the next page they see is a pair."""
    store = study.store()
    try:
        who = store.login(store.issue_codes(1, who="test")[0])
        if instructed:
            progress.choose_language(store, who.id, language)
            progress.give_consent(store, who.id, digest="0" * 64)
            facts = {"width": 1366, "height": 768, "touch": False, "decodes": True, "agent": "a test"}
            progress.keep_device(store, who.id, facts, ok=True)
            progress.finish_instructions(store, who.id)
    finally:
        store.database.close()
    return who


def cookie_of(study: StudyFolder, annotator_id: int, address: str) -> Any:
    """Return the cookie with which a server at `address` knows an annotator, as Playwright takes it."""
    name, value = sessions.cookie_name(study.slug), sessions.issue(study.pepper, annotator_id, time.time())
    return {"name": name, "value": value, "url": address, "httpOnly": True}


def rows(study: StudyFolder, query: str, *values: object) -> Sequence[Any]:
    """Return what a query finds in the study's database; a server may be writing to it."""
    with closing(sqlite3.connect(f"file:{study.database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(query, values).fetchall()


SUBMISSIONS = """
    SELECT a.id, a.kind, a.side, a.position, a.status, s.revision, s.num_ratings, p.item, p.method, p.other
    FROM assignment a JOIN pair p ON p.id = a.pair_id LEFT JOIN submission s ON s.assignment_id = a.id
    WHERE a.annotator_id = ? AND a.status <> 'released' ORDER BY a.position, s.revision
"""
