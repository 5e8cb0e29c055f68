"""A folder of weights in which narrow networks stand for the published ones."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.weights_files import (
    CLIP,
    i3d_state,
    narrow,
    write_checksums,
)
from univg_bench.commands import weights as command
from univg_bench.features import anchors, i3d_checkpoints
from univg_bench.features import weights as module
from univg_bench.features.i3d_checkpoints import checkpoints
from univg_bench.features.known_weights import KNOWN_WEIGHTS


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Tensor]]]:
    """Narrow networks in the place of DeepMind's, calibrated so that they answer, and a table of their checksums."""
    states = {name: i3d_state(seed=seed) for seed, name in enumerate(["rgb_scratch", "rgb_imagenet"])}
    for state in states.values():
        for key, value in state.items():
            if key.endswith("conv3d.weight"):
                torch.nn.init.kaiming_normal_(value, generator=torch.Generator().manual_seed(len(key)))
    path = tmp_path_factory.mktemp("table") / "table.json"
    write_checksums(path, states)
    return path, states


@pytest.fixture
def states(
    table: tuple[Path, dict[str, dict[str, Tensor]]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, dict[str, Tensor]]]:
    monkeypatch.setattr(i3d_checkpoints, "TABLE", table[0])
    checkpoints.cache_clear()
    yield {name: {key: value.clone() for key, value in state.items()} for name, state in table[1].items()}
    checkpoints.cache_clear()


@pytest.fixture
def folder(states: dict[str, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that $UNIVG_WEIGHTS names; one file of CLIP is known by its checksum."""
    checksum = "sha256:" + hashlib.sha256(CLIP).hexdigest()
    known = tuple(dataclasses.replace(k, checksum=checksum) if k.file == "ViT-B-16.pt" else k for k in KNOWN_WEIGHTS)
    for place in (module, command):
        monkeypatch.setattr(place, "KNOWN_WEIGHTS", known)
    monkeypatch.setattr(module, "DEFAULT_FOLDER", tmp_path / "cache")
    monkeypatch.setattr(anchors, "I3D", narrow)
    tiny = tmp_path / "tiny.safetensors"  # in place of the shipped ones, which this is no test of
    tiny.write_bytes(b"\x00" * 8 + b"{}")
    monkeypatch.setattr("univg_bench.features.tiny.weights_path", lambda name: tiny)
    (tmp_path / "w").mkdir()
    monkeypatch.setenv("UNIVG_WEIGHTS", str(tmp_path / "w"))
    return tmp_path / "w"
