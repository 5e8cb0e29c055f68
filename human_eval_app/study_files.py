"""Read and check a study file; every fault is a sentence that starts with file:line:column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from human_eval_app.assignment import smallest_session
from human_eval_app.study import Gold, Item, KnownPair, Practice, Study
from univg_bench.errors import InputError
from univg_bench.human.dimensions import ALIASES
from univg_bench.strict_yaml import Mark, Node, load_yaml

Place = tuple[str | int, ...]
Fault = tuple[Place, str]


def load_study(path: Path) -> Study:
    """Return the study of a file, with the items of `items_file` in it and everything checked.

    Raises InputError that lists every fault, one `file:line:column: sentence` per line.
    """
    tree = load_yaml(path)
    if not isinstance(tree.value, dict):
        raise InputError(f"{tree.mark}: expected a mapping (schema, id, version, ...)")
    try:
        # as JSON, because pydantic's strict mode takes a list for a tuple only from there
        study = Study.model_validate_json(json.dumps(tree.plain()), strict=True)
    except ValidationError as error:
        raise InputError(_lines(_located(tree, f) for f in error.errors())) from None
    if study.items_file is not None:
        if study.items:
            raise InputError(
                f"{tree.value['items_file'].mark}: items stand here and under `items`; keep one of the two"
            )
        study = study.model_copy(update={"items": _read_items(path.parent, study.items_file)})
    try:
        codes = {d.code for d in study.plan.dimensions}
    except InputError as error:
        where, sentence = _place_in_plan(str(error))
        raise InputError(f"{_locate(tree, where)}: {sentence}") from None
    found = [(_locate(tree, place), sentence) for place, sentence in _faults(study, codes)]
    if found:
        raise InputError(_lines(iter(found)))
    return study


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of a study file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema(by_alias=True)}


def stored_study(config: str) -> Study:
    """Return the study that `study_json` wrote; it was checked then."""
    return Study.model_validate_json(config, strict=True)


def study_json(study: Study) -> str:
    """Return the study as JSON, items included."""
    return study.model_dump_json(by_alias=True, exclude_unset=True)


def _read_items(folder: Path, name: str) -> tuple[Item, ...]:
    path = folder / name
    if path.suffix != ".jsonl" or not path.is_file():
        raise InputError(f"found no items file {path}; expected a .jsonl with one item per line")
    items: list[Item] = []
    faults: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            items.append(Item.model_validate_json(line, strict=True))
        except ValidationError as error:
            for fault in error.errors():
                key = ".".join(str(part) for part in fault["loc"])
                faults.append(f"{path}:{number}:1: {f'{key}: ' if key else ''}{_sentence(fault)}")
    if faults:
        raise InputError("\n".join(faults))
    return tuple(items)


# ------------------------------------------------------------------------------------------------ what fits together


def _faults(study: Study, codes: set[str]) -> Iterator[Fault]:
    methods = [m.id for m in study.methods]
    items = {item.id: item for item in study.items}
    yield from _twice(methods, ("methods",), "method")
    yield from _twice([item.id for item in study.items], ("items",), "item")
    yield from _twice(list(study.others), ("others",), "method")
    if not study.items:
        yield ("items",), "there are no items; list them under `items` or name an `items_file`"
    for name, place in [(study.ours, ("ours",)), *((m, ("others", i)) for i, m in enumerate(study.others))]:
        if name not in methods:
            yield place, f"found '{name}', expected one of the methods {', '.join(methods)}"
    if study.ours in study.others:
        yield ("others", study.others.index(study.ours)), f"'{study.ours}' would be compared with itself"
    for task, asked in study.ask.items():
        for i, code in enumerate(asked):
            if ALIASES.get(code, code) not in codes:
                yield ("ask", task, i), f"found '{code}', expected one of {', '.join(sorted(codes))}"
    for i, item in enumerate(study.items):
        if item.prompt is None and item.image is None:
            yield ("items", i), f"item '{item.id}' has neither prompt nor image"
        elif not study.questions(item):
            yield ("items", i), f"no question is left for item '{item.id}' ({item.task}); see `ask` and `needs`"
    yield from _known_pairs(study, items, methods)
    yield from _amounts(study)
    yield from _sides(study)


def _known_pairs(study: Study, items: dict[str, Item], methods: list[str]) -> Iterator[Fault]:
    order = {frozenset((study.ours, other)): study.ours for other in study.others}
    for section, part in (("practice", study.practice), ("gold", study.gold)):
        assert isinstance(part, Practice | Gold)
        seen: set[tuple[str, str, str]] = set()
        for i, pair in enumerate(part.pairs):
            place: Place = (section, "pairs", i)
            if pair.item not in items:
                yield (*place, "item"), f"found no item '{pair.item}'"
                continue
            for key, name in (("method", pair.method), ("other", pair.other)):
                if name not in methods:
                    yield (*place, key), f"found '{name}', expected one of the methods {', '.join(methods)}"
            if pair.method == pair.other:
                yield place, f"'{pair.method}' would be compared with itself"
            # a ratings file knows each two methods in one order only, else G would mean two things
            elif order.setdefault(frozenset((pair.method, pair.other)), pair.method) != pair.method:
                yield place, f"write '{pair.other}' as method and '{pair.method}' as other, as elsewhere in this file"
            if (pair.item, pair.method, pair.other) in seen:
                yield place, "this pair stands above already"
            seen.add((pair.item, pair.method, pair.other))
            yield from _expected(study, pair, items[pair.item], place)


def _expected(study: Study, pair: KnownPair, item: Item, place: Place) -> Iterator[Fault]:
    asked = {d.code for d in study.questions(item)}
    for code in pair.expected:
        if code not in asked:
            yield (*place, "expected", code), f"'{code}' is not asked about item '{item.id}'"


def _sides(study: Study) -> Iterator[Fault]:
    shown = study.presentation
    wanted = {"native": (), "fit_height": ("height",), "fit_box": ("width", "height")}[shown.resolution]
    for key in ("width", "height"):
        side = getattr(shown, key)
        place: Place = ("presentation", key) if side is not None else ("presentation", "resolution")
        if (side is not None) != (key in wanted):
            yield place, f"'{shown.resolution}' takes {' and '.join(wanted) or 'neither width nor height'}"
        elif side is not None and side % 2:
            yield place, f"found {side}, expected an even number: H.264 in browsers needs even sides"


def _amounts(study: Study) -> Iterator[Fault]:
    size = study.session.pairs
    if study.gold.per_session > len(study.gold.pairs):
        yield (
            ("gold", "per_session"),
            f"found {study.gold.per_session}, but there are {len(study.gold.pairs)} gold pairs",
        )
    if study.practice.pass_pairs > len(study.practice.pairs):
        yield ("practice", "pass_pairs"), f"expected at most {len(study.practice.pairs)}, the number of practice pairs"
    least = smallest_session(study)
    if size < least:
        yield ("session", "pairs"), f"found {size}, expected at least {least} to place gold pairs and repeats apart"


def _twice(names: list[str], place: Place, what: str) -> Iterator[Fault]:
    for i, name in enumerate(names):
        if name in names[:i]:
            yield (*place, i), f"{what} '{name}' stands twice"


# ------------------------------------------------------------------------------------------------- places and words

_EXPECTED = {
    "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "bool_type": "true or false", "string_type": "text", "tuple_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping",
}  # fmt: skip


def _sentence(fault: Any) -> str:
    kind, key = fault["type"], fault["loc"][-1] if fault["loc"] else ""
    if kind == "extra_forbidden":
        return f"unknown key '{key}'"
    if kind == "missing":
        return f"missing key '{key}'"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}"
    if kind in ("sentence", "value_error"):
        return str(fault["msg"]).removeprefix("Value error, ")
    if kind == "json_invalid":
        return "this line is not JSON"
    return str(fault["msg"]).replace("Input should be", "expected")


def _located(tree: Node, fault: Any) -> tuple[Mark, str]:
    node = _node_at(tree, fault["loc"])
    # an unknown key is itself what is wrong, not its value
    mark = node.key if fault["type"] == "extra_forbidden" and node.key else _shown_at(node)
    return mark, _sentence(fault)


def _locate(tree: Node, place: Place) -> Mark:
    return _shown_at(_node_at(tree, place))


def _shown_at(node: Node) -> Mark:
    return node.key if node.key is not None and isinstance(node.value, dict | list) else node.mark


def _node_at(tree: Node, place: Place) -> Node:
    """Return the node at `place`, or the nearest above it; names of forms are stepped over."""
    node = tree
    for part in place:
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[str(part)]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
    return node


def _place_in_plan(text: str) -> Fault:
    """Return the place that a message of the plan names ("analysis, screening, rule 2: ...") and the rest of it."""
    where, colon, rest = text.partition(": ")
    if not colon or not where.startswith("analysis"):
        return ("analysis", "dimensions"), text
    parts = [re.sub(r"^(rule|entry) ", "", part) for part in where.split(", ")]
    place = tuple(int(part) - 1 if part.isdigit() else part for part in parts)
    return (*place, *(("primary",) if rest.startswith("primary ") else ())), rest


def _lines(found: Iterator[tuple[Mark, str]]) -> str:
    in_order = sorted(set(found), key=lambda fault: (fault[0].line, fault[0].column, fault[1]))
    return "\n".join(f"{mark}: {sentence}" for mark, sentence in in_order)
