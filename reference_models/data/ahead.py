"""Batches made ahead of time by worker processes, in the order asked for and with the same bits for any number of them.

A worker makes whole batches, each a function of what is asked alone; so it does not matter which one makes it. What
goes wrong in a worker is raised here as if it had happened here; a worker that dies is said in a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

from univg_bench.errors import InfrastructureError, UnivgError

A = TypeVar("A")  # what is asked
V = TypeVar("V")  # what is made


def made_ahead(make: Callable[[A], V], asked: Iterable[A], *, workers: int, ahead: int = 2) -> Iterator[V]:
    """Yield `make(a)` for every a of `asked`, in order; asked may be endless.

    workers: processes that make them; 0 makes each here when it is its turn. ahead: how many each worker may be ahead,
    so memory holds workers x ahead of them. make, what it is given and what it makes must be picklable.

    Raises what `make` raises, and InfrastructureError when a worker dies (as when memory runs out).
    """
    if workers < 0 or ahead < 1:
        raise ValueError(f"found {workers} workers, {ahead} ahead, expected 0 or more workers and 1 or more ahead")
    if workers == 0:
        yield from map(make, asked)
        return
    loader: DataLoader[Any] = DataLoader(
        _Made(make),
        sampler=asked,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=ahead,
        collate_fn=_as_it_is,
        # a forked process has the locks of threads that it does not have: decoders and OpenMP may hang
        multiprocessing_context="spawn",
    )
    # when the caller is done with this generator, its last reference to the iterator goes, and the workers end
    numbered = iter(loader)
    while True:
        try:
            found = next(numbered)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise InfrastructureError(
                f"a process that reads clips died ({str(error).splitlines()[0]}); memory may have run out: take"
                " fewer workers, and resume the run from its last checkpoint"
            ) from error
        if isinstance(found, _Failed):
            raise found.error
        yield found


@dataclass(frozen=True)
class _Failed:
    error: UnivgError


class _Made(Dataset[Any], Generic[A, V]):
    def __init__(self, make: Callable[[A], V]) -> None:
        self.make = make

    def __getitem__(self, asked: A) -> V | _Failed:
        try:
            return self.make(asked)
        except UnivgError as error:
            # the loader would build another exception of the same class from a text with the stack in it
            return _Failed(error)


def _as_it_is(value: Any) -> Any:
    return value
