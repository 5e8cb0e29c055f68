"""The repository keeps its own rules: no executed pickles, no addresses in the lock file, no unfinished marks."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", *patterns], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout: these rules are about what is tracked; clone the repository to run them")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_lock_file_has_a_hash_for_every_package_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(entries) > 40
    assert all("--hash=sha256:" in entry for entry in entries)


def test_every_direct_dependency_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for group in project["optional-dependencies"].values() for d in group)]
    locked = {
        re.split("[=\\[]", line)[0].replace("_", "-").lower()
        for line in (ROOT / "requirements.lock").read_text().splitlines()
    }
    names = {re.split(r"[><=\[; ]", d)[0].replace("_", "-").lower() for d in wanted}
    assert names <= locked, names - locked


def test_weights_are_never_unpickled_freely_and_torchscript_is_never_executed() -> None:
    for path in tracked(
        "univg_bench/**/*.py", "univg_bench/*.py", "reference_models/**/*.py", "human_eval_app/**/*.py"
    ):
        text = path.read_text()
        assert "jit.load(" not in text, path
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, (path, call)


def test_no_unfinished_marks_in_the_code() -> None:
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|raise NotImplemented" + "Error")
    for path in tracked("*.py", "*.yaml", "Makefile"):
        assert not mark.search(path.read_text()), path


def test_no_file_is_a_drawer_for_everything() -> None:
    for path in tracked("*.py"):
        assert not re.search(r"(utils?|helpers?|misc|manager|handler)\.py$", path.name), path


def test_readme_names_only_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (ROOT / target).exists(), f"README links to {target}"
