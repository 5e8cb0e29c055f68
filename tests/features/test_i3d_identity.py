"""An I3D is known by its tensors, whatever file they come in, and no other training is taken for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.weights_files import (
    hassony2,
    i3d_state,
    tensorflow,
    write_bundle,
    write_checksums,
    write_torchscript,
)
from univg_bench.errors import InputError
from univg_bench.features import i3d_checkpoints, weights
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_checkpoints import checkpoints, read_checkpoint
from univg_bench.features.i3d_identity import identify
from univg_bench.features.i3d_layouts import load_i3d_tensors
from univg_bench.features.weights import find_weights

STORED = Path(__file__).parents[3] / "shared" / "data" / "i3d_checksums"
DATA = "variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Tensor]]]:
    """Small networks in the place of DeepMind's, with a table of their checksums."""
    states = {
        "rgb_scratch": i3d_state(seed=1),
        "rgb_imagenet": i3d_state(seed=2),
        "flow_imagenet": i3d_state(I3D(12, width=0.125, in_channels=2), seed=3),
        "rgb_scratch_kin600": i3d_state(I3D(600, width=0.125), seed=4),
    }
    path = tmp_path_factory.mktemp("table") / "table.json"
    write_checksums(path, states)
    return path, states


@pytest.fixture
def states(
    table: tuple[Path, dict[str, dict[str, Tensor]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, dict[str, Tensor]]]:
    """The tensors of the small networks, which the code takes for DeepMind's; a copy that may be changed."""
    monkeypatch.setattr(i3d_checkpoints, "TABLE", table[0])
    monkeypatch.setattr(weights, "DEFAULT_FOLDER", tmp_path / "cache")
    monkeypatch.delenv("UNIVG_WEIGHTS", raising=False)
    checkpoints.cache_clear()
    (tmp_path / "w").mkdir()
    yield {name: {key: value.clone() for key, value in state.items()} for name, state in table[1].items()}
    checkpoints.cache_clear()


@pytest.mark.parametrize("name", ["rgb_scratch", "rgb_imagenet", "flow_imagenet", "rgb_scratch_kin600"])
def test_each_checkpoint_is_known(states: dict[str, dict[str, Tensor]], name: str) -> None:
    identity = identify(states[name])
    assert (identity.checkpoint, identity.matching, identity.total, identity.exact) == (name, 230, 230, True)
    assert identity.sentence() == f"holds the tensors of DeepMind's {name}: all 230 checksums agree"


def test_the_fvd_weights_are_found_in_any_file_that_holds_them(
    states: dict[str, dict[str, Tensor]], tmp_path: Path
) -> None:
    state, folder = states["rgb_scratch"], tmp_path / "w"
    places = [folder / name for name in ("a.safetensors", "b.pth", "c.pt", DATA)]
    save_file({key: value.double() for key, value in state.items()}, places[0])  # exact in float64 too
    torch.save({"state_dict": hassony2(state)}, places[1])
    write_torchscript(places[2], state)
    write_bundle(places[3], tensorflow(state, scope="RGB/inception_i3d/", hub=True), snappy=True)
    for place in places:
        found = find_weights("i3d-kinetics400", place)
        assert (found.path, found.architecture) == (place, "i3d")
        assert found.note == "a file that holds the tensors of DeepMind's rgb_scratch: all 230 checksums agree"
        loaded = load_i3d_tensors(found, I3D(12, width=0.125))
        assert all(torch.equal(loaded[key], value) for key, value in state.items())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rgb_imagenet", "holds the tensors of rgb_imagenet, another training"),
        ("flow_imagenet", "takes optical flow"),
        ("rgb_scratch_kin600", "was trained on Kinetics-600"),
    ],
)
def test_other_trainings_are_refused_by_name(
    states: dict[str, dict[str, Tensor]], tmp_path: Path, name: str, reason: str
) -> None:
    save_file(states[name], tmp_path / "w" / "i3d_pretrained_400.safetensors")
    with pytest.raises(InputError, match=f"i3d_pretrained_400.safetensors {reason}"):
        find_weights("i3d-kinetics400", tmp_path / "w")


def _one_bit(state: dict[str, Tensor]) -> None:
    state["Mixed_4c.b1b.conv3d.weight"].view(torch.int32)[0, 0, 0, 0, 0] ^= 1


def _scaled(state: dict[str, Tensor]) -> None:
    state["Mixed_3b.b0.bn.weight"][0] = 1.0001


def _rounded(state: dict[str, Tensor]) -> None:
    for key in state:
        state[key] = state[key].half().float()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _one_bit,
            "holds 229 of the 230 tensors of DeepMind's rgb_scratch: it was trained further, rounded or damaged",
        ),
        (_scaled, "holds 230 of the 230 tensors .*, and 1 batch norms with a scale that is not one, or none"),
        (_rounded, "holds an I3D none of whose tensors is DeepMind's"),
    ],
)
def test_a_changed_copy_is_not_the_fvd_weights(
    states: dict[str, dict[str, Tensor]], tmp_path: Path, change: object, message: str
) -> None:
    state = states["rgb_scratch"]
    change(state)  # type: ignore[operator]
    save_file(state, tmp_path / "w" / "x.safetensors")
    with pytest.raises(InputError, match=message):
        find_weights("i3d-kinetics400", tmp_path / "w")


def test_a_known_data_file_needs_no_index_and_no_name(states: dict[str, dict[str, Tensor]], tmp_path: Path) -> None:
    state = states["rgb_imagenet"]
    write_bundle(tmp_path / "w" / DATA, tensorflow(state, scope="RGB/inception_i3d/"))
    with_index = read_checkpoint(tmp_path / "w" / DATA)
    (tmp_path / "w" / "variables.index").unlink()
    without = read_checkpoint(tmp_path / "w" / DATA)
    assert with_index.keys() == without.keys()
    assert all((with_index[name] == without[name]).all() for name in with_index)
    renamed = (tmp_path / "w" / DATA).rename(tmp_path / "w" / "downloaded.bin")
    assert weights.container(renamed) == "tensorflow"
    with pytest.raises(InputError, match=r"downloaded\.bin holds the tensors of rgb_imagenet"):
        find_weights("i3d-kinetics400", renamed)
    content = bytearray(renamed.read_bytes())
    content[-1] ^= 1
    renamed.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: the checksum of its tensor"):
        read_checkpoint(renamed)


def test_files_that_hold_something_else_are_passed_over(states: dict[str, dict[str, Tensor]], tmp_path: Path) -> None:
    folder = tmp_path / "w"
    save_file({"visual.proj": torch.zeros(1)}, folder / "clip.safetensors")
    (folder / "page.pt").write_bytes(b"<html>")
    (folder / "cut.pt").write_bytes(b"PK\x03\x04")
    save_file({**states["rgb_imagenet"], "extra": torch.zeros(1)}, folder / "extra.safetensors")
    save_file(states["rgb_scratch"], folder / "the.safetensors")
    assert find_weights("i3d-kinetics400", folder).path == folder / "the.safetensors"


def test_the_table_is_that_of_the_index_files() -> None:
    if not STORED.is_dir():
        pytest.skip(f"there is no {STORED}; lay the project's shared/ beside the checkout to enable this")
    for known in checkpoints():
        lines = (STORED / f"{known.name}.txt").read_text().splitlines()
        wanted = {}
        for line in lines:
            name, rest = line.split(" ", 1)
            shape, (offset, size, crc) = json.loads(rest[rest.index("[") : rest.index("]") + 1]), rest.split()[-3:]
            if not name.endswith("/Momentum"):
                wanted[name.removeprefix(known.scope)] = (tuple(shape), int(size), int(crc), int(offset))
        assert len(wanted) == 230
        assert {n: (e.shape, e.size, e.crc) for n, e in known.tensors.items()} == {n: w[:3] for n, w in wanted.items()}
        if "kin600" not in known.name:  # its data file holds the optimiser's slots in between
            assert {n: e.offset for n, e in known.tensors.items()} == {n: w[3] for n, w in wanted.items()}


def test_the_table_fits_the_network() -> None:
    classes = {"rgb_scratch_kin600": 600}
    for known in checkpoints():
        net = I3D(classes.get(known.name, 400), in_channels=2 if "flow" in known.name else 3)
        expected = tensorflow(
            {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")},
            scope="",
            hub="kin600" in known.name,
        )
        assert {name: value.shape for name, value in expected.items()} == {n: e.shape for n, e in known.tensors.items()}
