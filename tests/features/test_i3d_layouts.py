"""The same weights in any layout in circulation give the same state dict to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.weights_files import hassony2, i3d_state, tensorflow, write_bundle, write_torchscript
from univg_bench.errors import InputError
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_layouts import hassony2_key, keys, load_i3d_tensors, tensorflow_name
from univg_bench.features.weights import Weights, container

DATA = "model.ckpt.data-00000-of-00001"
RGB = "RGB/inception_i3d/"


def net(classes: int = 12, in_channels: int = 3) -> I3D:
    return I3D(classes, width=0.125, in_channels=in_channels)


def weights_of(path: Path) -> Weights:
    return Weights("test", path, "0" * 64, container(path), "", None)


def saved(folder: Path, state: dict[str, Tensor]) -> Path:
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "x.safetensors")
    return folder / "x.safetensors"


def bundle(
    folder: Path, state: dict[str, Tensor], *, scope: str = RGB, hub: bool = False, snappy: bool = False
) -> Path:
    write_bundle(folder / DATA, tensorflow(state, scope=scope, hub=hub), snappy=snappy)
    return folder / DATA


def archive(folder: Path, state: dict[str, Tensor]) -> Path:
    write_torchscript(folder / "x.pt", state)
    return folder / "x.pt"


def unnamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors in modules `net.m0` ... in the order of the network, whatever they were called."""
    places = list(dict.fromkeys(key.rpartition(".")[0] for key in keys()))
    return {f"net.m{places.index(k.rpartition('.')[0])}.{k.rpartition('.')[2]}": state[k] for k in keys()}


WRITERS: dict[str, Callable[[Path, dict[str, Tensor]], Path]] = {
    "piergiaj": saved,
    "piergiaj-archive": archive,
    "hassony2": lambda folder, state: saved(folder, hassony2(state)),
    "hassony2-archive": lambda folder, state: archive(folder, hassony2({key: state[key] for key in keys()})),
    "archive-of-other-names": lambda folder, state: archive(folder, unnamed(state)),
    "deepmind": bundle,
    "deepmind-flow-scope": lambda folder, state: bundle(folder, state, scope="Flow/inception_i3d/"),
    "deepmind-without-scope": lambda folder, state: bundle(folder, state, scope=""),
    "hub": lambda folder, state: bundle(folder, state, hub=True, snappy=True),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_same_state_dict(layout: str, tmp_path: Path) -> None:
    state = i3d_state()
    got = load_i3d_tensors(weights_of(WRITERS[layout](tmp_path, state)), net())
    assert got.keys() == state.keys()
    for key, value in state.items():
        assert got[key].dtype == torch.float32
        assert torch.equal(got[key], value), key


def test_names_of_the_layouts_are_those_written_by_hand() -> None:
    """Spot checks against the published names; the typo of Mixed_5b among them."""
    assert hassony2_key("Mixed_3b.b1a.conv3d.weight") == "mixed_3b.branch_1.0.conv3d.weight"
    assert hassony2_key("Mixed_5c.b3b.bn.running_var") == "mixed_5c.branch_3.1.batch3d.running_var"
    assert hassony2_key("logits.conv3d.bias") == "conv3d_0c_1x1.conv3d.bias"
    assert tensorflow_name("Conv3d_1a_7x7.bn.bias") == "Conv3d_1a_7x7/batch_norm/beta"
    assert tensorflow_name("Mixed_5b.b2b.conv3d.weight") == "Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"
    assert tensorflow_name("Mixed_5c.b2b.conv3d.weight") == "Mixed_5c/Branch_2/Conv3d_0b_3x3/conv_3d/w"
    assert tensorflow_name("logits.conv3d.bias") == "Logits/Conv3d_0c_1x1/conv_3d/b"
    assert tensorflow_name("Mixed_3b.b0.bn.weight") is None
    assert len(keys()) == 287
    assert set(keys()) == i3d_state().keys()


def test_slots_of_the_optimiser_are_left_out(tmp_path: Path) -> None:
    state = i3d_state()
    variables = tensorflow(state, scope="")
    write_bundle(tmp_path / DATA, variables | {f"{name}/Momentum": value for name, value in variables.items()})
    assert load_i3d_tensors(weights_of(tmp_path / DATA), net()).keys() == state.keys()


@pytest.mark.parametrize("layout", ["piergiaj", "hassony2", "archive-of-other-names", "deepmind", "hub"])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: net(157), r"157 classes \(as trained on Charades\)"),
        (lambda: net(600), r"600 classes \(as trained on Kinetics-600\)"),
        (lambda: net(in_channels=2), "takes optical flow"),
    ],
)
def test_another_training_is_refused_in_every_layout(
    layout: str, other: Callable[[], I3D], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load_i3d_tensors(weights_of(WRITERS[layout](tmp_path, i3d_state(other()))), net())


@pytest.mark.parametrize("layout", ["piergiaj", "hassony2", "deepmind"])
def test_a_missing_tensor_is_named(layout: str, tmp_path: Path) -> None:
    state = i3d_state()
    del state["Mixed_4e.b2b.bn.running_mean"]
    with pytest.raises(InputError, match=r"1 missing \(Mixed_4e\.b2b\.bn\.running_mean\)"):
        load_i3d_tensors(weights_of(WRITERS[layout](tmp_path, state)), net())


def test_an_archive_of_another_order_or_number_of_modules_is_refused(tmp_path: Path) -> None:
    state = unnamed(i3d_state())
    missing = {key: value for key, value in state.items() if not key.startswith("net.m5.")}
    with pytest.raises(InputError, match="holds no I3D"):
        load_i3d_tensors(weights_of(archive(tmp_path, missing)), net())
    backwards = dict(reversed(state.items()))
    with pytest.raises(InputError, match=r"does not fit the network|classes"):
        load_i3d_tensors(weights_of(archive(tmp_path, backwards)), net())
