"""A cache that cannot be noticed but in time: equal bits, never another's value, whole files or none."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reference_models.data.cache import Key, TensorCache

KEY = Key(weights="w", source="s", index=3, geometry="24x40x72")


def numbers(seed: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed)).to(dtype)


def never() -> Tensor:
    raise AssertionError("this should be in the cache")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_comes_out_is_what_went_in(tmp_path: Path, dtype: torch.dtype) -> None:
    made = numbers(0, dtype=dtype).transpose(0, 2)  # not contiguous
    assert torch.equal(TensorCache(tmp_path).value(KEY, lambda: made), made)
    kept = TensorCache(tmp_path).value(KEY, never)
    assert kept.dtype == dtype
    assert torch.equal(kept, made)


def test_another_key_never_meets_the_value(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path)
    cache.value(KEY, lambda: numbers(0))
    others = [replace(KEY, **{name: value}) for name, value in
              {"weights": "v", "source": "t", "index": "3", "geometry": "24x40x71"}.items()]  # fmt: skip
    for seed, other in enumerate(others, start=1):
        assert torch.equal(cache.value(other, lambda seed=seed: numbers(seed)), numbers(seed))
    assert torch.equal(cache.value(KEY, never), numbers(0))


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_made_again(tmp_path: Path, harm: str) -> None:
    TensorCache(tmp_path).value(KEY, lambda: numbers(0))
    [path] = tmp_path.glob("*/*.safetensors")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes({"cut": bytes(content[:-20]), "flipped": bytes(content), "empty": b""}[harm])
    assert torch.equal(TensorCache(tmp_path).value(KEY, lambda: numbers(0)), numbers(0))
    assert torch.equal(TensorCache(tmp_path).value(KEY, never), numbers(0))


def test_nothing_is_kept_beyond_the_limit(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, limit=3 * 240)  # a value has 240 bytes
    for index in range(6):
        assert torch.equal(cache.value(replace(KEY, index=index), lambda i=index: numbers(i)), numbers(index))
    assert len(list(tmp_path.glob("*/*.safetensors"))) == 3
    again = TensorCache(tmp_path, limit=3 * 240)
    again.value(replace(KEY, index=99), lambda: numbers(0))
    assert len(list(tmp_path.glob("*/*.safetensors"))) == 3


def _fill(folder: Path, first: int) -> None:
    cache = TensorCache(folder)
    for index in range(first, first + 100_000):
        cache.value(replace(KEY, index=index % 400), lambda index=index: numbers(index % 400))


def test_processes_share_a_folder_and_may_be_killed(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_fill, args=(tmp_path, first)) for first in (0, 0)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*/*.safetensors"))) < 30 and time.monotonic() < deadline:
        time.sleep(0.02)
    for worker in workers:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
    kept = list(tmp_path.glob("*/*.safetensors"))
    assert len(kept) >= 30
    cache = TensorCache(tmp_path)
    for index in range(400):
        assert torch.equal(cache.value(replace(KEY, index=index), lambda i=index: numbers(i)), numbers(index))
    found = sum(path in kept for path in tmp_path.glob("*/*.safetensors"))
    assert found == len(kept), "no kept file is lost"
