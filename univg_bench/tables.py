"""Tables of measured rows and, apart from them and marked on every row, published ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from univg_bench.protocol import Column, Protocol
from univg_bench.published import PublishedRow
from univg_bench.records import MetricPart, Record

Format = Literal["markdown", "csv", "latex"]
ARROWS = {"higher": "↑", "lower": "↓", "neither": "≈"}  # ≈: as real videos have it
# what another n does to a metric, by kind
UNEQUAL = {
    "fvd": "FVD falls as n grows, so these rows do not compare",
    "fid": "FID falls as n grows, so these rows do not compare",
    "manifold": "balls shrink as n grows, so these rows do not compare",
    "kvd": "KVD is unbiased, but the rows are not of the same videos",
}
NOT_COMPARABLE = (
    "Published rows were made under other conditions: they say what was printed, not what this suite would measure."
)


@dataclass(frozen=True)
class Cell:
    """A value with its interval. text: how a person reads it, rounded; exact: how a program reads it, not rounded."""

    text: str
    exact: str = ""
    low: str = ""
    high: str = ""


NOTHING = Cell("–")


@dataclass(frozen=True)
class Row:
    """A row of a table. kind: `measured` here, or `published` elsewhere; it stands on the row in every format."""

    kind: Literal["measured", "published"]
    method: str
    cells: tuple[Cell, ...]
    n: str
    source: str


@dataclass(frozen=True)
class Table:
    """The rows that hold under one protocol, published rows for reference, and what a reader must know."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...]


def build_table(
    protocol: Protocol, records: Sequence[Record], published: Sequence[PublishedRow], *, wide: bool = False
) -> Table:
    """Return the table of `records`, all made under `protocol`, above the `published` rows.

    wide: with the columns of the protocol's `wide` after those of its `table`.

    Numbers of records with another protocol digest are not comparable, so the caller makes one table per digest.
    """
    for record in records:
        assert record.protocol.digest == protocol.digest, "one table holds one protocol"
    columns = (*protocol.table, *protocol.wide) if wide else protocol.table
    rows = [_measured(record, columns) for record in records]
    kinds = {metric.id: metric.kind for metric in protocol.metrics}
    rows += [
        Row(
            kind="published",
            method=f"{row.method} ({row.input})" if row.input else row.method,
            cells=tuple(_printed(row.values.get(kinds[column.metric])) for column in columns),
            n="–",
            source=row.source,
        )
        for row in published
    ]
    return Table(
        title=f"{protocol.title} ({protocol.name}, digest {protocol.digest[:12]})",
        columns=columns,
        rows=tuple(rows),
        footnotes=tuple(_footnotes(records, [column.metric for column in columns], bool(published))),
    )


def render(table: Table, form: Format) -> str:
    """Return `table` as text of the given format, ending in a newline."""
    return {"markdown": _markdown, "csv": _csv, "latex": _latex}[form](table)


def _measured(record: Record, columns: Sequence[Column]) -> Row:
    status = record.status
    complete = "" if status.complete else f" (incomplete: {status.scored} of {status.expected})"
    return Row(
        kind="measured",
        method=record.model.name + complete,
        cells=tuple(_cell(record.metric(column.metric), column) for column in columns),
        n=_counts(record),
        source=f"measured {record.ended[:10]}",
    )


def _printed(value: str | None) -> Cell:
    return NOTHING if value is None else Cell(value, exact=value)


def _cell(metric: MetricPart | None, column: Column) -> Cell:
    if metric is None:
        return NOTHING
    text, interval = f"{metric.value:.{column.digits}f}", metric.interval
    if interval is None:
        return Cell(text, exact=repr(metric.value))
    if "±" in interval.method:
        # the interval is symmetric but for a cut at zero, so its upper half is the half-width
        text = f"{text} ± {interval.high - metric.value:.{column.digits}f}"
    else:
        text = f"{text} [{interval.low:.{column.digits}f}, {interval.high:.{column.digits}f}]"
    return Cell(text, repr(metric.value), repr(interval.low), repr(interval.high))


def _counts(record: Record) -> str:
    return ", ".join(dict.fromkeys(f"{metric.n}/{metric.n_reference}" for metric in record.metrics))


def _footnotes(records: Sequence[Record], shown: Sequence[str], published: bool) -> list[str]:
    """Return what must be read with the table: of all rows once, of some rows with their names.

    shown: the ids of the metrics in the table; what the others have to say stands in the record.
    """
    about: dict[str, list[str]] = {}
    for record in records:
        metrics = [metric for metric in record.metrics if metric.id in shown]
        warnings: dict[str, list[str]] = {}
        for metric in metrics:
            for text in metric.warnings:
                warnings.setdefault(text, []).append(metric.id)
        said = [f"{', '.join(ids)}: {text}" for text, ids in warnings.items()]
        said += [*record.notes, *(f"{m.weights.name}: {m.weights.note}" for m in metrics if m.weights)]
        for text in dict.fromkeys(said):
            about.setdefault(text, []).append(record.model.name)
    notes = []
    if records:
        if any(metric.direction == "neither" and metric.id in shown for metric in records[0].metrics):
            real = _of_real_videos(records[0], shown)
            notes.append(f"≈: neither more nor less is better; the real videos have {real}.")
        notes.append(
            "n is generated/real videos; ± and [ ] are 95 % intervals (± for FVD is conservative, its bias is apart)."
        )
    notes += _unequal_counts(records)
    for text, models in about.items():
        whose = "" if len(models) == len(records) else f"{', '.join(models)}: "
        notes.append(f"{whose}{text.removesuffix('.')}.")
    return [*notes, NOT_COMPARABLE] if published else notes


def _of_real_videos(record: Record, shown: Sequence[str]) -> str:
    found = [m for m in record.metrics if m.direction == "neither" and m.id in shown and m.details.get("real")]
    return ", ".join(f"{metric.id} {metric.details['real']:.3g}" for metric in found) or "no value here"


def _unequal_counts(records: Sequence[Record]) -> list[str]:
    """Say for each metric where rows rest on different numbers of videos."""
    by_metric: dict[str, list[tuple[str, MetricPart]]] = {}
    for record in records:
        for metric in record.metrics:
            by_metric.setdefault(metric.id, []).append((record.model.name, metric))
    notes = []
    for name, rows in by_metric.items():
        counts = {model: f"{metric.n}/{metric.n_reference}" for model, metric in rows}
        if len(set(counts.values())) == 1:
            continue
        n = ", ".join(f"{count} ({model})" for model, count in counts.items())
        why = UNEQUAL.get(rows[0][1].kind, "the rows are not of the same videos")
        notes.append(f"{name}: n differs between rows: {n}; {why}.")
    return notes


def _header(column: Column) -> str:
    return f"{column.label} {ARROWS[column.direction]}"


def _markdown(table: Table) -> str:
    header = ["", "method", *map(_header, table.columns), "n", "source"]
    body = [
        [
            row.kind,
            f"**{row.method}**" if row.kind == "measured" else f"*{row.method}*",
            *(cell.text for cell in row.cells),
            row.n,
            row.source,
        ]
        for row in table.rows
    ]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in [header, *body]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]

    def line(parts: Sequence[str]) -> str:
        return "| " + " | ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    lines = [f"### {table.title}", "", line(cells[0]), rule, *map(line, cells[1:]), ""]
    return "\n".join([*lines, *(f"- {note}" for note in table.footnotes)]) + "\n"


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    labels = [
        label for column in table.columns for label in (column.label, f"{column.label} low", f"{column.label} high")
    ]
    writer.writerow(["kind", "method", *labels, "n", "source", "table"])
    for row in table.rows:
        values = [value for cell in row.cells for value in (cell.exact, cell.low, cell.high)]
        writer.writerow([row.kind, row.method, *values, row.n, row.source, table.title])
    return out.getvalue()


def _latex(table: Table) -> str:
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{l" + "r" * len(table.columns) + "rl}",
        "\\toprule",
        " & ".join(["method", *(_tex(_header(column)) for column in table.columns), "$n$", "source"]) + " \\\\",
    ]
    kind = ""
    for row in table.rows:
        if row.kind != kind:
            kind = row.kind
            lines += ["\\midrule", f"\\multicolumn{{{len(table.columns) + 3}}}{{l}}{{\\textit{{{kind}}}}} \\\\"]
        lines.append(
            " & ".join(_tex(part) for part in (row.method, *(cell.text for cell in row.cells), row.n, row.source))
            + " \\\\"
        )
    lines += ["\\bottomrule", "\\end{tabular}", f"% {table.title}", *(f"% {note}" for note in table.footnotes)]
    return "\n".join(lines) + "\n"


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "≈": r"$\approx$", "–": "--",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)
