"""Files that are there whole or not at all, and the folder of what may be made again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file or folder under, which takes its place at the end.

    No reader ever meets half a file: after an error or an interruption, what was there still is.
    """
    # What a link leads to is replaced, not the link, and `.` has a name of its own.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Threads may write the same.
    temporary, before = (
        path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.{end}") for end in ("tmp", "old")
    )
    _remove(temporary)
    _remove(before)
    try:
        yield temporary
        if path.is_dir() or (path.exists() and temporary.is_dir()):
            _exchange(path, temporary, before)
        else:
            temporary.replace(path)
    finally:
        _remove(temporary)
        _remove(before)


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays, numbers and text as an uncompressed `.npz`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def cache_folder() -> Path:
    """Where all runs keep what they share and can make again: `NET2VEC_CACHE` if that is set."""
    named = os.environ.get("NET2VEC_CACHE")
    if named:
        return Path(named).expanduser()
    import pooch  # takes a while

    return Path(pooch.os_cache("net2vec"))


def _exchange(path: Path, temporary: Path, before: Path) -> None:
    """Put what is new in the place of what cannot be renamed over: either is a folder."""
    try:
        path.replace(before)
        temporary.replace(path)
    except BaseException:
        if before.exists() and not path.exists():
            before.replace(path)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
