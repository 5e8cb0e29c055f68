"""The trainings of Table 3 differ in Biased Gaussian Noise and seed, and nothing is trained twice."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from reference_models.checkpoints import read_card, read_model, save_weights
from reference_models.nn.autoencoder import TINY_AUTOENCODER, Autoencoder
from reference_models.studies import table3
from reference_models.studies.arms import arm_recipe
from reference_models.studies.bench import Bench
from reference_models.studies.figure5 import evaluate, told_of, write
from reference_models.studies.table3_rows import F_A, STUDIES, Budget, Study
from reference_models.training.export import export
from reference_models.training.loop import train
from reference_models.training.recipe import Batches, Keeping, Phase
from reference_models.training.recipe_files import load_recipe
from reference_models.training.start import load_frozen
from reference_models.training.starting import Places, run_of
from tests.studies.small_studies import write_protocols
from univg_bench.console import Console
from univg_bench.errors import InputError

QUIET = Console(quiet=True, json=True)


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_arms_differ_in_bgn_alone_and_reach_every_start(study: Study) -> None:
    with_bgn, without = (arm_recipe(study, arm, 1) for arm in ("bgn", "no-bgn"))  # type: ignore[arg-type]
    assert with_bgn.diffusion.bgn is not None
    same = replace(with_bgn, name=without.name, diffusion=replace(with_bgn.diffusion, bgn=None))
    assert same == without
    assert with_bgn.steps == study.budget.steps
    starts = [int(row.settings.get("t_n") or 999) for row in study.rows if row.arm == "no-bgn"]
    assert without.diffusion.timesteps[1] >= max(starts)
    assert arm_recipe(study, "bgn", 2).digest != with_bgn.digest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with F_B after two steps, its milestones, and the random autoencoder it was trained with."""
    root = tmp_path_factory.mktemp("arms")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = Autoencoder(TINY_AUTOENCODER)
    half = {key: value.half() for key, value in vae.state_dict().items()}
    save_weights(
        root / "vae.safetensors", half, preset="tiny", part="vae", source="a test", settings=asdict(vae.config)
    )  # fmt: skip
    recipe = replace(
        load_recipe("tiny-fb"),
        phases=(Phase(2, (Batches("videos", clips=1, num_frames=(2, 2)),)),),
        checkpoints=Keeping(every=2, milestones=(1, 2)),
    )
    places = Places(root / "fb", root / "vae.safetensors", ("videos=moving-shapes:3",), cache=root / "cache")
    train(run_of(recipe, places, quiet=True))
    export(root / "fb", root / "base", load_frozen(root / "vae.safetensors"))
    write_protocols(root / "protocols")
    return root


def test_what_is_trained_is_not_trained_again_unless_it_began_elsewhere(place: Path) -> None:
    bench, study = Bench(place / "study", 1, QUIET), replace(F_A, budget=Budget("tiny-fa", 1, (0, 999), 8))
    first = table3.train_arms(bench, study, base=place / "base", cache=place / "cache", seeds=(0,))
    assert set(first) == {("bgn", 0), ("no-bgn", 0)}
    digests = [read_card(read_model(path).weights("unet")).digest for path in first.values()]
    assert len(set(digests)) == 2
    paid = bench.costs["train animation"]
    stamps = {path: (path / "model.json").stat().st_mtime_ns for path in first.values()}
    again = table3.train_arms(bench, study, base=place / "base", cache=place / "cache", seeds=(0,))
    assert again == first
    assert bench.costs["train animation"] == paid
    assert {path: (path / "model.json").stat().st_mtime_ns for path in first.values()} == stamps
    longer = replace(study, budget=Budget("tiny-fa", 2, (0, 999), 8))
    with pytest.raises(InputError, match="checkpoint of another run"):  # never quietly mixed
        table3.train_arms(bench, longer, base=place / "base", cache=place / "cache", seeds=(0,))


def test_figure_5_scores_each_milestone_once_and_leaves_the_training_alone(place: Path) -> None:
    bench, training = Bench(place / "five", 1, QUIET), place / "fb"
    protocols = {"T": str(place / "protocols" / "small-t2v.yaml")}
    before = sorted(path for path in training.rglob("*"))
    points, floor = evaluate(bench, training, place / "vae.safetensors", protocols=protocols)
    assert [(point.given, point.step) for point in points] == [("T", 1), ("T", 2)]
    assert sorted(path for path in training.rglob("*")) == before
    paid = {what: spent for what, spent in bench.costs.items() if "step" in what}
    again, _ = evaluate(bench, training, place / "vae.safetensors", protocols=protocols)
    assert {what: spent for what, spent in bench.costs.items() if "step" in what} == paid
    assert [one.record.metrics for one in again] == [one.record.metrics for one in points]
    files = write(bench, points, floor, place / "page", training=told_of(training))
    assert {file.name for file in files} == {
        "figure5.svg", "figure5.png", "figure5.csv", "README.md", "figure5-record.json",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"found milestones \[1, 2\]"):
        evaluate(bench, training, place / "vae.safetensors", protocols=protocols, steps=(7,))
