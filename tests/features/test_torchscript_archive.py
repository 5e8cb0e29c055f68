"""A TorchScript archive gives its tensors bit for bit, and nothing in it is executed."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from univg_bench.errors import InputError
from univg_bench.features.torchscript import read_tensors
from univg_bench.features.weights import container


class Block(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4).to(dtype)
        self.register_buffer("steps", torch.arange(5))
        self.mask = torch.tril(torch.ones(3, 3, dtype=torch.bool))  # a plain attribute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.mask.sum() + self.steps.sum()


class Tree(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fp16, self.fp32, self.fp64 = Block(torch.float16), Block(torch.float32), Block(torch.float64)
        self.layers = nn.ModuleList([nn.BatchNorm1d(3), nn.Identity()])
        self.view = nn.Parameter(torch.arange(24.0).reshape(4, 6)[1:, ::2].t())  # neither contiguous nor at offset 0
        self.scalar = nn.Parameter(torch.tensor(2.5))
        self.sizes = [1, 2, 3]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fp32(x) * self.scalar


@pytest.fixture(scope="module")
def tree() -> Tree:
    torch.manual_seed(0)
    return Tree()


@pytest.fixture(scope="module")
def archive(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "tree.pt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit")  # deprecated; tests alone write what others have published
        torch.jit.save(torch.jit.script(tree), path)
    return path


def rewritten(source: Path, dest: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(dest, "w") as new:
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content)
    return dest


def test_every_tensor_is_equal_to_the_bit(tree: Tree, archive: Path) -> None:
    assert container(archive) == "torchscript"
    tensors = read_tensors(archive)
    expected = tree.state_dict()
    assert expected.keys() <= tensors.keys()
    assert {key.rpartition(".")[2] for key in tensors.keys() - expected.keys()} == {"mask"}
    for key, value in expected.items():
        assert tensors[key].dtype == value.dtype, key
        assert torch.equal(tensors[key], value), key


def test_the_program_inside_is_not_looked_at(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a downloaded program was about to be loaded")

    monkeypatch.setattr(torch.jit, "load", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    spoilt = rewritten(
        archive,
        tmp_path / "spoilt.pt",
        lambda name, content: b"import os; os._exit(1)" if "/code/" in name else content,
    )
    expected = read_tensors(archive)
    tensors = read_tensors(spoilt)
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[key], expected[key]) for key in expected)


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(archive: Path, tmp_path: Path, protocol: int) -> None:
    evil = pickle.dumps(Evil(tmp_path / "ran"), protocol)
    path = rewritten(
        archive, tmp_path / "evil.pt", lambda name, content: evil if name.endswith("/data.pkl") else content
    )
    with pytest.raises(InputError, match="refused, nothing was executed"):
        read_tensors(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("call", ["builtins eval", "os system", "torch load", "torch.jit _script", "torch._utils x"])
def test_any_other_global_is_refused(archive: Path, tmp_path: Path, call: str) -> None:
    module, name = call.split()
    stream = f"c{module}\n{name}\n(S'1'\ntR.".encode()
    path = rewritten(archive, tmp_path / "a.pt", lambda n, content: stream if n.endswith("/data.pkl") else content)
    with pytest.raises(InputError, match=f"it names {module}.{name}"):
        read_tensors(path)


def with_tensor(archive: Path, dest: Path, *, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Path:
    """Rewrite the archive so that its root holds one float view of storage 0, written by hand."""
    stream = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: object) -> object:
            return thing.pid if isinstance(thing, Storage) else None

        def reducer_override(self, thing: object) -> object:
            if isinstance(thing, Root):
                return Root, (), {"x": View()}
            if isinstance(thing, View):
                return torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, {})
            return NotImplemented

    Pickler(stream, 2).dump(Root())
    content = stream.getvalue().replace(f"c{__name__}\nRoot\n".encode(), b"c__torch__.x\nRoot\n")
    content = content.replace(b")R}", b")\x81}")  # TorchScript makes modules with NEWOBJ
    return rewritten(
        archive,
        dest,
        lambda n, old: content if n.endswith("/data.pkl") else bytes(40) if n.endswith("/data/0") else old,
    )


class Storage:
    pid = ("storage", torch.FloatStorage, "0", "cpu", 10)


class Root: ...


class View: ...


def test_a_view_within_its_storage_is_read(archive: Path, tmp_path: Path) -> None:
    path = with_tensor(archive, tmp_path / "a.pt", offset=2, size=(2, 3), stride=(3, 1))
    assert read_tensors(path)["x"].shape == (2, 3)


@pytest.mark.parametrize(
    ("offset", "size", "stride"), [(0, (11,), (1,)), (8, (3,), (1,)), (0, (2, 5), (9, 1)), (-1, (2,), (1,))]
)
def test_a_view_beyond_its_storage_is_refused(
    archive: Path, tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    path = with_tensor(archive, tmp_path / "a.pt", offset=offset, size=size, stride=stride)
    with pytest.raises(InputError, match="cannot read the TorchScript archive"):
        read_tensors(path)


def test_a_short_storage_and_a_missing_one_are_refused(archive: Path, tmp_path: Path) -> None:
    short = rewritten(archive, tmp_path / "s.pt", lambda n, content: content[:-2] if "/data/" in n else content)
    with pytest.raises(InputError, match=r"found \d+ bytes in storage"):
        read_tensors(short)
    missing = rewritten(archive, tmp_path / "m.pt", lambda n, content: None if n.endswith("/data/0") else content)
    with pytest.raises(InputError, match="cannot read the TorchScript archive"):
        read_tensors(missing)


def test_what_is_no_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pt").write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot read the TorchScript archive"):
        read_tensors(tmp_path / "cut.pt")
    empty = rewritten(archive, tmp_path / "e.pt", lambda n, content: None if n.endswith("/data.pkl") else content)
    with pytest.raises(InputError, match=r"found 0 members data\.pkl"):
        read_tensors(empty)
