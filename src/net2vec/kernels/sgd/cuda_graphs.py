"""Threads beside a GPU: they prepare in turn, and repeat many short calls as a single one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache, partial
from threading import Lock
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

# Steps of a recording: more take longer to record, fewer are repeated more often.
_GROUP_LIMIT = 16
# See `in_turn`.
_PREPARING = Lock()
# Recordings share their memory and what PyTorch notes of its random generator: one thread at a time
# makes them and drops them.
_RECORDING = Lock()


@contextmanager
def in_turn(device: torch.device | str) -> Iterator[None]:
    """Prepare what a GPU will do while no other thread does; on a CPU without waiting.

    Threads that prepare side by side wait for Python's lock, and the GPU has nothing to do until
    all of them are done. One after the other, it is busy as soon as the first one is.
    """
    with _PREPARING if torch.device(device).type == "cuda" else nullcontext():
        yield


@contextmanager
def recorded(work: Callable[[], object], device: torch.device) -> Iterator[Callable[[], object]]:
    """Work whose calls are recorded, not done, and repeated by what is given.

    All recordings share their memory, so they are repeated on the default stream alone, where none
    overtakes another.

    Args:
        work: changes tensors in place, waits for nothing, and makes nothing that outlives it. The
            like of it has been done before: kernels cannot be loaded while calls are recorded.
        device: a GPU.
    """
    graphs: list[torch.cuda.CUDAGraph] = []
    now = torch.cuda.current_stream(device)
    with _RECORDING:
        aside, pool, _ = _shared(device)
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            graphs.append(_record(work, pool))
        now.wait_stream(aside)
    try:
        yield lambda: graphs[0].replay()
    finally:
        with _RECORDING:
            graphs.clear()


def _record(work: Callable[[], object], pool: Any) -> torch.cuda.CUDAGraph:
    # Makes room for the library on this stream: what is made below is the recordings'.
    torch.cuda.current_blas_handle()  # type: ignore[no-untyped-call]
    graph = torch.cuda.CUDAGraph()
    # Other threads may go on with what they do.
    graph.capture_begin(pool=pool, capture_error_mode="thread_local")
    try:
        work()
    except BaseException:
        with suppress(RuntimeError):  # that nothing was recorded is known
            graph.capture_end()
        raise
    graph.capture_end()
    return graph


@cache
def _shared(
    device: torch.device,
) -> tuple[torch.cuda.Stream, Any, torch.cuda.CUDAGraph]:
    """The stream on which calls are recorded, their memory, and a recording that keeps it.

    Memory of recordings that are all gone would be lost until the GPU is full.
    """
    number = torch.zeros(1, device=device).add_(1)
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    pool = torch.cuda.graph_pool_handle()
    aside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(aside):
        return aside, pool, _record(lambda: number.add_(1), pool)


class Replayed:
    """Takes steps on a GPU as a function does, several a call.

    Args:
        take: takes the steps whose inputs it is given, stacked; see `recorded`.
    """

    def __init__(self, take: Callable[[Sequence[Tensor]], None]) -> None:
        self._take = take
        self._recordings = ExitStack()
        self._inputs: list[Tensor] = []
        self._replay: Callable[[], object] | None = None

    def __enter__(self) -> Replayed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recordings.close()

    def take(self, steps: Sequence[Tensor]) -> None:
        """Take steps with these inputs; all calls have inputs of the same shapes."""
        count, done = len(steps[0]), 0
        if self._replay is None and count > _GROUP_LIMIT:
            self._take([part[:1] for part in steps])
            done = 1
            self._inputs = [part.new_empty(_GROUP_LIMIT, *part.shape[1:]) for part in steps]
            work = partial(self._take, self._inputs)
            self._replay = self._recordings.enter_context(recorded(work, steps[0].device))
        while self._replay is not None and done + _GROUP_LIMIT <= count:
            for own, part in zip(self._inputs, steps, strict=True):
                own.copy_(part[done : done + _GROUP_LIMIT])
            self._replay()
            done += _GROUP_LIMIT
        self._take([part[done:] for part in steps])
