"""CUDA graphs: many short calls recorded once and replayed as one; threads beside a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache, partial
from threading import Lock
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from net2vec.core.devices import policy_of

# Steps of a graph: more take longer to record, fewer are replayed more often.
_GRAPH_STEPS = 16
# See `in_turn`.
_PREPARING = Lock()
# Graphs share their memory and the state of PyTorch's random generator: one thread at a time makes
# and drops them.
_RECORDING = Lock()


@contextmanager
def in_turn(device: torch.device | str) -> Iterator[None]:
    """Prepare work for a GPU while no other thread does; on a CPU without waiting.

    Threads that prepare at the same time wait for Python's lock, and the GPU is idle until all of
    them are done. One after the other, it is busy as soon as the first one is.
    """
    with _PREPARING if policy_of(device).is_gpu else nullcontext():
        yield


@contextmanager
def recorded(work: Callable[[], object], device: torch.device) -> Iterator[Callable[[], object]]:
    """Record the calls of `work` without running them; yields a function that replays them.

    All graphs share their memory, so they are replayed on the default stream alone, where none
    overtakes another.

    Args:
        work: changes tensors in place, does not synchronise, and creates nothing that outlives it.
            Similar work has run before: kernels cannot be loaded while calls are recorded.
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
    # Allocates the library's workspace on this stream, outside the memory of the graphs.
    torch.cuda.current_blas_handle()  # type: ignore[no-untyped-call]
    graph = torch.cuda.CUDAGraph()
    # Other threads may use the GPU meanwhile.
    graph.capture_begin(pool=pool, capture_error_mode="thread_local")
    try:
        work()
    except BaseException:
        with suppress(RuntimeError):  # the capture has already failed
            graph.capture_end()
        raise
    graph.capture_end()
    return graph


@cache
def _shared(
    device: torch.device,
) -> tuple[torch.cuda.Stream, Any, torch.cuda.CUDAGraph]:
    """The stream on which calls are recorded, the memory of graphs, and a graph that keeps it.

    If all graphs were dropped, their memory would be lost until the GPU is full.
    """
    number = torch.zeros(1, device=device).add_(1)
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    pool = torch.cuda.graph_pool_handle()
    aside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(aside):
        return aside, pool, _record(lambda: number.add_(1), pool)


class Replayed:
    """Takes steps on a GPU, several a call.

    Args:
        take: takes the steps with the given inputs, stacked; see `recorded`.
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
        if self._replay is None and count > _GRAPH_STEPS:
            self._take([part[:1] for part in steps])
            done = 1
            self._inputs = [part.new_empty(_GRAPH_STEPS, *part.shape[1:]) for part in steps]
            work = partial(self._take, self._inputs)
            self._replay = self._recordings.enter_context(recorded(work, steps[0].device))
        while self._replay is not None and done + _GRAPH_STEPS <= count:
            for own, part in zip(self._inputs, steps, strict=True):
                own.copy_(part[done : done + _GRAPH_STEPS])
            self._replay()
            done += _GRAPH_STEPS
        self._take([part[done:] for part in steps])
