"""Weights files as others publish them, written for tests: TensorFlow's checkpoints, hassony2's keys, TorchScript."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from univg_bench.features.crc32c import crc32c, masked
from univg_bench.features.i3d import I3D

CLIP = b"\x00" * 8 + b"{clip"  # eight bytes of header length, then JSON: enough for who only looks at checksums
DATA = "model.ckpt.data-00000-of-00001"
RGB = "RGB/inception_i3d/"

_TF_PARTS = {
    "conv3d.weight": "conv_3d/w", "conv3d.bias": "conv_3d/b", "bn.bias": "batch_norm/beta",
    "bn.running_mean": "batch_norm/moving_mean", "bn.running_var": "batch_norm/moving_variance",
}  # fmt: skip
_TF_BRANCHES = {"b0": "0/Conv3d_0a_1x1", "b1a": "1/Conv3d_0a_1x1", "b1b": "1/Conv3d_0b_3x3", "b2a": "2/Conv3d_0a_1x1",
                "b2b": "2/Conv3d_0b_3x3", "b3b": "3/Conv3d_0b_1x1"}  # fmt: skip
_HASSONY2_BRANCHES = {"b0": "0", "b1a": "1.0", "b1b": "1.1", "b2a": "2.0", "b2b": "2.1", "b3b": "3.1"}


def narrow(classes: int = 12, bn_eps: float = 1e-3) -> I3D:
    """Return an eighth of the published network, with random weights."""
    return I3D(classes, width=0.125, bn_eps=bn_eps)


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the record that a command printed with --json."""
    return json.loads(capsys.readouterr().out)


def i3d_state(net: I3D | None = None, seed: int = 0) -> dict[str, Tensor]:
    """Return random weights of an I3D (by default a narrow one of 12 classes) under our keys, scales of one."""
    net = net or narrow()
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.ones_like(value) if key.endswith("bn.weight") else torch.rand(value.shape, generator=generator)
        for key, value in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }


def tensorflow(state: Mapping[str, Tensor], *, scope: str, hub: bool = False) -> dict[str, np.ndarray]:
    """Return a state dict as variables of DeepMind's graph; `hub` gives batch norms the shape of TF-Hub's module."""
    variables: dict[str, np.ndarray] = {}
    for key, value in state.items():
        unit, kind, name = key.rsplit(".", 2)
        part = f"{kind}.{name}"
        if part == "bn.weight":
            continue
        block, _, branch = unit.partition(".")
        place = f"{block}/Branch_{_TF_BRANCHES[branch]}" if branch else unit
        place = "Logits/Conv3d_0c_1x1" if unit == "logits" else place
        place = place.replace("Mixed_5b/Branch_2/Conv3d_0b_3x3", "Mixed_5b/Branch_2/Conv3d_0a_3x3")
        array = value.numpy()
        if part == "conv3d.weight":
            array = array.transpose(2, 3, 4, 1, 0)
        elif hub and kind == "bn":
            array = array.reshape(1, 1, 1, 1, -1)
        variables[f"{scope}{place}/{_TF_PARTS[part]}"] = np.ascontiguousarray(array)
    return variables


def hassony2(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under hassony2's keys."""
    renamed = {}
    for key, value in state.items():
        for block in {k.split(".")[0] for k in state if k.startswith("Mixed")}:
            for ours, theirs in _HASSONY2_BRANCHES.items():
                key = key.replace(f"{block}.{ours}.", f"{block.lower()}.branch_{theirs}.")
        key = key.replace("Conv3d_", "conv3d_").replace(".bn.", ".batch3d.").replace("logits.", "conv3d_0c_1x1.")
        renamed[key] = value
    return renamed


def write_torchscript(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a scripted module that holds the tensors under their dotted names, in the order in which they stand."""
    root = Holder()
    for key, value in state.items():
        *places, name = key.split(".")
        module: nn.Module = root
        for place in places:
            if place not in dict(module.named_children()):
                module.add_module(place, Holder())
            module = module.get_submodule(place)
        if name.startswith("running"):
            module.register_buffer(name, value.clone())
        else:
            module.register_parameter(name, nn.Parameter(value.clone()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit")  # deprecated; tests alone write what others have published
        torch.jit.save(torch.jit.script(root), path)


class Holder(nn.Module):
    """A module that only holds."""

    def forward(self, x: Tensor) -> Tensor:
        return x


# --- TensorFlow's checkpoints -----------------------------------------------------------------------------------------


def write_bundle(
    data: Path,
    variables: Mapping[str, np.ndarray],
    *,
    snappy: bool = False,
    rows_per_block: int = 40,
    header: bytes = b"",
) -> None:
    """Write a checkpoint: `data` (its name ends in .data-00000-of-00001) and the .index beside it."""
    content = bytearray()
    rows = [(b"", header or field(1, 1))]
    for name, value in sorted(variables.items()):
        piece = np.ascontiguousarray(value).tobytes()
        dims = b"".join(field(2, field(1, size)) for size in value.shape)
        dtype = {"float32": 1, "float64": 2, "int64": 9, "uint8": 4}[value.dtype.name]
        entry = field(1, dtype) + field(2, dims) + field(4, len(content)) + field(5, len(piece))
        entry += varint(6 << 3 | 5) + struct.pack("<I", masked(crc32c(piece)))
        rows.append((name.encode(), entry))
        content += piece
    data.write_bytes(content)
    table = bytearray()
    index_rows = []
    for first in range(0, len(rows), rows_per_block):
        chunk = rows[first : first + rows_per_block]
        index_rows.append((chunk[-1][0] + b"\x01", add_block(table, block(chunk), snappy=snappy)))
    metaindex = add_block(table, block([]), snappy=False)
    index = add_block(table, block(index_rows), snappy=snappy)
    table += (metaindex + index).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    data.with_name(data.name.replace(".data-00000-of-00001", ".index")).write_bytes(table)


def add_block(table: bytearray, content: bytes, *, snappy: bool) -> bytes:
    """Append a block with its trailer; return its handle."""
    stored = snapped(content) if snappy else content
    handle = varint(len(table)) + varint(len(stored))
    stored += b"\1" if snappy else b"\0"
    table += stored + struct.pack("<I", masked(crc32c(stored)))
    return handle


def block(rows: list[tuple[bytes, bytes]]) -> bytes:
    """Return a block of sorted rows; every sixteenth key is written whole, the others without what they share."""
    out, restarts, before = bytearray(), [], b""
    for number, (key, value) in enumerate(rows):
        shared = 0
        if number % 16 == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def snapped(data: bytes) -> bytes:
    """Return data in Snappy's format: literals, and copies wherever four bytes stood before."""
    out, seen = bytearray(varint(len(data))), dict[bytes, int]()
    place = start = 0
    while place < len(data):
        earlier = seen.get(data[place : place + 4])
        seen[data[place : place + 4]] = place
        length = 0
        if earlier is not None and place + 4 <= len(data):
            while length < 64 and place + length < len(data) and data[earlier + length] == data[place + length]:
                length += 1
        if length < 4:
            place += 1
            continue
        out += literal(data[start:place]) + bytes([(length - 1) << 2 | 2]) + struct.pack("<H", place - earlier)
        place = start = place + length
    return bytes(out) + literal(data[start:])


def literal(data: bytes) -> bytes:
    if len(data) > 60:
        return bytes([61 << 2]) + struct.pack("<H", len(data) - 1) + data
    return bytes([(len(data) - 1) << 2]) + data if data else b""


def field(number: int, value: int | bytes) -> bytes:
    """Return a field of a protocol buffer."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def write_checksums(path: Path, states: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write a table like i3d_crc32c.json of checkpoints by name."""
    table = {}
    for name, state in states.items():
        variables = tensorflow(state, scope="")
        rows = {k: [list(v.shape), masked(crc32c(v))] for k, v in sorted(variables.items())}
        table[name] = {"scope": "RGB/inception_i3d/", "tensors": rows}
    path.write_text(json.dumps({"source": "a test", "checkpoints": table}))
