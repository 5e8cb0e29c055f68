"""Ratings on disk: CSV, Parquet and JSONL in and out; the ending of the name decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from univg_bench.atomic import write_bytes
from univg_bench.errors import InputError
from univg_bench.human.dimensions import UNIVG, Dimension
from univg_bench.human.ratings import NUMBERS, TEXT, Ratings, validate


def read_ratings(path: Path, *, dimensions: Sequence[Dimension] = UNIVG) -> Ratings:
    """Return the validated ratings of a .csv, .parquet or .jsonl file.

    Raises InputError for a file that is missing, unreadable, of another kind, or not valid (with row numbers).
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise InputError(f"cannot tell what {path} is; expected a name that ends in {', '.join(READERS)}")
    reader, first_row = READERS[suffix]
    return validate(read_table(path, reader), source=str(path), dimensions=dimensions, first_row=first_row)


def read_table(path: Path, reader: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """Return what `reader` makes of `path`; what the file system or Arrow objects to becomes a sentence."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        return reader(path)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read: {reason}") from error


def read_csv_text(path: Path) -> pd.DataFrame:
    """Return a CSV file; labels stay text (item `002` stays `002`), rows of another length are refused."""
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    if not header.strip():
        raise InputError(f"{path} is empty; expected a header and one row per rating")
    # dictionary columns: a million ratings repeat a few thousand labels
    try:
        names = pa_csv.open_csv(path).schema.names if "," in header else [header.strip()]
    except pa.ArrowInvalid:
        _refuse_first_odd_row(path)
        raise
    text = pa.dictionary(pa.int32(), pa.string())
    convert = pa_csv.ConvertOptions(
        column_types={n: pa.float64() if n in NUMBERS else text for n in names},
        strings_can_be_null=True, null_values=[""],
    )  # fmt: skip
    # a blank line is a row of nothing, so that the rows after it keep their numbers
    parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    try:
        table = pa_csv.read_csv(path, convert_options=convert, parse_options=parse)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            _refuse_first_odd_row(path)
            raise
        # a number that is none: read it as text, and the validation names its row
        convert.column_types = dict.fromkeys(names, text)
        table = pa_csv.read_csv(path, convert_options=convert, parse_options=parse)
    frame = _to_pandas(table)
    # blank lines at the end say nothing; only the end is looked at, as the table may be long
    while len(frame) and frame.iloc[-1].isna().all():
        frame = frame.iloc[:-1]
    return frame


def _refuse_first_odd_row(path: Path) -> None:
    """Raise InputError that names the first row longer or shorter than the header (Arrow tells only one thread)."""
    odd: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note)
    pa_csv.read_csv(path, read_options=pa_csv.ReadOptions(use_threads=False), parse_options=parse)
    if odd:
        raise InputError(
            f"{path}, row {odd[0].number}: {odd[0].actual_columns} cells under a header of {odd[0].expected_columns}; "
            "write an empty cell for a value that is missing"
        )


def read_jsonl(path: Path) -> pd.DataFrame:
    """Return a JSON Lines file: one object per line, blank lines are refused by their number."""
    rows: list[dict[str, object]] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise InputError(f"{path}, line {number}: not JSON that can be read ({error})") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}: expected one object per line, found {type(row).__name__}")
            nested = [key for key, value in row.items() if isinstance(value, list | dict)]
            if nested:
                raise InputError(f"{path}, line {number}: {nested[0]} is a list or object, expected a text or a number")
            rows.append(row)
    if not rows:
        raise InputError(f"{path} is empty; expected one object per line")
    return pd.DataFrame(rows)


def read_parquet(path: Path) -> pd.DataFrame:
    return _to_pandas(pa_parquet.read_table(path))


# ending -> (reader, number that a person would give to the first rating)
READERS: dict[str, tuple[Callable[[Path], pd.DataFrame], int]] = {
    ".csv": (read_csv_text, 2),
    ".parquet": (read_parquet, 1),
    ".jsonl": (read_jsonl, 1),
}


def write_ratings(ratings: Ratings, dest: Path) -> None:
    """Write `ratings` to a .csv, .parquet or .jsonl file, whole or not at all; read_ratings gives the same back.

    Columns that say nothing (no answer, every row main, no repeats) are left out.
    """
    frame = pd.DataFrame({c: ratings.frame[c] for c in (*TEXT, *NUMBERS) if c in ratings.frame})
    if (frame["kind"] == "main").all():
        frame = frame.drop(columns="kind")
    if (frame["repeat"] == 0).all():
        frame = frame.drop(columns="repeat")
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.CategoricalDtype):
            frame[column] = frame[column].astype(str).where(frame[column].notna(), None)
    suffix = dest.suffix.lower()
    if suffix == ".csv":
        write_atomically(dest, frame.to_csv(index=False, lineterminator="\n").encode())
    elif suffix == ".jsonl":
        lines = (
            json.dumps({k: v for k, v in row.items() if not _is_missing(v)}, ensure_ascii=False)
            for row in frame.to_dict(orient="records")
        )
        write_atomically(dest, ("\n".join(lines) + "\n").encode())
    elif suffix == ".parquet":
        sink = pa.BufferOutputStream()
        pa_parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
        write_atomically(dest, sink.getvalue().to_pybytes())
    else:
        raise InputError(f"cannot tell what {dest} shall be; give a name that ends in {', '.join(READERS)}")


def write_atomically(dest: Path, content: bytes) -> None:
    """Write `content` to `dest`, whole or not at all.

    Raises InputError where the place is impossible, InfrastructureError where the machine fails (a full disk).
    """
    try:
        write_bytes(dest, content)
    except OSError as error:
        raise InputError(f"cannot write {dest}: {error.strerror}") from error


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))
