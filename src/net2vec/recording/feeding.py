"""Batches of preprocessed images, decoded ahead of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.data.checked import image_of
from net2vec.data.protocol import ProbeDataset
from net2vec.errors import NetworkError
from net2vec.networks import Network

_BATCHES_AHEAD = 3


def image_batches(
    network: Network,
    dataset: ProbeDataset,
    images: Sequence[int],
    batch: int,
    workers: int = 2,
    *,
    pinned: bool = False,
) -> Generator[tuple[Sequence[int], Float[Tensor, "image channel row column"]]]:
    """Batches of preprocessed images of a dataset, decoded ahead by threads.

    Args:
        network: has the preprocessing.
        dataset: the dataset.
        images: indices of images, in order.
        batch: images of a batch.
        workers: number of threads.
        pinned: whether batches can be copied to a GPU asynchronously.

    Yields:
        Indices, and the preprocessed images.

    Raises:
        DataError: if an image cannot be read.
        NetworkError: if preprocessed images differ in shape.
    """

    def load(index: int, buffer: _BatchBuffer, row: int) -> None:
        buffer.put(network.preprocessing(image_of(dataset, index)), row)

    pool = ThreadPoolExecutor(workers)
    try:
        ahead: deque[tuple[_BatchBuffer, list[Future[None]]]] = deque()
        begun = 0
        for first in range(0, len(images), batch):
            while begun < min(len(images), first + _BATCHES_AHEAD * batch):
                chosen = images[begun : begun + batch]
                buffer = _BatchBuffer(len(chosen), pinned)
                jobs = [pool.submit(load, index, buffer, i) for i, index in enumerate(chosen)]
                ahead.append((buffer, jobs))
                begun += batch
            buffer, jobs = ahead.popleft()
            for job in jobs:
                job.result()
            yield images[first : first + batch], buffer.images
    finally:
        pool.shutdown(cancel_futures=True)


class _BatchBuffer:
    """A batch that several threads fill: copies are too slow for one thread."""

    def __init__(self, count: int, pinned: bool) -> None:
        self._count = count
        self._pinned = pinned
        self._buffer: Tensor | None = None
        self._creating = Lock()

    @property
    def images(self) -> Float[Tensor, "image channel row column"]:
        """The batch, after all images were put."""
        if self._buffer is None:
            raise ValueError("no image was put into the batch")
        return self._buffer

    def put(self, image: Float[Tensor, "channel row column"], row: int) -> None:
        """Copy an image into the batch."""
        with self._creating:
            if self._buffer is None:
                # Convolutions are up to twice as fast with the channels last.
                self._buffer = torch.empty(
                    (self._count, *image.shape),
                    dtype=image.dtype,
                    memory_format=torch.channels_last,
                    pin_memory=self._pinned,
                )
        if image.shape != self._buffer.shape[1:]:
            raise NetworkError(
                f"the preprocessing gives tensors of shape {tuple(self._buffer.shape[1:])} and "
                f"{tuple(image.shape)}: all images must be squashed to one size"
            )
        self._buffer[row].copy_(image)
