"""The reference models as the benchmark and a person ask for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reference_models.adapters import ReferenceModel
from reference_models.stages.params import configured, setting_names
from univg_bench.cli import run
from univg_bench.errors import InputError
from univg_bench.model import Request, VideoModel, load_model, model_names
from univg_bench.protocol_files import load_protocol
from univg_bench.video import decode, probe

SHORT = {"steps": 2, "sr_steps": 2, "w": 1.0}
SIZE = {"num_frames": 8, "height": 36, "width": 64}


def image(seed: int = 0, height: int = 40, width: int = 50) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)


@pytest.fixture(scope="module")
def hg() -> ReferenceModel:
    model = load_model("univg-hg", weights="random-tiny")
    assert isinstance(model, ReferenceModel)
    return model


@pytest.fixture(scope="module")
def lg() -> ReferenceModel:
    model = load_model("univg-lg", weights="random-tiny")
    assert isinstance(model, ReferenceModel)
    return model


def test_the_models_are_found_by_name() -> None:
    ours = {"univg-hg", "univg-lg", "univg-base", "univg-animation", "univg-super-resolution"}
    assert ours <= set(model_names())


def test_random_weights_say_so_everywhere(hg: ReferenceModel) -> None:
    assert isinstance(hg, VideoModel)
    card = hg.card
    assert card.name == "univg-hg-tiny-UNTRAINED"
    assert "UNTRAINED: random weights, the videos mean nothing" in card.notes
    made = hg.generate([Request("a", 1, "a red circle", **SIZE)], SHORT)[0].made_with
    assert made["model"] == card.name
    assert [part["trained"] for part in made["stages"]] == [False, False]


def test_requests_of_several_kinds_come_back_in_order(lg: ReferenceModel) -> None:
    with_text = Request("a", 1, "a red circle", image(), **SIZE)
    without = Request("b", 2, None, image(1), **SIZE)
    requests = [with_text, without, Request("c", 3, "a blue star", image(2), **SIZE)]
    together = lg.generate(requests, SHORT)
    backwards = lg.generate(requests[::-1], SHORT)[::-1]
    for one, other, request in zip(together, backwards, requests, strict=True):
        assert one.frames.shape == (8, 3, 36, 64)
        assert one.made_with["seed"] == request.seed
        assert np.abs(one.frames.astype(int) - other.frames.astype(int)).max() <= 3
    assert together[1].made_with["stages"][0]["conditions"] == ["image"]


def test_equal_records_and_seeds_are_equal_bits(hg: ReferenceModel) -> None:
    request = Request("a", 5, "a red circle", **SIZE)
    one, other = (hg.generate([request], SHORT)[0] for _ in range(2))
    assert one.made_with == other.made_with
    assert np.array_equal(one.frames, other.frames)
    fresh = load_model("univg-hg", weights="random-tiny").generate([request], SHORT)[0]
    assert fresh.made_with == one.made_with
    assert np.array_equal(fresh.frames, one.frames)
    changed = hg.generate([request], {**SHORT, "sampler": "consistent"})[0]
    assert changed.made_with != one.made_with
    assert not np.array_equal(changed.frames, one.frames)


@pytest.mark.parametrize("protocol", ["msrvtt-t2v-59800", "msrvtt-ti2v-hg", "msrvtt-ti2v-lg", "msrvtt-t2v-2990"])
def test_the_papers_protocols_are_understood(protocol: str, hg: ReferenceModel, lg: ReferenceModel) -> None:
    params = load_protocol(protocol).generation.params
    model = lg if protocol.endswith("lg") else hg
    first, last = configured(model.pipeline, params).stages
    assert (first.settings.steps, last.settings.steps) == (50, 7)
    assert (last.settings.t_m, last.settings.t_n) == (0, 700)
    assert last.settings.guidance.w_T == 9.5  # type: ignore[union-attr]
    if protocol.endswith("lg"):
        assert (first.settings.t_m, first.settings.t_n) == (600, 990)


def test_the_sampler_goes_where_there_is_a_bias(hg: ReferenceModel) -> None:
    first, last = configured(hg.pipeline, {"sampler": "consistent", "sr_w_T": 2, "sr_solver": "ddim"}).stages
    assert (first.settings.sampler, last.settings.sampler) == ("plain", "consistent")
    assert (first.settings.solver, last.settings.solver) == ("dpm++2m", "ddim")
    assert last.settings.guidance.w_T == 2.0  # type: ignore[union-attr]


def test_a_stage_alone_may_start_otherwise() -> None:
    model = load_model("univg-super-resolution", weights="random-tiny")
    assert isinstance(model, ReferenceModel)
    noised = configured(model.pipeline, {"start": "noised", "sr_start": 900}).stages[0].settings
    assert (noised.start, noised.t_m, noised.t_n) == ("noised", None, 900)
    assert configured(model.pipeline, {"start": "noise"}).stages[0].settings.grid == "trailing"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"stpes": 50}, "found the setting 'stpes' for univg-hg-tiny-UNTRAINED.*it knows end, eta"),
        ({"steps": "many"}, "found steps = 'many'.*expected a value of type int"),
        ({"steps": True}, "found steps = True"),
        ({"sampler": "best"}, "found sampler 'best', expected one of plain, consistent"),
        ({"w": 3, "w_T": 4}, "found w beside w_T or w_I"),
        ({"w_I": 5.5}, "found w_I = 5.5 for a, which has no image; drop it"),
        ({"sr_start": 1000}, "found t_n = 1000, expected 1 to 999"),
    ],
)
def test_settings_that_nobody_knows_are_refused(settings: dict[str, Any], sentence: str, hg: ReferenceModel) -> None:
    with pytest.raises(InputError, match=sentence):
        hg.generate([Request("a", 1, "a", num_frames=8)], settings)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request("a", 1, num_frames=8), "a: found neither prompt nor image"),
        (Request("a", 1, "x", num_frames=30), "a: found 30 frames, expected 8 to 24"),
        (Request("a", 1, "x", height=73, width=128), "a: found a video of 73x128, expected a height and width that 4"),
        (Request("a", 1, "x", fps=25), "found 25 frames per second for a, expected 8"),
    ],
)
def test_requests_that_cannot_be_served_are_refused(request_: Request, sentence: str, hg: ReferenceModel) -> None:
    with pytest.raises(InputError, match=sentence):
        hg.generate([request_], {})


def test_a_prompt_that_is_cut_is_said(hg: ReferenceModel) -> None:
    requests = [Request("a", 1, "red " * 30, **SIZE), Request("b", 1, "red", **SIZE)]
    found = [video.made_with["prompt_tokens_cut_from"] for video in hg.generate(requests, SHORT)]
    assert found == [32, None]


def test_factories_refuse_what_they_lack(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no weights for base of univg-hg, expected a folder"):
        load_model("univg-hg", super_resolution=str(tmp_path))
    with pytest.raises(InputError, match=r"found no .*base/model\.json"):
        load_model("univg-hg", weights=str(tmp_path))
    with pytest.raises(InputError, match="found vae_chunk 0"):
        load_model("univg-hg", weights="random-tiny", vae_chunk=0)


@pytest.mark.parametrize("options", [{}, {"weights": "tiny"}])
def test_nothing_stands_in_for_shipped_weights(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reference_models.adapters.SHIPPED", tmp_path / "tiny")
    with pytest.raises(InputError, match=r"found no shipped weights for base of univg-hg in .*tiny/base, expected"):
        load_model("univg-hg", **options)


def test_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    load_model("univg-base", weights="random-tiny")
    assert torch.equal(torch.rand(3), expected)


def test_every_setting_of_a_stage_can_be_named(hg: ReferenceModel) -> None:
    assert {"steps", "sr_steps", "sr_start", "w_T", "w_I", "sampler", "t_m", "t_n"} <= set(setting_names(hg.pipeline))


# ------------------------------------------------------------------------------------------------- univg-bench sample


def test_sample_needs_no_torch_to_say_what_it_does() -> None:
    program = (
        "import sys\nfrom univg_bench.cli import run\ncode = run(['sample', '--help'])\n"
        "assert code == 0 and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Make one video" in done.stdout


def test_from_a_prompt_to_a_file_and_from_that_to_a_larger_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    low, high = tmp_path / "low.mp4", tmp_path / "high.mp4"
    common = ["--weights", "random-tiny", "--prompt", "a red circle", "--seed", "3", "--set", "w=1"]
    one = ["sample", "--model", "univg-base", *common, "--frames", "8", "--set", "steps=2"]
    assert run([*one, "--out", str(low)]) == 0
    two = [
        "sample",
        "--model",
        "univg-super-resolution",
        *common,
        "--video",
        str(low),
        "--set",
        "sr_steps=2",
        "--size",
        "36x64",
    ]
    assert run(["--json", *two, "--out", str(high)]) == 0
    assert (probe(high).frames, probe(high).height, probe(high).width) == (8, 36, 64)
    record = json.loads(high.with_suffix(".json").read_text())
    assert record["made_with"]["stages"][0]["settings"]["steps"] == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["made_with"] == record["made_with"]
    # what `univg-hg` makes in one go
    whole = tmp_path / "whole.mp4"
    both = ["sample", "--model", "univg-hg", *common, "--frames", "8", "--set", "steps=2", "--set", "sr_steps=2"]
    both += ["--size", "36x64"]
    assert run([*both, "--out", str(whole)]) == 0
    for a, b in zip(decode(whole), decode(high), strict=True):
        assert np.array_equal(a.rgb, b.rgb)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--out", "x.gif"], "expected a name that ends in .mp4"),
        (["--out", "x.mp4", "--size", "big"], "expected HEIGHTxWIDTH"),
        (["--out", "x.mp4", "--set", "steps"], "expected NAME=VALUE"),
        (["--out", "x.mp4", "--image", "absent.png"], "absent.png cannot be read as an image"),
        (["--out", "x.mp4", "--set", "foo=1"], "does not know it"),
    ],
)
def test_sample_says_what_is_wrong_and_writes_nothing(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = run(["-q", "sample", "--model", "univg-base", "--weights", "random-tiny", "--prompt", "a", *options])
    assert code in (2, 3)
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
