"""Training learns, and an interruption leaves no trace in the weights."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from univg_bench.datasets.moving_shapes.shapes import COLOURS
from univg_bench.errors import InputError
from univg_bench.features.tiny import train_clip, train_i3d
from univg_bench.features.tiny.clips import Clips
from univg_bench.features.tiny.networks import build, load, save
from univg_bench.features.tiny.training import LossAt, Schedule, train

SCHEDULES = {
    "tiny-i3d": Schedule(steps=6, batch=4, learning_rate=1e-3, weight_decay=0.02, warmup=2),
    "tiny-clip": Schedule(steps=6, batch=8, learning_rate=1e-3, weight_decay=0.05, warmup=2),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as the shipped weights were trained
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clips, Clips]:
    cache = tmp_path_factory.mktemp("clips")
    return (
        Clips("train", 8, height=32, width=56, cache=cache),
        Clips("train", 4, height=72, width=128, cache=cache),
    )


def start(name: str, clips: tuple[Clips, Clips], schedule: Schedule) -> tuple[nn.Module, LossAt]:
    torch.manual_seed(0)
    if name == "tiny-i3d":
        return train_i3d.Probed(), train_i3d.loss_of(*clips, schedule)
    return build("tiny-clip"), train_clip.loss_of(*clips, schedule)


def killed_at(step: int, loss_at: LossAt) -> LossAt:
    def loss_until(network: nn.Module, now: int) -> tuple[Tensor, dict[str, float]]:
        if now == step:
            raise KeyboardInterrupt
        return loss_at(network, now)

    return loss_until


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_training_ends_with_the_bits_of_an_uninterrupted_one(
    name: str, clips: tuple[Clips, Clips], tmp_path: Path
) -> None:
    schedule = SCHEDULES[name]
    whole, loss_at = start(name, clips, schedule)
    train(whole, loss_at, schedule, work=tmp_path / "whole", quiet=True)

    broken, loss_at = start(name, clips, schedule)
    with pytest.raises(KeyboardInterrupt):  # after step 3, whose work is lost: the checkpoint is that of step 2
        train(broken, killed_at(3, loss_at), schedule, work=tmp_path / "broken", checkpoint_every=2, quiet=True)
    resumed, loss_at = start(name, clips, schedule)
    train(resumed, loss_at, schedule, work=tmp_path / "broken", checkpoint_every=2, quiet=True)

    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_few_steps_lower_the_loss(name: str, clips: tuple[Clips, Clips], tmp_path: Path) -> None:
    schedule = replace(SCHEDULES[name], steps=16)
    network, loss_at = start(name, clips, schedule)
    losses = []

    def same_batch(network: nn.Module, _step: int) -> tuple[Tensor, dict[str, float]]:
        loss, figures = loss_at(network, 0)
        losses.append(loss.item())
        return loss, figures

    train(network, same_batch, schedule, work=tmp_path, quiet=True)
    assert losses[-1] < 0.9 * losses[0]


def test_the_checkpoint_of_another_schedule_is_refused(clips: tuple[Clips, Clips], tmp_path: Path) -> None:
    schedule = SCHEDULES["tiny-clip"]
    network, loss_at = start("tiny-clip", clips, schedule)
    train(network, loss_at, schedule, work=tmp_path, stop_after=1, quiet=True)
    with pytest.raises(InputError, match=r"checkpoint of another schedule.*another --work folder"):
        train(network, loss_at, replace(schedule, steps=7), work=tmp_path, quiet=True)


def test_clips_are_rendered_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Clips("train", 3, height=32, width=56, cache=tmp_path)
    before = first[1].copy()
    again = Clips("train", 3, height=32, width=56, cache=tmp_path)
    monkeypatch.setattr("univg_bench.features.tiny.clips.render", _refuse)
    assert (again[1] == before).all()
    with pytest.raises(AssertionError, match="rendered"):
        again[2]


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("rendered")


def test_the_probes_look_where_the_shape_is(clips: tuple[Clips, Clips]) -> None:
    _, large = clips
    videos, scenes, places = train_i3d.draw(large, large, replace(SCHEDULES["tiny-i3d"], batch=8), 0)
    assert places.shape == (8, 16, 2)
    for video, s, place in zip(videos, scenes, places, strict=True):
        # the middle of the shape has its colour, or the darkened one of stripes and dots
        for frame, (x, y) in zip(video, place, strict=True):
            pixel = torch.tensor(frame[:, int(y * 72), int(x * 128)]).double()
            colour = torch.tensor(COLOURS[s.colour]).double()
            assert torch.nn.functional.cosine_similarity(pixel, colour, dim=0) > 0.98, s


def _same_output(name: str, network: nn.Module) -> Callable[[nn.Module], Tensor]:
    torch.manual_seed(1)
    if name == "tiny-i3d":
        x = torch.rand(1, 3, 16, 64, 64)
        return lambda n: n(x)
    images = torch.rand(2, 3, 64, 64)
    return lambda n: n.encode_image(images, normalize=True)  # type: ignore[operator, no-any-return]


@pytest.mark.parametrize("name", SCHEDULES)
def test_saved_weights_give_the_same_output_to_half_precision(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build(name).eval()  # type: ignore[arg-type]
    save(network, tmp_path / "weights.safetensors")
    loaded = load(name, tmp_path / "weights.safetensors")  # type: ignore[arg-type]
    output = _same_output(name, network)
    with torch.inference_mode():
        a, b = output(network), output(loaded)
    assert (a - b).norm() / a.norm() < 5e-3
