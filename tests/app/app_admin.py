"""A study that synthetic people have rated, through the code that real ones use, for tests and pictures.

python -m tests.app.app_admin FOLDER [--open] [--peek]     makes one to look at, with the password of PASSWORD
"""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from human_eval_app.admin import server
from human_eval_app.admin.passwords import set_password
from human_eval_app.admin.server import Desk, open_desk
from human_eval_app.database import Database
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Annotator, Store
from human_eval_app.study_folder import StudyFolder
from tests.app.app_served import served_study
from tests.app.app_study import Clock

PASSWORD = "blue square, right of it a circle"
TEN = ("PS", "ROS", "MS", "FC", "AM", "TSA", "TTA", "ISA", "ITA", "OL")
TEXT = """\
schema: univg-bench/study/1
id: moving-shapes
version: 1
title: Moving Shapes, ours against two others
seed: 3
methods: [{id: ours}, {id: plain}, {id: frozen}]
ours: ours
others: [plain, frozen]
items:
%(items)s
ratings_per_pair: %(target)d
gold:
  pairs:
    - {item: s000, method: ours, other: frozen, expected: {AM: G}}
    - {item: s001, method: ours, other: frozen, expected: {AM: G}}
    - {item: s002, method: ours, other: frozen, expected: {AM: G}}
  per_session: 1
repeats: {per_session: 1, gap: 5}
session: {pairs: 20, max_sessions: 50}
peek: %(peek)s
analysis:
  primary: OL
  bootstrap: {draws: %(draws)d}
"""


def admin_folder(folder: Path, *, items: int = 6, target: int = 3, peek: bool = False, draws: int = 400) -> StudyFolder:
    """Return a study folder with a password and nobody in it; few draws, as tests read no bootstrap to the digit."""
    listed = "\n".join(
        f"  - {{id: s{k:03d}, prompt: a blue square moves right, image: images/{k}.png}}" for k in range(items)
    )
    study = served_study(
        folder, text=TEXT % {"items": listed, "target": target, "peek": str(peek).lower(), "draws": draws}
    )
    set_password(study.path, PASSWORD)
    return study


def admin_desk(folder: Path, **facts: object) -> Desk:
    """Return the desk of `admin_folder(folder)` as the one that the pages show; close its database in the end."""
    desk = open_desk(admin_folder(folder, **facts))  # type: ignore[arg-type]
    server.use(desk)
    return desk


def copied_desk(made: StudyFolder, folder: Path) -> Desk:
    """Return the desk of a copy of a study whose database is closed, as the one that the pages show."""
    shutil.copytree(made.path, folder)
    desk = open_desk(StudyFolder.open(folder))
    server.use(desk)
    return desk


class Person:
    """Answers by a latent preference of each method plus noise of item and person; careless ones always click left."""

    def __init__(self, store: Store, who: Annotator, seed: int, *, careless: bool) -> None:
        self.store, self.who, self.careless = store, who, careless
        self.rng = np.random.default_rng(seed)
        self.leaning = self.rng.normal(0, 0.25)
        self.items = {item.id: item for item in store.study.items}

    def rate(self, clock: Clock, truth: Mapping[str, float], *, flag: float = 0.0) -> bool:
        """Rate the next pair and return whether there was one; time goes by meanwhile."""
        pair = next_pair(self.store, self.who.id)
        if not isinstance(pair, Handed):
            return False
        seconds = float(self.rng.lognormal(np.log(8.0 if self.careless else 42.0), 0.25))
        clock.seconds += seconds
        if self.rng.random() < flag:
            self.store.flag(self.who.id, pair.id, reason="the right video stays black")
            return True
        self.store.submit(
            self.who.id, pair.id, client_uuid=str(uuid.uuid4()),
            answers=self._answers(pair, truth), seconds=seconds, watched=1.0,
        )  # fmt: skip
        return True

    def _answers(self, pair: Handed, truth: Mapping[str, float]) -> dict[str, str]:
        codes = [d.code for d in self.store.study.questions(self.items[pair.item])]
        if self.careless:
            return dict.fromkeys(codes, "left")
        # pairs of the same item and methods lean the same way for everybody
        drift = np.random.default_rng(pair.pair_id).normal(0, 0.5, len(codes))
        mean = 3.0 if pair.kind == "gold" else truth.get(str(self._other(pair)), 0.0)
        size = np.linspace(0.3, 1.4, len(codes))
        latent = mean * size + drift + self.leaning + self.rng.normal(size=len(codes))
        clicked = {1: pair.side, 0: "same", -1: "left" if pair.side == "right" else "right"}
        return {code: clicked[int(u > 0.35) - int(u < -0.35)] for code, u in zip(codes, latent, strict=True)}

    def _other(self, pair: Handed) -> str:
        return self.others[pair.pair_id]

    @property
    def others(self) -> dict[int, str]:
        from sqlalchemy import select

        from human_eval_app.tables import PAIR

        if not hasattr(self, "_known"):
            with self.store.database.read() as connection:
                self._known = {row.id: row.other for row in connection.execute(select(PAIR))}
        return self._known


def rated(
    desk: Desk, *, honest: int, careless: int = 0, pairs: int | None = None, flag: float = 0.0, hours: float = 20.0
) -> None:
    """Let people rate in turn until nothing is left, or `pairs` pairs were answered, over the last `hours`."""
    clock = Clock()
    clock.seconds = desk.store.now_ms() / 1000 - hours * 3600
    database = Database(desk.folder.database)
    store = Store(database, desk.store.slug, pepper=desk.folder.pepper, clock=clock)
    who = [store.login(code) for code in store.issue_codes(honest + careless, who="test")]
    people = [Person(store, w, seed, careless=seed >= honest) for seed, w in enumerate(who)]
    left, waiting = (10**9 if pairs is None else pairs), list(people)
    step = hours * 3600 / max(1, left if pairs else desk.store.study.ratings_per_pair * len(desk.store.study.items) * 2)
    start, num = clock.seconds, 0
    while waiting and left > 0:
        person = waiting.pop(0)
        if person.rate(clock, {"plain": 0.25, "frozen": 0.8}, flag=flag):
            waiting.append(person)
            left -= 1
            num += 1
            # several people at a time: the clock of all is pulled back to the plan
            clock.seconds = start + num * step
    database.close()


if __name__ == "__main__":
    made = Path(sys.argv[1])
    opened = admin_desk(made, items=66, target=3, peek="--peek" in sys.argv, draws=10_000)
    rated(opened, honest=8, careless=1, pairs=330 if "--open" in sys.argv else None, flag=0.006)
    for code in opened.store.issue_codes(4, who="test")[:2]:
        next_pair(opened.store, opened.store.login(code).id)
    if "--open" not in sys.argv:
        opened.store.close(who="test")
    opened.store.database.close()
