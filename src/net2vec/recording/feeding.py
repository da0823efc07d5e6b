"""Images of a dataset as a network is fed them: decoded ahead, in batches."""

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
) -> Generator[tuple[Sequence[int], Float[Tensor, "image 3 size size"]]]:
    """Images of a dataset as a network is fed them, decoded ahead by threads.

    Args:
        network: says how images are prepared.
        dataset: whose images.
        images: which, in order.
        batch: how many at a time.
        workers: threads.
        pinned: whether batches are to be copied to a GPU without waiting.

    Yields:
        Which images, and the images.

    Raises:
        DataError: an image cannot be read.
        NetworkError: images are not prepared alike.
    """

    def load(index: int, fed: _Fed, place: int) -> None:
        fed.put(network.preprocessing(image_of(dataset, index)), place)

    pool = ThreadPoolExecutor(workers)
    try:
        ahead: deque[tuple[_Fed, list[Future[None]]]] = deque()
        begun = 0
        for first in range(0, len(images), batch):
            while begun < min(len(images), first + _BATCHES_AHEAD * batch):
                chosen = images[begun : begun + batch]
                fed = _Fed(len(chosen), pinned)
                jobs = [pool.submit(load, index, fed, i) for i, index in enumerate(chosen)]
                ahead.append((fed, jobs))
                begun += batch
            fed, jobs = ahead.popleft()
            for job in jobs:
                job.result()
            yield images[first : first + batch], fed.images
    finally:
        pool.shutdown(cancel_futures=True)


class _Fed:
    """A batch that threads put their images into: copies are too slow for one thread alone."""

    def __init__(self, count: int, pinned: bool) -> None:
        self._count = count
        self._pinned = pinned
        self._made: Tensor | None = None
        self._making = Lock()

    @property
    def images(self) -> Float[Tensor, "image 3 size size"]:
        """The batch, once all images are in."""
        if self._made is None:
            raise ValueError("no image was put into the batch")
        return self._made

    def put(self, image: Float[Tensor, "3 size size"], place: int) -> None:
        """Put an image at its place."""
        with self._making:
            if self._made is None:
                # Convolutions are up to twice as fast with the channels last.
                self._made = torch.empty(
                    (self._count, *image.shape),
                    dtype=image.dtype,
                    memory_format=torch.channels_last,
                    pin_memory=self._pinned,
                )
        if image.shape != self._made.shape[1:]:
            raise NetworkError(
                f"the preprocessing gives tensors of shape {tuple(self._made.shape[1:])} and "
                f"{tuple(image.shape)}: all images must be squashed to one size"
            )
        self._made[place].copy_(image)
