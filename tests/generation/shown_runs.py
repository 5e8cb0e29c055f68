"""A small protocol on Moving Shapes, and runs of model doubles under it, for what is shown of runs."""

from __future__ import annotations

from pathlib import Path

from tests.generation.model_doubles import HERE
from univg_bench.cli import run

PROTOCOL = """\
schema: univg-bench/protocol/1
extends: moving-shapes-ti2v-tiny
id: five
version: 1
title: Five items <for tests> & no others
data: {count: 5, height: 32, width: 56}
generation:
  height: 32
  width: 56
  params: {steps: 2, w_T: null, w_I: null, sr_steps: null, sr_w_T: null}
intervals: {replicates: 10}
"""


def write_world(folder: Path) -> Path:
    """Write the protocol and its real videos into `folder`; return the protocol's file."""
    file = folder / "five.yaml"
    file.write_text(PROTOCOL)
    assert run(["-q", "prepare", "moving-shapes", str(file), "--dest", str(folder / "data")]) == 0
    return file


def run_verb(folder: Path, *options: str, models: tuple[str, ...] = ("Noise",), runs: str = "runs") -> int:
    """Run `univg-bench run` on the protocol in `folder`; return the exit code."""
    named = [part for model in models for part in ("--model", f"{HERE}:{model}")]
    common = ["--data", str(folder / "data"), "--dest", str(folder / runs)]
    flags, rest = [o for o in options if o in ("--json",)], [o for o in options if o not in ("--json",)]
    return run(["-q", *flags, "run", str(folder / "five.yaml"), *named, *common, *rest])
