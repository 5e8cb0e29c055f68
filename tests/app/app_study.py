"""A small study in a database, and people who rate it, for the tests of the app."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from human_eval_app.creation import create_study
from human_eval_app.database import Database
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Annotator, Receipt, Store
from human_eval_app.study import Study
from human_eval_app.study_files import load_study

PEPPER = b"only for tests, 24 bytes"
STUDY = """\
schema: univg-bench/study/1
id: pilot
version: 1
title: One of ours against one of theirs
seed: 7
methods:
  - {id: ours}
  - {id: theirs}
  - {id: frozen}
ours: ours
others: [theirs]
items:
%(items)s
ratings_per_pair: %(target)d
%(more)s
analysis:
  dimensions: [PS, AM, OL]
  primary: OL
"""
PRACTICE = """\
practice:
  pairs:
    - {item: i0, method: ours, other: frozen, expected: {AM: G}}
    - {item: i1, method: ours, other: frozen, expected: {AM: G}}
  pass_pairs: 1
"""
GOLD = """\
gold:
  pairs:
    - {item: i2, method: ours, other: frozen, expected: {AM: G, OL: G}}
    - {item: i3, method: ours, other: frozen, expected: {AM: G}}
  per_session: 1
repeats: {per_session: 1, gap: 2}
session: {pairs: 10}
"""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def write_study(folder: Path, *, items: int = 4, target: int = 2, more: str = "") -> Path:
    path = folder / "study.yaml"
    listed = "\n".join(f"  - {{id: i{k}, prompt: a red ball number {k}}}" for k in range(items))
    path.write_text(STUDY % {"items": listed, "target": target, "more": more})
    return path


def small_study(folder: Path, **facts: Any) -> Study:
    return load_study(write_study(folder, **facts))


def open_store(url: str, study: Study, clock: Clock | None = None, *, busy_seconds: float = 5.0) -> Store:
    database = Database(url, busy_seconds=busy_seconds)
    clock = clock or Clock()
    slug = create_study(database, study, who="test", now_ms=int(clock() * 1000))
    return Store(database, slug, pepper=PEPPER, clock=clock)


def people(store: Store, count: int) -> list[Annotator]:
    return [store.login(code) for code in store.issue_codes(count, who="test")]


def answer(store: Store, who: Annotator, pair: Handed, clicked: str = "left", **more: Any) -> Receipt:
    """Answer every question of the pair with the same click."""
    item = next(i for i in store.study.items if i.id == pair.item)
    answers = {d.code: clicked for d in store.study.questions(item)}
    facts = {"client_uuid": str(uuid.uuid4()), "answers": answers} | more
    return store.submit(who.id, pair.id, **facts)


def rate_all(store: Store, who: Annotator, clicked: str | None = None) -> list[Handed]:
    """Rate until nothing comes; by default for our method, wherever it stands."""
    handed = []
    while isinstance(pair := next_pair(store, who.id), Handed):
        handed.append(pair)
        answer(store, who, pair, clicked or pair.side)
    return handed
