"""Folders in which one process works at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def working_place(folder: Path) -> Iterator[Path]:
    """Where to work on what is to lie in `folder`, undisturbed by others who do the same.

    It is the folder itself, which is made; whoever else asks for it waits until it is given back.
    What an interruption leaves there is found by the next. Where folders cannot be locked (on
    Windows and some network file systems) it is a new one within, which is gone at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _lock(folder)
    if descriptor is None:
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as place:
            yield Path(place)
        return
    try:
        yield folder
    finally:
        os.close(descriptor)  # which unlocks it, as the end of a process does


def _lock(folder: Path) -> int | None:
    """Waits for the folder; None where it cannot be locked."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        # On the folder itself, for a file to lock could not be removed without a race.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
