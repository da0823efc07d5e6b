"""Files of datasets: names, splits, digests, and output folders that appear at once."""

from __future__ import annotations

import hashlib
import os
import re
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
"""Size in bytes of all images and masks up to which a digest reads them."""

_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
# As in `train2017`, `train_set`, `trainingset`, `val-images` and `train1`.
_SPLIT_NAME = re.compile(
    rf"({'|'.join(sorted(_SPLIT_NAMES, key=len, reverse=True))})"
    r"(?:[-_ ]?(?:set|split|images|imgs))?[-_ ]?\d*"
)


def inside(folder: Path, name: str) -> Path:
    """The path of a file that an index names relative to `folder`.

    Raises:
        DataError: if the name is absolute or leaves the folder.
    """
    relative = PurePosixPath(name)
    if not name or relative.is_absolute() or ".." in relative.parts or set("\\\0") & set(name):
        raise DataError(f"{folder}: {name!r} does not name a file inside this folder")
    return folder / relative


def hashed_split(name: str) -> str:
    """Assigns an image to "train" (70 %) or "val" (30 %) by a hash of its name alone.

    The split of an image therefore does not depend on the order or presence of other images.
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return TRAIN if number < TRAIN_SHARE * 2**64 else VAL


def split_in_path(name: str) -> str | None:
    """The split in the name of a folder on a path: "train", "val" or "test"; None if none.

    All readers recognise splits by this function. A name may also hold a year or a number, and the
    words set, split or images (`train2017`, `val_set`).
    """
    for part in PurePosixPath(name).parts:
        if match := _SPLIT_NAME.fullmatch(part.lower()):
            return _SPLIT_NAMES[match[1]]
    return None


def inner_folders(folder: Path) -> dict[str, Path]:
    """Direct subfolders by name in lower case, in order."""
    # Reversed: of several names that differ only in case, the first by name is kept.
    with os.scandir(folder) as entries:
        inner = sorted((entry.name for entry in entries if entry.is_dir()), reverse=True)
    named = {name.lower(): folder / name for name in inner}
    return {name: named[name] for name in sorted(named)}


def list_files(folder: Path, suffixes: Container[str]) -> list[str]:
    """Sorted paths, relative to a folder, of the files under it with one of the suffixes.

    Raises:
        OSError: if a folder cannot be listed.
    """

    def raise_error(error: OSError) -> None:
        raise error  # else `walk` skips the folder

    found = []
    for parent, inner, files in os.walk(folder, onerror=raise_error, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(".")]
        prefix = Path(parent).relative_to(folder)
        found += [
            (prefix / name).as_posix()
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122
        ]
    return sorted(found)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without empty ones at its end.

    Raises:
        DataError: if it is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read as text ({fault})") from None


def digest_files(
    root: Path, tables: Iterable[str], files: Iterable[str], settings: object = None
) -> str:
    """Digest of a dataset's files, independent of the folder's path.

    If images and masks exceed `READ_BYTES` in total, only their sizes are included: reading
    Broden's 300,000 files would take longer than most uses of it.

    Args:
        root: the folder that names are relative to.
        tables: names of files whose contents are always included.
        files: names of images and masks; those that are missing or leave the folder are included as
            missing.
        settings: other values to include, by their `repr`.

    Returns:
        Hexadecimal SHA-256.

    Raises:
        DataError: if a file exists but cannot be read.
    """
    state = hashlib.sha256(repr(settings).encode())
    heavy = {name: _size(root, name) for name in files}
    for name, size in heavy.items():
        state.update(f"{name}\0{size}\n".encode())
    read = [] if sum(heavy.values()) > READ_BYTES else [n for n, size in heavy.items() if size > 0]
    for name in (*tables, *read):
        try:
            content = (root / name).read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{root / name}: cannot be read ({reason})") from None
        state.update(f"{name}\0".encode() + hashlib.sha256(content).digest())
    return state.hexdigest()


def _size(root: Path, name: str) -> int:
    """Size in bytes of a file; -1 if it is missing, not regular, or not named below the folder."""
    # With Path objects this would be several times slower, for up to 300,000 files.
    if name.startswith("/") or ".." in name.split("/"):
        return -1  # never opened; reading the image refuses it
    try:
        status = os.stat(f"{root}/{name}")  # noqa: PTH116
        return status.st_size if stat.S_ISREG(status.st_mode) else -1
    except (OSError, ValueError):  # missing, or a name that no file can have
        return -1


def refuse_filled(out: Path) -> None:
    """Checks that an output folder does not exist or is empty.

    Raises:
        DataError: if it contains anything, or is a file.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out}: something is here already; name a folder that does not exist")


@contextmanager
def folder_in_one_stroke(out: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `out` if the block ends without an error.

    Raises:
        DataError: if `out` exists and is not an empty folder, or cannot be written.
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
    """Results in the order of the indices; after the first error no further work is started.

    Threads suffice, since decoding and encoding release the interpreter's lock.
    """
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, indices)
