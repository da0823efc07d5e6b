"""Locks on folders, held by one process that writes there, or by all that have unfinished files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked_folder(folder: Path) -> Iterator[Path]:
    """Makes and locks a folder, and gives the folder to write into.

    That is `folder` itself. Other callers wait until it is unlocked, and find the files of an
    interrupted one. If folders cannot be locked (on Windows and some network file systems), it is a
    new temporary folder within, which is removed at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _lock(folder)
    if descriptor is None:
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as temporary:
            yield Path(temporary)
        return
    try:
        yield folder
    finally:
        os.close(descriptor)  # this unlocks it, as the end of the process does


@contextmanager
def occupied_folder(folder: Path, clean: Callable[[], object]) -> Iterator[None]:
    """Share a lock on a folder in which this process has unfinished files.

    Args:
        folder: must exist.
        clean: called first if nobody else occupies the folder: whatever is unfinished in it was
            left by a killed process. Not called where folders cannot be locked.
    """
    descriptor = _open(folder)
    if descriptor is None:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clean()
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def is_occupied(folder: Path) -> bool:
    """Whether a process has unfinished files in a folder; False where folders cannot be locked."""
    descriptor = _open(folder)
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _lock(folder: Path) -> int | None:
    """Waits for the lock; None if the folder cannot be locked."""
    descriptor = _open(folder)
    if descriptor is None:
        return None
    try:
        # The folder itself is locked, as a lock file could not be removed without a race.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError):
            return None
        raise
    return descriptor


def _open(folder: Path) -> int | None:
    """A descriptor of the folder, to be locked; None if that is not supported."""
    if fcntl is None:
        return None
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None
