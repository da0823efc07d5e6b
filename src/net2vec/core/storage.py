"""Files that are there whole or not at all, and cached ones, which are made again if damaged.

A cached file ends with a checksum of all before it. Formats with a directory of their own (`.npz`,
`.npy`, PyTorch's) do not mind these bytes, so that others can read the files as they are.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO, TypeVar

import numpy as np

Found = TypeVar("Found")
Say = Callable[[str], object]

_CHECKSUM = b"net2vec crc "
_BLOCK = 1 << 20
# File systems write many files to disk in about the time of one, if they are asked side by side.
_SIDE_BY_SIDE = 16


@contextmanager
def replacing(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """A name beside `path` to write a file or folder under, which takes its place at the end.

    No reader ever meets half a file: after an error or an interruption, what was there still is.

    Args:
        path: what to replace, or to make.
        lasting: whether that also holds after a power failure: what was written reaches the disk
            before it takes its place, and the new name before this returns.
    """
    # What a link leads to is replaced, not the link, and `.` has a name of its own.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Threads may write the same.
    temporary, before = (
        path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.{end}") for end in ("tmp", "old")
    )
    remove(temporary)
    remove(before)
    try:
        yield temporary
        if lasting:
            _write_out(temporary)
        if path.is_dir() or (path.exists() and temporary.is_dir()):
            _exchange(path, temporary, before)
        else:
            temporary.replace(path)
        if lasting:
            _write_out_folder(path.parent)
    finally:
        remove(temporary)
        remove(before)


def log(text: str) -> None:
    """Tell those who follow the program's log, for want of a progress to tell."""
    logging.getLogger("net2vec").info(text)


@contextmanager
def replacing_cached(path: Path) -> Iterator[Path]:
    """As `replacing`, for a file that can be made again: a checksum is added to what is written.

    After a power failure the newest files may be damaged, which `read_cached` finds out.
    """
    with replacing(path, lasting=False) as temporary:
        yield temporary
        with temporary.open("r+b") as file:
            checksum = _checksum(file, temporary.stat().st_size)
            file.seek(0, os.SEEK_END)
            file.write(checksum)


def read_cached(path: Path, read: Callable[[BinaryIO], Found], say: Say = log) -> Found | None:
    """What a cached file holds; None, for it to be made again, if that cannot be had.

    Args:
        path: a file that `replacing_cached` has written.
        read: is given the file, whose checksum is right; fails if another version wrote it.
        say: told of a file that is there but of no use.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size - len(_CHECKSUM) - 4
            if size < 0 or _checksum(file, size) != file.read():
                say(f"{path} is damaged; what it held is made again")
                return None
            file.seek(0)
            return read(file)
    except FileNotFoundError:
        return None
    except MemoryError:
        raise
    except Exception as error:  # every format has errors of its own
        what = " ".join(str(error).split()) or type(error).__name__
        say(f"{path} cannot be used ({what}); what it held is made again")
        return None


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays, numbers and text as an uncompressed `.npz`, a cached file."""
    with replacing_cached(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_arrays(
    path: Path, make: Callable[[dict[str, np.ndarray]], Found], say: Say = log
) -> Found | None:
    """Read what `save_arrays` has written; None, for it to be made again, if that cannot be had.

    Args:
        path: the file.
        make: makes of the arrays what is wanted; fails if these are not the ones it wants.
        say: told of a file that is there but of no use.
    """

    def read(file: BinaryIO) -> Found:
        with np.load(file) as arrays:
            return make({key: arrays[key] for key in arrays.files})

    return read_cached(path, read, say)


def save_tensors(path: Path, values: Mapping[str, Any]) -> None:
    """Write tensors and plain values, as PyTorch does, to a cached file."""
    import torch  # takes a while

    with replacing_cached(path) as temporary:
        torch.save(dict(values), temporary)


def load_tensors(
    path: Path, make: Callable[[dict[str, Any]], Found], say: Say = log
) -> Found | None:
    """Read what `save_tensors` has written; as `load_arrays`."""
    import torch  # takes a while

    return read_cached(path, lambda file: make(torch.load(file, weights_only=True)), say)


def cache_folder() -> Path:
    """Where all runs keep what they share and can make again: `NET2VEC_CACHE` if that is set."""
    named = os.environ.get("NET2VEC_CACHE")
    if named:
        return Path(named).expanduser()
    import pooch  # takes a while

    return Path(pooch.os_cache("net2vec"))


def _checksum(file: BinaryIO, size: int) -> bytes:
    """What a cached file of so many bytes before it ends with."""
    value = zlib.crc32(b"")
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        value = zlib.crc32(block, value)
        size -= len(block)
    return _CHECKSUM + value.to_bytes(4, "little")


def _write_out(path: Path) -> None:
    """Have the disk hold a file, or a folder with all that is in it.

    Raises:
        OSError: it does not, for instance as it is full.
    """
    if not path.is_dir():
        _write_out_file(path)
        return
    folders, files = [path], []
    for place, inner, names in os.walk(path):
        folders += [Path(place, name) for name in inner]
        files += [Path(place, name) for name in names]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for work, paths in ((_write_out_file, files), (_write_out_folder, folders)):
            for _ in pool.map(work, paths):
                pass


def _write_out_file(path: Path) -> None:
    if path.is_symlink():
        return
    # Windows wants a file that may be written to; elsewhere a file may be for reading alone.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            error.filename = str(path)
            raise
    finally:
        os.close(descriptor)


def _write_out_folder(path: Path) -> None:
    """Have the disk hold the names in a folder, where a folder can be asked for that."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # on Windows
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _exchange(path: Path, temporary: Path, before: Path) -> None:
    """Put what is new in the place of what cannot be renamed over: either is a folder."""
    try:
        path.replace(before)
        temporary.replace(path)
    except BaseException:
        if before.exists() and not path.exists():
            before.replace(path)
        raise


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
