"""What goes wrong while a model is at work is one sentence, and nothing half-made is stored."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.generation.model_doubles import HERE
from tests.generation.test_generate import asked, generate, path_of
from tests.samples.small_protocol import everything, write_protocol
from tests.videos import PRINT_PEAK_KIB
from univg_bench.errors import SampleError
from univg_bench.samples import Run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A protocol of four items, v000 to v003."""
    write_protocol(tmp_path)
    return tmp_path


def stored(folder: Path) -> list[str]:
    """Return the files of all runs that are samples, or what was to be one."""
    return sorted(path.name for path in folder.glob("runs/*/*/samples/*/*"))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("one_frame_axis", "an array uint8 (3, 32, 48) from the model noise for v000-s0, expected frames uint8"),
        ("floats", "an array float64 (10, 3, 32, 48)"),
        ("channels_last", "an array uint8 (10, 32, 48, 3)"),
        ("no_frames", "expected at least one frame"),
        ("no_rate", "found fps 0 from"),
        ("no_record", "expected `made_with` as plain data"),
        ("not_a_video", "expected a list of one GeneratedVideo"),
        ("Silent", "found a list of 0"),
        ("too_short", "short: has 5 frames"),
    ],
)
def test_a_model_that_gives_no_such_video_is_named(
    world: Path, model: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(world, model=model) == 3
    assert sentence in capsys.readouterr().err
    assert stored(world) == []


@pytest.mark.parametrize(
    ("model", "fixed", "sentence"),
    [
        ("too_fast", "fps: 10, fixed: [fps]", "wrong-fps: has 25 frames per second, the protocol fixes 10"),
        ("half_size", "height: 32, fixed: [height]", "wrong-size: is 24x16"),
        ("too_short", "num_frames: 10, fixed: [num_frames]", "has 5 frames, the protocol fixes 10"),
    ],
)
def test_what_the_protocol_fixes_is_kept(
    tmp_path: Path, model: str, fixed: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_protocol(tmp_path, generation=f", {fixed}", frames="{sampling: first, frames: 2}")
    assert generate(tmp_path, model=model) == 3
    assert sentence in capsys.readouterr().err
    assert stored(tmp_path) == []


def test_what_it_asks_for_without_fixing_it_is_remarked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_protocol(tmp_path, generation=", height: 32, width: 48, fps: 10")
    assert generate(tmp_path, model="half_size") == 0
    assert "4 samples have 24x16 pixels instead of 48x32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("OnlyImages", "protocol small gives the model text, but only-images takes image"),
        ("Long", "asks for 12 frames, but long makes 100 to 200"),
        ("cannot_be_made", "could not be loaded with no options: OSError: weights.safetensors is not here"),
        ("nobody", "found no callable 'nobody'"),
    ],
)
def test_a_model_that_cannot_do_it_is_refused_before_any_work(
    tmp_path: Path, model: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_protocol(tmp_path, generation=", num_frames: 12")
    assert generate(tmp_path, model=model) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--option", "colour=red"), "unexpected keyword argument 'colour'"),
        (("--option", "colour"), "expected NAME=VALUE"),
        (("--option", "device=cpu"), "expected --device cpu"),
        (("--device", "tpu"), "expected cpu, cuda"),
        (("--name", "a/b"), "becomes the name of a folder"),
    ],
)
def test_options_that_nobody_takes_are_said(
    world: Path, options: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(world, *options) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_model_that_fails_is_one_sentence_and_what_is_made_is_kept(
    world: Path, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(world, "--workers", workers, model="Breaks") == 5
    error = capsys.readouterr().err
    assert "the model noise failed on v002-s0: RuntimeError: out of memory (model_doubles.py:" in error
    assert "much more" not in error
    made = stored(world)
    assert {"v000-s0.json", "v000-s0.mp4"} <= set(made)
    assert not [name for name in made if name.startswith((".tmp", "v002"))]
    with pytest.raises(SampleError, match="was not finished"):
        list(Run.open(path_of(world)).rows())


def test_a_worker_that_dies_is_exit_5(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world, "--workers", "2", model="Dies") == 5
    assert "a worker process died" in capsys.readouterr().err


@pytest.mark.parametrize("writes", [1, 6, 7, 8, 9, 10, 14])
def test_a_full_disk_leaves_nothing_half_made(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], writes: int
) -> None:
    calls, fsync = {"n": 0}, os.fsync

    def full(handle: int) -> None:
        calls["n"] += 1
        if calls["n"] > 2 * writes:  # a file, then its folder
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr("univg_bench.atomic.os.fsync", full)
        assert generate(world) == 5
    assert "No space left on device" in capsys.readouterr().err
    assert not [name for name in stored(world) if name.startswith(".tmp")]
    assert generate(world) == 0
    assert generate(world, runs="undisturbed") == 0
    assert everything(path_of(world)) == everything(path_of(world, runs="undisturbed"))


def test_two_commands_do_not_fill_one_run(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(world) == 0
    with (path_of(world) / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert generate(world) == 5
        assert generate(world, "--shard", "1/2") == 5
    assert "another process is filling" in capsys.readouterr().err
    with (path_of(world) / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as another shard holds it
        assert generate(world) == 5
        assert generate(world, "--shard", "1/2") == 0


def start(folder: Path, *, workers: int, wait: float, runs: str = "runs") -> subprocess.Popen[bytes]:
    options = ["--data", str(folder / "data"), "--dest", str(folder / runs), "--workers", str(workers)]
    command = [sys.executable, "-m", "univg_bench", "-q", "generate", str(folder / "small.yaml")]
    model = ["--model", f"{HERE}:Noise", "--option", f"wait={wait}"]
    with (folder / "stderr").open("w") as errors:
        return subprocess.Popen([*command, *model, *options], cwd=ROOT, stderr=errors, stdout=subprocess.DEVNULL)


def num_made(folder: Path) -> int:
    return sum(name.endswith(".json") and not name.startswith(".tmp") for name in stored(folder))


def wait_for(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Return when so many samples are there, or the process has ended."""
    while process.poll() is None and num_made(folder) < count:
        time.sleep(0.002)


def kill(process: subprocess.Popen[bytes]) -> bool:
    """Kill a command with its workers, as a machine that goes down does; return whether it was still at work."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.wait()
    for child in children:
        child.kill()
    psutil.wait_procs(children, timeout=30)  # where nobody reaps them, they stay zombies
    return process.returncode == -signal.SIGKILL


def crash_loop(folder: Path, items: int, kills: int, *, workers: int, seed: int) -> None:
    """Kill a generation at random moments, then let it end, and compare with one that nothing disturbed."""
    write_protocol(folder, items)
    assert start(folder, workers=1, wait=0.02, runs="undisturbed").wait() == 0
    chance, killed, before = random.Random(seed), 0, 0
    for _ in range(kills):
        process = start(folder, workers=workers, wait=0.02)
        wait_for(folder, before + 1, process)
        time.sleep(chance.uniform(0, 0.1))
        killed += kill(process)
        made = num_made(folder)
        assert made > before, "what was committed before a kill is kept"
        before = made
        if process.returncode != -signal.SIGKILL:
            break
    assert killed >= max(1, kills // 2)
    assert start(folder, workers=workers, wait=0.02).wait() == 0
    assert everything(path_of(folder)) == everything(path_of(folder, runs="undisturbed"))


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    crash_loop(tmp_path, 20, 2, workers=1, seed=0)


def test_killed_with_two_workers_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    crash_loop(tmp_path, 20, 1, workers=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "seed"), [(1, 2), (2, 3)])
def test_killed_many_times_it_ends_with_the_same_bytes(tmp_path: Path, workers: int, seed: int) -> None:
    crash_loop(tmp_path, 120, 15, workers=workers, seed=seed)


def test_ctrl_c_is_exit_130_and_the_rest_is_made_later(world: Path) -> None:
    process = start(world, workers=1, wait=0.3)
    wait_for(world, 1, process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert "run the same command again" in (world / "stderr").read_text()
    made = num_made(world)
    assert 1 <= made < 4
    assert not [name for name in stored(world) if name.startswith(".tmp")]
    (world / "log").touch()
    assert generate(world, "--option", "wait=0.3", "--option", f"log={world / 'log'}") == 0
    assert len(asked(world / "log")) == 4 - made


CODE = """
import sys
from univg_bench.cli import run
print(run(["-q", "generate", *sys.argv[1:]]))
"""


def peak_kib(folder: Path, items: int) -> int:
    asks = ", num_frames: 12, height: 120, width: 160"
    write_protocol(folder, items, generation=asks)
    options = [str(folder / "small.yaml"), "--data", str(folder / "data"), "--dest", str(folder / "runs")]
    done = subprocess.run(
        [sys.executable, "-c", CODE + PRINT_PEAK_KIB, *options, "--model", f"{HERE}:Noise"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, peak = done.stdout.split()[-2:]
    assert code == "0", done.stderr
    shutil.rmtree(folder)
    return int(peak)


def test_peak_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    few, many = peak_kib(tmp_path / "few", 8), peak_kib(tmp_path / "many", 64)
    # 56 more videos of 12 frames are 39 MB of RGB
    assert many - few < 8 * 1024
    assert many < 300 * 1024
