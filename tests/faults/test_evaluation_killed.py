"""kill -9 during an evaluation loses nothing: the same command again gives the same numbers to the bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.study import Study, numbers


def start(study: Study, runs: Path, workers: int) -> subprocess.Popen[bytes]:
    path = runs / "eight@1" / "model"
    command = [sys.executable, "-m", "univg_bench", "-q", "evaluate", str(path), "--data", str(study.data)]
    # a process group of its own, so that the workers die with it as they would with the machine
    return subprocess.Popen([*command, "--workers", str(workers)], start_new_session=True)


def features(runs: Path) -> int:
    return sum(1 for _ in (runs / ".features").rglob("*.npy"))


@pytest.mark.parametrize(("workers", "after"), [(1, 3), (2, 20)])
def test_a_killed_evaluation_goes_on_to_the_same_numbers(
    study: Study,
    evaluated: Path,
    tmp_path: Path,
    workers: int,
    after: int,
) -> None:
    assert study.import_into(tmp_path) == 0
    process = start(study, tmp_path, workers)
    deadline = time.monotonic() + 120
    while features(tmp_path) < after and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = features(tmp_path)
    assert left >= after
    path = tmp_path / "eight@1" / "model"
    if process.returncode == -signal.SIGKILL:
        assert not (path / "results.json").exists(), "the kill came too late to test anything"
    assert study.evaluate(tmp_path, workers=workers) == 0
    assert numbers(path) == numbers(evaluated)
    assert not [p for p in tmp_path.rglob(".tmp-*") if ".features" not in p.parts], "a write was left half-done"


def test_a_dead_worker_is_an_infrastructure_error_and_resumable(study: Study, tmp_path: Path) -> None:
    assert study.import_into(tmp_path) == 0
    process = start(study, tmp_path, 2)
    deadline = time.monotonic() + 120
    killed = False
    while not killed and process.poll() is None and time.monotonic() < deadline:
        if features(tmp_path):
            for child in children(process.pid):
                os.kill(child, signal.SIGKILL)
                killed = True
        time.sleep(0.002)
    code = process.wait()
    assert code in (0, 5)  # 0 when the children had done all their work before the signal came
    assert study.evaluate(tmp_path) == 0


def children(pid: int) -> list[int]:
    """Return the worker processes of `pid`: its descendants that run multiprocessing's spawn."""
    import psutil

    found = psutil.Process(pid).children(recursive=True)
    return [child.pid for child in found if "spawn_main" in " ".join(child.cmdline())]
