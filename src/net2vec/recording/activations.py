"""Activations of a layer on all images, kept on disk in half precision.

Fits that read activations, not only where filters are on, look at them several times. A file holds
float16 values of dimensions (image, cell, filter), so that the filters of a cell lie side by side
and an image is one contiguous read. Values beyond the range of half precision are clamped, both
here and where vectors are used on new images.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor

from net2vec.core.storage import Say, append_checksum, log, read_cached
from net2vec.errors import DataError

# Blocks decide how sums are rounded, so results change with this number.
_BLOCK_VALUES = 1 << 23
HIGHEST = float(torch.finfo(torch.float16).max)
_BYTES = 2


class Activations(ABC):
    """The activations of a layer on all probe images, in half precision.

    Attributes:
        shape: numbers of images, cells of the grid and filters.
    """

    shape: tuple[int, int, int]

    @abstractmethod
    def values(
        self, images: Int[np.ndarray, "image"], filters: slice = slice(None)
    ) -> Float16[np.ndarray, "image cell filter"]:
        """The activations of some images, as they are kept.

        Args:
            images: indices of images, in any order.
            filters: some of the filters.
        """

    def of(self, images: Int[np.ndarray, "image"]) -> Float[Tensor, "image cell filter"]:
        """The activations of some images, in single precision.

        Args:
            images: indices of images, in any order.
        """
        return torch.from_numpy(self.values(images)).float()

    def close_by(self, images: Int[np.ndarray, "image"]) -> Activations:
        """The same, where it is fast to look at some images, and at these alone, many times."""
        return self

    def blocks(self, images: int) -> Iterator[slice]:
        """Slices of a number of images that are read together."""
        size = max(1, _BLOCK_VALUES // (self.shape[1] * self.shape[2]))
        for first in range(0, images, size):
            yield slice(first, min(first + size, images))


@dataclass(frozen=True)
class KeptActivations(Activations):
    """Activations in a file; it can be sent to another process.

    Attributes:
        path: the file.
    """

    path: Path
    shape: tuple[int, int, int]
    _mapped: list[np.ndarray] = field(default_factory=list, init=False, repr=False, compare=False)

    def values(
        self, images: Int[np.ndarray, "image"], filters: slice = slice(None)
    ) -> Float16[np.ndarray, "image cell filter"]:
        """See `Activations.values`."""
        return self.raw[images, :, filters]

    @property
    def raw(self) -> Float16[np.ndarray, "image cell filter"]:
        """The values on disk, mapped."""
        if not self._mapped:
            self._mapped.append(np.memmap(self.path, np.float16, "r", shape=self.shape))
        return self._mapped[0]

    def __reduce__(self) -> tuple[type[KeptActivations], tuple[Path, tuple[int, int, int]]]:
        return KeptActivations, (self.path, self.shape)


def size_in_bytes(images: int, grid: tuple[int, int], filters: int) -> int:
    """The size of the file of a layer."""
    return images * grid[0] * grid[1] * filters * _BYTES


def halved(output: Float[Tensor, "image filter y x"]) -> Float16[Tensor, "image cell filter"]:
    """Activations as they are kept."""
    return output.clamp(-HIGHEST, HIGHEST).half().flatten(2).transpose(1, 2).contiguous()


@dataclass(frozen=True)
class ActivationWriter:
    """Writes the activations of a layer, batch by batch, from any thread or process.

    Attributes:
        path: the file when it is complete; it has another name before.
        token: part of that name, so that two passes at a time do not write to one file.
        layer: name of the layer.
    """

    path: Path
    token: str
    layer: str

    @property
    def _partial(self) -> Path:
        return self.path.with_suffix(f".{self.token}.part")

    @property
    def is_begun(self) -> bool:
        """Whether something was written, and the file is not complete."""
        return self._partial.is_file()

    def write(self, output: Float[Tensor, "image filter y x"], first: int) -> None:
        """Write the activations of images first, first + 1, ...

        Raises:
            OSError: if the disk is full.
        """
        values = halved(output).cpu().numpy()
        # A full disk is an error of a call, but would kill a process that writes to a mapping.
        descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            rest, offset = memoryview(values.tobytes()), first * values[0].nbytes
            while rest:
                written = os.pwrite(descriptor, rest, offset)
                rest, offset = rest[written:], offset + written
        except OSError as error:
            error.filename = str(self._partial)
            raise
        finally:
            os.close(descriptor)

    def flush(self) -> None:
        """Let what was written reach the disk, before a checkpoint says that it is there."""
        if self._partial.exists():
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())

    def finish(self, shape: tuple[int, int, int], say: Say = log) -> KeptActivations:
        """Give the file its checksum and its name, after all images were written.

        Args:
            shape: numbers of images, cells and filters.
            say: reports filters whose activations half precision cannot hold.

        Raises:
            DataError: if the file is not what was written.
        """
        size, wanted = self._partial.stat().st_size, int(np.prod(shape)) * _BYTES
        if size != wanted:
            raise DataError(
                f"{self._partial} has {size} bytes where {wanted} were written; is the disk sound?"
            )
        append_checksum(self._partial)
        self._partial.replace(self.path)
        found = KeptActivations(self.path, shape)
        report_precision(self.layer, found, say)
        return found

    def open(self, shape: tuple[int, int, int], say: Say = log) -> KeptActivations | None:
        """The activations, if the file is complete and sound.

        Args:
            shape: numbers of images, cells and filters.
            say: reports a damaged file.
        """
        wanted = int(np.prod(shape)) * _BYTES
        found = read_cached(self.path, lambda file: os.fstat(file.fileno()).st_size, say)
        if found is None or not wanted < found < wanted + 64:
            return None
        return KeptActivations(self.path, shape)


def report_precision(layer: str, kept: Activations, say: Say) -> None:
    """Report filters whose activations were clamped, or are too small to be told apart."""
    highest = np.zeros(kept.shape[2], dtype=np.uint16)
    for some in kept.blocks(kept.shape[0]):
        # Without their sign, the bits of half precision have the order of the values.
        bits = kept.values(np.arange(some.start, some.stop)).view(np.uint16) & 0x7FFF
        highest = np.maximum(highest, bits.max((0, 1)))
    values = highest.view(np.float16)
    clamped = int((values >= HIGHEST).sum())
    tiny = int(((values > 0) & (values < torch.finfo(torch.float16).tiny)).sum())
    for count, fate in (
        (clamped, f"reach {HIGHEST:.0f} and are clamped there"),
        (tiny, "are below 6e-5 and lose digits"),
    ):
        if count:
            say(
                f"{layer}: activations of {count} of {len(values)} filters {fate}, since they are "
                f"kept in half precision"
            )
