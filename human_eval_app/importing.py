"""The import: look at every video, say what is wrong before anybody rates, make the copies, then write the database.

Interrupt it anywhere and run it again. A copy has its final name only when it is whole; the name is a keyed hash of
what it was made from and how, so a finished copy is found again, and a changed source is another file. The database
changes in one transaction at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy import select

from human_eval_app.creation import Shown, VideoRow, pairs_of, write_import
from human_eval_app.encoding import RECIPE, Job, digest_of_file, make_copy
from human_eval_app.padding import SMALLEST, pad
from human_eval_app.presentation import TICKS
from human_eval_app.sources import Folder
from human_eval_app.study_folder import StudyFolder
from human_eval_app.survey import SHOWN_PROBLEMS, Survey, survey_sources
from human_eval_app.tables import VIDEO
from human_eval_app.videos import inside
from univg_bench.atomic import sweep, write_bytes
from univg_bench.canonical import digest_of
from univg_bench.console import Console
from univg_bench.datasets.items import name_some
from univg_bench.engine.local import run_chunks
from univg_bench.errors import InputError, SampleError
from univg_bench.index import sole_writer

MEMORY = "import.json"
UNPADDED = "unpadded"  # below presentation/, where copies are padded: what an import goes on with


@dataclass(frozen=True)
class Imported:
    """What an import did. encoded: copies made now; changed: whether the database is another one than before."""

    survey: Survey
    encoded: int
    changed: bool


def import_videos(
    folder: StudyFolder,
    sources: Mapping[str, Folder],
    *,
    images: Path | None = None,
    workers: int = 1,
    allow_missing: bool = False,
    who: str = "import",
    now_ms: int,
    console: Console | None = None,
) -> Imported:
    """Bring presentation copies and database of a study up to date with its sources; repeating it changes nothing.

    sources: method -> where its videos are; methods that are not named keep where they came from last time.

    Raises SampleError (exit 3) that lists missing and unplayable videos, before anything is written, unless
    allow_missing, which leaves out their pairs; InputError where somebody has begun to rate and this would change what
    they see; InfrastructureError when the disk is full or another import runs.
    """
    console = console or Console(json=True, quiet=True)
    with sole_writer(folder.presentation):
        sweep(folder.presentation)
        sources, images = _remembered(folder, sources, images)
        unnamed = {m for pair in pairs_of(folder.study) for _, m in pair.videos} - set(sources)
        if unnamed and not allow_missing:
            raise InputError(
                f"nothing says where the videos of {', '.join(sorted(unnamed))} are; add --method"
                f" {min(unnamed)}=PATH, a sample run or a folder of videos"
            )
        survey = survey_sources(folder, sources, images=images, workers=workers, console=console)
        for line in survey.table():
            console.say(line)
        _refuse(survey, allow_missing)
        _remember(folder, sources, images)
        _copy_images(folder, survey)
        if folder.study.presentation.bytes == "equal":
            copies, encoded = _make_copies(folder, survey, folder.presentation / UNPADDED, workers, console)
            rows = _padded(folder, copies)
        else:
            copies = {}
            rows, encoded = _make_copies(folder, survey, folder.presentation, workers, console)
        changed = _write(folder, survey, rows, who, now_ms)
        kept = {row.path for row in copies.values()}
        for path in (folder.presentation / UNPADDED).glob("*.mp4"):
            if path.name not in kept:
                path.unlink()
    return Imported(survey, encoded, changed)


def _refuse(survey: Survey, allow_missing: bool) -> None:
    kept, study = survey.kept, survey.study
    if survey.problems and not allow_missing:
        shown = [f"{name} ({reason})" for name, reason in list(survey.problems.items())[:SHOWN_PROBLEMS]]
        more = len(survey.problems) - len(shown)
        raise SampleError(
            f"{len(kept)} of {len(survey.pairs)} pairs can be shown; these stand in the way: {', '.join(shown)}"
            f"{f' and {more} more' if more else ''}. Repair them and run the same command again, or leave out their"
            " pairs with --allow-missing. Nothing was written",
            survey.problems,
        )
    for kind, needed, key in (
        ("main", 1, "items"), ("practice", study.practice.pass_pairs, "practice.pass_pairs"),
        ("gold", study.gold.per_session, "gold.per_session"),
    ):  # fmt: skip
        left = sum(pair.kind == kind for pair in kept)
        if left < needed:
            raise SampleError(
                f"{left} {kind} pairs can be shown, and {key} of the study needs {needed}; repair their videos"
                f" ({name_some(survey.problems)}). Nothing was written",
                survey.problems,
            )


def _make_copies(
    folder: StudyFolder, survey: Survey, place: Path, workers: int, console: Console
) -> tuple[dict[Shown, VideoRow], int]:
    """Return the rows of all videos, with copies below `place`, and how many copies had to be made."""
    known = _known_copies(folder)
    rows, todo = {}, {}
    for key, candidate in survey.videos.items():
        if candidate.status != "ok":
            rows[key] = VideoRow(status=candidate.status, reason=candidate.problem)
    for key, plan in survey.plans.items():
        name = _name(folder, key, survey)
        path, before = place / name, known.get(name)
        # what the database does not know was renamed when it was whole; what it knows has a digest to hold it against
        digest = digest_of_file(path) if path.is_file() else None
        if digest is not None and before in (None, digest):
            rows[key] = _row(survey, key, name, digest, path.stat().st_size)
        else:
            source = survey.videos[key].path
            assert source is not None
            todo[key] = Job(source, path, plan)
    keys = list(todo)
    made = run_chunks(make_copy, list(todo.values()), workers=workers)
    for index, (digest, size) in console.progress(made, total=len(todo), title="make copies", unit="video"):
        rows[keys[index]] = _row(survey, keys[index], todo[keys[index]].dest.name, digest, size)
    return rows, len(todo)


def _padded(folder: StudyFolder, copies: Mapping[Shown, VideoRow]) -> dict[Shown, VideoRow]:
    """Return the rows with all copies of an item padded to one length, each under a name of its own.

    The length is part of what the name is made of, so what somebody has been shown is never written again.
    """
    known, longest, rows = _known_copies(folder), dict[str, int](), dict(copies)
    made = {key: (row, row.path, row.bytes) for key, row in copies.items() if row.path is not None and row.bytes}
    for (item, _), (_, _, size) in made.items():
        longest[item] = max(longest.get(item, 0), size)
    for key, (row, unpadded, _) in made.items():
        size = longest[key[0]] + SMALLEST
        name = _keyed(folder, f"{unpadded} of {size} bytes")
        path = folder.presentation / name
        digest = digest_of_file(path) if path.is_file() else None
        if digest is None or known.get(name, digest) != digest:
            digest = pad(folder.presentation / UNPADDED / unpadded, path, size)
        rows[key] = replace(row, path=name, sha256=digest, bytes=size)
    return rows


def _name(folder: StudyFolder, key: Shown, survey: Survey) -> str:
    """Return a name that whoever lacks the pepper cannot connect with a method, an item or another name."""
    facts, plan = survey.videos[key].facts, survey.plans[key]
    assert facts is not None
    made_of = digest_of([folder.slug, *key, facts.sha256, {**asdict(plan), "fps": str(plan.fps)}, RECIPE])
    return _keyed(folder, made_of)


def _keyed(folder: StudyFolder, made_of: str) -> str:
    return hashlib.blake2b(made_of.encode(), key=folder.pepper, digest_size=16).hexdigest() + ".mp4"


def _row(survey: Survey, key: Shown, name: str, digest: str, size: int) -> VideoRow:
    facts, plan = survey.videos[key].facts, survey.plans[key]
    assert facts is not None
    return VideoRow(
        status="ok", source_sha256=facts.sha256, path=name, sha256=digest, bytes=size, width=plan.width,
        height=plan.height, fps=float(plan.fps), frames=len(plan.indices), seconds=plan.ticks / TICKS,
        made=json.dumps({**plan.described(facts), "recipe": digest_of(RECIPE)}, sort_keys=True),
    )  # fmt: skip


def _known_copies(folder: StudyFolder) -> dict[str, str]:
    """Return the SHA-256 of every copy that the database knows, by file name."""
    if "://" not in folder.database and not Path(folder.database).is_file():
        return {}
    database = folder.open_database()
    try:
        with database.read() as connection:
            rows = connection.execute(select(VIDEO.c.path, VIDEO.c.sha256).where(VIDEO.c.status == "ok"))
            return {str(row.path): str(row.sha256) for row in rows}
    finally:
        database.close()


def _write(folder: StudyFolder, survey: Survey, rows: Mapping[Shown, VideoRow], who: str, now_ms: int) -> bool:
    database = folder.open_database(create=True)
    try:
        before = set(_known_copies(folder))
        changed = write_import(
            database, folder.study, pairs=survey.kept, videos=rows, pepper=folder.pepper, who=who, now_ms=now_ms
        )
    finally:
        database.close()
    # copies of an earlier import that no study of this database shows any more
    for name in before - set(_known_copies(folder)):
        inside(folder.presentation, name).unlink(missing_ok=True)
    return changed


# ------------------------------------------------------------------------------------------------ images and memory


def _copy_images(folder: StudyFolder, survey: Survey) -> None:
    """Put every condition image where the study file says it lies."""
    from PIL import Image, UnidentifiedImageError

    for item in folder.study.items:
        source = survey.images.get(item.id)
        if source is None or item.image is None:
            continue
        dest = inside(folder.path, item.image)
        try:
            with Image.open(source) as image:
                image.load()
        except (OSError, UnidentifiedImageError) as error:
            raise SampleError(
                f"the condition image {source} of {item.id} cannot be read ({error}); repair it"
            ) from None
        if source != dest:
            write_bytes(dest, source.read_bytes())


def _remembered(
    folder: StudyFolder, sources: Mapping[str, Folder], images: Path | None
) -> tuple[dict[str, Folder], Path | None]:
    """Return the sources with those of the last import for the methods that are not named now."""
    methods = {m.id for m in folder.study.methods}
    for name in sources:
        if name not in methods:
            raise InputError(
                f"found --method {name}=..., expected one of the methods of the study: {', '.join(sorted(methods))}"
            )
    path = folder.path / MEMORY
    if not path.is_file():
        return dict(sources), images
    try:
        held = json.loads(path.read_bytes())
        before = {
            name: Folder(Path(f["path"]), f["layout"], f["pattern"], Path(f["table"]) if f["table"] else None)
            for name, f in held["methods"].items()
            if name in methods
        }
        images = images or (Path(held["images"]) if held["images"] else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} was edited or damaged; remove it and name every --method again") from None
    return {**before, **sources}, images


def _remember(folder: StudyFolder, sources: Mapping[str, Folder], images: Path | None) -> None:
    held = {
        "methods": {
            name: {
                "path": str(f.path.absolute()), "layout": f.layout, "pattern": f.pattern,
                "table": str(f.table.absolute()) if f.table else None,
            }
            for name, f in sorted(sources.items())
        },
        "images": str(images.absolute()) if images else None,
    }  # fmt: skip
    write_bytes(folder.path / MEMORY, (json.dumps(held, indent=2) + "\n").encode())
