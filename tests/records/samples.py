"""A record as evaluation would write it, for tests of what reads records."""

from univg_bench.protocol import Protocol
from univg_bench.records import Record

SET = {"num_videos": 64, "num_frames": {"24": 64}, "sizes": {"56x32": 64}, "fps": {"8": 64}, "digest": "0" * 64}


CONSERVATIVE = "estimate ± 1.96 bootstrap s.d. (conservative)"
PERCENTILE = "cluster-bootstrap percentile"


def metric(kind: str, value: float, low: float, high: float, method: str) -> dict:
    return {
        "id": kind, "kind": kind, "value": value, "direction": "lower" if kind == "fvd" else "higher", "n": 64,
        "n_reference": 64,
        "interval": {
            "level": 0.95, "replicates": 9, "seed": 0, "clusters": 64, "low": low, "high": high, "method": method,
        },
        "recipe": {"name": "tiny"},
        "weights": {"name": "tiny-i3d", "sha256": "1" * 64, "note": "trained on Moving Shapes"},
        "frames": {"sampling": "all"}, "reference_frames": None, "details": {"real": 0.9},
        "warnings": ["64 videos are few"] if kind == "fvd" else [],
    }  # fmt: skip


def record_of(protocol: Protocol, *, name: str = "model", scored: int = 64) -> Record:
    return Record.model_validate(
        {
            "schema": "univg-bench/result/1",
            "protocol": {
                "id": protocol.id, "version": protocol.version, "digest": protocol.digest, "title": protocol.title,
                "task": protocol.task,
            },
            "model": {"name": name, "origin": "import", "source": "folder", "conditions_sha256": None},
            "status": {
                "complete": scored == 64, "manifest_digest": "2" * 64,
                "expected": 64, "scored": scored, "excluded": {}, "suspicious": {},
                "references_expected": 64, "references_scored": 64, "references_excluded": {},
            },
            "samples": SET, "references": SET,
            "metrics": [
                metric("fvd", 12.3456789, 7.8456789, 16.8456789, CONSERVATIVE),
                metric("clipsim", 0.85, 0.8, 0.9, PERCENTILE),
            ],
            "notes": [],
            "cost": {"wall_seconds": 1.0, "cpu_seconds": 1.0, "peak_memory_bytes": 1, "features_computed": 0,
                     "features_reused": 0},
            "environment": {}, "command": ["univg-bench"], "engine": {"name": "local", "workers": 1},
            "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:01+00:00",
        }
    )  # fmt: skip
