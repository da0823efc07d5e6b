"""What readers share about files: digests, splits drawn by name, folders written in one stroke."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from net2vec.core.storage import replacing
from net2vec.data.protocol import TRAIN, VAL
from net2vec.errors import DataError

_Result = TypeVar("_Result")

TRAIN_SHARE = 0.7
TEST = "test"

READ_BYTES = 512 << 20
"""Up to how many bytes of images and masks a digest reads."""

_SPLIT_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VAL,
    "valid": VAL,
    "validation": VAL,
    "test": TEST,
    "testing": TEST,
}


def inside(folder: Path, name: str) -> Path:
    """The path of a file that an index names relative to `folder`.

    Raises:
        DataError: the name is absolute or climbs out of the folder.
    """
    relative = PurePosixPath(name)
    if not name or relative.is_absolute() or ".." in relative.parts or set("\\\0") & set(name):
        raise DataError(f"{folder}: {name!r} does not name a file inside this folder")
    return folder / relative


def hashed_split(name: str) -> str:
    """Puts an image into "train" (70 %) or "val" (30 %) by a hash of its name alone.

    So neither the order of the images nor the presence of others moves an image from one split to
    the other.
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return TRAIN if number < TRAIN_SHARE * 2**64 else VAL


def split_in_path(name: str) -> str | None:
    """The split that a folder on a file's path is named after: "train", "val" or "test"."""
    splits = (_SPLIT_NAMES.get(part.lower()) for part in PurePosixPath(name).parts)
    return next((split for split in splits if split), None)


def inner_folders(folder: Path) -> dict[str, Path]:
    """The folders directly within, by their names in lower case, in order."""
    # Reversed: of several names that differ in case alone, the first by name is kept.
    with os.scandir(folder) as entries:
        inner = sorted((entry.name for entry in entries if entry.is_dir()), reverse=True)
    named = {name.lower(): folder / name for name in inner}
    return {name: named[name] for name in sorted(named)}


def list_files(folder: Path, suffixes: Container[str]) -> list[str]:
    """Files of some kinds under a folder, by their paths relative to it, in order.

    Raises:
        OSError: a folder cannot be listed.
    """

    def refuse(fault: OSError) -> None:
        raise fault  # else `walk` passes over the folder

    found = []
    for place, inner, files in os.walk(folder, onerror=refuse, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(".")]
        prefix = Path(place).relative_to(folder)
        found += [
            (prefix / name).as_posix()
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122
        ]
    return sorted(found)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, less empty ones at its end.

    Raises:
        DataError: it is missing, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read as text ({fault})") from None


def digest_files(
    root: Path, tables: Iterable[str], files: Iterable[str], settings: object = None
) -> str:
    """Digest of a dataset's files: the same wherever the folder lies, another if one is edited.

    Where images and masks are more than `READ_BYTES` together, they count by their sizes alone:
    reading Broden's 300,000 would take longer than most uses of it, and nobody edits those.

    Args:
        root: the folder that names are relative to.
        tables: names of files that always count by their contents.
        files: names of images and masks; a missing one counts as missing.
        settings: what else decides.

    Returns:
        Hexadecimal SHA-256.

    Raises:
        DataError: a file is there but cannot be read.
    """
    state = hashlib.sha256(repr(settings).encode())
    heavy = {name: _size(f"{root}/{name}") for name in files}
    for name, size in heavy.items():
        state.update(f"{name}\0{size}\n".encode())
    read = [] if sum(heavy.values()) > READ_BYTES else [n for n, size in heavy.items() if size > 0]
    for name in (*tables, *read):
        state.update(f"{name}\0".encode())
        state.update(hashlib.sha256(_read_bytes(root / name)).digest())
    return state.hexdigest()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault.strerror or fault})") from None


def _size(path: str) -> int:
    # Path objects would make this several times slower, and there may be 300,000 files.
    try:
        status = os.stat(path)  # noqa: PTH116
        return status.st_size if stat.S_ISREG(status.st_mode) else -1
    except (OSError, ValueError):  # no file can have the name
        return -1


def refuse_filled(out: Path) -> None:
    """Refuses a folder to make that is there already, unless it is empty.

    Raises:
        DataError: so.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out}: something is here already; name a folder that does not exist")


@contextmanager
def folder_in_one_stroke(out: Path) -> Iterator[Path]:
    """A folder to fill, which takes the name `out` once the block ends without an error.

    Raises:
        DataError: `out` is there already and not an empty folder, or it cannot be made or filled.
    """
    refuse_filled(out)
    try:
        with replacing(out) as unfinished:
            unfinished.mkdir()
            yield unfinished
    except OSError as fault:
        raise DataError(f"{out}: cannot be written ({fault.strerror or fault})") from None


def in_threads(
    work: Callable[[int], _Result], indices: Iterable[int], workers: int
) -> Iterator[_Result]:
    """Results in the order of the indices; the first error stops what has not begun.

    Threads are enough: decoding and encoding happen outside the interpreter's lock.
    """
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, indices)
