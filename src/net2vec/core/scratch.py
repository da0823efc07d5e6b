"""Tensors in an unnamed file of the temporary folder, for work that is larger than memory.

The file is mapped: a tensor in it is used like any other, stays in memory while there is room, and
is written out by the system when others need that. `TMPDIR` names the folder, which must be on a
disk; the file has no name, so that nothing is left of it when its last tensor is gone.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from net2vec.core.memory import give_back_freed_memory

Value = TypeVar("Value")
Empty = Callable[[Sequence[int], torch.dtype], Tensor]
"""Makes a tensor of a shape and type whose values are not set."""

# A system maps some ten thousand pieces for a process, at most.
_SEGMENT_BYTES = 1 << 26
# Tensors begin at whole cache lines.
_ALIGNMENT = 64


class Scratch:
    """Memory for tensors in mapped files, which end with the last tensor in them."""

    def __init__(self) -> None:
        self._segment = mmap.mmap(-1, 1)
        self._used = 1

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor whose values are not set.

        Raises:
            OSError: if the disk is full.
        """
        count = int(torch.Size(shape).numel())
        size = count * dtype.itemsize
        if not size:
            return torch.empty(tuple(shape), dtype=dtype)
        if self._used + size > len(self._segment):
            self._segment, self._used = _segment(max(size, _SEGMENT_BYTES)), 0
            # Between what stays in memory, the C library keeps gaps of what was moved here.
            give_back_freed_memory()
        flat = torch.frombuffer(self._segment, dtype=dtype, count=count, offset=self._used)
        self._used += -(-size // _ALIGNMENT) * _ALIGNMENT
        return flat.view(tuple(shape))

    def put(self, values: Tensor) -> Tensor:
        """A copy of a tensor."""
        return self.empty(values.shape, values.dtype).copy_(values)

    def put_fields(self, values: Value) -> Value:
        """A copy of a dataclass with the tensors that it and dataclasses in it hold, each once."""
        copied: Value = self._copy(values, {})
        return copied

    def _copy(self, value: Any, done: dict[int, Tensor]) -> Any:
        if isinstance(value, Tensor):
            if id(value) not in done:
                done[id(value)] = self.put(value)
            return done[id(value)]
        if is_dataclass(value) and not isinstance(value, type):
            own = {one.name: self._copy(getattr(value, one.name), done) for one in fields(value)}
            return replace(value, **own)
        return value


def in_memory(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """The `Empty` of what memory has room for."""
    return torch.empty(tuple(shape), dtype=dtype)


def _segment(size: int) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        try:
            # Writing to a mapping for which there is no room would kill the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            error.filename = tempfile.gettempdir()
            raise
        return mmap.mmap(file.fileno(), size)
