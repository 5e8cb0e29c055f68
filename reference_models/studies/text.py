"""Numbers in words and tables, as the pages of results show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.atomic import write_bytes
from univg_bench.environment import describe_environment
from univg_bench.protocol import Protocol


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def number(value: float | None, digits: int) -> str:
    """Return a number, a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}"


def spread(values: Sequence[float], digits: int) -> str:
    """Return the mean and, of several seeds, their standard deviation."""
    if len(values) == 1:
        return number(values[0], digits)
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def digits_of(protocol: Protocol) -> dict[str, int]:
    """Return how many digits the protocol's tables show of each metric."""
    return {column.metric: column.digits for column in (*protocol.table, *protocol.wide)}


def labels_of(protocol: Protocol) -> dict[str, str]:
    """Return what the protocol's tables call each metric, with where better is."""
    arrows = {"lower": " ↓", "higher": " ↑", "neither": ""}
    return {one.metric: f"{one.label}{arrows[one.direction]}" for one in (*protocol.table, *protocol.wide)}


def cost_lines(costs: Mapping[str, float]) -> str:
    """Return what was paid, as Markdown: by what it went into, and on what machine."""
    environment = describe_environment("cpu")
    rows = [[what, f"{spent:.0f}"] for what, spent in costs.items()]
    rows.append(["**in all**", f"**{sum(costs.values()):.0f}**"])
    machine = f"{environment['cpu']}, {environment['cpus']} cores, torch {environment['packages']['torch']}"
    return table(["what", "CPU s"], rows) + f"\nMachine: {machine}.\n"


def write_page(dest: Path, parts: Sequence[str], facts: Mapping[str, Any], *, name: str) -> tuple[Path, Path]:
    """Write `dest/README.md` of parts and `dest/<name>.json` of facts; return both."""
    page, data = dest / "README.md", dest / f"{name}.json"
    write_bytes(data, (json.dumps(facts, indent=1) + "\n").encode())
    write_bytes(page, ("\n\n".join(part.strip() for part in parts) + "\n").encode())
    return page, data
