"""The network: padding, pooling and sizes, against the definition written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool3d

from univg_bench.errors import InputError
from univg_bench.features.i3d import I3D, MIXED, MaxPool, Unit3D, same_padding

SMALL = {"num_classes": 5, "width": 0.125}


def lively() -> I3D:
    """Return a small network whose random weights keep the signal alive: with PyTorch's start it would die out."""
    torch.manual_seed(0)
    net = I3D(**SMALL).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return net


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 7, 2, (2, 3)),  # the first convolution: uneven, the rest at the back
        (112, 3, 2, (0, 1)),
        (225, 7, 2, (3, 3)),
        (28, 3, 1, (1, 1)),
        (9, 2, 2, (0, 1)),
        (8, 2, 2, (0, 0)),
        (5, 1, 2, (0, 0)),  # never negative
    ],
)
def test_padding_is_that_of_tensorflow(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding([size], [kernel], [stride]) == [expected]


@pytest.mark.parametrize("size", range(7, 15))
def test_every_size_gives_the_ceiling_of_its_share(size: int) -> None:
    x = torch.rand(1, 3, size, size + 1, size + 2)
    expected = (-(-size // 2), -(-(size + 1) // 2), -(-(size + 2) // 2))
    assert Unit3D(3, 4, 7, 2, bn_eps=1e-3)(x).shape[2:] == expected
    assert MaxPool((3, 3, 3), (2, 2, 2))(x).shape[2:] == expected


def test_padding_never_wins_a_maximum() -> None:
    x = -1 - torch.rand(1, 1, 4, 5, 6)  # all below the zero that PyTorch's ports pad with
    pooled = MaxPool((3, 3, 3), (2, 2, 2))(x)
    padded = np.pad(x[0, 0].numpy(), [(0, 1), (1, 1), (0, 1)], constant_values=-np.inf)
    expected = [[[padded[t : t + 3, y : y + 3, z : z + 3].max() for z in (0, 2, 4)] for y in (0, 2, 4)] for t in (0, 2)]
    assert np.array_equal(pooled[0, 0].numpy(), np.array(expected, np.float32))


@pytest.mark.parametrize(("frames", "height", "width"), [(9, 64, 64), (16, 64, 64), (17, 32, 56), (24, 48, 80)])
def test_head_is_average_pool_then_logits_then_mean_over_time(frames: int, height: int, width: int) -> None:
    net = lively()
    x = torch.rand(2, 3, frames, height, width) * 2 - 1
    with torch.inference_mode():
        maps = x
        for name, layer in net.named_children():
            maps = maps if name == "logits" else layer(maps)
        assert maps.shape[2] == -(-frames // 8)
        pooled = avg_pool3d(maps, (2, *maps.shape[3:]), stride=1)
        expected = net.logits["conv3d"](pooled).mean(2)[:, :, 0, 0]
        got = net(x)
    assert (got[0] - got[1]).norm() > 1e-3 * got[0].norm()  # else the next line would say nothing
    assert (got - expected).norm() <= 1e-5 * expected.norm()


def test_one_clip_does_not_depend_on_its_neighbours() -> None:
    net = lively()
    x = torch.rand(3, 3, 9, 32, 32) * 2 - 1
    with torch.inference_mode():
        alone = torch.cat([net(clip[None]) for clip in x])
        together = net(x)
    assert (alone[0] - alone[1]).norm() > 1e-3 * alone[0].norm()
    assert (together - alone).norm() <= 1e-5 * alone.norm()


def test_width_multiplies_every_channel_count() -> None:
    full, quarter = I3D().state_dict(), I3D(width=0.25).state_dict()
    assert full.keys() == quarter.keys()
    assert len([key for key in full if not key.endswith("num_batches_tracked")]) == 287
    for key in full:
        if key.endswith("bn.weight"):
            assert len(quarter[key]) == max(8, 8 * round(len(full[key]) / 32)), key
    assert quarter["Mixed_5c.b1b.conv3d.weight"].shape[0] == MIXED["Mixed_5c"][2] // 4


@pytest.mark.parametrize("size", [223, 225, 256])
def test_published_network_refuses_sizes_that_would_give_several_logits(size: int) -> None:
    with pytest.raises(InputError, match=rf"found frames of {size}x{size}, .* takes 224x224 only"):
        I3D()(torch.zeros(1, 3, 16, size, size))


def test_too_few_frames_and_wrong_axes_are_refused() -> None:
    net = I3D(**SMALL)
    with pytest.raises(InputError, match="found 8 frames, I3D needs at least 9"):
        net(torch.zeros(1, 3, 8, 32, 32))
    with pytest.raises(InputError, match=r"expected \(B, 3, T, H, W\)"):
        net(torch.zeros(1, 16, 3, 32, 32))
    with pytest.raises(InputError, match=r"expected \(B, 3, T, H, W\)"):
        net(torch.zeros(3, 16, 32, 32))
