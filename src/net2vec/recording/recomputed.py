"""Activations of a layer that are too large to be kept: the network runs again at every look.

An image goes through the network in the batch in which it was recorded, so that its activations
have the same bits. A look at a few images that lie far apart therefore costs as many batches. Those
of images that are looked at many times are copied to a temporary file, if they have room there.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from jaxtyping import Float16, Int
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.data.protocol import ProbeDataset
from net2vec.networks import Network, parallel_replicas
from net2vec.recording.activations import Activations, halved
from net2vec.recording.feeding import image_batches

# Threads that learn share the network.
_RUNNING = Lock()


@dataclass(frozen=True)
class RecomputedActivations(Activations):
    """The activations of a layer on all probe images, computed at every look.

    It can be sent to another process if network and dataset can.

    Attributes:
        network: the network, on its device.
        dataset: the images.
        layer: name of the layer.
        batch, mixed_precision: as they were recorded.
        workers: threads that decode images.
        folder: where images that are looked at several times are copied to.
        room: bytes that one such copy may take.
    """

    shape: tuple[int, int, int]
    network: Network
    dataset: ProbeDataset
    layer: str
    batch: int
    device: torch.device
    mixed_precision: bool
    workers: int
    folder: Path
    room: float

    def values(
        self, images: Int[np.ndarray, "image"], filters: slice = slice(None)
    ) -> Float16[np.ndarray, "image cell filter"]:
        """See `Activations.values`."""
        kept = range(self.shape[2])[filters]
        found = np.empty((len(images), self.shape[1], len(kept)), np.float16)

        def visit(name: str, output: Tensor, first: int) -> None:
            (here,) = np.nonzero((images >= first) & (images < first + len(output)))
            rows = torch.from_numpy(images[here] - first).to(output.device)
            found[here] = halved(output[rows]).cpu().numpy()[:, :, filters]

        everything = np.arange(self.shape[0])
        wanted = everything[np.isin(everything // self.batch, images // self.batch)].tolist()
        pinned = policy_of(self.device).is_gpu
        with (
            _RUNNING,
            parallel_replicas(
                self.network, [self.layer], visit, mixed_precision=self.mixed_precision
            ) as pool,
            closing(
                image_batches(
                    self.network, self.dataset, wanted, self.batch, self.workers, pinned=pinned
                )
            ) as batches,
        ):
            for _ in pool.run(batches):
                pass
        return found

    def close_by(self, images: Int[np.ndarray, "image"]) -> Activations:
        """See `Activations.close_by`: a copy in a file that vanishes with its last user."""
        images = np.unique(images)
        if len(images) * self.shape[1] * self.shape[2] * np.float16().itemsize > self.room:
            return self
        with tempfile.TemporaryFile(dir=self.folder) as file:
            for some in self.blocks(len(images)):
                file.write(self.values(images[some]).tobytes())
            file.flush()
            raw = np.memmap(file, np.float16, "r", shape=(len(images), *self.shape[1:]))
        return _CopiedActivations(self.shape, images, raw)

    def __reduce__(self) -> tuple[type[RecomputedActivations], tuple[object, ...]]:
        # A read-only mapping cannot be pickled by every executor.
        plain = replace(self.network, aliases={}, bases=dict(self.network.bases))
        return RecomputedActivations, tuple({**vars(self), "network": plain}.values())


@dataclass(frozen=True)
class _CopiedActivations(Activations):
    """The activations of some images.

    Attributes:
        images: the images, ascending.
        raw: their values.
    """

    shape: tuple[int, int, int]
    images: Int[np.ndarray, "copied"]
    raw: Float16[np.ndarray, "copied cell filter"]

    def values(
        self, images: Int[np.ndarray, "image"], filters: slice = slice(None)
    ) -> Float16[np.ndarray, "image cell filter"]:
        """See `Activations.values`; of these images alone."""
        return self.raw[np.searchsorted(self.images, images), :, filters]
