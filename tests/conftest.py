"""Fixtures that several folders of tests share."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.study import PROTOCOL, Study
from univg_bench.cli import run

# a busy machine takes longer than 200 ms for the first example, which says nothing about the code
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

MAIN = sys.modules["__main__"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give the process its main module back, which Streamlit's AppTest replaces by the script that it ran: a worker
    process spawned by a later test would run that script."""
    sys.modules["__main__"] = MAIN


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    protocol = folder / "eight.yaml"
    protocol.write_text(PROTOCOL)
    assert run(["-q", "prepare", "moving-shapes", str(protocol), "--dest", str(folder / "data")]) == 0
    assert (
        run(["-q", "prepare", "moving-shapes", str(protocol), "--dest", str(folder / "data"), "--rendering", "1"]) == 0
    )
    videos = next((folder / "data").glob("*/rendering-1"))
    return Study(protocol, folder / "data", videos)


@pytest.fixture(scope="session")
def evaluated(study: Study, tmp_path_factory) -> Path:
    """The folder of an evaluated run of the study."""
    runs = tmp_path_factory.mktemp("evaluated")
    assert study.import_into(runs) == 0
    assert study.evaluate(runs) == 0
    return runs / "eight@1" / "model"
