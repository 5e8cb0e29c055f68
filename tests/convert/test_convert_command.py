"""`univg-bench convert`: what it says, what it writes, its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reference_models.checkpoints import load_weights, read_model
from reference_models.convert.published import PUBLISHED
from reference_models.presets import PRESETS
from tests.convert.published_like import networks, video_checkpoint
from univg_bench.cli import run


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "model.ckpt"
    torch.save({"state_dict": video_checkpoint(networks())}, path)
    return path


def test_the_verb_is_found_and_needs_no_torch_to_say_what_it_does() -> None:
    program = (
        "import sys\nfrom univg_bench.cli import run\ncode = run(['convert', '--help'])\n"
        "assert code == 0 and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Turn published weights" in done.stdout


def test_every_family_is_a_preset_and_stands_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "convert.md").read_text()
    assert [p.preset for p in PUBLISHED if p.preset not in PRESETS or f"`{p.preset}`" not in text] == []


def test_a_dry_run_accounts_for_every_key_and_writes_nothing(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(checkpoint), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "preset videocrafter1-i2v-512" in out
    assert "vae: 124 keys used (0 reshaped), 0 unused, 0 missing, 0 of another shape" in out
    assert "dropped 2: betas, sqrt_alphas_cumprod (a table of the noise schedule, which is computed)" in out
    assert "dropped 1: scale_arr (the table that shrinks the signal, which is computed)" in out
    assert not list(tmp_path.iterdir())


def test_the_record_of_a_dry_run_lists_the_keys(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "-q", "convert", str(checkpoint), "--dry-run"]) == 0
    record = json.loads(capsys.readouterr().out)
    keys = video_checkpoint(networks())
    listed = [key for part in record["parts"].values() for key in part["used"]]
    assert sorted([*listed, *record["dropped"]]) == sorted(keys)
    assert (record["exit_code"], record["written"], record["unknown"], record["left"]) == (0, False, [], 0)


def test_a_dry_run_of_a_damaged_checkpoint_lists_what_is_wrong_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = video_checkpoint(networks())
    del keys["first_stage_model.quant_conv.bias"]
    keys["model.diffusion_model.extra"] = torch.zeros(1)
    torch.save(keys, tmp_path / "model.ckpt")
    assert run(["convert", str(tmp_path / "model.ckpt"), "--dry-run"]) == 2
    shown = capsys.readouterr()
    assert "  missing  quant_conv.bias" in shown.out
    assert "  unused  model.diffusion_model.extra" in shown.out
    assert "does not fit: unet: " in shown.err
    assert run(["--json", "convert", str(tmp_path / "model.ckpt"), "--dry-run"]) == 2
    record = json.loads(capsys.readouterr().out)  # one record, not two
    assert record["parts"]["vae"]["missing"] == ["quant_conv.bias"]


def test_conversion_writes_parts_with_digests_and_their_origin(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dest = tmp_path / "out"
    assert run(["convert", str(checkpoint), "--dest", str(dest), "--dtype", "bfloat16"]) == 0
    assert f"wrote unet, vae, text, image, resampler of videocrafter1-i2v-512 to {dest}" in capsys.readouterr().out
    model = read_model(dest)
    for part in model.parts:
        tensors, card = load_weights(model.weights(part))
        assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
        facts = model.facts["parts"][part]
        assert facts["digest"] == card.digest
        assert list(facts["source"]) == ["model.ckpt"]
        assert facts["licence"].startswith("read the model card of the file; the repository's License adds")
    assert sorted(path.name for path in dest.iterdir()) == sorted(
        ["model.json", *(f"{part}.safetensors" for part in model.parts)]
    )


def test_converting_twice_changes_nothing_and_another_type_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dest = tmp_path / "out"
    command = ["convert", str(checkpoint), "--dest", str(dest), "--part", "vae"]
    assert run(command) == 0
    before = {path.name: path.stat().st_mtime_ns for path in dest.iterdir()}
    assert run(command) == 0
    assert {path.name: path.stat().st_mtime_ns for path in dest.iterdir()} == before
    assert run([*command, "--dtype", "float16"]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err


class Runs:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (f"touch {self.mark}",))


@pytest.mark.parametrize("dry", [["--dry-run"], ["--dest", "out"]])
def test_a_trap_is_refused_with_one_sentence_and_not_sprung(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dry: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": Runs(tmp_path / "ran")}}, tmp_path / "model.ckpt")
    assert run(["convert", "model.ckpt", *dry]) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("error: refused model.ckpt: it is a pickle that calls")
    assert sentence.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ckpt"]


def test_nan_wrong_names_and_missing_options_are_the_users_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = video_checkpoint(networks())
    keys["first_stage_model.quant_conv.bias"][3] = float("nan")
    path = tmp_path / "model.ckpt"
    torch.save(keys, path)
    for arguments, sentence in [
        (
            ["--dest", str(tmp_path / "out")],
            "found 1 NaN or infinite numbers of 8 in first_stage_model.quant_conv.bias",
        ),
        ([], "found no --dest, expected a folder to write to, or --dry-run"),
        (["--dry-run", "--family", "sora"], "found --family 'sora', expected one of"),
        (
            ["--dry-run", "--family", "videocrafter2"],
            "which is not videocrafter2; --family may be videocrafter1-i2v-512",
        ),
    ]:
        assert run(["convert", str(path), *arguments]) == 2
        shown = capsys.readouterr().err
        assert sentence in shown
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["model.ckpt"]
    assert run(["convert", str(tmp_path / "none.ckpt"), "--dry-run"]) == 2
