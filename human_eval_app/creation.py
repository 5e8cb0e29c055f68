"""Writing a new study into a database: after that, what is asked does not change any more."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from human_eval_app.database import Database
from human_eval_app.storage import audit
from human_eval_app.study import Study
from human_eval_app.study_files import study_json
from human_eval_app.tables import PAIR, STUDY
from univg_bench.errors import InputError


def create_study(
    database: Database,
    study: Study,
    *,
    who: str,
    now_ms: int,
    video_seconds: Mapping[tuple[str, str], float] | None = None,
) -> str:
    """Write the study with its pairs into the database and return its slug; the same study again changes nothing.

    video_seconds: (item, method) -> length, for the screening by speed. Raises InputError where the slug is taken by
    another study: what is asked must not change once somebody has answered.
    """
    slug = f"{study.id}@{study.version}"
    pairs = [("main", item.id, study.ours, other, "{}") for item in study.items for other in study.others]
    for kind, part in (("practice", study.practice), ("gold", study.gold)):
        pairs += [(kind, p.item, p.method, p.other, json.dumps(p.expected, sort_keys=True)) for p in part.pairs]
    lengths = video_seconds or {}

    def work(connection: Connection) -> None:
        row = connection.execute(select(STUDY).where(STUDY.c.slug == slug)).one_or_none()
        if row is not None:
            if row.digest != study.digest:
                raise InputError(f"the database holds another study {slug}; raise `version` in the changed study file")
            return
        values = {"slug": slug, "config": study_json(study), "digest": study.digest, "status": "open"}
        key = connection.execute(insert(STUDY).values(**values, created_ms=now_ms)).inserted_primary_key
        assert key is not None
        for position, (kind, item, method, other, expected) in enumerate(pairs):
            known = [lengths[(item, m)] for m in (method, other) if (item, m) in lengths]
            connection.execute(
                insert(PAIR).values(
                    study_id=key[0], kind=kind, position=position, item=item, method=method, other=other,
                    expected=expected, video_seconds=max(known) if len(known) == 2 else None,
                )
            )  # fmt: skip
        audit(connection, now_ms, who, "create", f"{slug} {study.digest}")

    database.write(work)
    return slug
