"""Everything of a study in plain files, under aliases: ratings, submissions, events, annotators, facts, a codebook.

Whoever withdrew is in none of the files. The ratings are written first, all else from one later state of the database,
so while an open study is peeked at, submissions may go further than ratings; of a closed one they agree.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, select

from human_eval_app.export import export_ratings, require_sight
from human_eval_app.storage import Store
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, EVENT, PAIR, STUDY, SUBMISSION, VIDEO
from univg_bench import __version__
from univg_bench.atomic import write_bytes
from univg_bench.errors import InputError

SCHEMA = "univg-bench/study-export/1"
FORMATS = ("csv", "parquet", "jsonl")
CODEBOOK = """\
# Codebook of {slug}

People appear under aliases; nobody who withdrew appears at all. Times are UTC, in milliseconds since 1970, as the
server's clock said. A pair is `method` against `other` on an `item`; kind: main, practice (first, with feedback), gold
(known answers, hidden among the others), repeat (a main pair again, sides swapped).

## ratings.{ending}: one row per answer of the last revision

- item, annotator, method, other, dimension: what, by whom, about what
- choice: G `method` better, S same, B `other` better; derived by the server from answer and side
- side: where `method` stood; answer: what was clicked (left, same, right)
- kind, repeat (0 the first time), expected (of practice and gold): see above
- seconds: from the pair's appearance to saving, by the browser's clock; watched: share of both videos that was played
- video_seconds: length of the longer video
{questions}
## submissions.csv: one row per saved screen, corrections included

- revision: 0 the first, the highest one counts; num_ratings: answers in it; created_ms: when it was stored
- position: the how-many-eth pair of this annotator; opened_ms: when it was handed out

## events.csv: what the player reported

- t_ms: since the pair appeared, by the browser's clock; at_ms: when it arrived; event, value: what happened

## annotators.csv

- status: active, screened_out (practice not passed); source: code, prolific; consent_digest: SHA-256 of the text shown
- viewport, touch: the window when it was measured; breaks: how many were taken

## study.json

The study file as it was frozen, its digests, and of every video what came, what was done and the SHA-256 of both files.
"""


def export_folder(store: Store, dest: Path, *, who: str, ratings_format: str = "csv") -> list[Path]:
    """Write all files into the folder `dest` and return their paths; study.json comes last and says it is complete.

    Raises InputError while results are hidden, where there is no rating, or for a folder of something else; SampleError
    for a database that contradicts itself. The log notes the export.
    """
    assert ratings_format in FORMATS
    require_sight(store)
    if dest.exists() and not dest.is_dir():
        raise InputError(f"{dest} is a file; give a folder, or a name that ends in .{', .'.join(FORMATS)}")
    if dest.is_dir() and any(dest.iterdir()) and not _is_ours(dest, store):
        raise InputError(f"{dest} holds something else; give an empty folder, or one with an export of {store.slug}")
    dest.mkdir(parents=True, exist_ok=True)
    # what an earlier export said is no longer true once the first file is another one
    (dest / "study.json").unlink(missing_ok=True)
    ratings = dest / f"ratings.{ratings_format}"
    export_ratings(store, ratings, who=who)
    with store.database.read() as connection:
        files = {
            "submissions.csv": _table(connection.execute(_submissions(store)).all(), _SUBMISSION),
            "events.csv": _table(connection.execute(_events(store)).all(), _EVENT),
            "annotators.csv": _annotators(connection, store),
            "codebook.md": _codebook(store, ratings_format),
            "study.json": _facts(connection, store),
        }
    for name, text in files.items():
        write_bytes(dest / name, text.encode())
    return [ratings, *(dest / name for name in files)]


_PAIR = ("annotator", "item", "method", "other", "kind", "repeat", "side")
_SUBMISSION = (*_PAIR, "position", "revision", "num_ratings", "seconds", "watched", "opened_ms", "created_ms")
_EVENT = (*_PAIR, "t_ms", "at_ms", "event", "value")
_ANNOTATOR = (
    "annotator", "status", "source", "language", "created_ms", "consent_ms", "consent_digest", "instructed_ms",
    "finished_ms", "breaks", "viewport", "touch",
)  # fmt: skip


def _joined(chosen: Sequence[Any], store: Store) -> Select[Any]:
    pair = (
        ANNOTATOR.c.alias.label("annotator"), PAIR.c.item, PAIR.c.method, PAIR.c.other, ASSIGNMENT.c.kind,
        ASSIGNMENT.c.repeat, ASSIGNMENT.c.side,
    )  # fmt: skip
    return (
        select(*pair, *chosen)
        .select_from(ASSIGNMENT)
        .join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
        .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
        .where(PAIR.c.study_id == store.study_id, ANNOTATOR.c.status != "withdrawn")
    )


def _submissions(store: Store) -> Select[Any]:
    chosen = [
        ASSIGNMENT.c.position, SUBMISSION.c.revision, SUBMISSION.c.num_ratings, SUBMISSION.c.seconds,
        SUBMISSION.c.watched, ASSIGNMENT.c.opened_ms, SUBMISSION.c.created_ms,
    ]  # fmt: skip
    found = _joined(chosen, store).join(SUBMISSION, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
    return found.order_by(ANNOTATOR.c.alias, ASSIGNMENT.c.position, SUBMISSION.c.revision)


def _events(store: Store) -> Select[Any]:
    chosen = [EVENT.c.t_ms, EVENT.c.at_ms, EVENT.c.kind.label("event"), EVENT.c.value]
    found = _joined(chosen, store).join(EVENT, EVENT.c.assignment_id == ASSIGNMENT.c.id)
    return found.order_by(ANNOTATOR.c.alias, EVENT.c.id)


def _annotators(connection: Connection, store: Store) -> str:
    mine = (ANNOTATOR.c.study_id == store.study_id) & (ANNOTATOR.c.status != "withdrawn")
    rows = []
    for row in connection.execute(select(ANNOTATOR).where(mine).order_by(ANNOTATOR.c.alias)):
        device = json.loads(row.device) if row.device else {}
        size = f"{device['width']}x{device['height']}" if {"width", "height"} <= device.keys() else None
        # the name of the browser stays here: with little else it can single a person out
        rows.append({**row._mapping, "annotator": row.alias, "viewport": size, "touch": device.get("touch")})
    return _table(rows, _ANNOTATOR)


def _facts(connection: Connection, store: Store) -> str:
    study = connection.execute(select(STUDY).where(STUDY.c.id == store.study_id)).one()
    videos = connection.execute(
        select(VIDEO).where(VIDEO.c.study_id == store.study_id).order_by(VIDEO.c.item, VIDEO.c.method)
    )
    names = (
        "item",
        "method",
        "status",
        "reason",
        "source_sha256",
        "sha256",
        "width",
        "height",
        "fps",
        "frames",
        "seconds",
    )
    facts = {
        "schema": SCHEMA,
        "study": store.slug,
        "status": study.status,
        "digest": store.study.digest,
        "plan_digest": store.study.plan.digest,
        "created_ms": study.created_ms,
        "exported_ms": store.now_ms(),
        "univg_bench": __version__,
        "config": json.loads(study.config),
        "videos": [
            {**{name: getattr(row, name) for name in names}, "made": json.loads(row.made) if row.made else None}
            for row in videos
        ],
    }
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _codebook(store: Store, ending: str) -> str:
    asked = "".join(f"    - {d.code}: {d.name}. {d.question}\n" for d in store.study.plan.dimensions)
    return CODEBOOK.format(slug=store.slug, ending=ending, questions=f"- dimensions:\n{asked}")


def _table(rows: Sequence[Any], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        facts = row if isinstance(row, dict) else row._mapping
        writer.writerow(["" if facts[name] is None else facts[name] for name in names])
    return text.getvalue()


def _is_ours(dest: Path, store: Store) -> bool:
    try:
        facts = json.loads((dest / "study.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("schema") == SCHEMA and facts.get("study") == store.slug
