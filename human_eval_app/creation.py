"""Writing a new study into a database: once somebody has begun to rate, what is asked and shown does not change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from human_eval_app.database import Database
from human_eval_app.storage import audit, pepper_check
from human_eval_app.study import Study
from human_eval_app.study_files import stored_study, study_json
from human_eval_app.tables import ASSIGNMENT, PAIR, STUDY, VIDEO
from univg_bench.errors import InputError

Shown = tuple[str, str]  # (item, method): one video


@dataclass(frozen=True)
class PlannedPair:
    """A pair that a study asks about. position: its place in the study; expected: JSON."""

    position: int
    kind: str
    item: str
    method: str
    other: str
    expected: str = "{}"

    @property
    def videos(self) -> tuple[Shown, Shown]:
        return (self.item, self.method), (self.item, self.other)


@dataclass(frozen=True, kw_only=True)
class VideoRow:
    """A video as the table `video` holds it, but for study, item and method."""

    status: str
    reason: str | None = None
    source_sha256: str | None = None
    path: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frames: int | None = None
    seconds: float | None = None
    made: str | None = None


def pairs_of(study: Study) -> list[PlannedPair]:
    """Return every pair of a study: its items with `ours` against each of `others`, then practice, then gold."""
    found = [("main", item.id, study.ours, other, "{}") for item in study.items for other in study.others]
    for kind, part in (("practice", study.practice), ("gold", study.gold)):
        found += [(kind, p.item, p.method, p.other, json.dumps(p.expected, sort_keys=True)) for p in part.pairs]
    return [PlannedPair(position, *facts) for position, facts in enumerate(found)]


def create_study(
    database: Database,
    study: Study,
    *,
    who: str,
    now_ms: int,
    video_seconds: Mapping[Shown, float] | None = None,
) -> str:
    """Write the study with its pairs into the database and return its slug; the same study again changes nothing.

    video_seconds: (item, method) -> length, for the screening by speed. Raises InputError where the slug is taken by
    another study: what is asked must not change once somebody has answered.
    """

    def work(connection: Connection) -> None:
        row = connection.execute(select(STUDY).where(STUDY.c.slug == study.slug)).one_or_none()
        if row is not None:
            if stored_study(row.config).digest != study.digest:
                raise InputError(
                    f"the database holds another study {study.slug}; raise `version` in the changed study file"
                )
            return
        key = _insert_study(connection, study, now_ms)
        _insert_pairs(connection, key, pairs_of(study), video_seconds or {})
        audit(connection, now_ms, who, "create", f"{study.slug} {study.digest}")

    database.write(work)
    return study.slug


def write_import(
    database: Database,
    study: Study,
    *,
    pairs: Sequence[PlannedPair],
    videos: Mapping[Shown, VideoRow],
    pepper: bytes,
    who: str,
    now_ms: int,
) -> bool:
    """Make the database hold the study with exactly these pairs and videos, and return whether that changed anything.

    One transaction: a study is there with all of them or not at all. Raises InputError when somebody has been shown a
    pair already and the study, its pairs or its videos would be others.
    """
    seconds = {key: row.seconds for key, row in videos.items() if row.seconds is not None}

    def work(connection: Connection) -> bool:
        row = connection.execute(select(STUDY).where(STUDY.c.slug == study.slug).with_for_update()).one_or_none()
        if row is not None:
            same = stored_study(row.config).digest == study.digest
            if same and _held_pairs(connection, row.id) == list(pairs) and held_videos(connection, row.id) == videos:
                return False
            if _num_shown(connection, row.id):
                raise InputError(
                    f"somebody has begun to rate {study.slug}, and this import would change what is asked or shown; put"
                    " back what was changed, or raise `version` in the study file, which makes a study beside it"
                )
            connection.execute(delete(PAIR).where(PAIR.c.study_id == row.id))
            connection.execute(delete(VIDEO).where(VIDEO.c.study_id == row.id))
            content = {"config": study_json(study), "digest": study.digest}
            connection.execute(update(STUDY).where(STUDY.c.id == row.id).values(content))
        key = row.id if row is not None else _insert_study(connection, study, now_ms)
        connection.execute(update(STUDY).where(STUDY.c.id == key).values(pepper_check=pepper_check(pepper)))
        _insert_pairs(connection, key, pairs, seconds)
        for (item, method), video in videos.items():
            connection.execute(insert(VIDEO).values(study_id=key, item=item, method=method, **asdict(video)))
        left_out = len(pairs_of(study)) - len(pairs)
        facts = {"study": study.slug, "digest": study.digest, "pairs": len(pairs), "left_out": left_out}
        audit(connection, now_ms, who, "import", json.dumps(facts))
        return True

    return database.write(work)


def held_videos(connection: Connection, study_id: int) -> dict[Shown, VideoRow]:
    """Return the videos of a study as they were imported."""
    found = {}
    for row in connection.execute(select(VIDEO).where(VIDEO.c.study_id == study_id)):
        facts = dict(row._mapping)
        key = (facts.pop("item"), facts.pop("method"))
        found[key] = VideoRow(**{name: value for name, value in facts.items() if name not in ("id", "study_id")})
    return found


def _held_pairs(connection: Connection, study_id: int) -> list[PlannedPair]:
    rows = connection.execute(select(PAIR).where(PAIR.c.study_id == study_id).order_by(PAIR.c.position))
    return [PlannedPair(row.position, row.kind, row.item, row.method, row.other, row.expected) for row in rows]


def _num_shown(connection: Connection, study_id: int) -> int:
    shown = select(func.count()).select_from(ASSIGNMENT).join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
    return int(connection.execute(shown.where(PAIR.c.study_id == study_id)).scalar_one())


def _insert_study(connection: Connection, study: Study, now_ms: int) -> int:
    values = {"slug": study.slug, "config": study_json(study), "digest": study.digest, "status": "open"}
    key = connection.execute(insert(STUDY).values(**values, created_ms=now_ms)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _insert_pairs(
    connection: Connection, study_id: int, pairs: Sequence[PlannedPair], seconds: Mapping[Shown, float]
) -> None:
    for pair in pairs:
        known = [seconds[key] for key in pair.videos if key in seconds]
        length = max(known) if len(known) == 2 else None
        connection.execute(insert(PAIR).values(study_id=study_id, video_seconds=length, **asdict(pair)))
