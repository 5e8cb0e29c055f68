"""`univg-bench protocol`: what shipped protocols there are, what a file means, and what two of them differ in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.protocol import FolderData, MovingShapesData, Protocol
from univg_bench.protocol_files import find_protocol, load_protocol, shipped_ids

NAME = click.argument("name")


@click.group()
def protocol() -> None:
    """List, show, validate and compare protocol files.

    A protocol is named by the id of a shipped one (msrvtt-t2v-2990) or by the path of a file of yours (mine.yaml).
    """


@protocol.command(name="list")
@click.pass_obj
def list_(console: Console) -> None:
    """Print the shipped ones: id@version, task, items, digest, title."""
    rows = []
    for name in shipped_ids():
        loaded = load_protocol(name)
        rows.append(_summary(loaded, find_protocol(name)))
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        console.say(
            f"{row['name']:<{width}}  {row['task']:<4}  {row['items']:>6}  {row['digest'][:12]}  {row['title']}"
        )
    console.finish({"exit_code": 0, "protocols": rows})


@protocol.command()
@NAME
@click.option("--meaning", is_flag=True, help="Print what the digest is taken of, with recipes resolved.")
@click.pass_obj
def show(console: Console, name: str, meaning: bool) -> None:
    """Print a protocol whole, with every default.

    What it extends is merged in. Without --meaning the output is a valid protocol file of the same meaning.
    """
    loaded = load_protocol(name)
    path = find_protocol(name)
    whole = loaded.model_dump(mode="json", by_alias=True)
    console.say(f"# {loaded.name}, digest {loaded.digest}")
    console.say(f"# file {path}")
    console.say(_as_yaml(loaded.meaning() if meaning else whole).rstrip())
    console.finish({"exit_code": 0, **_summary(loaded, path), "protocol": whole, "meaning": loaded.meaning()})


@protocol.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def validate(console: Console, names: tuple[str, ...]) -> int:
    """Check files or ids; print every fault with its place.

    Faults are sentences that begin with file:line:column. Exit 0 when all files are right, 2 otherwise.
    """
    faults: dict[str, list[str]] = {}
    valid = []
    for name in names:
        try:
            loaded = load_protocol(name)
        except InputError as error:
            faults[name] = str(error).splitlines()
            for line in faults[name]:
                click.echo(line, err=True)
            continue
        valid.append(_summary(loaded, find_protocol(name)))
        console.say(f"{name}: valid, {loaded.name}, digest {loaded.digest[:12]}")
        _warn_of_a_borrowed_name(console, loaded, find_protocol(name))
    code = 2 if faults else 0
    console.finish({"exit_code": code, "valid": valid, "faults": faults})
    return code


@protocol.command()
@click.argument("a")
@click.argument("b")
@click.pass_obj
def diff(console: Console, a: str, b: str) -> None:
    """Print the fields that can make A and B differ.

    Titles, sources and table columns are no part of that, and neither are comments, order and `extends`. Exit 0 either
    way.
    """
    first, second = load_protocol(a), load_protocol(b)
    differences = differing(first, second)
    same = first.digest == second.digest
    if same:
        console.say(f"same meaning: {first.name} and {second.name}, digest {first.digest[:12]}")
    for field, (left, right) in differences.items():
        console.say(f"{field}: {_value(left)} -> {_value(right)}")
    console.finish(
        {
            "exit_code": 0,
            "same": same,
            "a": _summary(first, find_protocol(a)),
            "b": _summary(second, find_protocol(b)),
            "differences": {field: {"a": left, "b": right} for field, (left, right) in differences.items()},
        }
    )


@protocol.command()
@click.option("--dest", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
@click.pass_obj
def schema(console: Console, dest: Path | None) -> None:
    """Print the JSON schema, for editors (docs/protocols.md)."""
    from univg_bench.protocol_schema import protocol_schema

    found = protocol_schema()
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if dest is None:
        console.say(text.rstrip())
    else:
        dest.write_text(text, encoding="utf-8")
        console.say(f"wrote {dest}")
    console.finish({"exit_code": 0, "schema": found, "dest": str(dest) if dest else None})


def differing(a: Protocol, b: Protocol) -> dict[str, tuple[Any, Any]]:
    """Return the fields of the meaning that differ, as dotted paths; metrics are told by their id, not their place."""
    left, right = _flat(_by_id(a.meaning(defaults=True))), _flat(_by_id(b.meaning(defaults=True)))
    fields = list(dict.fromkeys([*left, *right]))
    return {field: (left.get(field), right.get(field)) for field in fields if left.get(field) != right.get(field)}


def _by_id(meaning: dict[str, Any]) -> dict[str, Any]:
    metrics = {metric["id"]: {k: v for k, v in metric.items() if k != "id"} for metric in meaning["metrics"]}
    return {**meaning, "metrics": metrics}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {
        place: leaf
        for key, inner in value.items()
        for place, leaf in _flat(inner, f"{path}.{key}" if path else key).items()
    }


def _value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _summary(loaded: Protocol, path: Path) -> dict[str, Any]:
    return {
        "name": loaded.name,
        "id": loaded.id,
        "version": loaded.version,
        "title": loaded.title,
        "task": loaded.task,
        "items": num_items(loaded),
        "digest": loaded.digest,
        "file": str(path),
    }


def num_items(loaded: Protocol) -> int | None:
    """Return how many items the protocol nominally has, None when its file does not say."""
    data = loaded.data
    if isinstance(data, MovingShapesData):
        return data.count
    if isinstance(data, FolderData):
        return data.expect.items
    select = data.select
    videos = data.expect.videos if select.videos == "all" else select.videos
    if select.captions_per_video != "all":
        items: int | None = videos * select.captions_per_video
    else:
        items = data.expect.captions if select.videos == "all" else None
    return items if select.first is None else min(select.first, items or select.first)


def _as_yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)


def _warn_of_a_borrowed_name(console: Console, loaded: Protocol, path: Path) -> None:
    if loaded.id not in shipped_ids() or path.resolve() == find_protocol(loaded.id).resolve():
        return
    shipped = load_protocol(loaded.id)
    if shipped.version == loaded.version and shipped.digest != loaded.digest:
        console.warn(f"{path} is called {loaded.name} like a shipped protocol but means something else; rename it")
