"""Files of datasets: names, links, digests, and output folders that appear at once."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from net2vec.core.storage import replacing
from net2vec.errors import DataError

_Result = TypeVar("_Result")

FOLLOW_LINKS = "NET2VEC_FOLLOW_LINKS"
"""Environment variable by which users allow links that leave a dataset."""

JUNK_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"})
"""Folders that archives, servers and file systems leave; they are passed over, as hidden ones."""

READ_BYTES = 512 << 20
"""Size in bytes of all images and masks up to which a digest reads them."""


def inside(folder: Path, name: str, within: Path | None = None) -> Path:
    """The path of a file that an index names relative to `folder`.

    Args:
        folder: the folder.
        name: the name.
        within: the dataset's folder, if `folder` is one in it; links must not leave it.

    Raises:
        DataError: if the name is absolute, leaves the folder or is a link that leaves the dataset.
    """
    relative = PurePosixPath(name)
    if not name or relative.is_absolute() or ".." in relative.parts or set("\\\0") & set(name):
        raise DataError(f"{folder}: {name!r} does not name a file inside this folder")
    refuse_links_out(within or folder, folder / relative)
    return folder / relative


def on_disk(folder: Path, name: str) -> str:
    """The name of a file in the form of Unicode that is there; the name itself if none is."""
    if name.isascii() or is_there(folder, name):
        return name
    forms = (composed(name), unicodedata.normalize("NFD", name))
    return next((form for form in forms if is_there(folder, form)), name)


def composed(text: str) -> str:
    """The composed form of Unicode: some file systems decompose names into letters and accents."""
    return unicodedata.normalize("NFC", text)


def is_there(folder: Path, name: str) -> bool:
    """Whether a name that an index gives, of any length and form, is a file below `folder`."""
    return _size(folder, name) >= 0


def refuse_links_out(dataset: Path, path: Path) -> None:
    """Checks that a path does not leave its dataset by a link; nothing is opened.

    Whoever made a dataset could otherwise have any file of the reader's machine shown, hashed or
    copied. With the variable `NET2VEC_FOLLOW_LINKS` set, links may lead anywhere.

    Raises:
        DataError: if it does.
    """
    if _leaves(dataset, path):
        raise DataError(
            f"{path}: a link out of the dataset, to {os.path.realpath(path)}; copy what it leads "
            f"to (cp -rL), or set {FOLLOW_LINKS}=1 if the links are your own"
        )


def _leaves(dataset: Path, path: Path) -> bool:
    """Whether a path leaves its dataset by a link that is not allowed."""
    root, target = os.path.realpath(dataset), os.path.realpath(path)
    is_inside = f"{target}{os.sep}".startswith(f"{root.rstrip(os.sep)}{os.sep}")
    return not is_inside and not os.environ.get(FOLLOW_LINKS)


def root_of_links(dataset: Path) -> Path:
    """The folder that a dataset's links may lead to: its own, or, in the hub's cache, the
    repository's, where the files of all snapshots lie in `blobs`.
    """
    is_snapshot = dataset.parent.name == "snapshots"
    repository = dataset.parent.parent
    return repository if is_snapshot and (repository / "blobs").is_dir() else dataset


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file; reading a pipe may never end.

    Raises:
        OSError: if it cannot be read.
        DataError: if it is not a regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError(f"{path}: not a regular file; wanted a file or a link to one")
    return path.read_bytes()


def inner_folders(folder: Path) -> dict[str, Path]:
    """Direct subfolders by name in lower case, in order."""
    # Reversed: of several names that differ only in case, the first by name is kept.
    with os.scandir(folder) as entries:
        inner = sorted((entry.name for entry in entries if entry.is_dir()), reverse=True)
    named = {name.lower(): folder / name for name in inner}
    return {name: named[name] for name in sorted(named)}


def list_files(
    folder: Path,
    suffixes: Container[str],
    *,
    within: Path | None = None,
    repeated: list[str] | None = None,
) -> list[str]:
    """Sorted paths, relative to a folder, of the files under it with one of the suffixes.

    A folder that can be reached in several ways, by links, is visited once, by a path without links
    where there is one.

    Args:
        folder: the folder.
        suffixes: in lower case, with the dot.
        within: the dataset's folder, which no link may leave; by default links lead anywhere.
        repeated: receives the links to folders that were visited already.

    Raises:
        OSError: if a folder cannot be listed.
        DataError: if a link leaves `within`, or a name is not UTF-8.
    """
    files: list[str] = []
    visited: set[tuple[int, int]] = set()
    pending: list[str] = [""]
    links: list[str] = []
    if within is not None:
        refuse_links_out(within, folder)
    while pending or links:
        prefix = pending.pop() if pending else links.pop(0)
        status = os.stat(folder / prefix)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in visited:
            if repeated is not None:
                repeated.append(prefix)
            continue
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder / prefix) as entries:
            seen = [e for e in entries if e.name[0] != "." and e.name not in JUNK_FOLDERS]
        for entry in sorted(seen, key=lambda entry: entry.name):
            is_folder = entry.is_dir()
            if not is_folder and os.path.splitext(entry.name)[1].lower() not in suffixes:  # noqa: PTH122
                continue
            name = f"{prefix}/{entry.name}" if prefix else entry.name
            refuse_undecoded(f"{folder}/{name}")
            if entry.is_symlink() and within is not None:
                refuse_links_out(within, folder / name)
            (files if not is_folder else links if entry.is_symlink() else pending).append(name)
    return sorted(files)


def holds_file(folder: Path, suffixes: Container[str]) -> bool:
    """Whether a file with one of the suffixes is under a folder; a folder that is a link counts.

    Raises:
        OSError: if a folder cannot be listed.
    """
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name[0] == "." or entry.name in JUNK_FOLDERS:
                    continue
                if entry.is_dir():
                    if entry.is_symlink():
                        return True
                    pending.append(Path(entry.path))
                elif os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122
                    return True
    return False


def refuse_undecoded(path: str) -> None:
    """Checks that a path is UTF-8; others can be neither shown nor written to results.

    Raises:
        DataError: if it is not.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise DataError(f"{ascii(path)[1:-1]}: its name is not UTF-8; rename it") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without empty ones at its end.

    Raises:
        DataError: if it is missing, not a regular file or not UTF-8.
    """
    try:
        return read_regular(path).decode("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read as text ({fault})") from None


def digest_files(
    root: Path,
    tables: Iterable[str],
    files: Iterable[str],
    settings: object = None,
    within: Path | None = None,
) -> str:
    """Digest of a dataset's files, independent of the folder's path.

    If images and masks exceed `READ_BYTES` in total, only their sizes are included: reading
    Broden's 300,000 files would take longer than most uses of it.

    Args:
        root: the folder that names are relative to.
        tables: names of files whose contents are always included.
        files: names of images and masks; those that are missing or leave the folder are included as
            missing, and of links out of the dataset the sizes alone.
        settings: other values to include, by their `repr`.
        within: the dataset's folder, if `root` is one in it; links must not leave it.

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
    inside_folders: dict[Path, bool] = {}
    for name in (*tables, *read):
        path = root / name
        # To resolve every path would take as long as to read a small image.
        if path.parent not in inside_folders:
            inside_folders[path.parent] = not _leaves(within or root, path.parent)
        is_inside = inside_folders[path.parent]
        if not is_inside or (path.is_symlink() and _leaves(within or root, path)):
            continue  # never opened; reading the image refuses it
        try:
            content = read_regular(path)
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
