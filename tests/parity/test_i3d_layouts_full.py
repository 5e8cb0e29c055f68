"""Weights of the published size, in every layout in circulation: equal bits, and known by their 230 checksums."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.weights_files import hassony2, tensorflow, write_bundle, write_checksums, write_torchscript
from univg_bench.features import i3d_checkpoints
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_checkpoints import checkpoints
from univg_bench.features.i3d_identity import identify
from univg_bench.features.i3d_layouts import keys, load_i3d_tensors
from univg_bench.features.weights import Weights, container

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "fvd_oracles"
SIZE = 50818176  # bytes of DeepMind's model.ckpt.data-00000-of-00001

pytestmark = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    recipe = runpy.run_path(str(ORACLES / "i3d_recipe.py"))
    expected = json.loads((ORACLES / "dev" / "expected.json").read_text())
    arrays = recipe["state_dict"](expected["salt"], ORACLES / "dev" / "bn_stats.npz")
    assert recipe["digest"](arrays) == expected["sha256"]["state_dict"]
    return {key: torch.from_numpy(arrays[key]) for key in keys()}


@pytest.fixture
def table(state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    write_checksums(tmp_path / "table.json", {"rgb_scratch": state})
    monkeypatch.setattr(i3d_checkpoints, "TABLE", tmp_path / "table.json")
    checkpoints.cache_clear()
    yield
    checkpoints.cache_clear()


def test_the_data_file_has_the_size_of_deepminds() -> None:
    assert [known.size for known in checkpoints()][:2] == [SIZE, SIZE]


def test_every_layout_gives_equal_bits_and_the_same_identity(
    state: dict[str, Tensor], table: None, tmp_path: Path
) -> None:
    scope = "RGB/inception_i3d/"
    places = [tmp_path / name for name in ("a.safetensors", "b.pth", "c.pt", "model.ckpt.data-00000-of-00001",
                                           "variables.data-00000-of-00001")]  # fmt: skip
    save_file(state, places[0])
    torch.save(hassony2(state), places[1])
    write_torchscript(places[2], hassony2(state))
    write_bundle(places[3], tensorflow(state, scope=scope))
    write_bundle(places[4], tensorflow(state, scope=scope, hub=True), snappy=True)
    assert places[3].stat().st_size == places[4].stat().st_size == SIZE
    assert places[3].read_bytes() == places[4].read_bytes()  # the shapes of the index alone differ, as published
    net = I3D()
    for place in places:
        loaded = load_i3d_tensors(Weights("test", place, "", container(place), "", None), net)
        assert loaded.keys() == state.keys()
        assert all(torch.equal(loaded[key], value) for key, value in state.items()), place
        place.unlink()
    assert identify(loaded).exact
