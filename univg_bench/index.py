"""Fill an index: decode every source once, place it, and commit rows in fixed chunks; repeat it to do the rest.

A chunk is 16 sources of the plan. Its files are placed first, then its part of the manifest is renamed into place, so a
part never speaks of a file that is not there. After kill -9, a power cut or a full disk the same call goes on: a source
that has not changed since its row was written (same path, size and time of change) is not decoded again, a changed or
repaired one is, and the manifest ends with the same bytes as after a call that was never disturbed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from univg_bench.atomic import atomic, machine_faults, sweep, write_bytes
from univg_bench.console import Console
from univg_bench.containers import VIDEO_SUFFIXES, UnreadableVideo
from univg_bench.engine.local import run_chunks
from univg_bench.errors import InfrastructureError, InputError, SampleError
from univg_bench.samples import (
    INDEX_SCHEMA,
    ROWS_PER_PART,
    Index,
    IndexFacts,
    Place,
    Row,
    json_bytes,
    part_bytes,
    read_part,
    stored_path,
)
from univg_bench.video import probe

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Source:
    """A video to index. path: the file, or None when there is none."""

    name: str
    path: Path | None


@dataclass(frozen=True)
class _Chunk:
    """One part of the plan, with all that a worker process needs."""

    part: int
    sources: tuple[Source, ...]
    dest: Path
    root: Path
    place: Place
    reuse: bool


@dataclass(frozen=True)
class Tally:
    """How much of an indexing was work: videos decoded now, and rows taken over because nothing had changed."""

    decoded: int
    reused: int


def index_videos(
    sources: Sequence[Source],
    dest: Path,
    *,
    root: Path,
    place: Place = "copy",
    workers: int = 1,
    console: Console | None = None,
    title: str = "videos",
) -> Tally:
    """Make the folder `dest` an index (`samples.Index`) of exactly these sources, in this order.

    root: the folder that all sources lie in; rows name them relative to it. place: `copy` them, make hard or symbolic
    links to them, or leave them `in-place` and only describe them. A source that cannot be decoded gets a row that says
    why, and no file. Files of an earlier filling that belong to no row any more are removed from `dest`/samples.

    Raises InputError for names that no file can have, or a source outside of `root`; InfrastructureError for a `dest`
    in use by another process, a full disk or a worker that died. Everything committed before stays.
    """
    root = root.absolute()
    _check(sources, root, dest)
    with sole_writer(dest):
        return _fill(sources, dest, root, place, workers, console, title)


def indexed_rows(
    sources: Sequence[Source], dest: Path, *, root: Path, workers: int = 1, console: Console | None = None, title: str
) -> list[Row]:
    """Return the rows of an index of `sources` left in-place, after bringing it up to date.

    Evaluations of several models share the index of their references: each waits for its turn and reads the rows
    before the next may write. Raises what `index_videos` raises.
    """
    root = root.absolute()
    _check(sources, root, dest)
    with sole_writer(dest, wait=True):
        _fill(sources, dest, root, "in-place", workers, console, title)
        return list(Index(dest).rows())


def _fill(
    sources: Sequence[Source], dest: Path, root: Path, place: Place, workers: int, console: Console | None, title: str
) -> Tally:
    with machine_faults(f"write {dest}"):
        index = Index(dest)
        if not (dest / "index.json").is_file() and ((dest / "samples").exists() or (dest / "manifest").exists()):
            raise InputError(f"{dest} holds files that no index of ours describes; give another --dest")
        # what an interrupted call left; only in our two folders, since others may be writing beside them
        sweep(dest / "samples")
        sweep(dest / "manifest")
        # rows can be taken over only from an index that placed files in the same way, from the same root
        before = index.facts if (dest / "index.json").is_file() else None
        reuse = before is not None and (before.place, before.root) == (place, str(root))
        facts = IndexFacts(place, str(root), len(sources), complete=False)
        write_bytes(dest / "index.json", json_bytes(INDEX_SCHEMA, facts))
        chunks = [
            _Chunk(part, tuple(sources[at : at + ROWS_PER_PART]), dest, root, place, reuse)
            for part, at in enumerate(range(0, len(sources), ROWS_PER_PART))
        ]
        decoded = sum(
            (console or Console(quiet=True)).progress(
                _one_by_one(chunks, workers), total=len(sources), title=title, unit="video"
            )
        )
        _remove_strays(index, len(chunks))
        facts = IndexFacts(place, str(root), len(sources), complete=True)
        write_bytes(dest / "index.json", json_bytes(INDEX_SCHEMA, facts))
    return Tally(decoded, len(sources) - decoded)


def _check(sources: Sequence[Source], root: Path, dest: Path) -> None:
    seen: set[str] = set()
    for source in sources:
        if not _NAME.fullmatch(source.name) or source.name in seen:
            why = "a second time" if source.name in seen else "which cannot be the name of a file everywhere"
            raise InputError(f"found the name {source.name!r} among the videos for {dest}, {why}")
        seen.add(source.name)
        if source.path is not None:
            _below(source.path, root)


def _one_by_one(chunks: list[_Chunk], workers: int) -> Iterator[int]:
    """Yield 1 for a video that was decoded and 0 for one that was not, so that the bar counts videos."""
    for part, decoded in run_chunks(_commit_chunk, chunks, workers=workers):
        yield from [1] * decoded + [0] * (len(chunks[part].sources) - decoded)


def _commit_chunk(chunk: _Chunk) -> int:
    """Bring one part of the manifest and its files up to date; return how many videos were decoded for it."""
    part_path = Index(chunk.dest).part_path(chunk.part)
    known: dict[str, Row] = {}
    if chunk.reuse and part_path.is_file():
        try:
            known = {row.name: row for row in read_part(part_path)}
        except SampleError:
            known = {}  # damaged: do the work again
    rows, decoded = [], 0
    for source in chunk.sources:
        row = known.get(source.name)
        if row is None or not _unchanged(row, source, chunk):
            row = _indexed(source, chunk)
            decoded += row.status != "missing"
        rows.append(row)
    content = part_bytes(rows)
    if not part_path.is_file() or part_path.read_bytes() != content:
        write_bytes(part_path, content)
    return decoded


def _unchanged(row: Row, source: Source, chunk: _Chunk) -> bool:
    """Return whether `row` still tells the truth. Failed rows are always tried again: a mode change leaves no trace."""
    if source.path is None or not row.ok or row.source_path != _below(source.path, chunk.root):
        return False
    try:
        state = source.path.stat()
        if (state.st_size, state.st_mtime_ns) != (row.source_bytes, row.source_mtime_ns):
            return False
        base = chunk.root if chunk.place == "in-place" else chunk.dest
        return Index.resolve(row, base, chunk.place).stat().st_size == row.bytes
    except (OSError, SampleError):
        return False


def _indexed(source: Source, chunk: _Chunk) -> Row:
    """Return the row of a source, with its file in place if it can be decoded."""
    if source.path is None:
        return Row(name=source.name, status="missing", error="there is no file for it")
    with machine_faults(f"read {source.path}"):
        try:
            return _placed(source.name, source.path, chunk)
        except UnreadableVideo as error:
            return Row(
                name=source.name,
                status=error.problem,
                error=error.reason,
                source_path=_below(source.path, chunk.root),
            )


def _placed(name: str, path: Path, chunk: _Chunk) -> Row:
    try:
        before = path.stat()
    except OSError as error:
        raise UnreadableVideo("unreadable", f"the file cannot be opened ({error.strerror})") from error
    if not stat.S_ISREG(before.st_mode):
        raise UnreadableVideo("unreadable", "this is no file (a folder, a pipe or a device)")
    source_path = _below(path, chunk.root)
    if chunk.place == "in-place":
        row = described(name, path, source_path)
    else:
        stored = stored_path(name, path.suffix.lower() if path.suffix.lower() in VIDEO_SUFFIXES else "")
        with atomic(chunk.dest / stored) as temporary:
            # decode what was placed, not what it was made from: the row then speaks of the stored bytes
            _place(path, temporary, chunk.place)
            row = described(name, temporary, stored)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UnreadableVideo("unreadable", "the file changed while it was read; import again when it is finished")
    return replace(row, source_path=source_path, source_bytes=before.st_size, source_mtime_ns=before.st_mtime_ns)


def _place(path: Path, dest: Path, place: Place) -> None:
    try:
        if place == "symlink":
            dest.symlink_to(path.absolute())
        elif place == "hardlink":
            # of the file itself: a hard link to a symbolic link would be one more symbolic link
            dest.hardlink_to(path.resolve())
        else:
            shutil.copyfile(path, dest)
    except PermissionError as error:
        if place == "copy" and error.filename == str(path):
            raise UnreadableVideo("unreadable", "the file may not be read (permission denied)") from error
        raise InputError(f"could not {place} {path}: {error.strerror}; use --place copy") from error
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        raise InputError(f"could not {place} {path}: {error.strerror}; use --place copy") from error


def described(name: str, path: Path, stored: str) -> Row:
    """Return the row of the video in `path`, decoded to its end, as one that lies at `stored` in its index.

    Raises UnreadableVideo.
    """
    facts = probe(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Row(
        name=name,
        status="ok",
        path=stored,
        bytes=path.stat().st_size,
        file_sha256=digest,
        rgb_sha256=facts.rgb_sha256,
        frames=facts.frames,
        height=facts.height,
        width=facts.width,
        seconds=str(facts.seconds),
        brightest=facts.brightest,
        contrast=facts.contrast,
        motion=facts.motion,
    )


def _below(path: Path, root: Path) -> str:
    try:
        return Path(os.path.normpath(path.absolute())).relative_to(os.path.normpath(root)).as_posix()
    except ValueError:
        raise InputError(f"{path} does not lie in {root}; give a folder that holds all the videos") from None


def _remove_strays(index: Index, parts: int) -> None:
    """Remove parts beyond the plan, and stored files that no row names any more."""
    manifest, samples = index.folder / "manifest", index.folder / "samples"
    for path in manifest.glob("*.jsonl"):
        if not path.stem.isdigit() or int(path.stem) >= parts:
            path.unlink()
    if not samples.is_dir():
        return
    kept = {row.path for part in range(parts) for row in read_part(index.part_path(part)) if row.path}
    for path in samples.rglob("*"):
        if (path.is_file() or path.is_symlink()) and path.relative_to(index.folder).as_posix() not in kept:
            path.unlink()


@contextmanager
def sole_writer(dest: Path, *, wait: bool = False, shared: bool = False) -> Iterator[None]:
    """Hold the folder's lock, or wait for it; the system drops it when the process ends, however it ends.

    shared: only against writers that do not share, for those who never touch the same file.
    """
    try:
        with machine_faults(f"write {dest}"):
            dest.mkdir(parents=True, exist_ok=True)
            file = (dest / ".lock").open("w")
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"cannot make or write the folder {dest}: {error.strerror}; it has to be one that you may write"
        ) from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise InfrastructureError(
                f"another process is filling {dest}; wait for it to end, then run the same command again"
            ) from error
        yield
