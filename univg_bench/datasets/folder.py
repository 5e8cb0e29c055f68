"""A data set of your own: prompts in a table or a text file, real videos and images in folders beside it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from univg_bench.datasets.items import Item, ItemSet, check_ids, name_some, with_references
from univg_bench.errors import InputError
from univg_bench.protocol import FolderData

Row = tuple[str, dict[str, str]]  # where it stands, and its fields


def load_folder(
    data: FolderData,
    root: Path,
    *,
    references: bool,
    allow_missing: bool,
    where: Callable[[str], str] = lambda path: "",
) -> ItemSet:
    """Return one item per row of the prompt file, in its order.

    `expect.references` may be less than the number of items: then the others have no reference, and a note says so.
    where: gives "file:line:column: " of a value of the protocol, for errors about counts.

    Raises InputError with file and row for a malformed table, and for counts that are not as expected; SampleError
    naming the real videos that are missing.
    """
    path = root / data.prompts
    rows = list(_rows(path, data))
    check_ids((fields[data.id_column], place) for place, fields in rows)
    items = tuple(_item(data, fields, place) for place, fields in rows)
    if len(items) != data.expect.items:
        place = where("data.expect.items")
        raise InputError(f"{place}found {len(items)} prompts in {path}, expected {data.expect.items}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = ItemSet(items, facts={"items": len(items)}, sources={data.prompts: digest})
    if not references or data.references is None:
        return found
    place = where("data.expect.references")
    return _with_references(found, data, root, allow_missing=allow_missing, where=place)


def _with_references(items: ItemSet, data: FolderData, root: Path, *, allow_missing: bool, where: str) -> ItemSet:
    assert data.references is not None
    places = {item.item_id: root / data.references.format(item_id=item.item_id) for item in items.items}
    present = {item_id: path for item_id, path in places.items() if path.is_file()}
    expected = len(items) if data.expect.references is None else data.expect.references
    if len(present) > expected:
        raise InputError(f"{where}found {len(present)} videos as {root}/{data.references}, expected {expected}")
    if len(present) == expected < len(items):
        # the data set itself says that some items have no real video: nothing is missing, but it is to be said
        without = [item.item_id for item in items.items if item.item_id not in present]
        kept = tuple(item if item.item_id in present else replace(item, reference_id=None) for item in items.items)
        note = f"{len(without)} of {len(items)} items have no reference video: {name_some(without)}"
        items = replace(items, items=kept, notes=(*items.notes, note))
    hint = f"expected {expected} as {root}/{data.references}"

    def find(item: Item) -> Path | str:
        return present.get(item.item_id, f"no {places[item.item_id]}")

    return with_references(items, find, hint=hint, allow_missing=allow_missing)


def _item(data: FolderData, fields: dict[str, str], place: str) -> Item:
    item_id, prompt = fields[data.id_column], fields[data.prompt_column].strip()
    if not prompt:
        raise InputError(f"{place}: found no prompt for {item_id}; fill it in or remove the row")
    cluster = fields[data.cluster_column].strip() if data.cluster_column else ""
    has_reference = data.references is not None
    return Item(item_id, prompt, cluster or item_id, reference_id=item_id if has_reference else None)


def _rows(path: Path, data: FolderData) -> Iterator[Row]:
    """Yield where each row stands and its fields, all text: an id like 002 keeps its zeros."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"found no prompt file {path}; it is `data.prompts` of the protocol") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    columns = [data.id_column, data.prompt_column, *([data.cluster_column] if data.cluster_column else [])]
    if path.suffix == ".csv":
        yield from _csv_rows(path, text, columns)
    elif path.suffix == ".jsonl":
        yield from _jsonl_rows(path, text, columns)
    elif path.suffix == ".txt":
        # the number of the line from 0 with four digits, as EvalCrafter names its videos
        for number, line in enumerate(_lines(text)):
            fields = {data.id_column: f"{number:04d}", data.prompt_column: line}
            yield f"{path}:{number + 1}", {name: fields.get(name, "") for name in columns}
    else:
        raise InputError(f"found the prompt file {path}, expected one that ends in .csv, .jsonl or .txt")


def _csv_rows(path: Path, text: str, columns: list[str]) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        for name in columns:
            if header.count(name) != 1:
                how = "no" if name not in header else "more than one"
                raise InputError(f"{path}:1: found {how} column '{name}' among {', '.join(header) or 'none'}")
        for row in reader:
            place = f"{path}:{reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(f"{place}: found {len(row)} fields, expected {len(header)} as in the first line")
            fields = dict(zip(header, row, strict=True))
            yield place, {name: fields[name] for name in columns}
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV table ({error})") from error


def _jsonl_rows(path: Path, text: str, columns: list[str]) -> Iterator[Row]:
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{place}: not JSON ({error.msg})") from error
        for name in columns:
            if not isinstance(fields, dict) or not isinstance(fields.get(name), str):
                raise InputError(f"{place}: found no text for '{name}'; every line is an object with that key")
        yield place, {name: fields[name] for name in columns}


def _lines(text: str) -> list[str]:
    # not str.splitlines, which also cuts at characters that may stand inside a prompt (U+2028)
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
