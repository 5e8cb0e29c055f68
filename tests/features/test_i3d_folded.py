"""The fast I3D is the plain one: pools bit for bit, features to rounding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from univg_bench.errors import InputError
from univg_bench.features.i3d import I3D, MaxPool
from univg_bench.features.i3d_folded import FoldedI3D, max_along

BOUND = 2e-6  # relative L2; i3d_folded.py states it


def network(width: float = 1.0, num_classes: int = 400) -> I3D:
    """Return an I3D whose batch norms do something."""
    generator = torch.Generator().manual_seed(1)
    net = I3D(num_classes, width=width).eval().requires_grad_(False)
    for name, tensor in net.state_dict().items():
        if name.endswith(("running_mean", "bn.bias")):
            tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
        elif name.endswith(("running_var", "bn.weight")):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.ndim == 5:
            fan_in = tensor[0].numel()
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / fan_in) ** 0.5)
    return net


def clips(frames: int, size: int) -> torch.Tensor:
    return torch.rand(1, 3, frames, size, size, generator=torch.Generator().manual_seed(frames)) * 2 - 1


def relative_error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("frames", [9, 16])
def test_features_are_those_of_the_plain_network(frames: int) -> None:
    net, x = network(), clips(frames, 224)
    with torch.inference_mode():
        assert relative_error(FoldedI3D(net)(x), net(x)) <= BOUND


@pytest.mark.parametrize("size", [32, 47, 64])
def test_a_narrow_network_of_any_size_too(size: int) -> None:
    net, x = network(width=0.25, num_classes=20), clips(13, size)
    with torch.inference_mode():
        assert relative_error(FoldedI3D(net)(x), net(x)) <= BOUND


def test_half_precision_is_near_but_not_the_same() -> None:
    net, x = network(width=0.25, num_classes=20), clips(16, 64)
    with torch.inference_mode():
        error = relative_error(FoldedI3D(net, torch.bfloat16)(x), net(x))
    assert BOUND < error < 5e-2


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(*[st.integers(1, 9)] * 3),
    window=st.sampled_from([((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (1, 1, 1)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2),) * 2]),
    seed=st.integers(0, 1000),
)
def test_pooling_one_axis_after_the_other_is_pooling(
    size: tuple[int, int, int], window: tuple[tuple[int, int, int], tuple[int, int, int]], seed: int
) -> None:
    kernel, stride = window
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))  # negative values too
    wanted = MaxPool(kernel, stride)(x)
    for axis, (k, s) in enumerate(zip(kernel, stride, strict=True), start=2):
        x = max_along(x, axis, k, s)
    assert torch.equal(x, wanted)


def test_clips_that_the_plain_network_refuses_are_refused() -> None:
    fast = FoldedI3D(network())
    with pytest.raises(InputError, match="at least 9"):
        fast(clips(8, 224))
    with pytest.raises(InputError, match="224x224 only"):
        fast(clips(9, 256))


def test_the_plain_network_is_left_as_it_was() -> None:
    net = network(width=0.25, num_classes=20)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    FoldedI3D(net, torch.bfloat16)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
