"""Two processes that share each batch train what one does: by DDP, and by FSDP2 with its pieces."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reference_models.training.distributed import World
from reference_models.training.loop import train
from reference_models.training.recipe import Batches, Phase
from reference_models.training.state import checkpoints, load
from tests.training.small_training import small_recipe, small_run
from univg_bench.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
# |a - b| / |a| of all weights together, those left out whose gradient is rounding alone (biases in front of a group
# norm): sums come in another order, and Adam makes a step of full length out of any gradient
TOLERANCE, ROUNDING = 1e-6, 1e-7
# what the processes train, one after the other: the second run of FSDP picks up what the first one left
JOBS = (("ddp", 4), ("fsdp", 2), ("fsdp", 4))
PROGRAM = (
    "import sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
    "from reference_models.training.distributed import joined\nfrom reference_models.training.loop import train\n"
    "from tests.training.small_training import small_run\n"
    "with joined('ddp', 'cpu') as world:\n"
    "    for parallel, stop in zip(sys.argv[2::2], sys.argv[3::2]):\n"
    "        work = Path(sys.argv[1]) / parallel\n"
    "        train(small_run(work, world=replace(world, parallel=parallel)), stop_after=int(stop))\n"
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what two processes trained by each way; one pair for all, as starting them costs the most."""
    work = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(word) for job in JOBS for word in job]
    arguments = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(work), *words]
    shared = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(arguments, cwd=ROOT, env={**shared, "RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")
    ]
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    return work


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_train_what_one_does(two: Path, tmp_path: Path, parallel: str) -> None:
    for stop in (stop for way, stop in JOBS if way == parallel):
        train(small_run(tmp_path), stop_after=stop)
    works = (tmp_path, two / parallel)
    one, both = (load(checkpoints(work)[-1]) for work in works)
    moments = one.optimiser["state"]
    moved = {key: moments[i]["exp_avg_sq"].sqrt() > ROUNDING for i, key in enumerate(one.model)}
    assert sum(int(mask.sum()) for mask in moved.values()) > 0.9 * sum(mask.numel() for mask in moved.values())
    for a, b in ((one.model, both.model), (one.average, both.average)):
        away = sum(((a[key] - b[key])[moved[key]] ** 2).sum() for key in a)
        assert float((away / sum((value**2).sum() for value in a.values())) ** 0.5) < TOLERANCE
    lines = [json.loads((work / "log.jsonl").read_text().splitlines()[-1]) for work in works]
    assert lines[0]["rate"] == lines[1]["rate"]
    assert lines[0]["loss"] == pytest.approx(lines[1]["loss"], rel=1e-5)
    # the work of one goes on in the other
    assert train(small_run(two / parallel)).steps == 6


def test_batches_that_cannot_be_shared_evenly_are_refused(tmp_path: Path) -> None:
    recipe = small_recipe(phases=(Phase(2, (Batches("frames", clips=3),)),))
    with pytest.raises(InputError, match="found batches of 3 frames for 2 processes"):
        train(small_run(tmp_path, recipe, world=World(0, 2, torch.device("cpu"), "ddp")))
