"""Imports point one way, and what needs no torch does not load it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# package or module -> what it must never import
FORBIDDEN = {
    "univg_bench": ("reference_models", "human_eval_app"),
    "reference_models/diffusion": (
        "reference_models.nn",
        "reference_models.stages",
        "reference_models.training",
        "univg_bench",
    ),
    "reference_models/nn": (
        "reference_models.diffusion",
        "reference_models.stages",
        "reference_models.training",
        "univg_bench",
    ),
    "reference_models/stages": ("reference_models.training", "reference_models.data", "reference_models.studies"),
    # what samples goes through the benchmark's own commands, by the model's name
    "reference_models/training": (
        "reference_models.adapters",
        "reference_models.commands",
        "reference_models.studies",
        "human_eval_app",
    ),
    "reference_models/studies": ("human_eval_app",),
    "human_eval_app": ("torch", "torchvision", "reference_models"),
}

# what must start in tenths of a second: importing it must not load torch, not even through a third module
WITHOUT_TORCH = [
    "univg_bench.cli",
    "univg_bench.protocol",
    "univg_bench.protocol_files",
    "univg_bench.recipes",
    "univg_bench.frames",
    "univg_bench.video",
    "univg_bench.samples",
    "univg_bench.importing",
    "univg_bench.generate",
    "univg_bench.datasets",
    "univg_bench.statistics",
    "univg_bench.metrics.fvd",
    "univg_bench.metrics.clipsim",
    "univg_bench.records",
    "univg_bench.tables",
    "univg_bench.features.weights",
    "univg_bench.features.extract",
    "univg_bench.evaluate",
    "univg_bench.measures.kinds",
    "univg_bench.conditions",
    "human_eval_app",
    "human_eval_app.handing_out",
    "human_eval_app.export",
]


def imported_names(path: Path) -> set[str]:
    """Return every dotted name that the file imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; the layers are easier to see with whole names"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


@pytest.mark.parametrize("place", FORBIDDEN)
def test_imports_point_one_way(place: str) -> None:
    for path in sorted((ROOT / place).rglob("*.py")):
        for name in imported_names(path):
            for forbidden in FORBIDDEN[place]:
                assert not f"{name}.".startswith(f"{forbidden}."), f"{path} imports {name}"


def test_an_import_against_the_layers_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from reference_models.nn import unet3d\n")
    assert "reference_models.nn.unet3d" in imported_names(file)


def test_what_needs_no_torch_does_not_load_it() -> None:
    lines = ["import sys, importlib"]
    for module in WITHOUT_TORCH:
        lines.append(f"importlib.import_module({module!r})")
        lines.append(f"assert 'torch' not in sys.modules, {module!r}")
    for path in sorted((ROOT / "univg_bench" / "commands").glob("*.py")):
        module = f"univg_bench.commands.{path.stem}".removesuffix(".__init__")
        lines.append(f"importlib.import_module({module!r})")
        lines.append(f"assert 'torch' not in sys.modules, {module!r}")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_help_loads_no_heavy_package() -> None:
    program = (
        "import sys\nfrom univg_bench.cli import run\ncode = run(['--help'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pandas', 'pydantic', 'av', 'open_clip'} & set(sys.modules)\n"
        "assert code == 0 and not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "evaluate" in done.stdout
