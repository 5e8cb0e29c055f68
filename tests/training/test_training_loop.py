"""The loop learns, and a run that was stopped in any way goes on as if it had not been."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reference_models.data.source import BrokenClip
from reference_models.training.average import Average
from reference_models.training.loop import train
from reference_models.training.objective import draws, losses, objective_of
from reference_models.training.plan import planned
from reference_models.training.recipe import Biased, Compute, Diffusion, Dropout, Ema, Optimiser, Phase
from reference_models.training.state import State, checkpoints, load
from tests.training.small_training import FRAMES, VIDEOS, Drifting, small_networks, small_recipe, small_run
from univg_bench.errors import InfrastructureError, InputError

ROOT = Path(__file__).resolve().parents[2]


def last(work: Path) -> State:
    return load(checkpoints(work)[-1])


def assert_equal_bits(a: State, b: State) -> None:
    assert a.step == b.step
    for one, other in ((a.model, b.model), (a.average, b.average)):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    moments, others = a.optimiser["state"], b.optimiser["state"]
    assert moments.keys() == others.keys()
    assert all(torch.equal(moments[n][key], others[n][key]) for n in moments for key in moments[n])


def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(tmp_path: Path) -> None:
    recipe = small_recipe(compute=Compute(accumulation=2))
    for work, stops in (("whole", [6]), ("cut", [1, 4, 6])):
        for stop in stops:
            train(small_run(tmp_path / work, recipe, dropout=0.1), stop_after=stop)
    assert_equal_bits(last(tmp_path / "whole"), last(tmp_path / "cut"))


def test_training_is_not_moved_by_the_global_generator_and_does_not_move_it(tmp_path: Path) -> None:
    for work, seed in (("a", 1), ("b", 2)):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        train(small_run(tmp_path / work, dropout=0.1), stop_after=2)
        assert torch.equal(before, torch.random.get_rng_state())
    assert_equal_bits(last(tmp_path / "a"), last(tmp_path / "b"))


def test_kill_9_loses_at_most_the_steps_since_the_checkpoint(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom reference_models.training import loop\n"
        "from tests.training.small_training import small_run\n"
        "work, kill = Path(sys.argv[1]), int(sys.argv[2])\nstep = loop._step\n"
        "def dying(run, machine, batches, figures, n):\n"
        "    if n == kill: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(run, machine, batches, figures, n)\n"
        "loop._step = dying\nloop.train(small_run(work))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "cut"), "5"], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert last(tmp_path / "cut").step == 4
    train(small_run(tmp_path / "cut"))
    train(small_run(tmp_path / "whole"))
    assert_equal_bits(last(tmp_path / "whole"), last(tmp_path / "cut"))
    lines = [json.loads(line) for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_asks_a_run_to_end_gets_a_checkpoint_of_the_step_it_was_at(tmp_path: Path, number: int) -> None:
    run = small_run(tmp_path)
    read = run.examples.reader.__class__.__call__

    def asking(reader: Any, part: Any) -> Any:
        if part.kind == "videos":
            os.kill(os.getpid(), number)
        return read(reader, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.examples.reader.__class__, "__call__", asking)
        before = signal.getsignal(number)
        done = train(run)
        assert signal.getsignal(number) is before
    assert (done.steps, done.interrupted, last(tmp_path).step) == (2, True, 2)
    assert train(small_run(tmp_path)).steps == 6


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train(small_run(tmp_path, facts={"sources": "these"}), stop_after=2)
    with pytest.raises(InputError, match=r"its recipe was .* or another --work folder"):
        train(small_run(tmp_path, small_recipe(seed=1), facts={"sources": "these"}))
    with pytest.raises(InputError, match="its sources was these, now it is those"):
        train(small_run(tmp_path, facts={"sources": "those"}))


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    train(small_run(tmp_path), stop_after=2)
    path = checkpoints(tmp_path)[-1]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"cannot read the checkpoint {path}"):
        train(small_run(tmp_path))


def test_the_last_checkpoints_are_kept_and_no_more(tmp_path: Path) -> None:
    train(small_run(tmp_path))
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000004.pt", "step-00000006.pt"]


def test_a_full_disk_leaves_the_checkpoint_before_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(small_run(tmp_path), stop_after=2)
    kept = checkpoints(tmp_path)[-1].read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InfrastructureError, match=r"could not write .*step-00000004.pt: No space left on device"):
        train(small_run(tmp_path))
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002.pt"]
    assert checkpoints(tmp_path)[-1].read_bytes() == kept
    monkeypatch.undo()
    assert train(small_run(tmp_path)).steps == 6


def test_a_loss_that_is_not_finite_stops_the_run_before_anything_is_overwritten(tmp_path: Path) -> None:
    train(small_run(tmp_path), stop_after=2)
    run = small_run(tmp_path)
    run.networks.vae.quant_conv.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match=r"found a loss of nan in step 3, on a batch of (frames|videos)"):
        train(run)
    assert last(tmp_path).step == 2
    assert all(value.isfinite().all() for value in last(tmp_path).model.values())


def test_a_broken_clip_stops_the_run_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BrokenClip, match="found damage in clip 3"):
        train(small_run(tmp_path, source=Drifting(broken=3)))


def test_a_broken_clip_is_skipped_and_counted_where_the_run_was_told_to(tmp_path: Path) -> None:
    for work, stops in (("whole", [6]), ("cut", [3, 6])):
        for stop in stops:
            train(small_run(tmp_path / work, source=Drifting(broken=3), skip_broken=True), stop_after=stop)
    line = json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[-1])
    assert line["broken"]["corrupt"] >= 3  # 12 frames and 6 videos out of 6 clips: twice and once at least
    assert last(tmp_path / "cut").broken == line["broken"]
    assert_equal_bits(last(tmp_path / "whole"), last(tmp_path / "cut"))


def test_two_clips_are_learned_by_heart(tmp_path: Path) -> None:
    recipe = small_recipe(
        phases=(Phase(30, (replace(VIDEOS, num_frames=(3, 3)),)),), dropout=Dropout(),
        diffusion=Diffusion(timesteps=(500, 500)), optimiser=Optimiser(3e-3),
    )  # fmt: skip
    train(small_run(tmp_path, recipe, source=Drifting(2), log_every=5))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    assert set(lines[-1]) >= {"step", "loss", "loss videos", "loss t3", "grad_norm", "rate", "cpu_s", "clips_per_s"}
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("preset", ["tiny-fa", "tiny-fsr", "tiny-fsr-concat"])
def test_the_stages_that_start_from_a_condition_learn_with_biased_noise(tmp_path: Path, preset: str) -> None:
    recipe = small_recipe(preset, diffusion=Diffusion(timesteps=(0, 700), bgn=Biased(0, 700)))
    assert train(small_run(tmp_path, recipe), stop_after=2).steps == 2


def test_the_condition_of_animation_is_the_first_frame_repeated(tmp_path: Path) -> None:
    run = small_run(tmp_path, small_recipe("tiny-fa", phases=(Phase(2, (VIDEOS,)),)))
    batch = run.examples.batch(next(planned(run.recipe, 0)))
    assert batch.x_cond is not None
    assert torch.equal(batch.x_cond, batch.x_target[:, :1].expand_as(batch.x_target))
    assert batch.concat is batch.x_cond


def test_checkpointing_of_gradients_changes_no_bit(tmp_path: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        run = small_run(tmp_path)
        unet, objective, part = run.networks.unet.train(), objective_of(run.recipe), next(planned(run.recipe, 1))
        unet.gradient_checkpointing = checkpointing
        batch = run.examples.batch(part)
        drawn = draws(objective, part.seeds, batch.x_target.shape[1:])
        losses(unet, batch, drawn, objective, "v").mean().backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad for p in unet.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True) if a is not None and b is not None)


def test_the_average_is_the_weighted_sum_of_all_weights_there_were() -> None:
    unet = small_networks().unet
    average, ema = Average(unet), Ema(0.9)
    name, weight = next(iter(unet.named_parameters()))
    wanted = weight.detach().clone()
    for step in range(5):
        weight.data.add_(1.0)
        average.update(unet, ema.kept(step))
        wanted = ema.kept(step) * wanted + (1 - ema.kept(step)) * weight.detach()
    torch.testing.assert_close(average.tensors[name], wanted)


def test_images_first_leaves_the_temporal_layers_as_they_were(tmp_path: Path) -> None:
    recipe = small_recipe(phases=(Phase(3, (FRAMES,), temporal=False), Phase(3, (VIDEOS,))))
    before = dict(small_networks().unet.state_dict())
    train(small_run(tmp_path, recipe), stop_after=3)
    after, temporal = last(tmp_path).model, "temopral_conv"
    assert all(torch.equal(before[key], after[key]) for key in before if temporal in key)
    train(small_run(tmp_path, recipe))
    assert not any(torch.equal(before[k], last(tmp_path).model[k]) for k in before if temporal in k and "weight" in k)
