"""Published figures: copied from papers with their source, never mixed with what was measured here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from univg_bench.errors import InputError
from univg_bench.shipped import shipped_folder

# the columns of a published table that a metric of that kind may stand beside
METRIC_COLUMNS = ("fvd", "clipsim", "fid")


@dataclass(frozen=True)
class PublishedRow:
    """One row of a published table. values holds the text as printed, so that 0.3140 keeps its last digit."""

    method: str
    input: str
    values: dict[str, str]
    source: str
    notes: str


def published_names() -> list[str]:
    """Return the names of the shipped tables that hold a metric, e.g. `univg_table1`."""
    return sorted(path.stem for path in shipped_folder("published").glob("*.csv") if _has_metric(path))


def load_published(name: str) -> list[PublishedRow]:
    """Return the rows of the shipped table `name`, in its order.

    Raises InputError for a name that is not shipped.
    """
    if name not in published_names():
        raise InputError(f"found no published table '{name}', expected one of {', '.join(published_names())}")
    with (shipped_folder("published") / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [
            PublishedRow(
                method=row["method"],
                input=row.get("input", ""),
                values={key: row[key] for key in METRIC_COLUMNS if row.get(key)},
                source=row["source"],
                notes=row.get("notes") or "",
            )
            for row in csv.DictReader(file)
        ]


def _has_metric(path: Path) -> bool:
    with path.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file))
    return "method" in header and bool(set(METRIC_COLUMNS) & set(header))
