"""A study folder to begin with: a commented study.yaml that is valid as it stands, and a pepper."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from human_eval_app.sources import items_of_run
from human_eval_app.study import Item
from human_eval_app.study_files import load_study
from human_eval_app.study_folder import STUDY_FILE, write_pepper
from univg_bench.atomic import atomic, write_bytes
from univg_bench.errors import InputError
from univg_bench.samples import Run

ITEMS_FILE = "items.jsonl"
EXAMPLE = (
    "items:                         # or `items_file: items.jsonl`, one item per line\n"
    "  - {id: item-1, prompt: a dog runs on a beach}\n"
    "  - {id: item-2, prompt: a red ball rolls to the left}\n"
)
TEXT = """\
# A blind comparison of videos. Check it with `univg-bench human check`; docs/app_core.md explains every key.
# Once somebody has begun to rate, it cannot change any more: raise `version` for another study.
schema: univg-bench/study/1
id: {id}
version: 1
title: {title}
seed: 0                        # of every order and of who stands left

languages: [en]                # en, zh: the first is the default
about: {{}}                      # title, who, contact, pay, consent, completion_code: what people are told

methods:                       # annotators never see these names
{methods}
ours: {ours}
others: [{others}]

{items}
# ask: {{t2v: [PS, MS, OL]}}      # questions by task; by default all that make sense for an item

ratings_per_pair: 3            # by different people; `univg-bench human power` says how many are needed
lease_minutes: 30              # an unanswered pair goes to others after this time
code_days: 30                  # how long a code lets somebody in
# retention_days: 180          # after somebody's last answer: what ties an alias to a person is to be removed

# Pairs with known answers, by item and dimension (G: `method` is better). Practice comes first, with feedback.
# practice: {{pairs: [{{item: item-1, method: {ours}, other: frozen, expected: {{AM: G}}}}], pass_pairs: 1}}
# gold: {{pairs: [{{item: item-2, method: {ours}, other: frozen, expected: {{AM: G}}}}], per_session: 1}}
repeats: {{per_session: 0, gap: 5}}   # pairs that come a second time with sides swapped
session: {{pairs: 25, minutes: 30, max_sessions: 4}}   # a break after every session

presentation:                  # what `human import` makes of every video; the rest of a copy never differs
  resolution: native           # native; fit_height with `height`; fit_box with `width` and `height` (grey bars)
  # fps: 24                    # one frame rate for all; by default each video keeps its own
  duration: native             # native, or trim_to_shortest (of the videos of an item)
  bytes: native                # native, or equal (files of an item are padded to one length)
  must_watch: 0.0              # share of both videos to play before answers are saved
  min_viewport: [1000, 600]
  touch: refuse                # refuse, or allow

peek: false                    # true: results may be seen before the study is closed (logged)
analysis:                      # fixed before data are seen; docs/human_statistics.md
  primary: OL
"""


def new_study(dest: Path, *, methods: Sequence[str], items_from: Path | None = None, title: str | None = None) -> Path:
    """Write study.yaml, perhaps items.jsonl, and a pepper into the folder `dest`, and return the study file.

    methods: ours first. items_from: a sample run, a .jsonl of items, or a .csv with the columns item_id and prompt.
    Raises InputError where there is a study already, or what was given makes no valid one.
    """
    path = dest / STUDY_FILE
    if path.exists():
        raise InputError(f"{path} is there already; edit it, or give another folder")
    if len(methods) < 2 or len(set(methods)) < len(methods):
        raise InputError("expected at least two methods with different names, ours first: --method ours --method other")
    items = _read_items(items_from) if items_from is not None else []
    slug = re.sub(r"[^a-z0-9]+", "-", dest.absolute().name.lower()).strip("-")[:80].strip("-") or "study"
    text = TEXT.format(
        id=slug,
        title=json.dumps(title or "Which video is better?", ensure_ascii=False),
        methods="\n".join(f"  - {{id: {json.dumps(name)}}}" for name in methods),
        ours=json.dumps(methods[0]),
        others=", ".join(json.dumps(name) for name in methods[1:]),
        items=f"items_file: {ITEMS_FILE}\n" if items else EXAMPLE,
    )
    if items:
        lines = [item.model_dump_json(exclude_unset=True) for item in items]
        write_bytes(dest / ITEMS_FILE, ("\n".join(lines) + "\n").encode())
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        try:
            load_study(temporary)  # a name that no study can have is refused before the file is there
        except InputError as error:
            raise InputError(f"these make no study file: {str(error).replace(f'{temporary}:', 'line ')}") from None
    write_pepper(dest / "pepper")
    return path


def _read_items(source: Path) -> list[Item]:
    if (source / "run.json").is_file():
        rows = [
            {
                "id": item.item_id,
                "prompt": item.prompt or None,
                "image": f"images/{item.item_id}{item.image.suffix}" if item.image else None,
            }
            for item in items_of_run(Run.open(source))
        ]
    elif source.suffix == ".csv" and source.is_file():
        with source.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if not {"item_id", "prompt"} <= set(table.fieldnames or []):
                raise InputError(f"{source}:1: expected the columns item_id and prompt, perhaps category and image")
            names = {"item_id": "id", "prompt": "prompt", "category": "category", "image": "image"}
            rows = [{new: row[old] for old, new in names.items() if row.get(old)} for row in table]
    elif source.suffix == ".jsonl" and source.is_file():
        return [_item(line, f"{source}:{n}") for n, line in enumerate(source.read_text("utf-8").splitlines(), 1)]
    else:
        raise InputError(
            f"found no items in {source}; expected a sample run, a .jsonl with one item per line, or a .csv with the"
            " columns item_id and prompt"
        )
    return [
        _item(json.dumps({k: v for k, v in row.items() if v is not None}), f"{source}, item {n}")
        for n, row in enumerate(rows, 1)
    ]


def _item(text: str, where: str) -> Item:
    try:
        return Item.model_validate_json(text, strict=True)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise InputError(f"{where}: {key}: {str(fault['msg']).removeprefix('Value error, ')}") from None
