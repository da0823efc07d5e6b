"""Many short calls on a GPU: recorded once, and repeated as a single one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock

import torch
from torch import Tensor

# Steps of a recording: more take longer to record, fewer are repeated more often.
_TOGETHER = 16
# PyTorch notes the state of its random generator while it records, so one thread records at a time.
_RECORDING = Lock()


def recorded(
    works: Sequence[Callable[[], object]], device: torch.device
) -> list[Callable[[], object]]:
    """Work whose calls are recorded, not done, and repeated by what is returned, in this order.

    Args:
        works: each changes tensors in place, waits for nothing, and makes nothing that outlives it.
            The like of it has been done before: kernels cannot be loaded while calls are recorded.
        device: a GPU.
    """
    now, aside = torch.cuda.current_stream(device), _aside(device)
    graphs = []
    with _RECORDING, torch.cuda.stream(aside):
        aside.wait_stream(now)
        # Makes room for the library on this stream: what is made below goes with the recordings.
        torch.cuda.current_blas_handle()  # type: ignore[no-untyped-call]
        pool = torch.cuda.graph_pool_handle()
        for work in works:
            graph = torch.cuda.CUDAGraph()
            # Other threads may go on with what they do.
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
            graphs.append(graph)
    now.wait_stream(aside)
    return [graph.replay for graph in graphs]


@cache
def _aside(device: torch.device) -> torch.cuda.Stream:
    """The stream on which calls are recorded."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Replayed:
    """Takes steps as a function does, several a call.

    Args:
        take: takes the steps whose inputs it is given, stacked; see `recorded`.
    """

    def __init__(self, take: Callable[[Sequence[Tensor]], None]) -> None:
        self._take = take
        self._inputs: list[Tensor] = []
        self._replay: Callable[[], object] | None = None

    def take(self, steps: Sequence[Tensor]) -> None:
        """Take steps on a GPU with these inputs; all calls have inputs of the same shapes."""
        count, done = len(steps[0]), 0
        if self._replay is None and count > _TOGETHER:
            self._take([part[:1] for part in steps])
            done = 1
            self._inputs = [part.new_empty(_TOGETHER, *part.shape[1:]) for part in steps]
            (self._replay,) = recorded([lambda: self._take(self._inputs)], steps[0].device)
        while self._replay is not None and done + _TOGETHER <= count:
            for own, part in zip(self._inputs, steps, strict=True):
                own.copy_(part[done : done + _TOGETHER])
            self._replay()
            done += _TOGETHER
        self._take([part[done:] for part in steps])
