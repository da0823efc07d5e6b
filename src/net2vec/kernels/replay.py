"""Many short steps on a GPU: their calls are recorded once and repeated as a single one."""

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


class Replayed:
    """Takes steps as a function does, without waiting for its calls one by one.

    Args:
        take: takes the steps whose inputs it is given, stacked. It changes tensors in place, waits
            for nothing, and makes nothing that outlives it.
    """

    def __init__(self, take: Callable[[Sequence[Tensor]], None]) -> None:
        self._take = take
        self._inputs: list[Tensor] = []
        self._graph: torch.cuda.CUDAGraph | None = None

    def take(self, steps: Sequence[Tensor]) -> None:
        """Take steps with these inputs, stacked; all calls have inputs of the same shapes."""
        count, done = len(steps[0]), 0
        if self._graph is None and count > _TOGETHER:
            # Kernels are loaded by a first step: they cannot be while calls are recorded.
            self._take([part[:1] for part in steps])
            done = 1
            self._record(steps)
        if self._graph is not None:
            while done + _TOGETHER <= count:
                for own, part in zip(self._inputs, steps, strict=True):
                    own.copy_(part[done : done + _TOGETHER])
                self._graph.replay()
                done += _TOGETHER
        self._take([part[done:] for part in steps])

    def _record(self, steps: Sequence[Tensor]) -> None:
        self._inputs = [part.new_empty(_TOGETHER, *part.shape[1:]) for part in steps]
        self._graph = torch.cuda.CUDAGraph()
        device = steps[0].device
        now, aside = torch.cuda.current_stream(device), _aside(device)
        with _RECORDING, torch.cuda.stream(aside):
            aside.wait_stream(now)
            # Makes room for the library on this stream: what is made below goes with the graph.
            torch.cuda.current_blas_handle()  # type: ignore[no-untyped-call]
            # Other threads may go on with what they do.
            self._graph.capture_begin(capture_error_mode="thread_local")
            try:
                self._take(self._inputs)
            finally:
                self._graph.capture_end()
        now.wait_stream(aside)


@cache
def _aside(device: torch.device) -> torch.cuda.Stream:
    """The stream on which calls are recorded."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
