"""Activations of a layer on all images, kept on disk in half precision.

Fits that read activations, not only where filters are on, look at them several times. A file holds
float16 values of dimensions (image, cell, filter), so that the filters of a cell lie side by side
and an image is one contiguous read. Values beyond the range of half precision are clamped, both
here and where vectors are used on new images.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor

from net2vec.core.storage import Say, append_checksum, log, read_cached, remove

HIGHEST = float(torch.finfo(torch.float16).max)
_BYTES = 2


@dataclass(frozen=True)
class KeptActivations:
    """The activations of a layer on all probe images; it can be sent to another process.

    Attributes:
        path: the file.
        shape: numbers of images, cells of the grid and filters.
    """

    path: Path
    shape: tuple[int, int, int]
    _mapped: list[np.ndarray] = field(default_factory=list, init=False, repr=False, compare=False)

    def of(self, images: Int[np.ndarray, "image"]) -> Float[Tensor, "image cell filter"]:
        """The activations of some images, in single precision.

        Args:
            images: indices of images, in any order.
        """
        if not self._mapped:
            self._mapped.append(np.memmap(self.path, np.float16, "r", shape=self.shape))
        return torch.from_numpy(self._mapped[0][images]).float()

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
    """

    path: Path
    token: str

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

    def finish(self) -> None:
        """Give the file its checksum and its name."""
        append_checksum(self._partial)
        self._partial.replace(self.path)

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

    def remove(self) -> None:
        """Remove the file, complete or not."""
        remove(self.path)
        remove(self._partial)
