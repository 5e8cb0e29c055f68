"""Numbers over sets of frames: every frame counts as a row, and belongs to its video."""

import numpy as np
import pytest

from univg_bench.errors import InputError
from univg_bench.features.cache import FeatureCache
from univg_bench.measures.data import Evidence, Gathered
from univg_bench.measures.gather import gather
from univg_bench.measures.sets import fid_number
from univg_bench.protocol_metrics import FidMetric

NOTHING = Gathered((), np.empty((0, 0)), 1)
FRAMES = {"sampling": "uniform", "frames": 4}
METRIC = FidMetric.model_validate(
    {"id": "fid", "kind": "fid", "recipe": "pytorch-fid", "weights": "inception-fid", "frames": FRAMES,
     "reference_frames": FRAMES}
)  # fmt: skip


def evidence(samples: np.ndarray, references: np.ndarray) -> Evidence:
    """Six videos of four frames of eight numbers on each side."""
    names = tuple(f"v{i}" for i in range(6))
    return Evidence(
        samples=Gathered(names, samples, 4), references=Gathered(names, references, 4), captions=NOTHING,
        clusters=names, reference_clusters=names, reference_of=np.arange(6), replicates=100, seed=0, watch=iter,
    )  # fmt: skip


def test_fid_counts_frames_and_videos_and_says_why_it_has_no_interval() -> None:
    rows = np.random.Generator(np.random.PCG64(0)).standard_normal((24, 8)).astype(np.float32)
    same, other = fid_number(METRIC, evidence(rows, rows)), fid_number(METRIC, evidence(rows, rows + 1))
    assert same.value == pytest.approx(0, abs=1e-9)
    assert other.value == pytest.approx(8, rel=1e-5)  # |Δμ|² of a shift by one in eight dimensions
    assert (same.n, same.n_reference, same.details["frames"]) == (6, 6, 24)
    assert same.interval is None
    assert any(text.startswith("no interval: ") for text in same.warnings)


def test_frames_of_all_videos_become_rows_in_order(tmp_path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    frames = [np.full((4, 2), i, dtype=np.float32) for i in range(3)]
    for i, features in enumerate(frames):
        cache.save(f"{i:064d}", features)
    keys = [f"{i:064d}" for i in range(3)]

    def gathered(names: list[str]) -> Gathered:
        return gather(
            cache, names, keys[: len(names)], tmp_path / "fid.samples.npy", lambda f, _: f, what="frames", known={}
        )

    found = gathered(["a", "b", "c"])
    assert found.rows_per_name == 4
    assert np.array_equal(found.rows, np.concatenate(frames))
    cache.save(keys[2], np.zeros((5, 2), dtype=np.float32))
    with pytest.raises(InputError, match=r"found features of shape \(5, 2\) of c, \(4, 2\) of a"):
        gathered(["a", "b", "c"])
