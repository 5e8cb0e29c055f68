"""A record reads back as it was written, refuses what it does not know, and its schema is exported."""

import json
from pathlib import Path

import pytest

from tests.records.samples import record_of
from univg_bench.errors import InputError
from univg_bench.protocol_files import load_protocol
from univg_bench.records import load_record, record_schema, save_record

ROOT = Path(__file__).resolve().parents[2]
RECORD = record_of(load_protocol("moving-shapes-tiny"))


def test_a_record_reads_back_to_the_bit(tmp_path: Path) -> None:
    save_record(RECORD, tmp_path / "results.json")
    assert load_record(tmp_path) == RECORD
    assert load_record(tmp_path / "results.json") == RECORD


def test_numbers_leave_out_times_and_machines_only() -> None:
    data = RECORD.model_dump(mode="json", by_alias=True)
    assert set(data) - set(RECORD.numbers()) == {
        "schema", "cost", "environment", "command", "engine", "started", "ended"
    }  # fmt: skip


def test_an_unknown_key_is_refused_with_its_place(tmp_path: Path) -> None:
    data = RECORD.model_dump(mode="json", by_alias=True)
    data["metrics"][0]["valeu"] = 1.0
    (tmp_path / "results.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"is no univg-bench/result/1 record: metrics\.0\.valeu: Extra inputs"):
        load_record(tmp_path)


def test_no_record_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `univg-bench evaluate"):
        load_record(tmp_path)


def test_nan_never_enters_a_record() -> None:
    data = RECORD.model_dump(mode="json", by_alias=True)
    data["metrics"][0]["value"] = float("nan")
    with pytest.raises(ValueError, match="finite number"):
        type(RECORD).model_validate(data)


def test_exported_schema_is_the_schema_of_the_code() -> None:
    exported = json.loads((ROOT / "results" / "result.schema.json").read_text())
    assert exported == record_schema(), "run `make schemas` and commit the result"
