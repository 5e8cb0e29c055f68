"""kill -9 an import at any moment, then run it again: it ends with the same bytes as one that nothing disturbed."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.samples.small_protocol import everything, import_videos, run_path, write_protocol
from tests.videos import make_video
from univg_bench.errors import SampleError
from univg_bench.samples import Run

ITEMS = 40


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty videos, each some tens of milliseconds to decode, two of them bad; and the run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("world")
    write_protocol(folder, ITEMS)
    (folder / "videos").mkdir()
    first = make_video(folder / "videos" / "v000.mp4", 24, size=(240, 180), options={"preset": "ultrafast"})
    for i in range(1, ITEMS):
        shutil.copyfile(first, folder / "videos" / f"v{i:03d}.mp4")
    (folder / "videos" / "v017.mp4").write_bytes(first.read_bytes()[:-200])
    (folder / "videos" / "v033.mp4").unlink()
    assert import_videos(folder, folder / "videos", "--dest", str(folder / "undisturbed")) == 3
    return folder


def start(world: Path, *, workers: int) -> subprocess.Popen[bytes]:
    options = ["--model", "ours", "--from", "videos", "--data", "data", "--dest", "runs", "--workers", str(workers)]
    return subprocess.Popen(
        [sys.executable, "-m", "univg_bench", "-q", "import", "small.yaml", *options],
        cwd=world, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def kill_at_random(world: Path, chance: random.Random, *, workers: int) -> bool:
    """Start an import, kill it some moments after it began to write; return whether it was killed in time."""
    process = start(world, workers=workers)
    begun = run_path(world) / "index.json"
    before = begun.stat().st_mtime_ns if begun.is_file() else 0
    while process.poll() is None and (not begun.is_file() or begun.stat().st_mtime_ns == before):
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.4))
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGKILL)
    process.wait()
    for child in children:
        # a node that is lost takes its workers along; one orphan must not do the rest of the work for us
        child.kill()
    psutil.wait_procs(children, timeout=30)  # where nobody reaps them, they stay zombies
    return process.returncode == -signal.SIGKILL


def check_that_nothing_is_half_written(world: Path) -> None:
    for path in (run_path(world) / "samples").rglob("*.mp4"):
        if not path.name.startswith(".tmp-"):
            assert path.read_bytes() == (world / "videos" / f"{path.name[:4]}.mp4").read_bytes()


def crash_loop(world: Path, kills: int, *, workers: int, seed: int) -> None:
    chance = random.Random(seed)
    shutil.rmtree(world / "runs", ignore_errors=True)
    killed = 0
    for _ in range(kills):
        if kill_at_random(world, chance, workers=workers):
            killed += 1
            check_that_nothing_is_half_written(world)
            with pytest.raises(SampleError, match="was not finished"):
                list(Run.open(run_path(world)).rows())
        else:
            # it ended before it was to die: begin anew, so that every kill hits an import at work
            shutil.rmtree(world / "runs")
    assert killed >= kills // 2
    assert start(world, workers=workers).wait() == 3
    # the folders were given relative here and absolute there, and are stored absolute
    assert everything(run_path(world)) == everything(world / "undisturbed" / "small@1" / "ours")
    assert not list(run_path(world).rglob(".tmp-*"))


def test_killed_at_random_moments_it_ends_with_the_same_bytes(world: Path) -> None:
    crash_loop(world, 4, workers=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "seed"), [(1, 1), (2, 2)])
def test_killed_many_times_it_ends_with_the_same_bytes(world: Path, workers: int, seed: int) -> None:
    crash_loop(world, 20, workers=workers, seed=seed)


def test_a_killed_worker_is_an_infrastructure_error_and_the_rest_is_done_after_it(world: Path) -> None:
    shutil.rmtree(world / "runs", ignore_errors=True)
    process = start(world, workers=2)
    parent, workers = psutil.Process(process.pid), []
    while process.poll() is None and not workers:
        # the pool's processes, not multiprocessing's resource tracker, and once they are at work: killed in the first
        # milliseconds of its start, a worker can leave the standard library's pool waiting for ever
        workers = [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]
        workers = [child for child in workers if child.cpu_times().user > 0.15]
        time.sleep(0.005)
    assert workers, "the import ended before its workers were seen"
    workers[0].kill()
    assert process.wait() == 5
    assert start(world, workers=2).wait() == 3
    assert everything(run_path(world)) == everything(world / "undisturbed" / "small@1" / "ours")
