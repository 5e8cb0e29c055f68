"""MSR-VTT (Xu et al. 2016): the items of a split, whichever copy of the annotations a user has.

Nothing of it is shipped or downloaded. Videos and captions are joined by video id, never by their order; an item is a
caption, `video7010.c03` the fourth caption of video7010 in the order of sen_id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from univg_bench.datasets.items import Item, ItemSet, name_some, select_items, with_references
from univg_bench.datasets.msrvtt_files import (
    FORMS,
    SPLIT_LISTS,
    Annotations,
    Survey,
    read_form,
    read_split_list,
    survey,
)
from univg_bench.errors import InputError
from univg_bench.protocol import MsrvttData

# first and last video of the official splits (albanie/collaborative-experts, misc/datasets/msrvtt)
OFFICIAL_SPLITS = {"train": (0, 6512), "validate": (6513, 7009), "test": (7010, 9999)}

WHERE_TO_GET = (
    "neither is shipped or downloaded here: captions are in CLIP4Clip's msrvtt_data.zip (MSRVTT_data.json) or the 2016"
    " test_videodatainfo.json, videos and captions in Frozen in Time's MSRVTT.zip; see docs/datasets.md"
)


def load_msrvtt(data: MsrvttData, root: Path, *, references: bool, allow_missing: bool, where: str = "") -> ItemSet:
    """Return the chosen captions of the split as items, in the order of video number and sen_id.

    where: "file:line:column: " of `expect.videos` in the protocol, for the error when the count is another.

    Raises InputError for missing or malformed annotations and for another number of videos than `expect.videos`;
    SampleError naming the missing videos. Another number of captions than `expect.captions` is a note.
    """
    found = survey(root)
    ids, lists = _ids(data.split, found)
    annotations = _annotations(data.split, ids, found)
    listed = [video_id for video_id in ids if video_id in annotations.captions]
    if len(listed) != data.expect.videos:
        names = ", ".join(annotations.sources)
        raise InputError(
            f"{where}found {len(listed)} videos of split {data.split} in {names}, expected {data.expect.videos}"
        )
    notes = list(_split_notes(data.split, ids, annotations))
    items, facts, caption_notes = _items(listed, annotations, nominal=data.expect.captions)
    chosen = select_items(items, data.select)
    result = ItemSet(
        chosen,
        facts={"videos": len(listed), **facts, "items": len(chosen)},
        notes=(*notes, *caption_notes),
        sources={**annotations.sources, **lists},
    )
    if not references:
        return result
    hint = f"put them anywhere below {root}, e.g. as {root}/videos/{chosen[0].reference_id}.mp4; {WHERE_TO_GET}"
    return with_references(result, lambda item: found.video(item.cluster), hint=hint, allow_missing=allow_missing)


def _ids(split: str, found: Survey) -> tuple[list[str], dict[str, str]]:
    """Return the ids of a split in order, and the lists they were read from."""
    if split in OFFICIAL_SPLITS:
        first, last = OFFICIAL_SPLITS[split]
        return [f"video{number}" for number in range(first, last + 1)], {}
    ids, lists = read_split_list(found, split)
    return sorted(ids, key=_number), lists


def _annotations(split: str, ids: list[str], found: Survey) -> Annotations:
    """Return the annotations of the first form that has captions of the split."""
    present: list[str] = []
    for form in FORMS:
        annotations = read_form(found, form)
        if annotations is None:
            continue
        present += annotations.sources
        if any(video_id in annotations.captions for video_id in ids):
            return annotations
    lists = [name for name in SPLIT_LISTS.values() if name in found.annotations]
    if present:
        raise InputError(f"found {', '.join(present)} below {found.root}, but no captions of split {split} in it")
    if lists:
        raise InputError(
            f"found only {', '.join(lists)} below {found.root}: the list of a retrieval split, not the annotations that"
            f" split {split} needs; get test_videodatainfo.json or MSRVTT_data.json"
        )
    names = ", ".join(name for files in FORMS.values() for name in files)
    raise InputError(f"found no annotations of MSR-VTT below {found.root} (any of {names}); {WHERE_TO_GET}")


def _split_notes(split: str, ids: list[str], annotations: Annotations) -> Iterator[str]:
    """Check the ids of an official split against the `split` field of the 2016 files, which is the official one.

    Other forms may cut the same videos otherwise (the 2017 challenge did): then the ids count, and a note says so.
    Raises InputError when a 2016 file disagrees: then it is not MSR-VTT as published, or not that split.
    """
    if split not in OFFICIAL_SPLITS or not annotations.split_of:
        return
    by_field = {video_id for video_id, field in annotations.split_of.items() if field == split}
    if by_field == set(ids) & set(annotations.split_of):
        return
    names = ", ".join(annotations.sources)
    has = (
        f"{names} calls {len(by_field)} videos '{split}', {len(by_field & set(ids))} of them from {ids[0]} to {ids[-1]}"
    )
    if annotations.form == "2016":
        raise InputError(
            f"{has}; expected those {len(ids)} and no others (the 1,000 videos of a retrieval split are another set)"
        )
    yield f"{has}; the {len(ids)} ids are taken, whatever it calls them"


def _items(
    video_ids: list[str], annotations: Annotations, *, nominal: int | None
) -> tuple[list[Item], dict[str, int], list[str]]:
    """Return an item per caption that is not empty, counts for the record, and notes about what is not nominal."""
    items = []
    empty = []
    videos_of: dict[str, set[str]] = {}
    repeated = 0
    for video_id in video_ids:
        texts: Counter[str] = Counter()
        for number, caption in enumerate(annotations.captions[video_id]):
            item_id = f"{video_id}.c{number:02d}"
            # the number counts empty captions too: leaving one out renames no other
            if not caption.strip():
                empty.append(item_id)
                continue
            items.append(Item(item_id, caption.strip(), cluster=video_id, reference_id=video_id))
            texts[" ".join(caption.split()).casefold()] += 1
        repeated += texts.total() - len(texts)
        for text in texts:
            videos_of.setdefault(text, set()).add(video_id)
    shared = sum(len(videos) > 1 for videos in videos_of.values())
    facts = {
        "captions": len(items),
        "empty_captions": len(empty),
        "captions_repeated_within_a_video": repeated,
        "captions_shared_between_videos": shared,
        "captions_of_unlisted_videos": annotations.orphans,
    }
    notes = []
    if nominal is not None and len(items) != nominal:
        notes.append(f"found {len(items)} captions, nominal {nominal}")
    if empty:
        notes.append(f"{len(empty)} captions are empty and left out: {name_some(empty)}")
    without = set(video_ids) - {item.cluster for item in items}
    if without:
        raise InputError(f"found no caption of {name_some(sorted(without, key=_number))}; the annotations are damaged")
    return items, facts, notes


def _number(video_id: str) -> int:
    return int(re.sub(r"\D", "", video_id))
