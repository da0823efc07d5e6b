"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file or folder under, which takes its place at the end.

    No reader ever meets half a file: after an error or an interruption, what was there still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        yield temporary
        if path.is_dir():  # a folder cannot be renamed over another
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        _remove(temporary)


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays, numbers and text as an uncompressed `.npz`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
