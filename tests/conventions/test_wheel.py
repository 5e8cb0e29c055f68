"""The wheel holds everything that a stranger needs: protocols, published figures, tiny weights."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("base", "animation", "super-resolution")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    dest = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(dest)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(dest.glob("*.whl"))


def test_the_wheel_holds_what_is_shipped_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "univg_bench/_shipped/protocols/msrvtt-t2v-59800.yaml" in names
    assert "univg_bench/_shipped/published/univg_table1.csv" in names
    assert any(name.startswith("univg_bench/features/tiny/") and name.endswith(".safetensors") for name in names)
    assert {f"reference_models/weights/tiny/{stage}/unet.safetensors" for stage in STAGES} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]


def test_the_wheel_holds_every_file_of_the_annotation_app(wheel: Path) -> None:
    app = ROOT / "human_eval_app"
    files = {str(p.relative_to(ROOT)) for p in app.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    # the scripts and styles of the player, the wording, the demo's study file, the migrations
    assert {Path(name).suffix for name in files} == {".py", ".js", ".css", ".yaml"}
    assert files <= set(zipfile.ZipFile(wheel).namelist())


def test_an_installed_wheel_does_the_first_step_of_the_demo_far_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import univg_bench\n"
        f"assert univg_bench.__file__.startswith({str(site)!r}), univg_bench.__file__\n"
        "from univg_bench.cli import run\n"
        "sys.exit(run(['prepare', 'moving-shapes', 'moving-shapes-tiny', '--dest', 'data'])"
        " or run(['table', '--protocol', 'msrvtt-t2v-59800', '--published', 'univg_table1'])"
        " or run(['doctor', 'moving-shapes-tiny', '--workers', '1']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env=_bare())
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "data").rglob("*.mp4"))) == 64
    assert "UniVG-LG (T+I)" in done.stdout


def _bare() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "UNIVG"))}
