"""The exported JSON schema is that of the models, and knows whole protocols and variants."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.protocol_texts import VALID
from univg_bench.protocol_files import find_protocol, shipped_ids
from univg_bench.protocol_schema import protocol_schema
from univg_bench.strict_yaml import load_yaml, parse_yaml

ROOT = Path(__file__).resolve().parents[2]


def errors(document: Any) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema", reason="install jsonschema to check documents against the schema")
    validator = jsonschema.Draft202012Validator(protocol_schema())
    return [error.message for error in validator.iter_errors(document)]


def test_the_exported_file_is_that_of_the_models() -> None:
    exported = json.loads((ROOT / "protocols" / "protocol.schema.json").read_text())
    assert exported == protocol_schema(), "run `make schemas`"


def test_every_field_that_a_reader_could_doubt_is_described() -> None:
    schema = protocol_schema()
    frames = schema["$defs"]["Frames"]["properties"]
    assert all("description" in field for field in frames.values())
    assert "description" in schema["$defs"]["Select"]["properties"]["rule"]


@pytest.mark.parametrize("name", shipped_ids())
def test_shipped_files_satisfy_it(name: str) -> None:
    assert errors(load_yaml(find_protocol(name)).plain()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("version: 1", "verison: 1"), ("task: t2v", "task: t2i"), ("fps: 8,", "fps: fast,"), ("sede", "seed")],
)
def test_mistakes_are_seen(old: str, new: str) -> None:
    text = VALID.replace("seed: 0", "sede: 0", 1) if old == "sede" else VALID.replace(old, new, 1)
    assert errors(parse_yaml(text, name="x.yaml").plain())


def test_a_variant_may_be_partial_but_not_misspelt() -> None:
    assert errors({"extends": "msrvtt-t2v-2990", "id": "mine", "generation": {"fps": 4}}) == []
    assert errors({"extends": "msrvtt-t2v-2990", "id": "mine", "data": {"select": {"salt": "x"}}}) == []
    assert errors({"extends": "msrvtt-t2v-2990", "id": "mine", "generation": {"fsp": 4}})
    assert errors({"extends": "msrvtt-t2v-2990", "generation": {"fps": 4}})
