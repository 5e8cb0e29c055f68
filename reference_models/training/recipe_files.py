"""Recipes from YAML: every key is known, every value of its type; a fault is a sentence with file:line:column."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from reference_models.training.recipe import Recipe
from univg_bench.errors import InputError
from univg_bench.strict_yaml import Node, load_yaml

SHIPPED = Path(__file__).with_name("recipes")
T = TypeVar("T")


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with the package, sorted."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """Return the recipe of a file, or the shipped one of this name.

    Raises InputError with every fault of the file, one `file:line:column: sentence` per line.
    """
    path = Path(name)
    if not name.endswith((".yaml", ".yml")):
        if name not in shipped_recipes():
            raise InputError(
                f"found no recipe {name!r}; there are {', '.join(shipped_recipes())} (a file of your own ends in .yaml)"
            )
        path = SHIPPED / f"{name}.yaml"
    return read(Recipe, load_yaml(path))


def read(kind: type[T], node: Node) -> T:
    """Return the dataclass `kind` of a mapping. Raises InputError with every fault, in the order of the file."""
    found: list[str] = []
    made = _read(kind, node, found, "recipe")
    if found:
        raise InputError("\n".join(found))
    return made  # type: ignore[no-any-return]


def _read(kind: Any, node: Node, found: list[str], name: str) -> Any:
    """Return the value of the key `name`; where it has none, note why in `found` and return None."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):  # there is only `X | None`
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if node.value is None else _read(inner, node, found, name)
    if is_dataclass(kind):
        return _read_mapping(kind, node, found, name)
    if origin is Literal:
        if node.value not in arguments:
            found.append(
                f"{node.mark}: {name}: found {node.plain()!r}, expected one of {', '.join(map(str, arguments))}"
            )
        return node.value
    if origin is tuple:
        return _read_list(arguments, node, found, name)
    # an integer is a number, a boolean is none
    fits = isinstance(node.value, bool) if kind is bool else isinstance(node.value, kind) or (
        kind is float and isinstance(node.value, int)
    )  # fmt: skip
    if not fits or (isinstance(node.value, bool) and kind is not bool):
        words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        found.append(f"{node.mark}: {name}: found {node.plain()!r}, expected {words[kind]}")
        return None
    return kind(node.value)


def _read_list(arguments: tuple[Any, ...], node: Node, found: list[str], name: str) -> Any:
    any_length = len(arguments) == 2 and arguments[1] is ...
    if not isinstance(node.value, list) or not (any_length or len(node.value) == len(arguments)):
        wanted = "a list" if any_length else f"a list of {len(arguments)}"
        found.append(f"{node.mark}: {name}: found {node.plain()!r}, expected {wanted}")
        return None
    kinds = [arguments[0]] * len(node.value) if any_length else arguments
    return tuple(_read(kind, item, found, name) for kind, item in zip(kinds, node.value, strict=True))


def _read_mapping(kind: Any, node: Node, found: list[str], name: str) -> Any:
    if not isinstance(node.value, dict):
        found.append(f"{node.mark}: {name}: found {node.plain()!r}, expected a mapping")
        return None
    hints, before = get_type_hints(kind), len(found)
    for key, value in node.value.items():
        if key not in hints:
            close = get_close_matches(key, hints, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(hints)}"
            found.append(f"{value.key or value.mark}: unknown key '{key}'{hint}")
    for entry in fields(kind):
        if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in node.value:
            found.append(f"{node.mark}: missing key '{entry.name}'")
    values = {key: _read(hints[key], value, found, key) for key, value in node.value.items() if key in hints}
    if len(found) > before:
        return None
    try:
        return kind(**values)
    except ValueError as error:
        found.append(f"{node.key or node.mark}: {error}")
        return None
