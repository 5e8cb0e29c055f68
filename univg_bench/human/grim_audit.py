"""A published table of win rates, checked cell by cell: which n it can come from, and which counts stand behind it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from univg_bench.errors import InputError
from univg_bench.human.dimensions import ALIASES, UNIVG
from univg_bench.human.grim import MAX_N, Counts, Fit, fits, nearest, parse_percent, recover_counts, recover_n
from univg_bench.human.gsb_tables import Table
from univg_bench.human.power import mean_variances
from univg_bench.human.simulate import Design
from univg_bench.shipped import shipped_folder

# standard normal quantile of a 95 % interval
Z = 1.959963984540054
SHARES = ("better", "same", "worse")
OTHERS = 5  # further n shown in the table; the record has all


@dataclass(frozen=True)
class AuditRow:
    """One comparison. cells: dimension -> percentage as printed. shares: better, same, worse as printed, or empty.

    counts: the one G, S, B that n and the shares allow. no_counts: why there are none, or empty. stated_fits: how many
    cells fit the n that the publication states, None where it states none.
    """

    method: str
    cells: Mapping[str, str]
    fit: Fit
    shares: tuple[str, ...]
    counts: Counts | None
    stated_fits: int | None
    no_counts: str = ""

    def naive_half_width(self, dimension: str) -> float:
        """Return half the naive 95 % interval in points, which takes all votes as independent."""
        return 100 * Z * float(np.sqrt(self._variance(dimension) / self.fit.n))

    def general_half_width(self, dimension: str, *, num_items: int, num_annotators: int) -> float:
        """Return half a 95 % interval in points that speaks of other items and other annotators.

        t(A-1) and the variance of power.mean_variances, with items and annotators that differ as much as our planning
        takes them to (the sigmas of Design): an illustration where the single ratings are not published.
        """
        rho = Design(num_items, num_annotators, num_annotators).shared_variance()
        _, general = mean_variances(
            *rho, num_items=num_items, num_annotators=num_annotators, ratings_per_item=self.fit.n / num_items
        )
        t = float(stats.t.ppf(0.975, num_annotators - 1))
        return 100 * t * float(np.sqrt(self._variance(dimension) * general))

    def _variance(self, dimension: str) -> float:
        """Return the variance of one vote.

        From the counts where they are known (the last column, to which the shares belong). Elsewhere ties are unknown
        and taken as none: the widest that a naive interval can be. Shared items and annotators widen either.
        """
        n = self.fit.n
        rate = nearest(self.cells[dimension], n)[0] / n
        decided = 1.0
        if self.counts and dimension == list(self.cells)[-1]:
            decided = (self.counts.G + self.counts.B) / n
        return max(decided - rate**2, 0.0)


def read_percent_table(path: Path, columns: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Return {method: {column: text}} of a CSV whose first column names the methods; texts stay as printed.

    columns: the ones to take; without them all but `source`. Lines that begin with # are comments.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, row) for row in reader if row and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV in UTF-8: {error}") from error
    if len(lines) < 2 or len(lines[0][1]) < 2:
        raise InputError(f"{path}: expected a header `method,PS,...` and one row of percentages per method")
    header = [name.strip() for name in lines[0][1]]
    names = [ALIASES.get(name, name) for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has the column {', '.join(twice)} more than once (RO/S and ROS are one); remove one")
    wanted = list(columns) or [name for name in header[1:] if name != "source"]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(header)}")
    table: dict[str, dict[str, str]] = {}
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise InputError(f"{path}, row {number}: {len(row)} cells under a header of {len(header)}")
        if row[0] in table:
            raise InputError(f"{path}, row {number}: {row[0]!r} stands twice")
        cells = dict(zip(header, row, strict=True))
        for name in wanted:
            try:
                if cells[name].strip():
                    parse_percent(cells[name])
            except InputError as error:
                raise InputError(f"{path}, row {number}, column {name}: {error}") from error
        table[row[0]] = {ALIASES.get(name, name): cells[name] for name in wanted if cells[name].strip()}
        if not table[row[0]]:
            raise InputError(f"{path}, row {number}: {row[0]!r} has no percentage; fill in its cells or remove the row")
    return table


def audit(
    table: Mapping[str, Mapping[str, str]],
    shares: Mapping[str, Mapping[str, str]] | None = None,
    *,
    stated_n: int | None = None,
    max_n: int = MAX_N,
) -> list[AuditRow]:
    """Return one AuditRow per method. shares: method -> three percentages, in the order better, same, worse."""
    unknown = sorted(set(shares or {}) - set(table))
    if unknown:
        raise InputError(f"shares are given for {', '.join(unknown)}, which the table does not have")
    rows = []
    for method, cells in table.items():
        fit = recover_n(list(cells.values()), max_n=max_n)
        three = tuple((shares or {}).get(method, {}).values())
        if len(three) not in (0, 3):
            raise InputError(f"{method} has {len(three)} of the three shares better, same, worse; give all or none")
        stated = None
        if stated_n is not None:
            stated = sum(bool(fits(text, np.array([stated_n]))[0]) for text in cells.values())
        found = recover_counts(three, fit.n) if three else []
        # a misfit is what an audit is for: it is recorded, and the other rows go on
        why = f"{'several fit' if found else 'none fits'} n = {fit.n}" if three and len(found) != 1 else ""
        rows.append(AuditRow(method, dict(cells), fit, three, found[0] if len(found) == 1 else None, stated, why))
    return rows


def audit_table(rows: Sequence[AuditRow]) -> Table:
    """Return the findings, one row per method."""
    max_n = rows[0].fit.max_n if rows else MAX_N
    header = (
        "method", "smallest fitting n", f"others up to {max_n:,}", "cells that fit", "cells that do not (nearest)",
        "by chance", "G / S / B", "fit the stated n",
    )  # fmt: skip
    body = []
    for row in rows:
        names = list(row.cells)
        odd = []
        for i in row.fit.misfits:
            k, printed = nearest(row.cells[names[i]], row.fit.n)
            odd.append(f"{names[i]} {row.cells[names[i]]} ({k}/{row.fit.n} = {printed})")
        counts = f"{row.counts.G} / {row.counts.S} / {row.counts.B}" if row.counts else row.no_counts or "-"
        others = ", ".join(map(str, row.fit.also[:OTHERS])) or "none"
        if len(row.fit.also) > OTHERS:
            others += f" and {len(row.fit.also) - OTHERS} more"
        stated = "-" if row.stated_fits is None else f"{row.stated_fits} of {len(names)}"
        body.append(
            (row.method, str(row.fit.n), others, f"{len(names) - len(odd)} of {len(names)}", "; ".join(odd) or "none",
             f"{row.fit.by_chance:.0e}", counts, stated)
        )  # fmt: skip
    return Table("Number of ratings behind a published table", header, tuple(body))


def audit_record(rows: Sequence[AuditRow], *, stated_n: int | None) -> dict[str, Any]:
    """Return the findings for JSON."""
    return {
        "stated_n": stated_n,
        "max_n": rows[0].fit.max_n if rows else MAX_N,
        "rows": [
            {
                "method": row.method,
                "n": row.fit.n,
                "also_fit_up_to_max_n": list(row.fit.also),
                "expected_by_chance": row.fit.by_chance,
                "cells_that_do_not_fit": [list(row.cells)[i] for i in row.fit.misfits],
                "cells_that_fit_stated_n": row.stated_fits,
                "no_counts": row.no_counts,
                "counts": {"G": row.counts.G, "S": row.counts.S, "B": row.counts.B} if row.counts else None,
                "cells": {
                    name: {
                        "printed": text,
                        "G_minus_B": nearest(text, row.fit.n)[0],
                        "naive_half_width": round(row.naive_half_width(name), 2),
                    }
                    for name, text in row.cells.items()
                },
            }
            for row in rows
        ],
    }


def audit_csv(rows: Sequence[AuditRow]) -> str:
    """Return one line per cell: printed, n, G-B, recomputed, fits, naive half width."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", "dimension", "printed", "n", "G_minus_B", "recomputed", "fits", "naive_half_width"])
    for row in rows:
        for i, (name, text) in enumerate(row.cells.items()):
            k, printed = nearest(text, row.fit.n)
            fit = "no" if i in row.fit.misfits else "yes"
            writer.writerow([row.method, name, text, row.fit.n, k, printed, fit, f"{row.naive_half_width(name):.2f}"])
    return out.getvalue()


def audit_files(rows: Sequence[AuditRow], *, stated_n: int | None) -> dict[str, str]:
    """Return the files that `human grim --out` writes, by name."""
    record = audit_record(rows, stated_n=stated_n)
    return {"audit.json": json.dumps(record, indent=1, ensure_ascii=False) + "\n", "audit.csv": audit_csv(rows)}


# Section 4.1 of the paper: six annotators, 131 prompts, so 786 ratings per comparison and dimension
PAPER_STATED_N = 6 * 131


def paper_tables() -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Return Table 2 and Figure 4 of the UniVG paper as shipped under results/published."""
    folder = shipped_folder("published")
    printed = {code: name for name, code in ALIASES.items()}
    columns = [printed.get(d.code, d.code) for d in UNIVG]
    return (
        read_percent_table(folder / "univg_table2.csv", columns),
        read_percent_table(folder / "univg_figure4.csv", ("ours", "none", "other_better")),
    )
