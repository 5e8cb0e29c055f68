"""`univg-bench human demo`: a newcomer's study is whole, blind, and used again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from human_eval_app import demo_study
from human_eval_app.demo_study import ENLARGED, HEIGHT, ID, MAKERS, SCENES, STUDY, WIDTH, enlarged, make_demo_study
from human_eval_app.study_files import load_study
from human_eval_app.tables import PAIR, VIDEO
from univg_bench.console import Console
from univg_bench.datasets.moving_shapes import caption, scene
from univg_bench.errors import InputError
from univg_bench.video import decode

QUIET = Console(json=True, quiet=True)
SMALL = 2  # in place of ENLARGED: of the 25 CPU seconds that the study takes, most go into pixels


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The study of the demo, its videos smaller, made once for this file; what makes more of them keeps to the size."""
    dest = tmp_path_factory.mktemp("demo") / "app-demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_study, "ENLARGED", SMALL)
        make_demo_study(dest, console=QUIET)
        yield dest


def test_the_shipped_study_names_the_scenes_that_are_rendered() -> None:
    study = load_study(STUDY)
    assert study.id == ID
    assert [(item.id, item.prompt) for item in study.items] == [
        (f"test-{number:05d}", caption(scene("test", number))) for number in SCENES
    ]
    assert {item.id for item in study.items if item.image} == {f"test-{n:05d}" for n in demo_study.WITH_PICTURE}
    assert {method.id for method in study.methods} == set(MAKERS)
    # what the prompt names must be wrong in the video of another scene
    assert caption(scene("test", demo_study.ELSEWHERE)) not in {item.prompt for item in study.items}


def test_enlarging_makes_squares_of_pixels_and_smooths_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_study, "ENLARGED", ENLARGED)
    frames = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    large = enlarged(frames)
    assert large.shape == (2, 3, 4 * ENLARGED, 5 * ENLARGED)
    assert (large[..., ::ENLARGED, ::ENLARGED] == frames).all()
    assert (large[..., ENLARGED - 1 :: ENLARGED, ENLARGED - 1 :: ENLARGED] == frames).all()


def test_every_pair_of_the_demo_can_be_shown_and_nothing_tells_the_method(made: Path) -> None:
    whole_and_blind(made, SMALL)
    assert (HEIGHT * ENLARGED, WIDTH * ENLARGED) == (360, 640)


@pytest.mark.slow
def test_the_demo_at_its_full_size_is_whole_and_blind(tmp_path: Path) -> None:
    make_demo_study(tmp_path, console=QUIET)
    whole_and_blind(tmp_path, 5)


def whole_and_blind(made: Path, enlarged: int) -> None:
    """Every pair can be shown, at one size, rate and length, and no name of a method is in a file name."""
    store = demo_study.StudyFolder.open(made).store()
    with store.database.read() as connection:
        videos = connection.execute(select(VIDEO)).all()
        kinds = [row.kind for row in connection.execute(select(PAIR))]
    store.database.close()
    assert {video.status for video in videos} == {"ok"}
    assert {(v.width, v.height, v.fps, v.frames) for v in videos} == {(128 * enlarged, 72 * enlarged, 8.0, 24)}
    assert (kinds.count("main"), kinds.count("practice"), kinds.count("gold")) == (16, 3, 1)
    assert not any(method in video.path for video in videos for method in MAKERS)


def test_makers_differ_as_they_should(made: Path) -> None:
    def frames(method: str, number: int) -> list[bytes]:
        return [frame.rgb.tobytes() for frame in decode(made / "videos" / method / f"test-{number:05d}.mp4")]

    still, moving = SCENES[1], SCENES[0]
    assert len(set(frames("m4", still))) == 1
    stutter = frames("m3", moving)
    assert stutter[::2] == stutter[1::2]
    assert len(set(frames("m1", moving))) > 20


def test_a_second_start_uses_what_is_there(made: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in made.rglob("*.mp4")}
    store = demo_study.StudyFolder.open(made).store()
    (code,) = store.issue_codes(1, who="test")
    store.database.close()
    make_demo_study(made, console=QUIET)
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*.mp4")} == files
    store = demo_study.StudyFolder.open(made).store()
    assert store.login(code).alias.startswith("p-")
    store.database.close()


def test_an_interrupted_making_goes_on(made: Path) -> None:
    lost = made / "videos" / "m1" / f"test-{SCENES[0]:05d}.mp4"
    content = lost.read_bytes()
    lost.unlink()
    make_demo_study(made, console=QUIET)
    assert lost.read_bytes() == content


def test_a_folder_with_another_study_is_left_alone(tmp_path: Path) -> None:
    text = STUDY.read_text().replace(f"id: {ID}", "id: mine")
    (tmp_path / "study.yaml").write_text(text)
    (tmp_path / "pepper").write_text("00" * 32)
    (tmp_path / "pepper").chmod(0o600)
    with pytest.raises(InputError, match=r"found the study mine@1 in .*, expected moving-shapes-demo"):
        make_demo_study(tmp_path, console=QUIET)
    assert (tmp_path / "study.yaml").read_text() == text


def test_the_command_prints_an_address_and_a_code_and_ends_with_ctrl_c(made: Path) -> None:
    program = (
        "import sys; from human_eval_app.commands.demo import demo; from univg_bench.console import Console;"
        "sys.exit(demo.main(sys.argv[1:], obj=Console(), standalone_mode=False))"
    )
    words = [sys.executable, "-c", program, "--dest", str(made), "--port", "0"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address, code = (process.stdout.readline().split() for _ in range(2))
        assert address[0] == "open"
        assert code[0] == "code"
        with urllib.request.urlopen(f"{address[1]}/healthz", timeout=30) as answer:
            assert json.load(answer) == {"ok": True}
        request = urllib.request.Request(
            f"{address[1]}/api/session", data=json.dumps({"code": code[1]}).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 204
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
