"""The JSON schema of protocol files, for editors: they complete keys, show what a field means and mark mistakes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from univg_bench.protocol import Protocol

SCHEMA_ID = "univg-bench/protocol/1"


def protocol_schema() -> dict[str, Any]:
    """Return the schema: a whole protocol, or a variant that `extends` one and says only what differs.

    It knows less than `univg-bench protocol validate`, which also checks what must fit together.
    """
    whole = Protocol.model_json_schema(by_alias=True)
    sections = whole.pop("$defs")
    extends = {"type": "string", "description": "a shipped id, or a .yaml file below this one's folder, to start from"}
    # in a variant every section may be partial, so nothing is required and forms cannot be told apart by their tag
    partial = {f"partial-{name}": _partial(section) for name, section in sections.items()}
    variant = _partial(whole)
    variant["properties"]["extends"] = extends
    variant["required"] = ["extends", "id"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "UniVG-Bench protocol",
        "description": whole["description"],
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/variant"},
        "else": {"$ref": "#/$defs/protocol"},
        "$defs": {"protocol": whole, "variant": variant, **sections, **partial},
    }


def _partial(section: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a section in which no key is required, referring to partial sections."""

    def loosened(value: Any) -> Any:
        if isinstance(value, list):
            return [loosened(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        kept = {key: loosened(inner) for key, inner in value.items() if key not in ("discriminator", "oneOf")}
        if "oneOf" in value:
            kept["anyOf"] = loosened(value["oneOf"])
        if isinstance(value.get("$ref"), str):
            kept["$ref"] = value["$ref"].replace("#/$defs/", "#/$defs/partial-")
        if "properties" in value:
            kept.pop("required", None)
        return kept

    loose: dict[str, Any] = loosened(deepcopy(section))
    return loose
