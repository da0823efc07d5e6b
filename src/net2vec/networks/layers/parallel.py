"""Run batches in parallel: several replicas of a network, each in a thread of its own.

Threads that share every single operation wait for each other at the end of each; threads that have
a batch each do not wait, and leave no core idle while the outputs of a layer are processed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.networks.layers.capture import output_callback, share_replicas
from net2vec.networks.layers.modes import parameter_device
from net2vec.networks.network import Network

# Each replica has the activations of a batch in memory.
_MAX_REPLICAS = 4


class ReplicaPool:
    """Runs batches through a network; see `parallel_replicas`."""

    def __init__(self, runs: Sequence[Callable[[Tensor, int], None]], threads: int) -> None:
        self._count = len(runs)
        self._free: SimpleQueue[Callable[[Tensor, int], None]] = SimpleQueue()
        for run in runs:
            self._free.put(run)
        self._pool = ThreadPoolExecutor(
            len(runs), initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._running: deque[tuple[int, Future[float]]] = deque()
        self._begun: float | None = None
        self._ended = 0.0
        self._busy = 0.0

    def run(
        self, batches: Iterable[tuple[Sequence[int], Float[Tensor, "image channel row column"]]]
    ) -> Iterator[int]:
        """Run batches, and yield the number of images of each finished one, in order.

        Args:
            batches: the images' numbers, one after the other, and what the network is fed.
        """
        self._begun = time.perf_counter()
        for chosen, images in batches:
            self._running.append((len(images), self._pool.submit(self._job, images, chosen[0])))
            # One more than there are replicas, so that none waits while the caller works.
            if len(self._running) > self._count:
                yield self._oldest()
        yield from self.finish()

    def finish(self) -> Iterator[int]:
        """Wait for all that is running, and yield the number of images of each batch."""
        while self._running:
            yield self._oldest()

    @property
    def waited(self) -> float:
        """Share of the time so far in which the network had no images, from 0 to 1."""
        if self._begun is None or self._ended <= self._begun:
            return 0.0
        return max(0.0, 1 - self._busy / self._count / (self._ended - self._begun))

    def close(self) -> None:
        """Drop what has not begun, and wait for the rest."""
        self._pool.shutdown(cancel_futures=True)

    def _job(self, images: Tensor, first: int) -> float:
        begun = time.perf_counter()
        run = self._free.get()
        try:
            run(images, first)
        finally:
            self._free.put(run)
        return time.perf_counter() - begun

    def _oldest(self) -> int:
        images, future = self._running.popleft()
        self._busy += future.result()
        self._ended = time.perf_counter()
        return images


@contextmanager
def parallel_replicas(
    network: Network,
    layers: Sequence[str],
    callback: Callable[[str, Tensor, int], None],
    *,
    mixed_precision: bool = False,
) -> Iterator[ReplicaPool]:
    """Pass the outputs of layers to a callback while batches run through replicas of a network.

    On a CPU the threads of PyTorch are divided among up to four replicas; on a GPU there is one.
    Their number does not depend on how many threads decode images.

    Args:
        network: a network, on its device; it is left as it was found.
        layers: module paths, or calls of them.
        callback: as in `output_callback`; called from several threads at once.
        mixed_precision: likewise.

    Raises:
        NetworkError: as in `output_callback`, and from `ReplicaPool.run`.
    """
    threads = torch.get_num_threads()
    is_gpu = policy_of(parameter_device(network.module)).is_gpu
    each = -(-threads // _MAX_REPLICAS)
    modules = share_replicas(network.module, 1 if is_gpu else threads // each)
    with ExitStack() as stack:
        runs = [
            stack.enter_context(
                output_callback(
                    network, layers, callback, module=module, mixed_precision=mixed_precision
                )
            )
            for module in modules
        ]
        pool = ReplicaPool(runs, threads // len(modules))
        # New threads begin with this number: those that decode images need one each, too.
        torch.set_num_threads(1)
        stack.callback(torch.set_num_threads, threads)
        stack.callback(pool.close)
        yield pool
