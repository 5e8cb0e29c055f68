"""Find, read, merge and check protocol files; every fault is a sentence that starts with file:line:column."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from univg_bench.errors import InputError
from univg_bench.frames import FramePolicy
from univg_bench.protocol import Protocol
from univg_bench.protocol_checks import Place, faults, suggest
from univg_bench.protocol_fields import Frames, Strict
from univg_bench.shipped import shipped_folder
from univg_bench.strict_yaml import Mark, Node, load_yaml

SUFFIXES = (".yaml", ".yml")


def shipped_ids() -> list[str]:
    """Return the ids of the protocol files that come with the package, sorted."""
    return sorted(path.stem for path in shipped_folder("protocols").glob("*.yaml"))


def find_protocol(name: str | Path) -> Path:
    """Return the file that `name` means: a path, or the id of a shipped protocol, with or without `@version`.

    Raises InputError when there is none.
    """
    text = str(name)
    if isinstance(name, Path) or text.endswith(SUFFIXES) or "/" in text or "\\" in text:
        if not Path(text).is_file():
            raise InputError(f"found no protocol file {text}; check the path, or see `univg-bench protocol list`")
        return Path(text)
    protocol_id, _, version = text.partition("@")
    if protocol_id not in shipped_ids():
        raise InputError(
            f"found no shipped protocol '{protocol_id}'{suggest(protocol_id, shipped_ids())}"
            " (a file of your own is given by its path, ending in .yaml)"
        )
    path = shipped_folder("protocols") / f"{protocol_id}.yaml"
    if version and version != str(load_protocol(path).version):
        raise InputError(f"found {load_protocol(path).name}, expected {text}; another version is not shipped")
    return path


def load_protocol(name: str | Path) -> Protocol:
    """Return the protocol of a file or of a shipped id, with what it extends merged in and everything checked.

    Raises InputError that lists every fault, one `file:line:column: sentence` per line.
    """
    path = find_protocol(name)
    tree = _resolve(path, _shown(path), ())
    try:
        # as JSON, because pydantic's strict mode takes a list for a tuple only from there
        protocol = Protocol.model_validate_json(json.dumps(tree.plain()), strict=True)
    except ValidationError as error:
        found = list(_sentences(error, tree))
    else:
        found = [(_locate(tree, place)[0], sentence) for place, sentence in faults(protocol)]
        if not found:
            protocol._places.update(_places(tree))
            return protocol
    in_order = sorted(set(found), key=lambda fault: (fault[0].file, fault[0].line, fault[0].column, fault[1]))
    raise InputError("\n".join(f"{mark}: {sentence}" for mark, sentence in in_order))


# ---------------------------------------------------------------------------------------------------------- extends


def _resolve(path: Path, name: str, chain: tuple[Path, ...]) -> Node:
    """Return the file's tree, laid over the tree of the file it extends."""
    tree = load_yaml(path, name=name)
    if not isinstance(tree.value, dict):
        raise InputError(f"{tree.mark}: found {_describe(tree)}, expected a mapping (schema, id, version, ...)")
    extends = tree.value.pop("extends", None)
    if extends is None:
        return tree
    base = _base_file(path, extends)
    here = (*chain, path.resolve())
    if base.resolve() in here:
        names = " -> ".join(file.name for file in (*here, base))
        raise InputError(f"{extends.mark}: `extends` goes in a circle: {names}")
    if "id" not in tree.value:
        raise InputError(f"{tree.mark}: missing key 'id'; a variant needs an id of its own beside `extends`")
    return _merge(_resolve(base, _shown(base), here), tree)


def _base_file(path: Path, extends: Node) -> Path:
    text = extends.value
    if not isinstance(text, str):
        raise InputError(f"{extends.mark}: found {_describe(extends)}, expected the id or the .yaml file to extend")
    if not text.endswith(SUFFIXES):
        if text not in shipped_ids():
            raise InputError(
                f"{extends.mark}: found no shipped protocol '{text}'{suggest(text, shipped_ids())}"
                " (a file beside this one is given with its .yaml)"
            )
        return shipped_folder("protocols") / f"{text}.yaml"
    folder = path.parent.resolve()
    base = path.parent / text
    if Path(text).is_absolute() or not base.resolve().is_relative_to(folder):
        raise InputError(f"{extends.mark}: found extends: {text}, expected a file inside {folder}")
    if not base.is_file():
        raise InputError(f"{extends.mark}: found no file {base} to extend")
    return base


def _merge(base: Node, over: Node) -> Node:
    """Return `over` laid on `base`: mappings key by key, everything else replaced.

    A section whose `source` or `kind` changes is replaced whole: its other keys belong to another form.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    for form in ("source", "kind"):
        old, new = base.value.get(form), over.value.get(form)
        if new is not None and (old is None or old.value != new.value):
            return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = _merge(merged[key], node) if key in merged else node
    return Node(merged, over.mark, over.key)


def _places(node: Node, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted path, place) of every value in a mapping."""
    if isinstance(node.value, dict):
        for key, inner in node.value.items():
            yield from _places(inner, f"{path}.{key}" if path else key)
    else:
        yield path, str(node.mark)


def _shown(path: Path) -> str:
    """Return the path as errors show it: below the working folder as it is seen from there, otherwise as it is."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


# ---------------------------------------------------------------------------------------------------------- faults

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "union_tag_not_found": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def _sentences(error: ValidationError, tree: Node) -> Iterator[tuple[Mark, str]]:
    """Yield where and what for each fault that pydantic found; alternatives for one value become one sentence."""
    alternatives: dict[Mark, tuple[Node, list[str]]] = {}
    for fault in error.errors():
        kind, place, context = fault["type"], fault["loc"], fault.get("ctx", {})
        mark, node = _locate(tree, place)
        section = _section(tree, place)
        if kind == "extra_forbidden":
            key = str(place[-1])
            known = _known_keys(place[:-1])
            assert node.key is not None
            yield node.key, f"unknown key '{key}'{section}{suggest(key, known)}"
        elif kind == "missing":
            yield mark, f"missing key '{place[-1]}'{section}"
        elif kind == "union_tag_not_found" and isinstance(node.value, dict):
            section = _section(tree, (*place, context["discriminator"]))
            yield mark, f"missing key {context['discriminator']}{section}; it says which form this is"
        elif kind == "union_tag_invalid":
            tag = node.value[context["discriminator"].strip("'")] if isinstance(node.value, dict) else node
            known = [word.strip(" '") for word in context["expected_tags"].split(",")]
            yield tag.mark, f"found {_describe(tag)}, expected {_either(known)}{_meant(tag, known)}"
        elif kind == "literal_error":
            alternatives.setdefault(node.mark, (node, []))[1].append(context["expected"])
        elif kind in _EXPECTED:
            alternatives.setdefault(node.mark, (node, []))[1].append(_EXPECTED[kind])
        elif kind in _BOUNDS:
            bound, words = _BOUNDS[kind]
            alternatives.setdefault(node.mark, (node, []))[1].append(f"{words} {context[bound]:g}")
        elif kind == "too_short":
            yield mark, f"found an empty list, expected at least {context['min_length']} entry"
        else:
            yield mark, fault["msg"]
    for node, expected in alternatives.values():
        choices = [word.strip("'") for one in expected for word in one.replace(" or ", ", ").split(", ")]
        wanted = _either(list(dict.fromkeys(expected)))
        yield _shown_at(node), f"found {_describe(node)}, expected {wanted}{_meant(node, choices)}"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _meant(node: Node, known: list[str]) -> str:
    if not isinstance(node.value, str):
        return ""
    if "true" in known and node.value.lower() in ("yes", "no", "on", "off", "true", "false"):
        return f"; did you mean {'true' if node.value.lower() in ('yes', 'on', 'true') else 'false'}?"
    near = get_close_matches(node.value, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _describe(node: Node) -> str:
    value = node.value
    if isinstance(value, dict | list):
        return f"{'an empty' if not value else 'a'} {'mapping' if isinstance(value, dict) else 'list'}"
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) <= 60 else f"the text '{value[:57]}...'"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else "null" if value is None else str(value)


def _walk(tree: Node, place: Place) -> Iterator[tuple[str | int, Node]]:
    """Yield (key, node) down to the deepest node of `place`; what is no key (the name of a form) is stepped over."""
    node = tree
    for part in place:
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[str(part)]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            continue
        yield part, node


def _locate(tree: Node, place: Place) -> tuple[Mark, Node]:
    """Return the mark to show for a fault at `place`, and the node there (or the nearest one above).

    A mapping or list is shown at its key, a single value where it stands.
    """
    node = [tree, *(node for _, node in _walk(tree, place))][-1]
    return _shown_at(node), node


def _shown_at(node: Node) -> Mark:
    return node.key if node.key is not None and isinstance(node.value, dict | list) else node.mark


def _section(tree: Node, place: Place) -> str:
    """Return " in data.expect" for the section above the last part of `place`, or nothing at the top."""
    path = ""
    for part, _ in _walk(tree, place[:-1]):
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f" in {path.removeprefix('.')}" if path else ""


def _known_keys(place: Place) -> list[str]:
    """Return the keys that the section at `place` may have."""
    models: list[type[BaseModel]] = [Protocol]
    for part in place:
        if isinstance(part, int):
            continue
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        if fields:
            models = [model for field in fields for model in _models_in(field.annotation, field.metadata)]
        else:  # the name of a form, e.g. `msrvtt`: keep the model whose `source` or `kind` says so
            models = [model for model in models if part in _forms(model)]
    names = [field.alias or name for model in models for name, field in model.model_fields.items()]
    return ["extends", *names] if not place else names


def _models_in(annotation: Any, metadata: Any = ()) -> list[type[BaseModel]]:
    if annotation is FramePolicy:
        return [Frames]
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation) is not None:
        return [model for inner in typing.get_args(annotation) for model in _models_in(inner)]
    return []


def _forms(model: type[BaseModel]) -> list[Any]:
    return [
        value
        for name in ("source", "kind")
        if name in model.model_fields
        for value in typing.get_args(model.model_fields[name].annotation)
    ]
