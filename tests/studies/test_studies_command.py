"""What the commands say when something is missing, and that a signal is passed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference_models.studies import __main__ as command
from reference_models.studies import arms
from reference_models.studies.bench import Bench, prepare
from reference_models.studies.rows import RowModel, super_resolution
from reference_models.studies.table3_rows import F_A
from reference_models.training.loop import Done
from reference_models.training.recipe_files import load_recipe
from tests.studies.small_studies import write_weights
from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.model import Request

QUIET = Console(quiet=True, json=True)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["studies", *words])
    try:
        command.main()
    except SystemExit as done:
        return int(done.code or 0)
    return 0


@pytest.mark.parametrize("verb", ["figure6", "acceptance"])
def test_missing_weights_are_said_before_any_work(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    assert run(monkeypatch, verb, "--weights", str(tmp_path), "--work", str(work)) == 2
    assert f"error: found no {tmp_path / 'base'}, expected a folder of weights" in capsys.readouterr().err
    assert not work.exists()


def test_an_unknown_stage_is_a_mistake_of_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "table3", "fb", "--base", "x") == 2
    assert run(monkeypatch, "--help") == 0


def test_a_signal_during_a_training_ends_the_study_so_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(arms, "run_of", lambda *_, **__: None)
    monkeypatch.setattr(arms, "train", lambda _: Done(steps=3, cpu_s=1.0, interrupted=True))
    words = ("table3", "fa", "--base", str(tmp_path), "--work", str(tmp_path / "work"), "-q")
    assert run(monkeypatch, *words) == 130
    assert f"3 of {F_A.budget.steps} steps; the same command goes on" in capsys.readouterr().err


def test_f_sr_without_its_input_says_what_to_do(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "weights", "tiny-fsr")
    model = super_resolution(device="cpu", dtype="float32", weights=str(weights), low=str(tmp_path / "low"))
    with pytest.raises(InputError, match=r"cannot read .*low\.json"):
        _ = model.card
    with pytest.raises(InputError, match=r"found no .*test-00000\.mp4, the video that test-00000-s0 is made from"):
        model.generate([Request("test-00000-s0", 0, "a red circle")], {})


def test_settings_of_a_row_go_before_those_of_the_protocol() -> None:
    asked = {}

    class Double:
        def generate(self, requests: object, settings: dict[str, object]) -> list[object]:
            asked.update(settings)
            return []

    RowModel(Double(), {"steps": 7}).generate([], {"steps": 10, "w": 1})  # type: ignore[arg-type]
    assert asked == {"steps": 7, "w": 1}


def test_only_moving_shapes_can_be_prepared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one on moving-shapes"):
        prepare(Bench(tmp_path, 1, QUIET), "msrvtt-t2v-2990")


def test_budgets_are_shared_out_over_the_phases_of_a_recipe() -> None:
    assert arms._shares([3000, 3600], 66) == [30, 36]
    assert arms._shares([1, 1000], 10) == [1, 9]
    assert sum(arms._shares([7, 7, 7], 100)) == 100
    assert arms.arm_recipe(F_A, "bgn", 0).checkpoints.milestones == (F_A.budget.steps,)
    shipped = load_recipe(F_A.budget.recipe)
    assert arms.arm_recipe(F_A, "bgn", 0).optimiser.learning_rate == shipped.optimiser.learning_rate
