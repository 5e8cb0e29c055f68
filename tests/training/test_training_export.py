"""From a recipe to a folder that is sampled from, and on to the next stage, by the commands' own code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from reference_models.checkpoints import load_weights, save_weights
from reference_models.nn.autoencoder import TINY_AUTOENCODER, Autoencoder
from reference_models.stages.loading import load_networks
from reference_models.training.evaluation import evaluate_milestone
from reference_models.training.export import export
from reference_models.training.loop import train
from reference_models.training.milestones import milestone_path
from reference_models.training.recipe import Batches, Biased, Diffusion, Evaluation, Keeping, Phase, Recipe
from reference_models.training.start import load_frozen
from reference_models.training.starting import Places, run_of
from tests.training.small_training import small_recipe
from univg_bench.datasets.rendered import render_videos
from univg_bench.errors import InputError
from univg_bench.protocol import MovingShapesData
from univg_bench.protocol_files import load_protocol

PROTOCOL = """\
schema: univg-bench/protocol/1
extends: moving-shapes-t2v-tiny
id: two-clips
version: 1
title: Two clips
data: {count: 2, height: 32, width: 56}
generation: {height: 32, width: 56, params: {steps: 2, w_T: 1, sr_steps: null, sr_w_T: null}}
metrics:
  - id: motion
    kind: motion
    recipe: motion
    frames: {sampling: centre, frames: 9}
    reference_frames: {sampling: centre, frames: 9}
table:
  - {label: motion, metric: motion, direction: neither, digits: 3}
wide: []
"""


def recipe_of_two_steps(preset: str, **changes: object) -> Recipe:
    phases = (Phase(2, (Batches("videos", clips=1, num_frames=(2, 2)),)),)
    return small_recipe(preset, phases=phases, checkpoints=Keeping(every=2, milestones=(1, 2)), **changes)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a random autoencoder and a base stage trained for two steps, evaluated on the way."""
    root = tmp_path_factory.mktemp("export")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = Autoencoder(TINY_AUTOENCODER)
    half = {key: value.half() for key, value in vae.state_dict().items()}
    save_weights(
        root / "vae.safetensors", half, preset="tiny", part="vae", source="a test", settings=asdict(vae.config)
    )
    (root / "two.yaml").write_text(PROTOCOL)
    data = load_protocol(root / "two.yaml").data
    assert isinstance(data, MovingShapesData)
    render_videos(data, root / "data", rendering=data.rendering, progress=lambda todo, total: iter(todo))
    recipe = recipe_of_two_steps("tiny-fb", evaluation=Evaluation((str(root / "two.yaml"),)))
    places = Places(
        root / "work", root / "vae.safetensors", ("videos=moving-shapes:3",), cache=root / "cache", data=root / "data"
    )
    train(run_of(recipe, places, quiet=True))
    return root


def test_an_exported_stage_loads_as_float32_with_the_averaged_weights(place: Path) -> None:
    made = export(place / "work", place / "base", load_frozen(place / "vae.safetensors"))
    networks = load_networks(place / "base", stage="base", device="cpu", dtype=torch.float32)
    kept, _ = load_weights(milestone_path(place / "work", 2))
    assert {value.dtype for value in kept.values()} == {torch.float16}
    assert networks.dtype == torch.float32
    assert all(torch.equal(value, kept[key].float()) for key, value in networks.unet.state_dict().items())
    assert networks.weights["unet"] == made["parts"]["unet"]["digest"]
    card = (place / "base" / "README.md").read_text()
    for told in (made["training"]["recipe_digest"], made["parts"]["vae"]["digest"], "2 of 2 steps", "moving-shapes:3"):
        assert told in card


def test_the_next_stage_starts_as_what_it_grew_from(place: Path) -> None:
    frozen = load_frozen(place / "vae.safetensors")
    export(place / "work", place / "base", frozen)
    recipe = recipe_of_two_steps(
        "tiny-fa", init_from="tiny-fb", diffusion=Diffusion(timesteps=(0, 990), bgn=Biased(600, 990))
    )
    places = Places(
        place / "fa", place / "base", ("videos=moving-shapes:3",), init=place / "base", cache=place / "cache"
    )
    run = run_of(recipe, places, quiet=True)
    old = load_networks(place / "base", stage="base", device="cpu", dtype=torch.float32).unet.state_dict()
    for key, value in run.networks.unet.state_dict().items():
        assert torch.equal(value[:, : old[key].shape[1]] if value.ndim > 1 else value, old[key])
    assert train(run).steps == 2
    with pytest.raises(InputError, match=r"found no --init, expected a folder of tiny-fb"):
        run_of(recipe, Places(place / "fa", place / "base", ("videos=moving-shapes:3",)))


def test_a_number_during_training_is_the_number_of_the_stored_milestone(place: Path) -> None:
    lines = [json.loads(line) for line in (place / "work" / "evaluations.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert (place / "work" / "evaluations" / "step-00000002" / "two-clips.png").is_file()
    again = evaluate_milestone(
        place / "work", load_frozen(place / "vae.safetensors"), step=2, protocols=[str(place / "two.yaml")],
        data=place / "data",
    )  # fmt: skip
    assert again == lines[1:]


def test_other_frozen_networks_are_refused(place: Path) -> None:
    frozen = load_frozen(place / "vae.safetensors")
    other = type(frozen)(frozen.vae, frozen.clip, {**frozen.digests, "vae": "another"}, frozen.towers)
    with pytest.raises(InputError, match="found another vae than"):
        export(place / "work", place / "other", other)
    with pytest.raises(InputError, match=r"found those after 1, 2 steps .* expected weights after 7 steps"):
        export(place / "work", place / "other", frozen, step=7)
