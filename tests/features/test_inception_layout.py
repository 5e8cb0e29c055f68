"""FID's Inception is taken from the file that pytorch-fid publishes, and from no other Inception."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_fid import inception as published
from torch import Tensor, nn

from univg_bench.errors import InputError
from univg_bench.features.inception_layout import load_inception_tensors
from univg_bench.features.weights import Weights, container


class Net(nn.Module):
    """Two blocks of the network under their own names, which is enough of it for a layout."""

    def __init__(self, classes: int | None = 1008) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = nn.Module()
        self.Conv2d_1a_3x3.conv = nn.Conv2d(3, 32, 3, stride=2, bias=False)
        self.Conv2d_1a_3x3.bn = nn.BatchNorm2d(32, eps=0.001)
        self.Mixed_5b = published.FIDInceptionA(192, pool_features=32)
        if classes:
            self.fc = nn.Linear(2048, classes)


def saved(folder: Path, state: dict[str, Tensor], architecture: str | None = None) -> Weights:
    torch.save(state, folder / "inception.pth")
    return Weights("test", folder / "inception.pth", "", container(folder / "inception.pth"), "", architecture)


def test_tensors_are_those_of_the_file_with_or_without_the_class_layer(tmp_path: Path) -> None:
    state = Net().state_dict()
    weights = saved(tmp_path, state, "inception-fid")
    for net in (Net(), Net(classes=None)):
        got = load_inception_tensors(weights, net)
        assert got.keys() == {k for k in net.state_dict() if not k.endswith("num_batches_tracked")}
        assert all(torch.equal(got[key], state[key]) for key in got)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda: Net(1000).state_dict(), r"is an Inception of 1000 classes \(torchvision's has 1000\)"),
        (lambda: {"blocks.0.weight": torch.zeros(1)}, "holds no Inception v3"),
        (lambda: Net().state_dict() | {"AuxLogits.fc.bias": torch.zeros(3)}, r"1 not of this network \(AuxLogits"),
        (lambda: Net().state_dict() | {"fc.bias": torch.full((1008,), torch.nan)}, "NaN or infinite values"),
        (lambda: Net().state_dict() | {"Conv2d_1a_3x3.bn.bias": torch.zeros(7)}, r"\(7,\) for \(32,\)"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, state: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_inception_tensors(saved(tmp_path, state()), Net())  # type: ignore[operator]


def test_weights_of_another_network_are_refused_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"\x80")
    with pytest.raises(InputError, match="FID needs weights of inception-fid, found i3d-kinetics400 of i3d"):
        load_inception_tensors(Weights("i3d-kinetics400", tmp_path / "x.pth", "", "torch", "", "i3d"), Net())
