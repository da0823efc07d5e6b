"""Work items side by side, each on one thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

import torch
from joblib import Parallel, delayed, parallel_config

from net2vec.core.memory import give_back_freed_memory, keep_freed_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[tuple[Item, Result], None, None]:
    """Items with their results, in the order in which they are ready.

    Inside an item PyTorch runs on a single thread, whatever the number of workers: the order of
    its sums, and so the last bit of a result, never depends on it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what new threads begin with
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        futures: dict[Future[Result], Item] = {pool.submit(function, item): item for item in items}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[tuple[Item, Result], None, None]:
    """As `map_in_threads`; for items of many short calls, for which threads wait for each other.

    Processes take seconds to start, and are kept for the next time. The function and the items are
    sent to them; large arrays they see in place.
    """
    give_back_freed_memory()
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        tasks = (delayed(_alone)(function, item) for item in items)
        yield from Parallel(return_as="generator_unordered", batch_size=1)(tasks)


def _alone(function: Callable[[Item], Result], item: Item) -> tuple[Item, Result]:
    torch.set_num_threads(1)
    keep_freed_memory()  # the process is ours
    return item, function(item)


def longest_first(work: Mapping[Item, int]) -> dict[Item, int]:
    """Work items in an order that leaves no worker alone with a long one at the end."""
    return dict(sorted(work.items(), key=lambda item: -item[1]))


def pack_by_cost(work: Mapping[Item, int], most: int) -> dict[tuple[Item, ...], int]:
    """Groups of work items, the longest first; of more than one item no more than `most`."""
    groups: list[list[Item]] = []
    room = 0
    for item, size in longest_first(work).items():
        if not groups or size > room:
            groups.append([])
            room = most
        groups[-1].append(item)
        room -= size
    return {tuple(group): sum(work[item] for item in group) for group in groups}
