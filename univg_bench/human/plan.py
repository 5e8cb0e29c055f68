"""What is fixed before data are looked at: dimensions, primary dimension, level, bootstrap, screening rules.

It stands under `analysis:` in a study file (YAML); every other section of that file belongs to the annotation app.

    analysis:
      dimensions: [PS, ROS, MS, FC, AM, TSA, TTA, ISA, ITA, OL]   # or {code, name, group, question, needs}
      primary: OL                  # tested on its own; Holm over the others
      level: 0.95
      bootstrap: {draws: 10000, seed: 0}
      screening:
        - {measure: straight_line, max: 0.9, min_count: 10}
        - {measure: gold_accuracy, min: 0.7, min_count: 5}

The digest of this section is printed in every report: rules that were changed after the data show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from univg_bench.errors import InputError
from univg_bench.human.dimensions import NEEDS, PRIMARY, UNIVG, Dimension, find_dimensions
from univg_bench.strict_yaml import load_yaml

MEASURES = {
    "straight_line": "share of pairs on which every question got the same answer",
    "left_share": "share of left among left and right",
    "same_share": "share of `same` answers",
    "speed": "median time on a pair divided by the length of its longer video",
    "gold_accuracy": "share of right answers on gold pairs",
    "repeat_consistency": "share of equal answers when a pair came again",
    "agreement": "mean share of the other annotators who gave the same answer",
    "watched": "median share of the videos that was played",
}


@dataclass(frozen=True)
class Rule:
    """An annotator passes when `min` <= measure <= `max`; with fewer than `min_count` cases it cannot be checked."""

    measure: str
    min: float | None = None
    max: float | None = None
    min_count: int = 10

    def __str__(self) -> str:
        bounds = [f">= {self.min:g}"] if self.min is not None else []
        bounds += [f"<= {self.max:g}"] if self.max is not None else []
        return f"{self.measure} {' and '.join(bounds)} (on {self.min_count} cases or more)"


# Lenient on purpose: they catch people who do not look, not people who disagree. Honest answers to hard pairs differ
# from one time to the next (half of them in our simulations), so repeats only catch those who go by the side.
SCREENING = (
    Rule("straight_line", max=0.9),
    Rule("left_share", min=0.1, max=0.9, min_count=30),
    Rule("same_share", max=0.95, min_count=30),
    Rule("speed", min=1.0),
    Rule("gold_accuracy", min=0.7, min_count=5),
    Rule("repeat_consistency", min=0.2, min_count=20),
)


@dataclass(frozen=True)
class Plan:
    """The decisions of the module docstring; the defaults are the paper's ten dimensions and our usual settings.

    source: the study file, empty for the defaults; no part of the digest.
    """

    dimensions: tuple[Dimension, ...] = UNIVG
    primary: str | None = PRIMARY
    level: float = 0.95
    draws: int = 10_000
    seed: int = 0
    screening: tuple[Rule, ...] = SCREENING
    source: str = field(default="", compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of every decision of the plan."""
        decisions = {k: v for k, v in asdict(self).items() if k != "source"}
        return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()


def load_plan(path: Path) -> Plan:
    """Return the plan under `analysis:` of a study file.

    Raises InputError for a file without that section, unknown keys and values that make no sense.
    """
    content = load_yaml(path).plain()
    if not isinstance(content, dict) or "analysis" not in content:
        raise InputError(f"{path} has no section `analysis:`; see docs/human_statistics.md for one to copy")
    return replace(parse_plan(content["analysis"], where=f"{path}, analysis"), source=path.name)


def parse_plan(section: object, *, where: str) -> Plan:
    """Return the plan that a mapping describes; keys that are absent keep their defaults."""
    fields = _mapping(section, ("dimensions", "primary", "level", "bootstrap", "screening"), where)
    dimensions = _dimensions(fields["dimensions"], f"{where}, dimensions") if "dimensions" in fields else UNIVG
    codes = [d.code for d in dimensions]
    primary = fields.get("primary", PRIMARY if PRIMARY in codes else None)
    if primary is not None and primary not in codes:
        raise InputError(f"{where}: primary is {primary!r}, expected one of {', '.join(codes)}, or null for none")
    bootstrap = _mapping(fields.get("bootstrap", {}), ("draws", "seed"), f"{where}, bootstrap")
    level = _number(fields.get("level", 0.95), f"{where}, level", low=0.5, high=0.9999)
    draws = _whole(bootstrap.get("draws", 10_000), f"{where}, bootstrap, draws", low=100, high=1_000_000)
    seed = _whole(bootstrap.get("seed", 0), f"{where}, bootstrap, seed", low=0, high=2**32)
    rules: tuple[Rule, ...] = SCREENING
    if "screening" in fields:
        listed = fields["screening"]
        if not isinstance(listed, list):
            raise InputError(f"{where}, screening: expected a list of rules, found {type(listed).__name__}")
        rules = tuple(_rule(rule, f"{where}, screening, rule {i}") for i, rule in enumerate(listed, 1))
    return Plan(dimensions, primary, level, draws, seed, rules)


def _dimensions(listed: object, where: str) -> tuple[Dimension, ...]:
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{where}: expected a list of codes or of dimensions")
    if all(isinstance(entry, str) for entry in listed):
        return find_dimensions(listed)
    dimensions = []
    for number, entry in enumerate(listed, 1):
        fields = _mapping(entry, ("code", "name", "group", "question", "needs"), f"{where}, entry {number}")
        bad = [k for k in ("code", "name", "question") if not isinstance(fields.get(k), str) or not fields[k].strip()]
        if bad:
            raise InputError(f"{where}, entry {number}: {bad[0]} is missing or no text")
        dimensions.append(Dimension(**{k: str(v) for k, v in {"group": "", **fields}.items()}))
        if dimensions[-1].needs not in NEEDS:
            raise InputError(f"{where}, entry {number}: needs is {dimensions[-1].needs!r}, expected text, image or ''")
    codes = [d.code for d in dimensions]
    if len(set(codes)) < len(codes):
        raise InputError(f"{where}: a code stands twice in {', '.join(codes)}")
    return tuple(dimensions)


def _rule(entry: object, where: str) -> Rule:
    fields = _mapping(entry, ("measure", "min", "max", "min_count"), where)
    if not isinstance(fields.get("measure"), str) or fields["measure"] not in MEASURES:
        raise InputError(f"{where}: unknown measure {fields.get('measure')!r}, expected one of {', '.join(MEASURES)}")
    if fields.get("min") is None and fields.get("max") is None:
        raise InputError(f"{where}: a rule needs min, max or both")
    bounds = {
        k: _number(fields[k], f"{where}, {k}", low=0, high=1e6) for k in ("min", "max") if fields.get(k) is not None
    }
    if len(bounds) == 2 and bounds["min"] > bounds["max"]:
        raise InputError(f"{where}: min {bounds['min']:g} is above max {bounds['max']:g}")
    count = _whole(fields.get("min_count", 10), f"{where}, min_count", low=1, high=1_000_000)
    return Rule(str(fields["measure"]), bounds.get("min"), bounds.get("max"), count)


def _mapping(value: object, allowed: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected `key: value` lines, found {type(value).__name__}")
    unknown = [str(k) for k in value if k not in allowed]
    if unknown:
        raise InputError(f"{where}: unknown key {', '.join(map(repr, unknown))}, expected {', '.join(allowed)}")
    return value


def _number(value: object, where: str, *, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{where}: {value!r} is not a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: object, where: str, *, low: int, high: int) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise InputError(f"{where}: {value!r} is not a whole number")
    return int(_number(value, where, low=low, high=high))
