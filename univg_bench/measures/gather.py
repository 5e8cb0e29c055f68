"""Features from the cache as rows of one file per metric and role, and the index that says whose each row is.

`RUN/features/<metric id>.samples.npy` (and `.references.npy`, `.captions.npy`) are the rows; `RUN/features/index.json`
names them: whoever compares two runs row by row reads the names there and never trusts the order alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.atomic import atomic, write_bytes
from univg_bench.canonical import canonical_json, digest_of
from univg_bench.errors import InputError
from univg_bench.features.cache import FeatureCache
from univg_bench.measures.data import Gathered, Rows

INDEX_SCHEMA = "univg-bench/features/1"

# from the features of one video, and those of its counterpart, to its rows (R, D)
Reduce = Callable[[Rows, Rows | None], Rows]


def gather(
    cache: FeatureCache,
    names: Sequence[str],
    keys: Sequence[str],
    dest: Path,
    reduce: Reduce,
    *,
    others: Sequence[str] = (),
    what: str,
    known: dict[str, Path],
) -> Gathered:
    """Write what `reduce` makes of the features named `keys` as rows of `dest` and return a memory map of it.

    others: keys of the features of each one's counterpart; empty for none. what: the reduction and what it depends on,
    in words; known: files that were gathered already, by keys and `what`: the same rows are linked, not made again.

    Raises InputError for features that are not finite, with the name of the video.
    """
    if not keys:
        return Gathered((), np.empty((0, 0)), 1)
    content = digest_of([what, list(keys), list(others)])
    if content in known:
        _same_file(known[content], dest)
        mapped: Rows = np.load(dest, mmap_mode="r", allow_pickle=False)
        return Gathered(tuple(names), mapped, len(mapped) // len(keys))

    def rows_of(number: int) -> Rows:
        made = reduce(cache.load(keys[number]), cache.load(others[number]) if others else None)
        if not np.isfinite(made).all():
            raise InputError(
                f"found NaN or infinity in the features of {names[number]}; delete {cache.root} and evaluate again"
            )
        return made

    first = rows_of(0)
    with atomic(dest) as temporary:
        shape = (len(first) * len(keys), first.shape[1])
        out = np.lib.format.open_memmap(temporary, mode="w+", dtype=first.dtype, shape=shape)
        for number in range(len(keys)):
            made = first if number == 0 else rows_of(number)
            if made.shape != first.shape:
                raise InputError(
                    f"found features of shape {made.shape} of {names[number]}, {first.shape} of {names[0]}; one metric"
                    " takes equally many frames of every video, so choose a number of `frames` in the protocol"
                )
            out[number * len(first) : (number + 1) * len(first)] = made
        out.flush()
        del out
    known[content] = dest
    mapped = np.load(dest, mmap_mode="r", allow_pickle=False)
    return Gathered(tuple(names), mapped, len(first))


def _same_file(source: Path, dest: Path) -> None:
    with atomic(dest) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, temporary)


def write_index(
    dest: Path, entries: Mapping[str, Mapping[str, Any]], *, protocol_digest: str, manifest_digest: str
) -> None:
    """Write `dest`, which names the rows of every gathered file and what made them; `entries` by metric id."""
    content = {
        "schema": INDEX_SCHEMA,
        "protocol_digest": protocol_digest,
        "manifest_digest": manifest_digest,
        "metrics": entries,
    }
    write_bytes(dest, canonical_json(content) + b"\n")


def index_entry(roles: Mapping[str, Gathered], clusters: Mapping[str, Sequence[str]], **facts: Any) -> dict[str, Any]:
    """Return what the index says of one metric: per role its names, clusters and rows per name; and `facts`."""
    files = {}
    for role, gathered in roles.items():
        if gathered.names:
            files[role] = {
                "names": list(gathered.names),
                "clusters": list(clusters[role]),
                "rows_per_name": gathered.rows_per_name,
            }
    return {**facts, "roles": files}
