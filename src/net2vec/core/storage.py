"""Files that are written completely or not at all, and cached files, made again if damaged.

A cached file ends with a checksum of all before it. Formats with a directory of their own (`.npz`,
`.npy`, PyTorch's) ignore these bytes, so that other programs can read the files as they are.
"""

from __future__ import annotations

import errno
import glob
import logging
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO, TypeVar

import numpy as np

from net2vec.core.locks import occupied_folder
from net2vec.errors import ConfigError

Result = TypeVar("Result")
Say = Callable[[str], object]

_CHECKSUM = b"net2vec crc "
_BLOCK = 1 << 20
# File systems flush many files in about the time of one, if the calls run in parallel.
_FLUSH_THREADS = 16


# A path that was a URL, whose slashes are one by now; a letter alone is a drive of Windows.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_TEMPORARY = re.compile(r"\..+\.\d+-\d+\.(tmp|old)")


def is_temporary(path: Path) -> bool:
    """Whether a file or folder has a name under which `replacing` writes."""
    return _TEMPORARY.fullmatch(path.name) is not None


@contextmanager
def replacing(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Write a file or folder under a temporary name beside `path`, and rename it at the end.

    No reader sees a partial file: after an error or an interruption the old one is still there.
    What killed processes have left of the same name is removed, unless another process writes into
    the same folder.

    Args:
        path: the file or folder to replace or to create.
        lasting: whether that also holds after a power failure: the contents reach the disk before
            the rename, and the new name before this returns.

    Yields:
        The temporary name.
    """
    # A symbolic link stays, and its target is replaced; `.` is resolved to a name.
    path = refuse_url(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Threads may write the same.
    temporary, before = (
        path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.{end}") for end in ("tmp", "old")
    )
    occupied = occupied_folder(path.parent, partial(_remove_leftovers_of, path))
    with occupied if lasting else nullcontext():
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
                flush_folder(path.parent)
        finally:
            remove(temporary)
            remove(before)


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Hold a folder in which files are replaced; remove leftovers of killed processes from it.

    Nothing is removed if another process holds the folder.
    """
    refuse_url(folder).mkdir(parents=True, exist_ok=True)
    with occupied_folder(folder, partial(remove_leftovers, folder)):
        yield


def refuse_url(path: Path) -> Path:
    """A path as it is, where it is one.

    Raises:
        ConfigError: if it is a URL, which would become a folder of that name.
    """
    if _URL.match(str(path)) and not Path(path.parts[0]).is_dir():
        raise ConfigError(
            f"{path}: results and caches are written to folders, not to URLs; mount the store and "
            f"name a folder of it, or copy the finished run there"
        )
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes have left in a folder and those in it.

    No process must be writing there.
    """
    for path in [path for path in folder.rglob(".*") if is_temporary(path)]:
        with suppress(OSError):  # of another user, or removed with the folder that it was in
            remove(path)


def _remove_leftovers_of(path: Path) -> None:
    """Remove leftovers of writing `path`; put an old folder back whose exchange was cut short."""
    for left in path.parent.glob(f"{glob.escape(f'.{path.name}.')}*"):
        if not is_temporary(left):
            continue
        with suppress(OSError):
            if left.suffix == ".old" and not path.exists():
                left.replace(path)
            else:
                remove(left)


def log(text: str) -> None:
    """Report by the log `net2vec`, where there is no progress display to report to."""
    logging.getLogger("net2vec").info(text)


@contextmanager
def replacing_cached(path: Path) -> Iterator[Path]:
    """Write a file as `replacing` does, and append a checksum: for files that can be made again.

    After a power failure the newest files may be damaged, which `read_cached` detects.
    """
    with replacing(path, lasting=False) as temporary:
        yield temporary
        append_checksum(temporary)


def append_checksum(path: Path) -> None:
    """End a file with the checksum that `read_cached` wants."""
    with path.open("r+b") as file:
        checksum = _checksum(file, path.stat().st_size)
        file.seek(0, os.SEEK_END)
        file.write(checksum)


def read_cached(path: Path, read: Callable[[BinaryIO], Result], say: Say = log) -> Result | None:
    """Read a cached file; None if it is missing, damaged or cannot be used, and must be made again.

    Args:
        path: a file that `replacing_cached` has written.
        read: reads the open file, whose checksum is right; fails if another version wrote it.
        say: reports a file that exists but cannot be used.
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
    path: Path, make: Callable[[dict[str, np.ndarray]], Result], say: Say = log
) -> Result | None:
    """Read a file of `save_arrays`; None if it must be made again, see `read_cached`.

    Args:
        path: the file.
        make: converts the arrays; fails if they are not the expected ones.
        say: reports a file that exists but cannot be used.
    """

    def read(file: BinaryIO) -> Result:
        with np.load(file) as arrays:
            return make({key: arrays[key] for key in arrays.files})

    return read_cached(path, read, say)


def map_array(file: BinaryIO) -> np.ndarray:
    """The array in an open `.npy` file, mapped: memory holds the parts that are in use."""
    mapped: np.ndarray = np.load(file.name, mmap_mode="r")
    return mapped


def save_tensors(path: Path, values: Mapping[str, Any]) -> None:
    """Write tensors and plain values, as PyTorch does, to a cached file."""
    import torch  # takes a while

    with replacing_cached(path) as temporary:
        torch.save(dict(values), temporary)


def load_tensors(
    path: Path, make: Callable[[dict[str, Any]], Result], say: Say = log
) -> Result | None:
    """Read what `save_tensors` has written; as `load_arrays`."""
    import torch  # takes a while

    return read_cached(path, lambda file: make(torch.load(file, weights_only=True)), say)


def cache_folder() -> Path:
    """The folder of cached files that all runs share: `NET2VEC_CACHE` if that is set."""
    named = os.environ.get("NET2VEC_CACHE")
    if named:
        return refuse_url(Path(named)).expanduser()
    import pooch  # takes a while

    return Path(pooch.os_cache("net2vec"))


def _checksum(file: BinaryIO, size: int) -> bytes:
    """The last bytes of a cached file: a tag and the CRC-32 of its first `size` bytes."""
    value = zlib.crc32(b"")
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        value = zlib.crc32(block, value)
        size -= len(block)
    return _CHECKSUM + value.to_bytes(4, "little")


def _write_out(path: Path) -> None:
    """Flush a file, or a folder with all its contents, to the disk.

    Raises:
        OSError: if that fails, for instance since the disk is full.
    """
    if not path.is_dir():
        _write_out_file(path)
        return
    folders, files = [path], []
    for place, inner, names in os.walk(path):
        folders += [Path(place, name) for name in inner]
        files += [Path(place, name) for name in names]
    with ThreadPoolExecutor(_FLUSH_THREADS) as pool:
        for work, paths in ((_write_out_file, files), (flush_folder, folders)):
            for _ in pool.map(work, paths):
                pass


def _write_out_file(path: Path) -> None:
    if path.is_symlink():
        return
    # Windows flushes only files that are open for writing; elsewhere a file may be read-only.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            error.filename = str(path)
            raise
    finally:
        os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Flush the names in a folder to the disk, where the system supports that."""
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
    """Replace `path` by `temporary` where one of them is a folder, which no rename overwrites."""
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
