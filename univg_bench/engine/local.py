"""One machine: run the chunks of a plan in this process or in N worker processes, with equal results.

Work is cut into chunks by its plan, never by the number of workers, and each chunk commits its own result atomically.
So a worker may be killed at any moment: everything committed stays, and the same command does the rest.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from typing import TypeVar

from univg_bench.errors import InfrastructureError, InputError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def default_workers() -> int:
    """Return the number of CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run_chunks(
    work: Callable[[Chunk], Result], chunks: Sequence[Chunk], *, workers: int = 1
) -> Iterator[tuple[int, Result]]:
    """Yield (index of chunk, result) as chunks end; the order of yields is free, the results are not.

    work must be importable by name and chunks picklable (workers are spawned, not forked: torch threads and forked
    processes deadlock). Results should be small: big ones belong on disk, committed by the worker.

    Raises InputError for fewer than one worker, InfrastructureError when a worker process dies, and whatever `work`
    raises.
    """
    if workers < 1:
        raise InputError(f"found --workers {workers}, expected at least 1")
    if workers == 1 or len(chunks) <= 1:
        for index, chunk in enumerate(chunks):
            yield index, work(chunk)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context, initializer=_die_with_the_parent)
    try:
        ahead: dict[Future[Result], int] = {}
        todo = iter(enumerate(chunks))
        while True:
            # two chunks per worker in flight: no worker starves, and memory does not grow with the plan
            while len(ahead) < 2 * workers and (pair := next(todo, None)) is not None:
                ahead[pool.submit(work, pair[1])] = pair[0]
            if not ahead:
                return
            ended, _ = wait(ahead, return_when=FIRST_COMPLETED)
            for future in ended:
                yield ahead.pop(future), future.result()
    except (BrokenProcessPool, ConnectionError, EOFError) as error:
        # a worker that dies while it is being started breaks the pipe to it, and the pool does not hide that
        raise InfrastructureError(
            "a worker process died (killed, or out of memory); finished chunks are kept, run the same command again"
            " to do the rest, with fewer --workers if memory was short"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _die_with_the_parent() -> None:
    """Make this worker end at once when the process that started it is gone, however it went.

    A worker whose parent was killed would finish its chunks and then sleep for ever; worse, it could still commit a
    chunk of its old plan while the same command, started again, works on the new one.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "only a worker process calls this"

    def watch() -> None:
        wait_for_end([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
