"""Chunks give the same results in any number of processes; a dead worker or parent leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from univg_bench.engine.local import run_chunks
from univg_bench.errors import InfrastructureError, InputError


def square(number: int) -> int:
    return number * number


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    raise InputError(f"found {number}")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_chunk_is_done_once_whatever_the_number_of_workers(workers: int) -> None:
    assert sorted(run_chunks(square, range(9), workers=workers)) == [(i, i * i) for i in range(9)]


def test_no_chunks_are_no_work() -> None:
    assert list(run_chunks(square, [], workers=4)) == []


def test_a_killed_worker_is_an_infrastructure_error_that_says_what_to_do() -> None:
    with pytest.raises(InfrastructureError, match=r"a worker process died .* run the same command again"):
        list(run_chunks(die, range(6), workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_work_raises_comes_through(workers: int) -> None:
    with pytest.raises(InputError, match=r"found 0|found 1"):
        list(run_chunks(refuse, range(2), workers=workers))


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(InputError, match="found --workers 0"):
        list(run_chunks(square, [1], workers=0))


PARENT = """
import sys, time
sys.path.insert(0, {folder!r})
from slow import slow
from univg_bench.engine.local import run_chunks
if __name__ == "__main__":
    list(run_chunks(slow, range(4), workers=2))
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time, pathlib, os\n"
        f"def slow(n):\n    pathlib.Path({str(tmp_path)!r}, f'started-{{os.getpid()}}').touch()\n    time.sleep(600)\n"
    )
    (tmp_path / "parent.py").write_text(PARENT.format(folder=str(tmp_path)))
    process = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("started-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name.partition("-")[2]) for path in tmp_path.glob("started-*")]
    assert len(workers) == 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)], timeout=20)
    assert not alive, f"workers {alive} outlived their parent"
