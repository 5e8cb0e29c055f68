"""A small study: eight captions of Moving Shapes, their real videos, and a model that renders them once more."""

import json
from pathlib import Path
from typing import NamedTuple

from univg_bench.cli import run

PROTOCOL = """\
schema: univg-bench/protocol/1
extends: moving-shapes-tiny
id: eight
version: 1
title: Eight captions, for tests
data: {count: 8}
intervals: {replicates: 20}
"""


class Study(NamedTuple):
    protocol: Path
    data: Path
    videos: Path  # what the model made

    def import_into(self, runs: Path, *options: str, videos: Path | None = None, model: str = "model") -> int:
        source = str(videos or self.videos)
        common = ["--data", str(self.data), "--dest", str(runs), "--workers", "1"]
        return run(["-q", "import", str(self.protocol), "--model", model, "--from", source, *common, *options])

    def evaluate(self, runs: Path, *options: str, model: str = "model", workers: int = 1) -> int:
        path = str(runs / "eight@1" / model)
        return run(["-q", "evaluate", path, "--data", str(self.data), "--workers", str(workers), *options])


def numbers(path: Path) -> str:
    """Return the numbers of a record as text: equal texts are equal bits."""
    from univg_bench.records import load_record

    return json.dumps(load_record(path).numbers(), sort_keys=True)
