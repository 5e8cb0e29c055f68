"""YAML read so strictly that a file means one thing: plain values, each with the line and column where it stands.

The subset: mappings with text keys, lists, text, whole numbers, numbers, true, false, null. Only `true` and `false` are
booleans (`yes`, `no`, `on`, `off` are text), `1e-5` is a number, a duplicate key is an error, and whatever lets two
readers of YAML disagree (anchors, aliases, merge keys, tags, several documents, numbers like 007) is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from univg_bench.errors import InputError

MAX_DEPTH = 40  # a protocol is five levels deep; a thousand brackets are no protocol

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)


@dataclass(frozen=True)
class Mark:
    """A place in a file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Node:
    """A value with the place where it starts, and the place of its key if it has one."""

    value: bool | int | float | str | list[Node] | dict[str, Node] | None
    mark: Mark
    key: Mark | None = None

    def plain(self) -> Any:
        """Return the value without its marks."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def load_yaml(path: Path, *, name: str | None = None) -> Node:
    """Return the one document of the file as a tree of nodes; `name` is what errors call the file.

    Raises InputError with every fault that could be read, one `file:line:column: sentence` per line.
    """
    name = name if name is not None else str(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"found no file {name}; check the path") from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    return parse_yaml(text, name=name)


def parse_yaml(text: str, *, name: str) -> Node:
    """Return the one document of `text` as a tree of nodes; see `load_yaml`."""
    reader = _Reader(name)
    try:
        node = reader.document(yaml.parse(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        # context and problem: "while parsing a flow sequence", "expected ',' or ']', but got ':'"
        at = error.problem_mark or error.context_mark
        says = ", ".join(part for part in (error.context, error.problem) if part)
        line, column = (at.line + 1, at.column + 1) if at else (1, 1)
        reader.faults.append(f"{Mark(name, line, column)}: not YAML ({says})")
        node = None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = Mark(name, before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
        reader.faults.append(f"{mark}: found the control character U+{ord(text[error.position]):04X}; remove it")
        node = None
    if reader.faults or node is None:
        raise InputError("\n".join(reader.faults or [f"{name}:1:1: the file is empty"]))
    return node


class _Reader:
    """Turns PyYAML's events into nodes; collects what is wrong and goes on as far as the text can be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []

    def document(self, events: Any) -> Node | None:
        node = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if event.tags or event.version:
                    self.fault(event.start_mark, "YAML directives (%YAML, %TAG) are not used here; remove the line")
                if documents == 2:
                    self.fault(event.start_mark, "a second document starts here; one file holds one document")
            elif isinstance(event, yaml.NodeEvent):
                found = self.node(event, events, depth=0)
                node = found if node is None else node
        return node

    def node(self, event: Any, events: Any, *, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            self.fault(event.start_mark, f"aliases (*{event.anchor}) are not used here; write the value out")
            return Node(None, self.mark(event.start_mark))
        if event.anchor is not None:
            self.fault(event.start_mark, f"anchors (&{event.anchor}) are not used here; write the value out")
        if event.tag is not None:
            self.fault(event.start_mark, f"tags ({event.tag}) are not used here; remove it")
        mark = self.mark(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            if any("\ud800" <= letter <= "\udfff" for letter in event.value):
                self.fault(event.start_mark, "found an escape that is half a character; write the character itself")
                return Node(None, mark)
            # a quoted or block scalar is text whatever it looks like
            return Node(self.scalar(event) if event.style is None else event.value, mark)
        if depth == MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_DEPTH} levels", problem_mark=event.start_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self.node(inner, events, depth=depth + 1))
            return Node(items, mark)
        return Node(self.mapping(events, depth=depth), mark)

    def mapping(self, events: Any, *, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            where = self.mark(key.start_mark)
            key_node = self.node(key, events, depth=depth + 1)
            value = self.node(next(events), events, depth=depth + 1)
            if isinstance(key, yaml.ScalarEvent):
                if key.style is None and key.value == "<<":
                    self.fault(
                        key.start_mark, "merge keys (<<) are not used here; write the keys out, or use `extends`"
                    )
                elif key.value in entries:
                    first = entries[key.value].key
                    assert first is not None
                    self.fault(key.start_mark, f"duplicate key '{key.value}'; it stands in line {first.line} already")
                elif not isinstance(key_node.value, str):
                    self.fault(key.start_mark, f"the key {key.value or 'null'} is no text; write it in quotes")
                else:
                    entries[key.value] = Node(value.value, value.mark, where)
            elif not isinstance(key, yaml.AliasEvent):
                self.fault(key.start_mark, "a key must be text; found a list or a mapping")
        return entries

    def scalar(self, event: yaml.ScalarEvent) -> bool | int | float | str | None:
        text: str = event.value
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _NOT_FINITE.fullmatch(text):
            self.fault(event.start_mark, f"found {text}; numbers here are finite")
            return None
        if not _FLOAT.fullmatch(text):
            return text
        if _LEADING_ZERO.match(text):
            self.fault(event.start_mark, f"found {text}, which is a number or a text; write '{text}' if it is a text")
            return None
        number = int(text) if _INT.fullmatch(text) and len(text) < 20 else float(text)
        if not math.isfinite(number) or abs(number) >= 2**63:
            self.fault(event.start_mark, f"found {text[:30]}, which is too large for a number")
            return None
        return number

    def fault(self, at: Any, sentence: str) -> None:
        self.faults.append(f"{self.mark(at)}: {sentence}")

    def mark(self, at: Any) -> Mark:
        return Mark(self.name, at.line + 1, at.column + 1)
