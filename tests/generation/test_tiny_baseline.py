"""The baseline of the tiny family holds, and it notices numbers, weights and protocols that are others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import tiny_baseline
from reference_models.adapters import SHIPPED
from univg_bench.errors import InputError

RANDOM: dict[str, Any] = {"weights": "random-tiny"}
# F_B alone, small and in one step: enough to see that the machinery compares
QUICK = """\
schema: univg-bench/protocol/1
extends: moving-shapes-ti2v-tiny
id: quicker
version: 1
title: Four items in one step
data: {count: 4, height: 32, width: 56}
generation:
  num_frames: 16
  height: 32
  width: 56
  params: {steps: 1, sr_steps: null, sr_w_T: null}
intervals: {replicates: 5}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baseline")
    (folder / "quick.yaml").write_text(QUICK)
    tiny_baseline.write(folder, models=["univg-base"], options=RANDOM, seeds=2)
    return folder


def test_a_baseline_holds_where_it_was_written(home: Path) -> None:
    assert tiny_baseline.check(home, options=RANDOM) == []
    stored = json.loads((home / "baseline.json").read_bytes())["models"]["univg-base"]
    assert all(one["tolerance"] > 0 for one in stored["metrics"].values())
    record = json.loads((home / "univg-base.json").read_bytes())
    assert {m["id"]: m["value"] for m in record["metrics"]} == {k: v["value"] for k, v in stored["metrics"].items()}


def test_it_notices_other_steps_weights_and_protocols(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (home / "baseline.json").read_text()
    baseline = json.loads(before)
    model = baseline["models"]["univg-base"]
    fvd = model["metrics"]["fvd"]
    fvd["value"] += 1.01 * fvd["tolerance"]
    (home / "baseline.json").write_text(json.dumps(baseline))
    (said,) = tiny_baseline.check(home, options=RANDOM)
    assert said.startswith("univg-base: fvd is ")
    monkeypatch.setattr("reference_models.adapters.RANDOM_SEED", 1)
    (said,) = tiny_baseline.check(home, options=RANDOM)
    assert "the weights are not those of the baseline" in said
    (home / "quick.yaml").write_text(QUICK.replace("steps: 1", "steps: 2"))
    (said,) = tiny_baseline.check(home, options=RANDOM)
    assert "write it anew" in said
    (home / "quick.yaml").write_text(QUICK)
    (home / "baseline.json").write_text(before)


def test_without_a_baseline_or_a_spread_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no .*baseline\.json; run `python -m benchmarks"):
        tiny_baseline.check(tmp_path, options=RANDOM)
    with pytest.raises(InputError, match="found 1 seeds, expected 2 or more"):
        tiny_baseline.write(tmp_path, options=RANDOM, seeds=1)


def test_the_shipped_weights_still_do_what_they_did() -> None:
    shipped = all((SHIPPED / part).is_dir() for part in ("base", "animation", "super-resolution"))
    written = (tiny_baseline.HOME / "baseline.json").is_file()
    assert written == shipped, "weights and baseline come together: python -m benchmarks.tiny_baseline write"
    if shipped:
        assert tiny_baseline.check(tiny_baseline.HOME, options={"weights": "tiny"}) == []
