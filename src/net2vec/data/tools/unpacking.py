"""Unpacks untrusted archives: only plain files, within the folder, of limited number and size."""

from __future__ import annotations

import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from net2vec.errors import DataError

MAX_BYTES = 64 << 30
MAX_FILES = 2_000_000

_CHUNK = 1 << 20
_SYMLINK = 0o120000
_ENCRYPTED = 1
_CLUTTER = ("__MACOSX", ".DS_Store")

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,  # from gzip and bz2
    ValueError,  # invalid names, negative offsets
    IndexError,  # an empty name
    OverflowError,  # sizes that are too large
    MemoryError,  # from LZMA, whose archives give the size of the dictionary
    RuntimeError,  # an unknown compression
)


class BadArchiveError(DataError):
    """An archive is damaged, of an unknown format or unsafe; another copy may be valid.

    Attributes:
        reason: the fault, without the archive's name.
    """

    def __init__(self, archive: Path, reason: str) -> None:
        super().__init__(f"{archive}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class _Member:
    """A file in an archive: its path, its declared size in bytes, and a function to open it."""

    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    progress: Callable[[int, int], object] = lambda files, total: None,
) -> None:
    """Unpacks a zip or tar archive into a folder, without the common top folder of its files.

    All entries are checked before anything is written: only plain files, within the folder, of
    limited number and size, and no more than the free disk space.

    Args:
        archive: the file.
        folder: an existing folder.
        max_bytes: largest total size in bytes.
        max_files: largest number of files.
        progress: called with the number of files unpacked since the last call, and of all files.

    Raises:
        BadArchiveError: if the archive is damaged, of an unknown format, or unsafe.
        DataError: if the archive cannot be read, or the folder cannot be written.
    """
    with _members(archive) as members:
        if not members:
            raise BadArchiveError(archive, "holds no files")
        if len(members) > max_files:
            raise BadArchiveError(
                archive, f"{len(members)} files, more than the {max_files} allowed"
            )
        size = sum(member.size for member in members)
        if size > max_bytes:
            raise BadArchiveError(
                archive, f"{size} bytes unpacked, more than the {max_bytes} allowed"
            )
        free = shutil.disk_usage(folder).free
        if size > free:
            raise DataError(f"{archive}: {size} bytes unpacked, but {folder} has room for {free}")
        paths = [_safe(archive, member.name) for member in members]
        tops = {path.parts[0] if len(path.parts) > 1 else "" for path in paths}
        shared = len(tops) == 1 and tops != {""}
        for member, path in zip(members, paths, strict=True):
            _copy(archive, member, folder.joinpath(*path.parts[shared:]))
            progress(1, len(members))


def _safe(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or set("\\:\0") & set(name) or not path.parts:
        raise BadArchiveError(
            archive, f"{name!r} would be written outside the folder; not unpacked"
        )
    return path


def _copy(archive: Path, member: _Member, target: Path) -> None:
    left = member.size
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy:
            for chunk in _chunks(archive, member):
                left -= len(chunk)
                if left < 0:
                    raise BadArchiveError(
                        archive, f"{member.name!r} is larger than the archive declares"
                    )
                copy.write(chunk)
    except (FileExistsError, NotADirectoryError):
        raise BadArchiveError(archive, f"holds {member.name!r} twice") from None
    except OSError as fault:
        raise DataError(f"{target}: cannot be written ({fault.strerror})") from None


def _chunks(archive: Path, member: _Member) -> Iterator[bytes]:
    with _reading(archive):
        source = member.open()
        if source is None:
            raise BadArchiveError(archive, f"{member.name!r} is no plain file; not unpacked")
        with source:
            while chunk := source.read(_CHUNK):
                yield chunk


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    """The files of an archive, which is open within the block."""
    if archive.exists() and not (archive.is_file() or archive.is_dir()):
        raise DataError(f"{archive}: not a regular file; wanted an archive")
    with ExitStack() as opened:
        with _reading(archive):
            if zipfile.is_zipfile(archive):
                file = opened.enter_context(zipfile.ZipFile(archive))
                members = [*_zip_members(archive, file)]
            elif tarfile.is_tarfile(archive):
                tar = opened.enter_context(tarfile.open(archive))
                members = [*_tar_members(archive, tar)]
            else:
                raise BadArchiveError(archive, "neither a zip nor a tar archive, or cut short")
        yield members


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turns all errors caused by a damaged archive into `BadArchiveError`."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{archive}: the file is missing") from None
    except (PermissionError, IsADirectoryError) as fault:
        raise DataError(f"{archive}: cannot be read ({fault.strerror})") from None
    except _DAMAGE as fault:
        reason = str(fault) or ("cut short" if isinstance(fault, EOFError) else repr(fault))
        raise BadArchiveError(archive, f"cannot be unpacked ({reason})") from None


def _zip_members(archive: Path, file: zipfile.ZipFile) -> Iterator[_Member]:
    for info in file.infolist():
        if info.is_dir() or _is_clutter(info.filename):
            continue
        if info.flag_bits & _ENCRYPTED:
            raise BadArchiveError(archive, f"{info.filename!r} is encrypted; not unpacked")
        if info.external_attr >> 16 & 0o170000 == _SYMLINK:
            raise BadArchiveError(archive, f"{info.filename!r} is a link; not unpacked")
        yield _Member(info.filename, info.file_size, partial(file.open, info))


def _tar_members(archive: Path, tar: tarfile.TarFile) -> Iterator[_Member]:
    for info in tar:
        if info.isdir() or _is_clutter(info.name):
            continue
        if not info.isreg():
            raise BadArchiveError(archive, f"{info.name!r} is no plain file; not unpacked")
        yield _Member(info.name, info.size, partial(tar.extractfile, info))


def _is_clutter(name: str) -> bool:
    return any(part in _CLUTTER for part in PurePosixPath(name).parts)
