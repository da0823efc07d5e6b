"""One contract for all heavy work: a function mapped over items, in threads or in processes.

An item is a pure function of its inputs, so that every executor gives the same bits. Functions and
items can be pickled; the parent process alone stores results. `map_items` is how the package runs
work: inside an item PyTorch runs on one thread, whatever the executor and the number of workers, so
that the order of its sums, and with it the last bit of a result, never depends on them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import (
    TYPE_CHECKING,
    Generic,
    Protocol,
    TypeGuard,
    TypeVar,
    cast,
    runtime_checkable,
)

import torch
from joblib import Parallel, delayed, parallel_config

from net2vec.core.devices import CPU, CUDA
from net2vec.core.memory import give_back_freed_memory, keep_freed_memory
from net2vec.core.storage import Say

if TYPE_CHECKING:
    import distributed

Item = TypeVar("Item")
Result = TypeVar("Result")

# The number of threads of PyTorch before the first of the maps that are running, one a map.
_THREADS_BEFORE: list[int] = []
_THREADS_LOCK = Lock()
# Set where stages that run in threads are to end; of nested ones each.
_STOPS: ContextVar[tuple[Event, ...]] = ContextVar("stops", default=())
# Fits of a concept in an image from which on processes are worth their start.
_MIN_FITS_FOR_PROCESSES = 5000


@runtime_checkable
class Executor(Protocol):
    """Maps a function over items.

    An executor may have an attribute `maps_at_once`: how many maps it takes at a time, from threads
    of their own (1 without it). Where that is more than 1, `map` calls `end_if_stopped` while it
    waits, since Ctrl-C reaches the main thread alone.
    """

    def map(
        self, function: Callable[[Item], Result], items: Mapping[Item, float]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield items with their results, in the order in which they are ready.

        Closing the generator cancels what has not been started.

        Args:
            function: computes the result of an item; it can be pickled, and so can the items. It
                may hold large arrays: an executor should send it to each worker once, or share
                its memory.
            items: the cost of each item in any unit, in the order in which to start them.
        """
        ...


AnyExecutor = Executor | futures.Executor
"""The executors that `map_items` takes."""


@contextmanager
def local_or_cluster(
    executor: AnyExecutor | distributed.Client | None, folder: Path, say: Say
) -> Iterator[AnyExecutor | None]:
    """An executor as it is, or that of a Dask client.

    Args:
        executor: what a caller of the package gives.
        folder: all workers of a cluster see it.
        say: reports the cluster.
    """
    if not is_client(executor):
        yield cast("AnyExecutor | None", executor)
        return
    from net2vec.core.dask_executor import DaskExecutor

    with closing(DaskExecutor(executor, folder.resolve(), say)) as on_cluster:
        yield on_cluster


def is_client(executor: object) -> TypeGuard[distributed.Client]:
    """Whether an executor is a client of Dask, which exists only where its package is imported."""
    return isinstance(executor, getattr(sys.modules.get("distributed"), "Client", ()))


def map_items(
    executor: AnyExecutor,
    function: Callable[[Item], Result],
    items: Mapping[Item, float],
) -> Generator[tuple[Item, Result], None, None]:
    """Run a function on items, the most expensive first so that no worker ends with a long one.

    Args:
        executor: one of this module, any object with such a `map`, or one of `concurrent.futures`.
        function: computes the result of an item.
        items: the cost of each item in any unit.

    Yields:
        Items with their results, in the order in which they are ready.
    """
    ordered = {item: items[item] for item in _most_expensive_first(items)}
    alone = _OnOneThread(function)
    with _new_threads_compute_alone():
        if isinstance(executor, futures.Executor):
            yield from _submit(executor, alone, ordered)
        else:
            yield from executor.map(alone, ordered)


def maps_at_once(executor: AnyExecutor | None) -> int:
    """How many maps an executor should be given at a time, so that no worker waits for another.

    The last items of a map leave workers of a cluster without work; those of this machine are
    started for each map.
    """
    if is_client(executor):
        from net2vec.core.dask_executor import DaskExecutor

        return DaskExecutor.maps_at_once
    return getattr(executor, "maps_at_once", 1)


class StageStopped(BaseException):
    """A stage ends since another one has failed, or the user wants it."""


def run_stages(
    function: Callable[[Item], Result], stages: Sequence[Item], count: int
) -> list[Result]:
    """The results of stages, some of them at a time in threads of this process.

    A stage maps items by an executor; `count` is what `maps_at_once` says of it. After an error of
    one, or an interruption, no other is begun and those that run are stopped.
    """
    if count <= 1 or len(stages) <= 1:
        return [function(stage) for stage in stages]
    stop = Event()

    def call(stage: Item) -> Result:
        _STOPS.set((*outer, stop))
        return function(stage)

    outer = _STOPS.get()
    pool = futures.ThreadPoolExecutor(count)
    try:
        return [future.result() for future in [pool.submit(call, stage) for stage in stages]]
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def end_if_stopped() -> None:
    """Called by an executor while it waits, in the thread of a stage that `run_stages` runs.

    Raises:
        StageStopped: if the stage is to end.
    """
    if any(stop.is_set() for stop in _STOPS.get()):
        raise StageStopped


@contextmanager
def _new_threads_compute_alone() -> Iterator[None]:
    """Let threads that begin in the block have one thread of PyTorch; blocks may overlap."""
    with _THREADS_LOCK:
        if not _THREADS_BEFORE:
            torch_threads = torch.get_num_threads()
            torch.set_num_threads(1)
        else:
            torch_threads = _THREADS_BEFORE[0]
        _THREADS_BEFORE.append(torch_threads)
    try:
        yield
    finally:
        with _THREADS_LOCK:
            torch_threads = _THREADS_BEFORE.pop()
            if not _THREADS_BEFORE:
                torch.set_num_threads(torch_threads)


@dataclass(frozen=True)
class ThreadExecutor:
    """Threads of this process."""

    workers: int

    def map(
        self, function: Callable[[Item], Result], items: Mapping[Item, float]
    ) -> Generator[tuple[Item, Result], None, None]:
        """See `Executor.map`."""
        pool = futures.ThreadPoolExecutor(self.workers)
        try:
            yield from _submit(pool, function, items)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class ProcessExecutor:
    """Processes of this machine, for items of many short calls, which threads would serialise.

    Processes take seconds to start, and are reused by the next call. Large arrays of the function
    and the items are memory-mapped, not copied.
    """

    workers: int

    def map(
        self, function: Callable[[Item], Result], items: Mapping[Item, float]
    ) -> Generator[tuple[Item, Result], None, None]:
        """See `Executor.map`."""
        give_back_freed_memory()
        with parallel_config("loky", n_jobs=self.workers, inner_max_num_threads=1):
            tasks = (delayed(_with_item)(function, item) for item in items)
            yield from Parallel(return_as="generator_unordered", batch_size=1)(tasks)


def choose_executor(
    workers: int, *, on_gpu: bool = False, fits: float = 0, work: float = 0
) -> Executor:
    """The local executor that suits a stage.

    Args:
        workers: how many items are computed at a time, at most.
        on_gpu: whether items run on a GPU, which processes would have to share.
        fits: fits of a unit of work; 0 where the function should stay in this process.
        work: the cost of all items, in images.
    """
    # Two threads hardly wait for each other where every concept is a single fit, and processes
    # take memory of their own.
    if fits * work >= _MIN_FITS_FOR_PROCESSES and workers > (2 if fits == 1 else 1) and not on_gpu:
        return ProcessExecutor(workers)
    return ThreadExecutor(min(workers, (CUDA if on_gpu else CPU).learning_threads))


def pack_by_cost(items: Mapping[Item, int], limit: int) -> dict[tuple[Item, ...], int]:
    """Groups of items with their costs, the most expensive first.

    Args:
        items: the cost of each item.
        limit: the cost of a group; only a group of one item may exceed it.
    """
    groups = pack_in_order({item: items[item] for item in _most_expensive_first(items)}, limit)
    return {tuple(group): sum(items[item] for item in group) for group in groups}


def pack_in_order(items: Mapping[Item, int], limit: int) -> list[list[Item]]:
    """Groups of consecutive items, as in `pack_by_cost` but in the given order."""
    groups: list[list[Item]] = []
    left = 0
    for item, cost in items.items():
        if not groups or cost > left:
            groups.append([])
            left = limit
        groups[-1].append(item)
        left -= cost
    return groups


@dataclass(frozen=True)
class _OnOneThread(Generic[Item, Result]):
    """Calls a function with PyTorch on one thread."""

    function: Callable[[Item], Result]

    def __call__(self, item: Item) -> Result:
        torch.set_num_threads(1)
        return self.function(item)


def _submit(
    pool: futures.Executor, function: Callable[[Item], Result], items: Mapping[Item, float]
) -> Generator[tuple[Item, Result], None, None]:
    submitted = {pool.submit(function, item): item for item in items}
    try:
        for future in futures.as_completed(submitted):
            yield submitted.pop(future), future.result()
    finally:
        for future in submitted:
            future.cancel()


def _most_expensive_first(items: Mapping[Item, float]) -> list[Item]:
    return sorted(items, key=lambda item: -items[item])


def _with_item(function: Callable[[Item], Result], item: Item) -> tuple[Item, Result]:
    keep_freed_memory()  # the process is ours
    return item, function(item)
