"""Items: the rows of a protocol, whatever data set they come from, and the choice of some of them by rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from univg_bench.canonical import digest_of
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol_fields import Select

VIDEO_SUFFIXES = (".mp4", ".avi", ".webm", ".mkv")
NAMES_IN_MESSAGE = 10  # the full list is in SampleError.items, which `--json` prints

_ITEM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Item:
    """One row of a protocol.

    item_id: from the data set, never from the prompt. prompt: what it asks for. cluster: items of one cluster are not
    independent (the captions of one video); intervals resample clusters. reference_id: the real video it belongs to,
    None when there is none; items may share it. reference, image: where the real video and the condition image lie,
    None when there is none or it was not looked for.
    """

    item_id: str
    prompt: str
    cluster: str
    reference_id: str | None = None
    reference: Path | None = None
    image: Path | None = None


@dataclass(frozen=True)
class ItemSet:
    """All items of a protocol in their one order, and what must be known about where they come from.

    facts: counts that belong into the record. notes: sentences for the record: what is there is used, but is not quite
    what the protocol calls nominal. sources: file name -> SHA-256 of the files the prompts were read from.
    """

    items: tuple[Item, ...]
    facts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def references(self) -> dict[str, Path]:
        """The real videos that are there, each once, by reference_id, in the order of the items."""
        return {
            item.reference_id: item.reference for item in self.items if item.reference_id and item.reference is not None
        }

    @property
    def digest(self) -> str:
        """SHA-256 over ids, prompts and clusters in order: two copies of a data set may differ in it."""
        return digest_of([[item.item_id, item.prompt, item.cluster] for item in self.items])


def check_ids(ids: Iterable[tuple[str, str]]) -> None:
    """Check that ids can be file names everywhere and differ; `ids` are pairs (id, where it stands).

    Raises InputError naming the place.
    """
    seen: dict[str, tuple[str, str]] = {}
    for item_id, place in ids:
        if not _ITEM_ID.fullmatch(item_id):
            raise InputError(
                f"{place}: found the item id {item_id!r}, expected letters, digits, '.', '_' and '-', starting with a"
                " letter or digit, at most 100"
            )
        # two ids that differ in case only are one file on macOS and Windows
        earlier = seen.setdefault(item_id.casefold(), (item_id, place))
        if earlier[1] != place:
            other = "" if earlier[0] == item_id else f" (there {earlier[0]!r}; case does not count)"
            raise InputError(f"{place}: found the item id {item_id!r} a second time, first in {earlier[1]}{other}")


def select_items(items: Sequence[Item], select: Select) -> tuple[Item, ...]:
    """Return the items that `select` chooses, in the order of `items`.

    Captions and videos are chosen by the smallest SHA-256 of "salt|cluster|caption" and "salt|cluster", where caption
    is what follows the cluster in the item id (`c03` of `video7010.c03`). So the choice depends on nothing else: not on
    order, not on which other videos there are, not on a random generator.
    """
    chosen = list(items)
    if select.videos != "all":
        clusters = sorted({item.cluster for item in chosen}, key=lambda cluster: _rank(f"{select.salt}|{cluster}"))
        if len(clusters) < select.videos:
            raise InputError(f"found {len(clusters)} videos, expected at least the {select.videos} to choose")
        kept = set(clusters[: select.videos])
        chosen = [item for item in chosen if item.cluster in kept]
    if select.captions_per_video != "all":
        by_cluster: dict[str, list[Item]] = {}
        for item in chosen:
            by_cluster.setdefault(item.cluster, []).append(item)
        picked: set[str] = set()
        for cluster, captions in by_cluster.items():
            if len(captions) < select.captions_per_video:
                raise InputError(
                    f"found {len(captions)} captions of {cluster}, expected at least {select.captions_per_video}"
                )
            ranked = sorted(captions, key=lambda item: _rank(f"{select.salt}|{item.cluster}|{_caption_id(item)}"))
            picked.update(item.item_id for item in ranked[: select.captions_per_video])
        chosen = [item for item in chosen if item.item_id in picked]
    if select.first is not None:
        if len(chosen) < select.first:
            raise InputError(f"found {len(chosen)} items, expected at least the first {select.first}")
        chosen = chosen[: select.first]
    return tuple(chosen)


def _caption_id(item: Item) -> str:
    return item.item_id.removeprefix(f"{item.cluster}.")


def _rank(text: str) -> bytes:
    return sha256(text.encode()).digest()


def with_references(items: ItemSet, find: Callable[[Item], Path | str], *, hint: str, allow_missing: bool) -> ItemSet:
    """Return `items` with their real videos. `find` returns the file, or why there is none.

    Raises SampleError that names the missing ones and says what to do (`hint`), unless `allow_missing`: then they are
    a note.
    """
    found: list[Item] = []
    missing: dict[str, str] = {}
    wanted: set[str] = set()
    for item in items.items:
        if item.reference_id is not None:
            wanted.add(item.reference_id)
            place = find(item)
            if isinstance(place, str):
                missing[item.reference_id] = place
            else:
                item = replace(item, reference=place)
        found.append(item)
    facts = {**items.facts, "references": len(wanted) - len(missing)}
    if not missing:
        return replace(items, items=tuple(found), facts=facts)
    sentence = f"found {len(wanted) - len(missing)} of {len(wanted)} reference videos; missing: {name_some(missing)}"
    if not allow_missing:
        raise SampleError(f"{sentence}; {hint}", missing)
    return replace(items, items=tuple(found), facts=facts, notes=(*items.notes, sentence))


def name_some(names: Iterable[str]) -> str:
    """Return the first ten of `names` and how many more there are."""
    names = list(names)
    more = len(names) - NAMES_IN_MESSAGE
    return ", ".join(names[:NAMES_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")
