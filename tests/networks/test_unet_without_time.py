"""A UNet whose temporal layers are left out: an image network on every frame."""

import torch

from reference_models.nn.attention import Condition
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import TINY

TEXT = torch.randn(2, 5, TINY.context_dim, generator=torch.Generator().manual_seed(1))


def unet(*, filled: bool) -> UNet3D:
    torch.manual_seed(0)
    made = UNet3D(TINY)
    if filled:
        for parameter in made.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    return made.eval()


def clips(frames: int) -> torch.Tensor:
    return torch.randn(2, frames, TINY.in_channels, 8, 14, generator=torch.Generator().manual_seed(2))


def run(network: UNet3D, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network(x, torch.tensor([10, 900]), [Condition("text", TEXT)])


def test_a_frame_does_not_see_its_neighbours() -> None:
    network, x = unet(filled=True), clips(3)
    other = x.clone()
    other[:, 2] += 1
    assert not torch.equal(run(network, x)[:, 0], run(network, other)[:, 0])
    network.leave_out_time(True)
    assert torch.equal(run(network, x)[:, :2], run(network, other)[:, :2])


def test_a_new_network_emits_the_same_with_and_without() -> None:
    network, x = unet(filled=False), clips(2)
    torch.nn.init.normal_(network.out[-1].weight)
    before = run(network, x)
    network.leave_out_time(True)
    assert before.abs().max() > 0
    assert torch.equal(run(network, x), before)


def test_having_time_back_is_exact() -> None:
    network, x = unet(filled=True), clips(3)
    before = run(network, x)
    network.leave_out_time(True)
    assert not torch.equal(run(network, x), before)
    network.leave_out_time(False)
    assert torch.equal(run(network, x), before)


def test_temporal_layers_learn_nothing_while_they_are_left_out() -> None:
    network = unet(filled=True)
    network.leave_out_time(True)
    network(clips(1), torch.tensor([10, 900]), [Condition("text", TEXT)]).sum().backward()
    silent = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert silent
    assert all("temopral_conv" in name or "init_attn" in name or ".2." in name or "_ip" in name for name in silent)
