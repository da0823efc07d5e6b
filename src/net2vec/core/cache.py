"""Results of work items on disk, by a digest of all that determines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from net2vec.core.storage import Say, load_arrays, log, save_arrays

Value = TypeVar("Value")


def digest_of(**parts: Any) -> str:
    """A digest of everything that determines a result."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ItemCache:
    """Results of work items, a small file each.

    Args:
        folder: contains the caches of one kind of item.
        digest: of all that determines the results; those of another digest are not found.
        say: reports items that exist but cannot be used.
    """

    def __init__(self, folder: Path, digest: str, say: Say = log) -> None:
        self._folder = folder / digest
        self._say = say

    def get(self, name: str, kind: type[Value]) -> Value | None:
        """The result of an item; None if there is none that can be used."""

        def make(arrays: Mapping[str, np.ndarray]) -> Value:
            wanted = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
            if set(arrays) != wanted:
                raise ValueError("it was written by another version")
            return kind(**{key: _scalar(value) for key, value in arrays.items()})

        return load_arrays(self._folder / f"{name}.npz", make, self._say)

    def put(self, name: str, value: object) -> None:
        """Store the result of an item, an instance of a dataclass of arrays and numbers."""
        if not is_dataclass(value):
            raise TypeError(f"{type(value).__name__} is no dataclass")
        arrays: Mapping[str, Any] = {
            entry.name: np.asarray(getattr(value, entry.name)) for entry in fields(value)
        }
        save_arrays(self._folder / f"{name}.npz", **arrays)


def _scalar(value: np.ndarray) -> Any:
    return value.item() if value.ndim == 0 else value
