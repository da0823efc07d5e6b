"""Archives unpacked with suspicion: nothing leaves the folder, nothing outgrows its bounds."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from net2vec.errors import DataError

MAX_BYTES = 64 << 30
MAX_FILES = 2_000_000

_CHUNK = 1 << 20
_SYMLINK = 0o120000
_CLUTTER = ("__MACOSX", ".DS_Store")


@dataclass(frozen=True)
class _Member:
    """A file of an archive: its path there, its size as declared, and how to read it."""

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
    """Unpacks a zip or tar archive into a folder, less the one folder that all its files are in.

    Everything is looked at before anything is written: only plain files, inside the folder, in
    bounded number and size, and no more than the disk has room for.

    Args:
        archive: the file.
        folder: where to unpack, an existing folder.
        max_bytes: of all files together.
        max_files: how many files at most.
        progress: called with the number of files unpacked since the last call, and of all files.

    Raises:
        DataError: the archive is damaged, is of another kind, or is not to be trusted.
    """
    with _members(archive) as members:
        if len(members) > max_files:
            raise DataError(f"{archive}: {len(members)} files, more than the {max_files} allowed")
        size = sum(member.size for member in members)
        if size > max_bytes:
            raise DataError(f"{archive}: {size} bytes unpacked, more than the {max_bytes} allowed")
        free = shutil.disk_usage(folder).free
        if size > free:
            raise DataError(f"{archive}: {size} bytes unpacked, but {folder} has room for {free}")
        paths = [_safe(archive, member.name) for member in members]
        tops = {path.parts[0] if len(path.parts) > 1 else "" for path in paths}
        shared = len(tops) == 1 and tops != {""}
        for member, path in zip(members, paths, strict=True):
            target = folder.joinpath(*path.parts[shared:])
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(archive, member, target)
            progress(1, len(members))


def _safe(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise DataError(f"{archive}: {name!r} would be written outside the folder; not unpacked")
    return path


def _copy(archive: Path, member: _Member, target: Path) -> None:
    left = member.size
    source = member.open()
    if source is None:
        raise DataError(f"{archive}: {member.name!r} is no plain file; not unpacked")
    with source, target.open("xb") as copy:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise DataError(f"{archive}: {member.name!r} is larger than the archive declares")
            copy.write(chunk)


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    """The files of an archive, with every way it can be damaged turned into one `DataError`."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield [*_zip_members(archive, file)]
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                yield [*_tar_members(archive, tar)]
        else:
            raise DataError(f"{archive}: neither a zip nor a tar archive, or cut short")
    except FileNotFoundError:
        raise DataError(f"{archive}: the file is missing") from None
    except FileExistsError as fault:
        raise DataError(f"{archive}: holds {fault.filename} twice") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as fault:
        raise DataError(f"{archive}: cannot be unpacked ({fault})") from None
    except (RuntimeError, NotImplementedError) as fault:  # a password; an unknown compression
        raise DataError(f"{archive}: cannot be unpacked ({fault})") from None


def _zip_members(archive: Path, file: zipfile.ZipFile) -> Iterator[_Member]:
    for info in file.infolist():
        if info.is_dir() or _is_clutter(info.filename):
            continue
        if info.external_attr >> 16 & 0o170000 == _SYMLINK:
            raise DataError(f"{archive}: {info.filename!r} is a link; not unpacked")
        yield _Member(info.filename, info.file_size, partial(file.open, info))


def _tar_members(archive: Path, tar: tarfile.TarFile) -> Iterator[_Member]:
    for info in tar:
        if info.isdir() or _is_clutter(info.name):
            continue
        if not info.isreg():
            raise DataError(f"{archive}: {info.name!r} is no plain file; not unpacked")
        yield _Member(info.name, info.size, partial(tar.extractfile, info))


def _is_clutter(name: str) -> bool:
    return any(part in _CLUTTER for part in PurePosixPath(name).parts)
